// Searches whose answer depends on every node: asks nodes what they know before or after they answered, in one request
// each. What is asked and what follows from it is decided in the core.

import { type Answer, cutAnswer } from '../../shared/core/answer.js';
import {
  type FrequencySearch,
  gatherByFrequency,
  planFrequency,
  readStatistics,
  statisticsBodies,
} from '../../shared/core/dfs-frequency.js';
import { fuseHybrid, type HybridSearch, planHybrid } from '../../shared/core/dfs-hybrid.js';
import { multiBody, readMulti } from '../../shared/core/dfs-multi.js';
import {
  type AskMany,
  ExactnessGuard,
  isSuspect,
  mayHaveTerms,
  sharedTerms,
} from '../../shared/core/dfs-words.js';
import type { AskAgain } from '../../shared/core/distinct-count.js';
import { gatherMerged, type ShardAnswer } from '../../shared/core/search-gather.js';
import { nodeBody, type SearchPlan } from '../../shared/core/search-plan.js';
import type { TopologyIndex } from '../../shared/core/topology.js';
import type { NodeRequest } from '../../shared/io/node-client.js';

/** Sends a request to the node that gave an answer, by its position; null when the node does not answer well. */
export type AskNode = (source: number, build: (name: string) => NodeRequest) => Promise<string | null>;

/** How the nodes that answered first are asked again. */
export interface Again {
  readonly askNode: AskNode;
  elapsedMs(): number;
}

/** A search over several nodes: what they are asked first, and what is made of their answers. */
export interface SharedSearch {
  readonly plan: SearchPlan;
  readonly index: TopologyIndex;
  readonly frequency: FrequencySearch | null;
  readonly hybrid: HybridSearch | null;
}

/** Decides whether more is to be asked than the search itself. Cheap: most searches need nothing. */
export function planShared(plan: SearchPlan, index: TopologyIndex): SharedSearch {
  const hybrid = planHybrid(plan, index);
  return { plan, index, hybrid, frequency: hybrid === null ? planFrequency(plan, index) : null };
}

function unsharedSearch(plan: SearchPlan, index: TopologyIndex): SharedSearch {
  return { plan, index, hybrid: null, frequency: null };
}

/** What a node beside others is asked first. */
export function firstRequest(search: SharedSearch, name: string, shards: readonly number[]): NodeRequest {
  const bodies = firstBodies(search, shards);
  return bodies.length === 1 ? searchRequest(name, bodies[0]!) : multiRequest(name, bodies);
}

function firstBodies(search: SharedSearch, shards: readonly number[]): string[] {
  const { plan, index, frequency, hybrid } = search;
  if (hybrid !== null) {
    return [
      ...firstBodies(planShared(hybrid.keyword, index), shards),
      nodeBody(hybrid.semantic, shards, false),
    ];
  }
  return frequency === null ? [nodeBody(plan, shards, false)] : statisticsBodies(frequency, shards);
}

/** Merges answers to firstRequest, asking again where needed; null when a node was lost meanwhile. */
export function mergeFirst(
  search: SharedSearch,
  answers: readonly ShardAnswer[],
  again: Again,
): Promise<string | null> {
  if (isSingle(search)) return mergeJudged(search, answers, again);
  const parts = answers.map(({ text, shards }) => ({ texts: readMulti(text), shards }));
  return mergeParts(search, parts, again);
}

/** Whether firstRequest asks one search only. */
export function isSingle(search: SharedSearch): boolean {
  return search.hybrid === null && search.frequency === null;
}

/** A node's answers to firstBodies. */
interface FirstAnswers {
  readonly texts: readonly string[];
  readonly shards: readonly number[];
}

function mergeParts(
  search: SharedSearch,
  parts: readonly FirstAnswers[],
  again: Again,
): Promise<string | null> {
  if (search.hybrid !== null) return mergeHybrid(search.hybrid, search.index, parts, again);
  if (search.frequency !== null) return mergeByFrequency(search.frequency, parts, again);
  const answers = parts.map(({ texts, shards }) => ({ text: texts[0]!, shards }));
  return mergeJudged(search, answers, again);
}

