// `rebalance pause|resume|throttle|approve|retry|skip|abort|cancel|finish|rollback`: decisions, each with who decides.
import { type Command, InvalidArgumentError } from 'commander';
import { decider } from './decider.js';
import { EXIT } from './exit.js';
import type { Runner } from './program.js';
import { finishStart } from './progress.js';
import { parseCount, type Session } from './session.js';
import type { StartedView } from './views.js';

const ACTIONS = {
  pause: 'Holds the change: no move starts, copies hold within a second, nothing flips.',
  resume: 'Lets a paused change go on.',
  approve: 'Lets the first move flip, of a change that was started with --approve.',
  cancel: 'Ends the change now: moves before their flip are undone, those that have flipped stay.',
} as const;

const MOVE_ACTIONS = {
  retry: 'Tries failed moves again.',
  skip: 'Leaves failed moves out; their replicas stay where they are.',
  abort: 'Ends the change: no further moves start, those that run are finished, failed ones are cleaned up.',
} as const;

interface ThrottleFlags {
  concurrency?: number;
  perNode?: number | 'none';
  rate?: number | 'none';
}

interface DecisionView {
  result: unknown;
}

export function addControlCommands(rebalance: Command, run: Runner): void {
  for (const [action, description] of Object.entries(ACTIONS)) {
    rebalance
      .command(action)
      .description(description)
      .action(run((session) => decide(session, action, {})));
  }
  for (const [action, description] of Object.entries(MOVE_ACTIONS)) {
    rebalance
      .command(action)
      .description(description)
      .argument('[move]', 'id of a move; without it all that wait')
      .action(run((session, moveId: string | undefined) => decide(session, action, { moveId })));
  }

  rebalance
    .command('throttle')
    .description('Sets how much of the running change goes on at a time; copies that run keep to it at once.')
    .option('--concurrency <moves>', 'moves at the same time', parseCount)
    .option('--per-node <moves>', 'moves at the same time that use one node, or `none`', parseLimit)
    .option('--rate <documents>', 'documents per second of all copies together, or `none`', parseLimit)
    .action(
      run((session, flags: ThrottleFlags) => {
        // Commander takes a null for a missing value.
        const limit = (flag: number | 'none' | undefined) => (flag === 'none' ? null : flag);
        return decide(session, 'throttle', {
          concurrency: flags.concurrency,
          nodeConcurrency: limit(flags.perNode),
          documentsPerSecond: limit(flags.rate),
        });
      }),
    );

  rebalance
    .command('finish')
    .description('Ends the retention of a change, or of one move, now: its sources are deleted.')
    .argument('[change]', 'id of a change; without it the latest')
    .option('--move <id>', 'one move only')
    .action(
      run(async (session, changeId: string | undefined, flags: { move?: string }) => {
        await session.confirm('Delete the sources that are kept? Without them nothing can be rolled back.');
        return decide(session, 'finish', { changeId, moveId: flags.move });
      }),
    );

  rebalance
    .command('rollback')
    .description(
      'Takes a change back, or one move of it, while its sources are kept: compared, then one flip.',
    )
    .argument('[change]', 'id of a change; without it the latest')
    .option('--move <id>', 'one move only')
    .option('--watch', 'follow it until it has ended', false)
    .action(
      run(async (session, changeId: string | undefined, flags: { move?: string; watch: boolean }) => {
        await session.confirm(`Roll back ${flags.move ?? changeId ?? 'the latest change'}?`);
        const body = { changeId, moveId: flags.move, by: decider() };
        const answer = await session.api.post<StartedView | DecisionView>('/rebalance/rollback', body);
        if ('changeId' in answer) return finishStart(session, answer, flags.watch);
        session.output.result([`rollback: ${answer.result}`], answer);
        return EXIT.done;
      }),
    );
}

async function decide(session: Session, action: string, input: Record<string, unknown>) {
  const answer = await session.api.post<DecisionView>(`/rebalance/${action}`, { ...input, by: decider() });
  const said = typeof answer.result === 'string' ? answer.result : 'accepted';
  session.output.result([`${action}: ${said}`], answer);
  return EXIT.done;
}

function parseLimit(text: string): number | 'none' {
  if (text === 'none') return text;
  try {
    return parseCount(text);
  } catch {
    throw new InvalidArgumentError('expected a positive whole number, or `none`');
  }
}
