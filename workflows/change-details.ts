// The change as Markdown for the Web UI; at most twenty rows.
import { describeControl } from '../shared/core/change-control.js';
import type { ChangeProgress } from './messages.js';

const ROWS = 10;

export function describeProgress(progress: ChangeProgress): string {
  const { moves, control } = progress;
  const back = moves.rolledBack > 0 ? `, ${moves.rolledBack} rolled back` : '';
  const lines = [
    `**${progress.kind}**: ${progress.phase}`,
    '',
    `${moves.done} of ${moves.planned} moves done, ${moves.running} running, ${moves.skipped} skipped, ${moves.failed} failed${back}`,
    '',
    describeControl(control),
  ];
  for (const { moveId, error } of progress.failed.slice(0, ROWS)) lines.push(`- ${moveId} failed: ${error}`);
  if (moves.failed > 0) lines.push('', 'Decide with `miroir-ctl rebalance retry`, `skip` or `abort`.');
  if (control.paused) lines.push('', 'Paused: go on with `miroir-ctl rebalance resume`.');
  if (progress.phase === 'awaiting-approval')
    lines.push('', 'Copied and verified; nothing flips before `miroir-ctl rebalance approve`.');
  return lines.join('\n');
}
