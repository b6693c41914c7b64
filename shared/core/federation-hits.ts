// Merges the hits of a federation's queries: each document once in an index, each distinct value once over all.
import { cutAnswer } from './answer.js';
import { toByteText } from './byte-text.js';
import { DistinctValues } from './distinct.js';
import type { FederatedQuery } from './federation-request.js';
import { compareWeighted, type WeightedHit, weigh } from './federation-scores.js';
import { floatText } from './float-text.js';
import { detailsText, fieldText, type HitView, showHit } from './hits.js';
import { scanObject } from './json-scan.js';

/** A query's own answer, merged over all nodes, with details, scores and keys in its hits. */
export interface QueryHits {
  readonly query: FederatedQuery;
  readonly text: string;
  /** Key text of the primary key. */
  readonly primaryKey: string | null;
  /** What of its hits the client may see. */
  readonly view: HitView;
}

interface FederatedHit {
  readonly source: QueryHits;
  readonly start: number;
  readonly end: number;
  readonly weighted: WeightedHit;
}

export interface MergedIndex {
  readonly hits: readonly FederatedHit[];
  /** Hits that were left out for their distinct value. */
  readonly refused: number;
}

/** The hits of one index, from the top and no more than `required`. */
export function mergeIndex(
  queries: readonly QueryHits[],
  required: number,
  distinct: string | null,
): MergedIndex {
  const order = mergedOrder(queries.map(readHits));
  const seen = new Set<string>();
  const values = distinct === null ? null : new DistinctValues(distinct);
  const hits: FederatedHit[] = [];
  let refused = 0;
  while (hits.length < required) {
    const hit = order();
    if (hit === null) break;
    const { text, primaryKey } = hit.source;
    const id = primaryKey === null ? null : fieldText(text, hit.start, primaryKey);
    if (id !== null && seen.has(id)) continue;
    if (id !== null) seen.add(id);
    if (values !== null && !admits(values, hit)) refused++;
    else hits.push(hit);
  }
  return { hits, refused };
}

function admits(values: DistinctValues, hit: FederatedHit): boolean {
  return values.admit((field) => fieldText(hit.source.text, hit.start, field));
}

/** The hits of all indexes from `skip` on, shown, and how many of them vectors found. With distinct, everything is looked at: the total needs it. */
export function mergeIndexes(
  indexes: readonly MergedIndex[],
  skip: number,
  take: number,
  distinct: string | null,
): { shown: string[]; refused: number; semantic: number } {
  const order = mergedOrder(indexes.map(({ hits }) => hits));
  const values = distinct === null ? null : new DistinctValues(distinct);
  const shown: string[] = [];
  let refused = 0;
  let semantic = 0;
  for (let at = 0; values !== null || at < skip + take; ) {
    const hit = order();
    if (hit === null) break;
    if (values !== null && !admits(values, hit)) {
      refused++;
      continue;
    }
    if (at >= skip && at < skip + take) {
      shown.push(showFederated(hit));
      if (hit.weighted.isSemantic) semantic++;
    }
    at++;
  }
  return { shown, refused, semantic };
}

function readHits(source: QueryHits): FederatedHit[] {
  const { hits } = cutAnswer(source.text);
  const { weight, position } = source.query;
  const out: FederatedHit[] = [];
  for (let i = 0; i + 1 < hits.length; i += 2) {
    const [start, end] = [hits[i]!, hits[i + 1]!];
    const details = detailsText(source.text, start, end) ?? '{}';
    const score = Number(fieldText(source.text, start, '_rankingScore') ?? 1);
    out.push({ source, start, end, weighted: weigh(details, score, weight, position) });
  }
  return out;
}

/** The best of the first hits of all lists, one after the other; each list keeps its own order. */
function mergedOrder(lists: readonly (readonly FederatedHit[])[]): () => FederatedHit | null {
  const next = lists.map(() => 0);
  return () => {
    let best = -1;
    for (const [at, list] of lists.entries()) {
      const head = list[next[at]!];
      if (head === undefined) continue;
      if (best < 0 || compareWeighted(head.weighted, lists[best]![next[best]!]!.weighted) < 0) best = at;
    }
    if (best < 0) return null;
    const taken = lists[best]![next[best]!]!;
    next[best]!++;
    return taken;
  };
}

/** What Meilisearch writes behind the fields of the document. */
const BEHIND = new Set(['_formatted', '_matchesPosition', '_rankingScore', '_rankingScoreDetails']);

function showFederated({ source, start, weighted }: FederatedHit): string {
  const shown = showHit(source.text, start, source.view);
  const { uid, position } = source.query;
  const federation =
    `"_federation":{"indexUid":"${toByteText(uid)}","queriesPosition":${position},` +
    `"weightedRankingScore":${floatText(weighted.global)}}`;
  const members = scanObject(shown, 0);
  let at = members.length - 1;
  while (at >= 4 && BEHIND.has(shown.slice(members[at - 4]! + 1, members[at - 3]! - 1))) at -= 4;
  // `at` is now behind the last field of the document, if it has any.
  if (at < 4) return shown === '{}' ? `{${federation}}` : `{${federation},${shown.slice(1)}`;
  const end = members[at - 1]!;
  return `${shown.slice(0, end)},${federation}${shown.slice(end)}`;
}
