// `rebalance list|show`: the record of changes.
import type { Command } from 'commander';
import { EXIT } from './exit.js';
import { formatTable } from './output.js';
import type { Runner } from './program.js';
import { describeRetention, formatMoves } from './progress.js';
import { parseCount } from './session.js';
import type { AuditView, ChangeLineView } from './views.js';

interface ShowFlags {
  from?: number;
  move?: string;
}

export function addRecordCommands(rebalance: Command, run: Runner): void {
  rebalance
    .command('list')
    .description('Lists the changes, the newest first, and until when each can be rolled back.')
    .action(
      run(async ({ api, output }) => {
        const answer = await api.get<{ changes: ChangeLineView[] }>('/rebalance/changes');
        output.result(formatChanges(answer.changes), answer);
        return EXIT.done;
      }),
    );

  rebalance
    .command('show')
    .description('Shows the record of a change: decisions, and every step of its moves.')
    .argument('<change>', 'id of a change')
    .option('--from <number>', 'first move to show, from 1; a page has 100', parseCount)
    .option('--move <id>', 'the steps of one move only')
    .action(
      run(async ({ api, output }, id: string, flags: ShowFlags) => {
        const from = (flags.from ?? 1) - 1;
        const which = flags.move === undefined ? `from=${from}` : `move=${encodeURIComponent(flags.move)}`;
        const view = await api.get<AuditView>(`/rebalance/${encodeURIComponent(id)}/audit?${which}`);
        output.result(formatAudit(view, flags.move === undefined ? from : null), view);
        return EXIT.done;
      }),
    );
}

export function formatChanges(changes: readonly ChangeLineView[]): string[] {
  if (changes.length === 0) return ['no change of the topology so far'];
  return formatTable(
    ['CHANGE', 'KIND', 'STATUS', 'STARTED', 'FINISHED', 'MOVES', 'ROLLBACK UNTIL'],
    changes.map((change) => [
      change.id,
      change.kind,
      change.status,
      change.startedAt,
      change.finishedAt,
      change.plannedMoves,
      change.retention.until,
    ]),
  );
}

/** `from` is the first of a page of moves; null with one move only. */
function formatAudit(view: AuditView, from: number | null): string[] {
  const { change, events, moves, movesTotal } = view;
  const lines = [
    `${change.kind} ${change.id}: ${change.status}, from ${change.startedAt} to ${change.finishedAt ?? 'now'}`,
    ...describeRetention(view.retention),
    '',
    ...formatTable(
      ['AT', 'EVENT', 'BY', 'MOVE', 'DETAIL'],
      events.map((event) => [event.at, event.event, event.by, event.moveId, formatDetail(event.detail)]),
    ),
  ];
  if (moves.length === 0) return lines;
  const page = from === null ? [] : [`moves ${from + 1} to ${from + moves.length} of ${movesTotal}`];
  lines.push('', ...page, ...formatMoves(moves));
  lines.push(
    '',
    ...formatTable(
      ['MOVE', 'AT', 'STEP', 'ATTEMPT', 'MS', 'DETAIL'],
      moves.flatMap((move) =>
        move.steps.map((step) => [
          move.id,
          step.at,
          step.step,
          step.attempt,
          Math.round(step.durationMs),
          formatDetail(step.detail),
        ]),
      ),
    ),
  );
  return lines;
}

function formatDetail(detail: Record<string, unknown>): string {
  return Object.entries(detail)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
}
