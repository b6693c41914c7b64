// `rebalance start|plan|plans|status`; decisions are in rebalance-control.ts.
import type { Command } from 'commander';
import { addChangeOptions, type ChangeFlags, startOptions } from './change-options.js';
import { findNodeKey } from './credentials.js';
import { addEditOptions, type EditFlags, editsFrom } from './edits.js';
import { CommandFailure, EXIT } from './exit.js';
import { addPlanCommands } from './plans.js';
import type { Runner } from './program.js';
import { exitCodeOf, finishStart, readChange, showChange, watchChange } from './progress.js';
import { addControlCommands } from './rebalance-control.js';
import { addRecordCommands } from './rebalance-record.js';
import type { StartedView } from './views.js';

interface StartFlags extends ChangeFlags, EditFlags {
  plan?: string;
  keyFile?: string;
}

export function addRebalanceCommands(program: Command, run: Runner): void {
  const rebalance = program
    .command('rebalance')
    .description('Starts, follows and steers changes of the topology.');

  const start = addChangeOptions(
    rebalance
      .command('start')
      .description(
        'Moves every shard to where it should be, the fewest moves possible; runs a plan or several edits.',
      ),
  );
  addEditOptions(start)
    .option('--plan <name>', 'run this saved plan as it is')
    .option(
      '--key-file <file>',
      'file with the master key of nodes that come (or MIROIR_NODE_KEY); never an argument',
    )
    .action(
      run(async (session, flags: StartFlags) => {
        const edits = editsFrom(flags);
        if (flags.plan !== undefined && edits !== null)
          throw new CommandFailure('a plan brings its own edits: leave the other options out', EXIT.usage);
        const key = findNodeKey(session.world.env, flags.keyFile);
        const body = {
          ...startOptions(flags),
          ...(flags.plan !== undefined && { plan: flags.plan, ...(key !== null && { key }) }),
          ...(edits !== null && { edits: withKey(edits, key) }),
        };
        if (edits?.remove || edits?.drain || edits?.replace)
          await session.confirm('Start this change: move all shards off the nodes that leave?');
        return finishStart(session, await session.api.post<StartedView>('/rebalance', body), flags.watch);
      }),
    );
  addPlanCommands(rebalance, run);

  rebalance
    .command('status')
    .description('Shows the latest change, or the one with this id, move by move.')
    .argument('[change]', 'id of a change')
    .option('--watch', 'follow it until it has ended', false)
    .action(
      run(async (session, id: string | undefined, flags: { watch: boolean }) => {
        if (flags.watch) return watchChange(session, id ?? null);
        const view = await readChange(session, id ?? null);
        showChange(session, view);
        return view.change === null ? EXIT.done : exitCodeOf(view.change.status);
      }),
    );

  addControlCommands(rebalance, run);
  addRecordCommands(rebalance, run);
}

/** Every node that comes gets the key: it goes to the store, never into the workflow. */
function withKey(edits: Record<string, unknown>, key: string | null): Record<string, unknown> {
  if (key === null) return edits;
  const keyed = (nodes: unknown) => (nodes as object[] | undefined)?.map((node) => ({ ...node, key }));
  return { ...edits, add: keyed(edits.add), replace: keyed(edits.replace) };
}
