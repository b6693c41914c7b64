// matchingStrategy `frequency` as one node holding every document would carry it out: words are counted over all nodes
// first, then every node runs the same stages.
import { cutAnswer, totalOf } from './answer.js';
import { toByteText } from './byte-text.js';
import { correctRows, type Row } from './dfs-correction.js';
import { judgeExactness, matchesOf } from './dfs-hits.js';
import { type Dropped, dropStages, type Stages } from './dfs-stages.js';
import { cutBelow } from './dfs-threshold.js';
import {
  type AskMany,
  knowledgeBody,
  readAsked,
  type SharedTerms,
  sharedTerms,
  withAsked,
} from './dfs-words.js';
import type { AskAgain } from './distinct-count.js';
import { fieldText } from './hits.js';
import { compareKeys } from './merge-keys.js';
import { termText, withoutTerms } from './query-terms.js';
import { gatherMerged } from './search-gather.js';
import { askedOf, nodeBody, planSearch, type SearchPlan, withShards } from './search-plan.js';
import type { SearchQuery } from './search-request.js';
import type { TopologyIndex } from './topology.js';

/** A query with the strategy, and what is needed to carry it out. */
export interface FrequencySearch {
  readonly plan: SearchPlan;
  readonly terms: SharedTerms;
  /** False: some other rule comes before, so that documents of all stages are mixed. */
  readonly wordsFirst: boolean;
  /** The client's own plan, where merged hits are cut at its threshold afterwards. */
  readonly cut: SearchPlan | null;
}

/** What to do for a query that drops words by frequency; null when every node may be asked as it is. */
export function planFrequency(plan: SearchPlan, index: TopologyIndex): FrequencySearch | null {
  if (plan.query.matchingStrategy !== 'frequency') return null;
  const terms = sharedTerms(plan.query, index);
  if (terms === null || plan.primaryKey === null) return null;
  const rules = index.settings.rankingRules;
  const wordsFirst = !Array.isArray(rules) || rules[0] === 'words';
  // By distance, hits are ordered all together, and not stage by stage.
  if (!wordsFirst && plan.byDistance) return null;
  const threshold = plan.query.rankingScoreThreshold ?? null;
  if (threshold === null) return { plan, terms, wordsFirst, cut: null };
  return canCut(plan) ? { plan: withoutThreshold(plan, index), terms, wordsFirst, cut: plan } : null;
}

/** Whether hits below the threshold can be cut off the end of the merged ones, and the total be told from the rest. */
function canCut({ query, paging, rejectsBeforeHits, distinct }: SearchPlan): boolean {
  return (
    paging.mode === 'offset' && !rejectsBeforeHits && distinct === null && (query.facets ?? []).length === 0
  );
}

/** Scores of single stages are not those that a threshold is meant for. */
function withoutThreshold(plan: SearchPlan, index: TopologyIndex): SearchPlan {
  const { rankingScoreThreshold: _, ...query } = plan.query;
  const { required } = plan.paging;
  const whole = planSearch({ ...query, offset: 0, limit: required, showRankingScore: true }, index);
  return { ...whole, spread: () => ({ ...whole.spread(), view: plan.spread().view }) };
}

/**
 * The searches that gather a node's statistics: how often each term is in its shards, and whether it knows the word.
 * The last one is the first stage already, by which the node judges the query too.
 */
export function statisticsBodies(search: FrequencySearch, shards: readonly number[]): string[] {
  const { plan, terms } = search;
  const counted = [...terms.terms.keys()].filter((term) => terms.terms[term]!.phraseWords === 0);
  return [
    ...counted.map((term) => countBody(plan, terms, term, shards)),
    ...terms.terms.map((_, term) => knowledgeBody(terms, term)),
    stageBody(search, nodeBody(plan, shards, false, askedOf(plan)), []),
  ];
}

/**
 * The body of a stage. With the strategy `last`, the rule `words` sorts out combinations that no document has, as it does
 * for one node.
 */
function stageBody({ terms }: FrequencySearch, body: string, dropped: Dropped): string {
  const { facets, ...rest } = JSON.parse(body) as SearchQuery;
  return JSON.stringify({ ...rest, q: withoutTerms(terms, new Set(dropped)), matchingStrategy: 'last' });
}

function countBody(plan: SearchPlan, terms: SharedTerms, term: number, shards: readonly number[]): string {
  // Only the query's very last word stands for what begins with it.
  const isLast = terms.terms[term]!.end === terms.text.length;
  const { attributesToSearchOn } = plan.query;
  const body: SearchQuery = {
    q: `${termText(terms, term)}${isLast ? '' : ' '}`,
    matchingStrategy: 'all',
    limit: 0,
    ...(attributesToSearchOn ? { attributesToSearchOn } : {}),
  };
  return `${JSON.stringify(body).slice(0, -1)},"filter":${withShards(undefined, shards)}}`;
}

/** The statistics of one node, from its answers to statisticsBodies. */
export interface NodeStatistics {
  /** Documents with each term; null for phrases. */
  readonly counts: readonly (number | null)[];
  readonly knows: readonly boolean[];
  /** Its answer to the first stage. */
  readonly first: string;
}

/** Reads the answers to statisticsBodies. */
export function readStatistics({ terms }: FrequencySearch, answers: readonly string[]): NodeStatistics {
  let at = 0;
  const counts = terms.terms.map((term) => (term.phraseWords > 0 ? null : matchesOf(answers[at++]!)));
  return { counts, knows: terms.terms.map(() => matchesOf(answers[at++]!) > 0), first: answers.at(-1)! };
}

