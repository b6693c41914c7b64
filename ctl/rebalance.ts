// `rebalance start|status`; decisions are in rebalance-control.ts.
import type { Command } from 'commander';
import { addChangeOptions, type ChangeFlags, changeOptions } from './change-options.js';
import { EXIT } from './exit.js';
import type { Runner } from './program.js';
import { exitCodeOf, finishStart, readChange, showChange, watchChange } from './progress.js';
import { addControlCommands } from './rebalance-control.js';
import { addRecordCommands } from './rebalance-record.js';
import type { StartedView } from './views.js';

export function addRebalanceCommands(program: Command, run: Runner): void {
  const rebalance = program
    .command('rebalance')
    .description('Starts, follows and steers changes of the topology.');

  addChangeOptions(
    rebalance
      .command('start')
      .description('Moves every shard to where it should be, the fewest moves possible.'),
  ).action(
    run(async (session, flags: ChangeFlags) => {
      const started = await session.api.post<StartedView>('/rebalance', changeOptions(flags));
      return finishStart(session, started, flags.watch);
    }),
  );

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
