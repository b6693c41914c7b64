// A chaos run as a table for people.
import { FAULTS, type FaultRecord } from './faults.js';
import type { ChaosReport } from './run.js';

export function describeRun(report: ChaosReport, nodes: string): string {
  const { documents, writes, searches, replicas } = report;
  const total = Object.values(report.changes).reduce((sum, count) => sum + count, 0);
  const rows: [string, string][] = [
    ['nodes', nodes],
    ['seed, minutes', `${report.seed}, ${report.minutes.toFixed(1)}`],
    ['changes, each with a fault', `${total}: ${counts(report.changes)}`],
    [
      'faults after the end of their change',
      String(report.faults.filter(({ isWithin }) => !isWithin).length),
    ],
    ['ended otherwise than done', String(report.unfinished.length)],
    [
      'writes',
      `${writes.acknowledged} acknowledged, ${writes.unanswered} without an answer, ${writes.refused.length} refused`,
    ],
    ['documents', `${documents.expected} must be there, ${documents.found} are`],
    [
      'lost, resurrected, wrong',
      [documents.lost, documents.resurrected, documents.wrong].map((list) => list.length).join(', '),
    ],
    ['seen once their task succeeded', `${report.staleChecks} looks, ${report.stale.length} stale`],
    [
      'searches',
      `${searches.sent} sent, ${searches.failed.length} failed, ${searches.incomplete.length} incomplete, ${searches.wrong.length} wrong`,
    ],
    [
      'sent again by their clients',
      `searches: ${counts(searches.retries)}; writes: ${counts(writes.retries)}`,
    ],
    ['slowest search', seconds(searches.slowestMs)],
    [
      'shards with exactly their replicas',
      `${replicas.exact} of ${replicas.shards}, elsewhere ${replicas.misplaced}`,
    ],
  ];
  const table = rows.map(([name, value]) => `  ${name.padEnd(36)}${value}`);
  const faults = FAULTS.map((fault) => describeFault(fault, report.faults)).filter((line) => line !== '');
  return [
    ...table,
    '',
    '  fault              times   write accepted      task succeeded      slowest search      searches sent again',
    ...faults,
    ...report.unfinished.map((line) => `  unfinished: ${line}`),
  ].join('\n');
}

function describeFault(fault: string, all: readonly FaultRecord[]): string {
  const records = all.filter((record) => record.fault === fault);
  if (records.length === 0) return '';
  const span = (key: 'acceptedMs' | 'succeededMs' | 'slowestSearchMs') => {
    const sorted = records.map((record) => record[key]).sort((a, b) => a - b);
    return `${seconds(sorted[sorted.length >> 1]!)}, most ${seconds(sorted.at(-1)!)}`.padEnd(20);
  };
  const retries = records.reduce((sum, record) => sum + record.searchRetries, 0);
  return `  ${fault.padEnd(17)}${String(records.length).padStart(7)}   ${span('acceptedMs')}${span('succeededMs')}${span('slowestSearchMs')}${retries}`;
}

function counts(record: Record<string, number>): string {
  const parts = Object.entries(record).map(([name, count]) => `${count} ${name}`);
  return parts.length === 0 ? 'none' : parts.join(', ');
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
