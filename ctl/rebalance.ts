// `rebalance start|status|retry|skip|abort`.
import type { Command } from 'commander';
import { addChangeOptions, type ChangeFlags, changeOptions } from './change-options.js';
import { EXIT } from './exit.js';
import type { Runner } from './program.js';
import { exitCodeOf, finishStart, readChange, showChange, watchChange } from './progress.js';
import type { StartedView } from './views.js';

const ACTIONS = {
  retry: 'Tries failed moves again.',
  skip: 'Leaves failed moves out; their replicas stay where they are.',
  abort: 'Ends the change: no further moves start, those that run are finished, failed ones are cleaned up.',
} as const;

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

  for (const [action, description] of Object.entries(ACTIONS)) {
    rebalance
      .command(action)
      .description(description)
      .argument('[move]', 'id of a move; without it all that wait')
      .action(
        run(async (session, moveId: string | undefined) => {
          const answer = await session.api.post<{ result: unknown }>(`/rebalance/${action}`, { moveId });
          const said = typeof answer.result === 'string' ? answer.result : 'accepted';
          session.output.result([`${action}: ${said}`], answer);
          return EXIT.done;
        }),
      );
  }
}
