// The tour's result: one table for people, the same as JSON, and the verdict.
import type { DocumentCheck, ReplicaCheck } from './checks.js';
import type { ReadCounts } from './reader.js';
import type { SearchCounts } from './searcher.js';

export interface ChangeResult {
  kind: string;
  moves: number;
  documentsCopied: number;
  /** The fewest documents that any plan to this target would have to copy. */
  documentsMinimum: number;
  seconds: number;
}

export interface TourResult {
  nodeProgram: 'meilisearch' | 'engine';
  documentsLoaded: number;
  writes: {
    acknowledgedRequests: number;
    acknowledgedDocuments: number;
    sentAgain: number;
    failedTasks: number;
  };
  documents: Record<string, DocumentCheck>;
  replicas: ReplicaCheck & { replicationFactor: number };
  searches: { duringChanges: SearchCounts; afterwards: SearchCounts };
  /** Searches for what had just been written and whose task had succeeded. */
  reads: ReadCounts;
  changes: ChangeResult[];
  kill: { movedDocumentsAtKill: number; ofDocuments: number; resumedAfterMs: number; continuedFrom: number };
  seconds: number;
}

/** Everything that is wrong, in sentences; empty means that the tour passed. */
export function findFailures(result: TourResult): string[] {
  const failures: string[] = [];
  const fail = (count: number, text: string) => {
    if (count > 0) failures.push(`${count} ${text}`);
  };
  for (const [uid, check] of Object.entries(result.documents)) {
    fail(check.missing, `acknowledged documents of ${uid} are missing`);
    fail(check.resurrected, `deleted documents of ${uid} came back`);
    fail(check.different, `documents of ${uid} are not as last written`);
    fail(check.unknown, `documents of ${uid} were never written`);
  }
  fail(result.writes.failedTasks, 'tasks failed');
  fail(result.replicas.shards - result.replicas.exact, 'shards do not have exactly their replicas');
  fail(result.replicas.misplaced, 'times a node holds documents of a shard that it should not hold');
  fail(result.replicas.unequal, 'shards differ between their replicas');
  fail(result.reads.stale, 'documents were not found as written although their task had succeeded');
  for (const counts of [result.searches.duringChanges, result.searches.afterwards]) {
    fail(counts.failed, 'searches failed');
    fail(counts.incomplete, 'answers were incomplete');
    fail(counts.compared - counts.identical, 'answers differ from the reference node');
  }
  if (result.searches.duringChanges.compared === 0)
    failures.push('no answer was compared during the changes');
  return failures;
}

/** The table, line by line. */
export function formatReport(result: TourResult): string[] {
  const { writes, replicas, searches, kill } = result;
  const documents = Object.values(result.documents);
  const sum = (of: (check: DocumentCheck) => number) =>
    documents.reduce((total, check) => total + of(check), 0);
  const all = (of: (counts: SearchCounts) => number) => of(searches.duringChanges) + of(searches.afterwards);
  const rows: [string, string][] = [
    ['nodes', result.nodeProgram === 'engine' ? 'embedded engine' : 'Meilisearch'],
    ['documents loaded', number(result.documentsLoaded)],
    [
      'acknowledged writes meanwhile',
      `${number(writes.acknowledgedDocuments)} documents in ${number(writes.acknowledgedRequests)} requests`,
    ],
    ['tasks failed', number(writes.failedTasks)],
    [
      'documents that must be found',
      `${number(sum((check) => check.expected))}, found ${number(sum((check) => check.found))}`,
    ],
    [
      'missing, changed',
      `${sum((check) => check.missing)}, ${sum((check) => check.different + check.unknown)}`,
    ],
    ['deleted documents that came back', number(sum((check) => check.resurrected))],
    [
      `shards with exactly ${replicas.replicationFactor} replicas`,
      `${replicas.exact} of ${replicas.shards}; elsewhere ${replicas.misplaced}, unequal ${replicas.unequal}`,
    ],
    [
      'searches',
      `${number(all((counts) => counts.sent))} sent, ${all((counts) => counts.failed)} failed, ` +
        `${all((counts) => counts.incomplete)} incomplete`,
    ],
    [
      'answers compared with one node',
      `${number(all((counts) => counts.compared))}, identical ${number(all((counts) => counts.identical))}`,
    ],
    [
      'seen once their task succeeded',
      `${number(result.reads.checked - result.reads.stale)} of ${number(result.reads.checked)} documents`,
    ],
    ...result.changes.map((change): [string, string] => [
      `documents moved (${change.kind})`,
      `${number(change.documentsCopied)} in ${change.moves} moves, minimum ${number(change.documentsMinimum)}, ` +
        `${change.seconds.toFixed(1)} s`,
    ]),
    [
      'worker killed',
      `at ${kill.movedDocumentsAtKill} of ${kill.ofDocuments} documents of a move; ` +
        `it went on from ${kill.continuedFrom} after ${(kill.resumedAfterMs / 1_000).toFixed(1)} s`,
    ],
    ['whole tour', `${result.seconds.toFixed(0)} s`],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