/** The merged answer as byte text; null when a node gave no answer. */
export async function gatherByFrequency(
  search: FrequencySearch,
  sources: readonly (readonly number[])[],
  statistics: readonly NodeStatistics[],
  askMany: AskMany,
  documents: AskAgain['documents'],
  elapsedMs: () => number,
): Promise<string | null> {
  const { plan, terms, cut } = search;
  const frequencies = terms.terms.map((term, position) =>
    term.phraseWords > 0 ? null : sum(statistics.map(({ counts }) => counts[position] ?? 0)),
  );
  const fleet = terms.terms.map((_, position) => statistics.some(({ knows }) => knows[position]));
  const stages = dropStages(frequencies);
  const nodes = statistics.map(
    (own, source) => new StagedNode(search, stages, fleet, own, (bodies) => askMany(source, bodies)),
  );
  const ask: AskAgain = { search: (source, body) => nodes[source]!.answer(body), documents };
  const texts = await Promise.all(
    sources.map((shards, source) => nodes[source]!.firstAnswer(nodeBody(plan, shards, false, askedOf(plan)))),
  );
  if (texts.includes(null)) return null;
  const answers = sources.map((shards, source) => ({ shards, text: texts[source]! }));
  const merged = await gatherMerged(plan, answers, ask, elapsedMs);
  return merged === null || cut === null ? merged : cutBelow(merged, cut, cut.query.rankingScoreThreshold!);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** A node that answers as if it knew how often words are in the whole corpus. */
class StagedNode {
  private readonly phraseWords: number;
  private readonly maxWords: number;

  constructor(
    private readonly search: FrequencySearch,
    private readonly stages: Stages,
    private readonly fleet: readonly boolean[],
    private readonly own: NodeStatistics,
    private readonly askMany: (bodies: readonly string[]) => Promise<readonly string[] | null>,
  ) {
    this.phraseWords = sum(search.terms.terms.map((term) => term.phraseWords));
    this.maxWords = 1 + Math.max(0, this.phraseWords - 1) + stages.last.length;
  }

  /** The answer to the search whose first stage came with the statistics. */
  firstAnswer(body: string): Promise<string | null> {
    return this.answer(body, this.own.first);
  }

  /** The answer to a search of the plan. */
  async answer(body: string, first?: string): Promise<string | null> {
    const asked = readAsked(body);
    const { levels, last } = this.stages;
    const rows: Row[] = [];
    const seen = new Set<string>();
    let whole: string | null = null;
    const { wordsFirst } = this.search;
    for (let from = 0; from < levels.length; from += 2) {
      if (asked === 0 && whole !== null) break;
      const sets = asked === 0 ? [] : levels.slice(from, from + 2);
      const bodies = sets.flat().map((dropped) => stageBody(this.search, body, dropped));
      if (whole === null) bodies.push(this.wholeBody(body, last));
      const known = from === 0 && first !== undefined && asked > 0 ? [first] : [];
      const more = await this.askMany(bodies.slice(known.length));
      if (more === null) return null;
      const given = [...known, ...more];
      whole ??= given.at(-1)!;
      let at = 0;
      for (const level of sets) {
        const found = await this.rowsOf(level, body, given.slice(at, at + level.length), seen);
        if (found === null) return null;
        at += level.length;
        rows.push(...found);
      }
      if (wordsFirst && rows.length >= asked) break;
      if (rows.length >= totalOf(cutAnswer(whole))) break;
    }
    if (!wordsFirst) rows.sort((left, right) => compareKeys(left.key, right.key));
    return this.print(rows.slice(0, asked), whole!);
  }

  /** The rows of a level that no earlier one had. */
  private async rowsOf(
    level: readonly Dropped[],
    body: string,
    texts: readonly string[],
    seen: Set<string>,
  ): Promise<Row[] | null> {
    const { plan, terms } = this.search;
    const found: Row[] = [];
    for (const [position, dropped] of level.entries()) {
      const kept = [...terms.terms.keys()].filter((term) => !dropped.includes(term));
      const verdict = judgeExactness(kept, this.fleet, this.own.knows);
      const rows = await correctRows(
        texts[position]!,
        readAsked(body),
        {
          correction: {
            words: { matching: this.maxWords - dropped.length, max: this.maxWords },
            exactness: () => verdict,
          },
          terms: kept.length,
          maxTotalHits: plan.settings.maxTotalHits,
          byDistance: plan.byDistance,
          isMixed: !this.search.wordsFirst,
        },
        async (more) =>
          (await this.askMany([stageBody(this.search, withAsked(body, more), dropped)]))?.[0] ?? null,
      );
      if (rows === null) return null;
      found.push(...rows);
    }
    const fresh = found.filter(({ text }) => !seen.has(fieldText(text, 0, plan.primaryKey!) ?? text));
    for (const { text } of fresh) seen.add(fieldText(text, 0, plan.primaryKey!) ?? text);
    return level.length > 1 ? fresh.sort((left, right) => compareKeys(left.key, right.key)) : fresh;
  }

  /** Totals and facets are those of all that the words which always stay match. */
  private wholeBody(body: string, last: Dropped): string {
    const read = JSON.parse(body) as SearchQuery;
    const q = withoutTerms(this.search.terms, new Set(last));
    const paging = read.hitsPerPage === undefined ? { limit: 0 } : { hitsPerPage: 0 };
    return JSON.stringify({ ...read, q, matchingStrategy: 'all', ...paging });
  }

  private print(rows: readonly Row[], whole: string): string {
    const members = [
      `"hits":[${rows.map((row) => row.text).join(',')}]`,
      `"query":${toByteText(JSON.stringify(this.search.plan.query.q))}`,
    ];
    for (const [key, value] of cutAnswer(whole).rest) {
      if (key !== 'query' && key !== 'indexUid') members.push(`"${key}":${value}`);
    }
    return `{${members.join(',')}}`;
  }
}
