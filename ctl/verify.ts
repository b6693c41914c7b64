// `verify start|status|show|abort`.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { CommandFailure, EXIT, type ExitCode } from './exit.js';
import { formatTable } from './output.js';
import type { Runner } from './program.js';
import { parseCount, type Session } from './session.js';

interface VerifyFlags {
  index?: string;
  repair: boolean;
  from?: string;
  rate?: number;
  detach: boolean;
}

interface FindingView {
  kind: string;
  indexUid: string;
  shard: number | null;
  node: string | null;
  status: string;
  missing: number;
  extra: number;
  different: number;
  undecided: boolean;
  detail: {
    reason?: string;
    wrong?: { node: string; evidence: string }[];
    unchecked?: { node: string; reason: string }[];
    samples?: { id: string; on: Record<string, string | null> }[];
    drift?: Record<string, string[]>;
  };
}

interface VerificationView {
  verification: {
    id: string;
    status: string;
    startedAt: string;
    finishedAt: string | null;
    lastError: string | null;
    totals: Record<string, number>;
  } | null;
  findings: FindingView[];
}

const POLL_INTERVAL_MS = 300;
/** For so long a started verification may be unknown: no worker has taken it. */
const UNTAKEN_MS = 60_000;

export function addVerifyCommands(program: Command, run: Runner): void {
  const verify = program
    .command('verify')
    .description('Compares all replicas of all shards, strays and settings, and repairs what differs.');

  verify
    .command('start', { isDefault: true })
    .description('Runs a verification; writes go on meanwhile. Exit code 3 when something differs.')
    .option('--index <uid>', 'this index only')
    .option('--repair', 'copies wrong replicas anew, deletes strays, sends settings again', false)
    .option('--from <node>', 'whose replicas are right where evidence does not tell')
    .option('--rate <documents>', 'documents read per second at most', parseCount)
    .option('--detach', 'do not wait for its end', false)
    .action(
      run(async (session, flags: VerifyFlags) => {
        if (flags.from !== undefined && !flags.repair)
          throw new CommandFailure('--from says which node is right in a repair: add --repair', EXIT.usage);
        if (flags.from !== undefined)
          await session.confirm(
            `Where replicas differ and nothing tells who is right, make those of node ${flags.from} the right ones?`,
          );
        const { index, repair, from, rate } = flags;
        const started = await session.api.post<{ verificationId: string }>('/verify', {
          index,
          repair,
          from,
          documentsPerSecond: rate,
        });
        if (!flags.detach) return watch(session, started.verificationId);
        session.output.result([`started verification ${started.verificationId}`], started);
        return EXIT.done;
      }),
    );

  for (const name of ['status', 'show'])
    verify
      .command(name)
      .description('Shows the latest verification, or the one with this id, with what it found.')
      .argument('[verification]', 'id of a verification')
      .option('--watch', 'follow it until it has ended', false)
      .action(
        run(async (session, id: string | undefined, flags: { watch: boolean }) => {
          if (flags.watch) return watch(session, id ?? null);
          return show(session, await read(session, id ?? null));
        }),
      );

  verify
    .command('abort')
    .description('Ends the running verification; what it has found so far is kept.')
    .action(
      run(async (session) => {
        const answer = await session.api.post<object>('/verify/abort', {});
        session.output.result(['the verification ends'], answer);
        return EXIT.done;
      }),
    );
}

async function read(session: Session, id: string | null): Promise<VerificationView> {
  return session.api.get<VerificationView>(id === null ? '/verify' : `/verify/${encodeURIComponent(id)}`);
}

async function watch(session: Session, id: string | null): Promise<ExitCode> {
  const startedMs = performance.now();
  for (;;) {
    const view = await read(session, id).catch((error: unknown) => {
      const isUntaken = performance.now() - startedMs < UNTAKEN_MS;
      if (
        isUntaken &&
        error instanceof CommandFailure &&
        error.details.code === 'miroir_verification_not_found'
      )
        return null;
      throw error;
    });
    if (view !== null && view.verification?.status !== 'running') return show(session, view);
    session.output.progress(view === null ? 'waits for a worker to take it' : describe(view));
    if (session.remainingMs() <= POLL_INTERVAL_MS)
      throw new CommandFailure('the verification goes on, --timeout is over', EXIT.timedOut, {
        nextSteps: ['miroir-ctl verify status --watch'],
      });
    await sleep(POLL_INTERVAL_MS);
  }
}

function show(session: Session, view: VerificationView): ExitCode {
  const { verification, findings } = view;
  if (verification === null) {
    session.output.result(['no verification so far'], view);
    return EXIT.done;
  }
  const lines = [describe(view)];
  if (verification.lastError !== null) lines.push(`  ${verification.lastError}`);
  if (findings.length > 0)
    lines.push(
      '',
      ...formatTable(
        ['INDEX', 'WHAT', 'RESULT', 'MISSING', 'EXTRA', 'DIFFERENT', 'ABOUT'],
        findings.map((finding) => [
          finding.indexUid,
          finding.kind === 'shard'
            ? `shard ${finding.shard}`
            : `${finding.kind} ${finding.node ?? ''}`.trim(),
          finding.undecided && finding.status === 'different' ? 'undecided' : finding.status,
          finding.missing,
          finding.extra,
          finding.different,
          explain(finding),
        ]),
      ),
    );
  session.output.result(lines, view);
  if (verification.status === 'failed') return EXIT.failed;
  return (verification.totals.different ?? 0) > 0 ? EXIT.degraded : EXIT.done;
}

function describe({ verification }: VerificationView): string {
  const { id, status, totals } = verification!;
  const parts = [`${totals.checked}/${totals.items} comparisons`, `${totals.documents} documents`];
  for (const [key, name] of [
    ['different', 'with differences'],
    ['repaired', 'repaired'],
    ['unchecked', 'could not be compared'],
    ['undecided', 'undecided'],
  ] as const)
    if ((totals[key] ?? 0) > 0) parts.push(`${totals[key]} ${name}`);
  return `verification ${id}: ${status}, ${parts.join(', ')}`;
}

function explain({ detail }: FindingView): string {
  const parts: string[] = [];
  for (const { node, evidence } of detail.wrong ?? []) parts.push(`${node} is wrong (${evidence})`);
  for (const [node, keys] of Object.entries(detail.drift ?? {})) parts.push(`${node}: ${keys.join(', ')}`);
  for (const { node, reason } of detail.unchecked ?? []) parts.push(`${node}: ${reason}`);
  if (detail.reason !== undefined) parts.push(detail.reason);
  const ids = (detail.samples ?? []).slice(0, 5).map((sample) => sample.id);
  if (ids.length > 0) parts.push(`documents ${ids.join(', ')}`);
  return parts.join('; ');
}
