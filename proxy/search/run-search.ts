// One search from a client's query to its answer: plan, scatter, merge; once more when the topology moved on.

import { cutAnswer } from '../../shared/core/answer.js';
import { readMulti } from '../../shared/core/dfs-multi.js';
import { ApiError } from '../../shared/core/errors.js';
import { pinnedShards } from '../../shared/core/filter-pins.js';
import { relayAnswer } from '../../shared/core/search-answer.js';
import { type Flaw, flawsOf } from '../../shared/core/search-flaws.js';
import { foldedBodies, splitFolded } from '../../shared/core/search-folded.js';
import type { ShardAnswer } from '../../shared/core/search-gather.js';
import { nodeBody, planSearch, type SearchPlan } from '../../shared/core/search-plan.js';
import type { SearchQuery } from '../../shared/core/search-request.js';
import type { TopologyIndex } from '../../shared/core/topology.js';
import type { ProxyContext, TopologyHold } from '../context.js';
import { type ScatterAnswer, scatter } from '../scatter.js';
import { embedQuery } from './embed.js';
import { tell } from './gathering.js';
import {
  type AskNode,
  firstRequest,
  isSingle,
  mergeFirst,
  multiRequest,
  planShared,
  searchRequest,
} from './preflight.js';
import { relayRefusal } from './refer.js';
import { withIndex } from './spread-request.js';

export interface SearchOutcome {
  /** The answer's body as byte text (latin1). */
  text: string;
  /** Shards that nobody answered for, where the policy allows partial answers. */
  unavailable: number[];
  /** What else makes it less than the answer of one node. */
  flaws?: readonly Flaw[];
}

/** Changes a plan before it is carried out. */
export type Reshape = (plan: SearchPlan) => SearchPlan;

/** Runs a search. Throws ApiError, also for what a node finds wrong with the query. */
export function runSearch(
  ctx: ProxyContext,
  uid: string,
  query: SearchQuery,
  reshape: Reshape = (plan) => plan,
): Promise<SearchOutcome> {
  const startedMs = performance.now();
  return withIndex(ctx, uid, (hold, index) => {
    const search = (asked: SearchQuery) =>
      searchOnce(ctx, hold, index, reshape(planSearch(asked, index)), startedMs);
    return query.hybrid ? embedQuery(ctx, hold, index, query).then(search) : search(query);
  });
}

/** An answer, or null when a node was lost between two questions and everything must be asked again. */
async function searchOnce(
  ctx: ProxyContext,
  hold: TopologyHold,
  index: TopologyIndex,
  plan: SearchPlan,
  startedMs: number,
): Promise<SearchOutcome | null> {
  const unavailable: number[] = [];
  let names = index.physicalNames;
  let asAlone = false;
  const search = planShared(plan, index);
  const answers = await scatter(ctx, hold, index, {
    stickyKey: plan.stickyText,
    deadlineMs: ctx.options.searchDeadlineMs,
    shards: pinnedShards(index, plan.query.filter, ctx.hash),
    build: (shards, node, current, alone) => {
      names = current.physicalNames;
      asAlone = alone && !plan.choosesByKey;
      const name = names[node]!;
      if (!asAlone) return firstRequest(search, name, shards);
      if (index.foldsIds) return multiRequest(name, foldedBodies(plan, shards));
      return searchRequest(name, nodeBody(plan, shards, true));
    },
    onUnavailable:
      ctx.options.unavailable === 'partial' ? (shards) => void unavailable.push(...shards) : undefined,
  });
  const refused = answers.find((answer) => answer.response.status >= 400);
  if (refused) {
    const error = await relayRefusal(ctx, names, hold.topology, index, plan.query, refused);
    if (error === null) return null;
    throw error;
  }
  if (answers.length === 0) {
    throw new ApiError('miroir_shards_unavailable', `No shard of index \`${index.uid}\` can be searched.`);
  }
  if (search.frequency !== null && !asAlone) tell(ctx.gathered, 'word frequencies', answers);
  const askNode = askAgain(ctx, names, answers, startedMs);
  if (asAlone && answers.length === 1 && index.foldsIds) {
    const ask = (body: string) => askNode(0, (name) => searchRequest(name, body));
    const text = await splitFolded(plan, answers[0]!.shards, readMulti(bytesOf(answers[0]!)), ask);
    return text === null ? null : { text, unavailable };
  }
  if (asAlone && answers.length === 1) {
    return { text: relayAnswer(bytesOf(answers[0]!), plan), unavailable };
  }
  const parts = answers.map((answer): ShardAnswer => {
    const text = bytesOf(answer);
    return { text, shards: answer.shards, cut: isSingle(search) ? cutAnswer(text) : undefined };
  });
  const flaws = flawsOf(parts);
  const text = await mergeFirst(search, parts, {
    askNode,
    elapsedMs: () => Math.round(performance.now() - startedMs),
  });
  return text === null ? null : { text, unavailable, flaws };
}

function bytesOf(answer: ScatterAnswer): string {
  return answer.response.body.toString('latin1');
}

/** A node that must be asked again is the one that answered first, since only it has that order of ties. */
function askAgain(
  ctx: ProxyContext,
  names: Readonly<Record<string, string>>,
  answers: readonly ScatterAnswer[],
  startedMs: number,
): AskNode {
  return async (source, build) => {
    const { node, shards } = answers[source]!;
    const askedMs = performance.now();
    const leftMs = ctx.options.searchDeadlineMs - (performance.now() - startedMs);
    if (leftMs <= 0) return null;
    try {
      const response = await ctx.nodes
        .client(node)
        ?.request({ ...build(names[node]!), deadlineMs: Math.ceil(leftMs) });
      tell(ctx.gathered, 'second question', [{ node, shards, tookMs: performance.now() - askedMs }]);
      return response?.status === 200 ? response.body.toString('latin1') : null;
    } catch (error) {
      ctx.log.debug({ node, error: String(error) }, 'a node did not answer a second question');
      return null;
    }
  };
}
