// The opt-in BM25 mode: the first hits of a search are put into the order of Okapi BM25 with the statistics of the whole
// corpus, or for comparison of the node that each hit is on.
import { cutAnswer, totalOf } from '../../shared/core/answer.js';
import {
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
import { lengthVersion, recordedLength } from '../../shared/core/length-marks.js';
import { PAGING_MEMBERS, pagingText } from '../../shared/core/search-answer.js';
import { openBody, planSearch, readOpenBody, type SearchPlan } from '../../shared/core/search-plan.js';
import type { SearchQuery } from '../../shared/core/search-request.js';
import { searchSettings } from '../../shared/core/search-settings.js';
import {
  findIndex,
  markOf,
  type Scoring,
  SHARD_FIELD,
  shardMark,
  type TopologyIndex,
} from '../../shared/core/topology.js';
import type { ProxyContext } from '../context.js';
import { type Corpus, gatherCorpus, readScoredQuery } from './corpus.js';
import { runSearch, type SearchOutcome } from './run-search.js';
import { withIndex } from './spread-request.js';

/** What a search asks for: the statistics of the corpus, of each node, or the ranking rules alone. */
export type AskedScoring = 'dfs' | 'local' | 'none';

/** The value of the header X-Miroir-Scoring, or null without one. Throws ApiError for any other. */
export function readScoring(value: unknown): AskedScoring | null {
  if (value === undefined) return null;
  if (value === 'dfs' || value === 'local' || value === 'none') return value;
  throw new ApiError(
    'miroir_invalid_scoring',
    `The scoring that \`X-Miroir-Scoring\` asks for is \`${String(value)}\`: expected \`dfs\`, \`local\` or \`none\`.`,
  );
}

/**
 * Runs a search, and rescores its first hits where it asks for it, or its index does and nothing is in the way. Throws
 * ApiError, also for a search that asks for a scoring that it cannot have.
 */
export async function runRanked(
  ctx: ProxyContext,
  uid: string,
  query: SearchQuery,
  asked: AskedScoring | null,
): Promise<SearchOutcome> {
  if (asked === 'dfs' || asked === 'local') {
    const obstacle = unscorable(query);
    if (obstacle === null) return runScored(ctx, uid, query, asked);
    throw new ApiError(
      'miroir_not_supported',
      `Miroir does not support ${obstacle} with \`X-Miroir-Scoring\` yet.`,
    );
  }
  const scoring = asked === null && unscorable(query) === null ? defaultScoring(ctx, uid) : null;
  return scoring === null ? runSearch(ctx, uid, query) : runScored(ctx, uid, query, scoring);
}

function defaultScoring(ctx: ProxyContext, uid: string): Scoring | null {
  const hold = ctx.watcher.acquire('search');
  try {
    return findIndex(hold.topology, uid)?.scoring ?? null;
  } finally {
    hold.release();
  }
}

function unscorable({ hybrid, attributesToRetrieve }: SearchQuery): string | null {
  if (hybrid) return 'hybrid search';
  return attributesToRetrieve?.some((name) => name.includes('.')) ? 'nested attributes to retrieve' : null;
}

function runScored(
  ctx: ProxyContext,
  uid: string,
  query: SearchQuery,
  scoring: 'dfs' | 'local',
): Promise<SearchOutcome> {
  return withIndex(ctx, uid, async (hold, index) => {
    const plan = planSearch(query, index);
    const scored = readScoredQuery(query, index);
    if (scored === null) return runSearch(ctx, uid, query);
    const [outcome, corpus] = await Promise.all([
      runSearch(ctx, uid, widen(plan), (planned) => allFields(bareHits(planned))),
      gatherCorpus(ctx, hold, index, scored),
    ]);
    if (corpus === null) return null;
    const version =
      index.scoring === 'dfs' ? lengthVersion(searchSettings(index).searchable, ctx.hash) : null;
    const scores = new HitScores(index, scored.terms, corpus, scoring, version);
    return { ...outcome, text: rescore(outcome.text, plan, scores) };
  });
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
    { whole, parts }: Corpus,
    scoring: 'dfs' | 'local',
    /** What lengths are recorded under, or null where none are. */
    private readonly version: string | null,
  ) {
    this.whole = whole;
    if (scoring === 'dfs') return;
    for (const part of parts) for (const shard of part.shards) this.byMark.set(shardMark(shard), part);
  }

  of(hit: string): HitScore {
    const searchable = searchSettings(this.index).searchable;
    const occurrences = countMatches(hit, 0, this.terms, searchable);
    const own = fieldText(hit, 0, SHARD_FIELD);
    const recorded = this.version === null ? null : recordedLength(own, this.version);
    const length = recorded ?? documentLength(hit, 0, searchable);
    const score = bm25({ occurrences, length }, this.byMark.get(markOf(own)) ?? this.whole);
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
