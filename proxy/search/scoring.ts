// The opt-in BM25 mode: the first hits of a search are put into the order of Okapi BM25 with the statistics of the whole
// corpus, or for comparison of the node that each hit is on.
import { cutAnswer, totalOf } from '../../shared/core/answer.js';
import {
  addStatistics,
  bm25,
  type CorpusStatistics,
  countMatches,
  documentLength,
  RESCORED_HITS,
  rankByScore,
} from '../../shared/core/bm25.js';
import { toKeyText } from '../../shared/core/byte-text.js';
import { ApiError } from '../../shared/core/errors.js';
import { bareHits } from '../../shared/core/federation-plan.js';
import { floatText } from '../../shared/core/float-text.js';
import { fieldText, showHit } from '../../shared/core/hits.js';
import { membersOf } from '../../shared/core/json-scan.js';
import { PAGING_MEMBERS, pagingText } from '../../shared/core/search-answer.js';
import { openBody, planSearch, readOpenBody, type SearchPlan } from '../../shared/core/search-plan.js';
import type { SearchQuery } from '../../shared/core/search-request.js';
import { searchSettings } from '../../shared/core/search-settings.js';
import { SHARD_FIELD, shardMark, type TopologyIndex } from '../../shared/core/topology.js';
import type { ProxyContext } from '../context.js';
import { type CorpusPart, gatherCorpus, readScoredQuery } from './corpus.js';
import { runSearch, type SearchOutcome } from './run-search.js';
import { withIndex } from './spread-request.js';

export type Scoring = 'dfs' | 'local';

/** The value of the header X-Miroir-Scoring, or null without one. Throws ApiError for any other. */
export function readScoring(header: string | string[] | undefined): Scoring | null {
  if (header === undefined) return null;
  if (header === 'dfs' || header === 'local') return header;
  throw new ApiError(
    'miroir_invalid_scoring',
    `The header \`X-Miroir-Scoring\` is \`${String(header)}\`: expected \`dfs\` or \`local\`.`,
  );
}

/** Runs a search and rescores its first hits. Throws ApiError. */
export function runScored(
  ctx: ProxyContext,
  uid: string,
  query: SearchQuery,
  scoring: Scoring,
): Promise<SearchOutcome> {
  return withIndex(ctx, uid, async (hold, index) => {
    const plan = planSearch(query, index);
    const scored = readScoredQuery(query, index);
    if (scored === null) return runSearch(ctx, uid, query);
    refuseUnscorable(query);
    const [outcome, corpus] = await Promise.all([
      runSearch(ctx, uid, widen(plan), (planned) => allFields(bareHits(planned))),
      gatherCorpus(ctx, hold, index, scored),
    ]);
    const scores = new HitScores(index, scored.terms, corpus, scoring);
    return { ...outcome, text: rescore(outcome.text, plan, scores) };
  });
}

function refuseUnscorable({ hybrid, attributesToRetrieve }: SearchQuery): void {
  const nested = attributesToRetrieve?.some((name) => name.includes('.')) ?? false;
  if (!hybrid && !nested) return;
  const what = hybrid ? 'hybrid search' : 'nested attributes to retrieve';
  throw new ApiError(
    'miroir_not_supported',
    `Miroir does not support ${what} with \`X-Miroir-Scoring\` yet.`,
  );
}

/** The same search for all hits that are rescored. */
function widen({ query, paging }: SearchPlan): SearchQuery {
  const { offset, limit, page, hitsPerPage, ...rest } = query;
  const asked = Math.max(RESCORED_HITS, paging.required);
  const wide = paging.mode === 'page' ? { page: 1, hitsPerPage: asked } : { limit: asked };
  return { ...rest, ...wide, showMatchesPosition: true };
}

/** Asks for all fields: lengths need what the client may not even see. */
function allFields(plan: SearchPlan): SearchPlan {
  const cut = (open: string): string => {
    const { attributesToRetrieve: _, ...rest } = readOpenBody(open);
    return openBody({ ...rest, showRankingScoreDetails: true });
  };
  return {
    ...plan,
    alone: { ...plan.alone, body: cut(plan.alone.body) },
    spread: () => ({ ...plan.spread(), body: cut(plan.spread().body) }),
  };
}

interface HitScore {
  readonly score: number;
  readonly length: number;
  readonly occurrences: readonly number[];
}

