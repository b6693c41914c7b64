// `rebalance plan|plans`, and --dry-run: what a change would do, move by move, before anything is touched.
import type { Command } from 'commander';
import { addMoveOptions, type ChangeFlags, changeOptions } from './change-options.js';
import { addEditOptions, type EditFlags, editsFrom } from './edits.js';
import { EXIT, type ExitCode } from './exit.js';
import { formatAge, formatBytes, formatTable } from './output.js';
import type { Runner } from './program.js';
import type { Session } from './session.js';
import type { PlanReportView, PlanView, PredictionView } from './views.js';

interface PlanFlags extends EditFlags, Omit<ChangeFlags, 'watch'> {
  save?: string | boolean;
}

export function addPlanCommands(rebalance: Command, run: Runner): void {
  const plan = rebalance
    .command('plan')
    .description(
      'Shows what a change would do: every move, its size and its time; without edits a rebalance.',
    );
  addMoveOptions(addEditOptions(plan))
    .option('--save [name]', 'keep the plan, to be run as it is with `rebalance start --plan <name>`')
    .action(run((session, flags: PlanFlags) => showPlan(session, editsFrom(flags), flags)));

  rebalance
    .command('plans')
    .description('Lists the saved plans, or shows one.')
    .argument('[plan]', 'id or name of a plan')
    .option('--delete', 'delete this plan', false)
    .action(
      run(async ({ api, output }, name: string | undefined, flags: { delete: boolean }) => {
        if (name === undefined) {
          const view = await api.get<{ plans: PlanView[] }>('/plans');
          output.result(formatPlans(view.plans), view);
          return EXIT.done;
        }
        const path = `/plans/${encodeURIComponent(name)}`;
        if (flags.delete) {
          output.result([`deleted plan ${name}`], await api.delete<object>(path));
          return EXIT.done;
        }
        const view = await api.get<{ plan: PlanView; report: PlanReportView }>(path);
        output.result(
          [`plan ${view.plan.name}, made ${view.plan.createdAt}`, ...formatReport(view.report)],
          view,
        );
        return EXIT.done;
      }),
    );
}

/** Plans these edits, and saves the plan where asked for. */
export async function showPlan(
  session: Session,
  edits: Record<string, unknown> | null,
  flags: Omit<PlanFlags, 'watch'>,
): Promise<ExitCode> {
  const view = await session.api.post<{ plan: PlanView | null; report: PlanReportView }>('/plans', {
    edits: edits ?? {},
    ...changeOptions({ ...flags, watch: false }),
    ...(flags.save !== undefined && { save: true }),
    ...(typeof flags.save === 'string' && { name: flags.save }),
  });
  const lines = formatReport(view.report);
  if (view.plan) lines.push('', `saved as ${view.plan.name}; nothing was changed`);
  else lines.push('', 'nothing was changed');
  session.output.result(lines, view);
  return EXIT.done;
}

function formatPlans(plans: readonly PlanView[]): string[] {
  return formatTable(
    ['PLAN', 'MADE', 'CHANGE', 'COPIES', 'DROPS', 'DOCUMENTS', 'TIME'],
    plans.map(({ name, createdAt, report }) => [
      name,
      createdAt,
      report?.summary ?? null,
      report?.copies ?? null,
      report?.drops ?? null,
      report?.documents ?? null,
      formatDuration(report?.durationMs ?? null),
    ]),
  );
}

export function formatReport(report: PlanReportView): string[] {
  const { lowestRedundancy: lowest } = report;
  const lines = [
    `${report.summary}: ${[describeSize(report), ...describeTime(report)].join(', ')}`,
    `  the fullest node holds ${report.skewBefore.toFixed(2)} times its share before, ${report.skewAfter.toFixed(2)} afterwards`,
  ];
  if (lowest !== null)
    lines.push(
      `  never fewer than ${lowest.replicas} of ${lowest.wanted} in-sync replicas on the way (index ${lowest.indexUid}, shard ${lowest.shard})`,
    );
  lines.push(...report.warnings.map((warning) => `  warning: ${warning}`));
  lines.push(
    '',
    ...formatTable(
      ['NODE', 'WEIGHT', 'REPLICAS', 'AFTERWARDS', 'DOCUMENTS IN', 'BYTES IN (ESTIMATED)'],
      report.nodes.map((node) => [
        node.id,
        node.weight,
        node.replicasBefore,
        node.replicasAfter,
        node.documentsIn,
        formatSize(node.bytesIn),
      ]),
    ),
  );
  if (report.moves.length === 0) return [...lines, '', 'no moves: everything is where it should be'];
  const rows = report.moves.map((move) => [
    move.indexUid,
    move.shard,
    move.sourceNode,
    move.kind === 'drop' ? '(dropped)' : move.targetNode,
    move.documents,
    formatSize(move.bytes),
    move.why,
  ]);
  lines.push('', ...formatTable(['INDEX', 'SHARD', 'FROM', 'TO', 'DOCUMENTS', 'BYTES', 'REASON'], rows));
  return lines;
}

/** Only copies have been measured: drops alone have no time that is known, and nothing at all takes none. */
function describeTime({ copies, drops, durationMs, samples }: PlanReportView): string[] {
  if (copies + drops === 0) return [];
  if (copies === 0) return ['time unknown: nothing is copied'];
  if (durationMs === null) return ['time unknown: no earlier move to measure by'];
  return [`about ${formatDuration(durationMs)} until all have flipped (by ${samples} earlier moves)`];
}

/** `21 copies, 3 drops, 14505 documents, 12.3 MB (estimated)`. */
export function describeSize({ copies, drops, documents, bytes }: PredictionView, isEstimate = true): string {
  return [
    `${copies} ${copies === 1 ? 'copy' : 'copies'}`,
    `${drops} ${drops === 1 ? 'drop' : 'drops'}`,
    documents === null ? 'documents unknown' : `${documents} documents`,
    bytes === null ? 'bytes unknown' : `${formatBytes(bytes)}${isEstimate ? ' (estimated)' : ''}`,
  ].join(', ');
}

function formatSize(bytes: number | null): string | null {
  return bytes === null ? null : formatBytes(bytes);
}

export function formatDuration(ms: number | null): string | null {
  if (ms === null) return null;
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)}s` : formatAge(ms);
}