async function mergeHybrid(
  hybrid: HybridSearch,
  index: TopologyIndex,
  parts: readonly FirstAnswers[],
  again: Again,
): Promise<string | null> {
  const cut = (from: number, to?: number): FirstAnswers[] =>
    parts.map(({ texts, shards }) => ({ texts: texts.slice(from, to), shards }));
  const [keyword, semantic] = await Promise.all([
    mergeParts(planShared(hybrid.keyword, index), cut(0, -1), again),
    mergeParts(unsharedSearch(hybrid.semantic, index), cut(-1), again),
  ]);
  if (keyword === null || semantic === null) return null;
  return fuseHybrid(hybrid, keyword, semantic, again.elapsedMs());
}

/** A search of one index on a node. */
export function searchRequest(name: string, body: string): NodeRequest {
  return { method: 'POST', path: `/indexes/${name}/search`, body };
}

/** Several searches of one index on a node. */
export function multiRequest(name: string, bodies: readonly string[]): NodeRequest {
  return { method: 'POST', path: '/multi-search', body: multiBody(name, bodies) };
}

async function mergeByFrequency(
  search: FrequencySearch,
  answers: readonly FirstAnswers[],
  again: Again,
): Promise<string | null> {
  return gatherByFrequency(
    search,
    answers.map(({ shards }) => shards),
    answers.map(({ texts }) => readStatistics(search, texts)),
    askManyOf(again.askNode),
    documentsOf(again.askNode),
    () => again.elapsedMs(),
  );
}

function askManyOf(askNode: AskNode): AskMany {
  return async (source, bodies) => {
    const text = await askNode(source, (name) => multiRequest(name, bodies));
    return text === null ? null : readMulti(text);
  };
}

function documentsOf(askNode: AskNode): AskAgain['documents'] {
  return (source, body) =>
    askNode(source, (name) => ({ method: 'POST', path: `/indexes/${name}/documents/fetch`, body }));
}

/** Merges answers to nodeBody, with hits judged as one node holding every document would judge them. */
async function mergeJudged(
  { plan, index }: SharedSearch,
  answers: readonly ShardAnswer[],
  again: Again,
): Promise<string | null> {
  const elapsedMs = () => again.elapsedMs();
  const askOne = (source: number, body: string): Promise<string | null> =>
    again.askNode(source, (name) => searchRequest(name, body));
  // Most answers call nothing exact, and are merged as they are.
  let guard: ExactnessGuard | null | undefined;
  const judge = (source: number, answer: Answer, body: () => string): Promise<string | null> | string => {
    if (!isSuspect(answer)) return answer.text;
    if (guard === undefined) {
      const terms = sharedTerms(plan.query, index);
      guard =
        terms === null ? null : new ExactnessGuard(plan, terms, answers.length, askManyOf(again.askNode));
    }
    return guard === null ? answer.text : guard.correct(source, answer, body(), askOne);
  };
  const documents = documentsOf(again.askNode);
  if (!mayHaveTerms(plan.query)) return gatherMerged(plan, answers, { search: askOne, documents }, elapsedMs);
  const search = async (source: number, body: string): Promise<string | null> => {
    const text = await askOne(source, body);
    return text === null ? null : judge(source, cutAnswer(text), () => body);
  };
  const cuts = answers.map(({ text, cut }) => cut ?? cutAnswer(text));
  const judged = cuts.map((cut, source) =>
    judge(source, cut, () => nodeBody(plan, answers[source]!.shards, false)),
  );
  const texts = judged.every((text) => typeof text === 'string') ? judged : await Promise.all(judged);
  if (texts.includes(null)) return null;
  const corrected = answers.map(({ shards }, source) => ({
    shards,
    text: texts[source]!,
    cut: cuts[source],
  }));
  return gatherMerged(plan, corrected, { search, documents }, elapsedMs);
}