class HitScores {
  private readonly whole: CorpusStatistics;
  private readonly byMark = new Map<string, CorpusStatistics>();

  constructor(
    private readonly index: TopologyIndex,
    private readonly terms: readonly string[],
    parts: readonly CorpusPart[],
    scoring: Scoring,
  ) {
    this.whole = addStatistics(parts);
    if (scoring === 'dfs') return;
    for (const part of parts) for (const shard of part.shards) this.byMark.set(shardMark(shard), part);
  }

  of(hit: string): HitScore {
    const searchable = searchSettings(this.index).searchable;
    const occurrences = countMatches(hit, 0, this.terms, searchable);
    const length = documentLength(hit, 0, searchable);
    const mark = fieldText(hit, 0, SHARD_FIELD)?.slice(1, -1) ?? '';
    const score = bm25({ occurrences, length }, this.byMark.get(mark) ?? this.whole);
    return { score, length, occurrences };
  }
}

function rescore(text: string, plan: SearchPlan, scores: HitScores): string {
  const answer = cutAnswer(text);
  const all: string[] = [];
  for (let i = 0; i + 1 < answer.hits.length; i += 2) {
    all.push(text.slice(answer.hits[i]!, answer.hits[i + 1]!));
  }
  const first = all.slice(0, RESCORED_HITS).map((hit) => scores.of(hit));
  const order = rankByScore(first.map(({ score }) => score));
  for (let at = first.length; at < all.length; at++) order.push(at);
  const { skip, take } = plan.paging;
  const hits = order.slice(skip, skip + take).map((at) => showScored(all[at]!, plan, first[at]));
  const members = [`"hits":[${hits.join(',')}]`];
  for (const [key, value] of answer.rest) {
    if (PAGING_MEMBERS.has(key)) continue;
    members.push(`"${key}":${value}`);
    if (key === 'processingTimeMs') members.push(pagingText(plan.paging, totalOf(answer)));
  }
  return `{${members.join(',')}}`;
}

/** What Meilisearch adds to a hit. */
const ADDED = new Set(['_formatted', '_rankingScore', '_rankingScoreDetails', '_geoDistance', '_vectors']);

function showScored(hit: string, plan: SearchPlan, score: HitScore | undefined): string {
  const { query, settings } = plan;
  const retrieved = visibleFields(query.attributesToRetrieve ?? null, settings.displayed);
  const formatted = [...(query.attributesToHighlight ?? []), ...(query.attributesToCrop ?? [])].map(
    (entry) => entry.split(':')[0]!,
  );
  const view = plan.alone.view;
  const names = membersOf(hit, 0).map(([name]) => name);
  const hidden = names.filter((name) => !ADDED.has(name) && retrieved !== null && !retrieved.has(name));
  if (!query.showMatchesPosition) hidden.push('_matchesPosition');
  const seen = visibleFields([...(query.attributesToRetrieve ?? ['*']), ...formatted], settings.displayed);
  const text = fieldText(hit, 0, '_formatted');
  const unformatted =
    text === null || seen === null
      ? []
      : membersOf(text, 0).flatMap(([name]) => (seen.has(name) ? [] : [name]));
  const shown = showHit(hit, 0, {
    ...view,
    drop: new Set([...view.drop, ...hidden]),
    dropFormatted: new Set([...view.dropFormatted, ...unformatted]),
  });
  if (!query.showRankingScoreDetails || score === undefined) return shown;
  // The details are a hit's last member.
  const order = membersOf(fieldText(hit, 0, '_rankingScoreDetails') ?? '{}', 0).length;
  const own = `{"order":${order},"score":${floatText(score.score)},"documentLength":${score.length},"termFrequencies":${JSON.stringify(score.occurrences)}}`;
  return `${shown.slice(0, -2)},"miroirBm25":${own}}}`;
}

/** Fields that a list and the settings let through, or null for all. */
function visibleFields(
  list: readonly string[] | null,
  displayed: readonly string[] | null,
): ReadonlySet<string> | null {
  const all = list === null || list.includes('*');
  if (all) return displayed === null ? null : new Set(displayed.map(toKeyText));
  const shown = displayed === null ? list : list.filter((name) => displayed.includes(name));
  return new Set(shown.map(toKeyText));
}
