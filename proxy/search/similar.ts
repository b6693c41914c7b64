// Similar documents over all shards: the owner of the document's shard gives its vector, and every node finds what is
// near it among its own.
import { isDocumentId } from '../../shared/core/document-ids.js';
import { ApiError } from '../../shared/core/errors.js';
import { shardOf } from '../../shared/core/placement.js';
import { judgeFilter } from '../../shared/core/search-judge.js';
import { withShards } from '../../shared/core/search-plan.js';
import { searchSettings } from '../../shared/core/search-settings.js';
import {
  aloneSimilarBody,
  mergeSimilar,
  planSimilar,
  relaySimilar,
  type SimilarPlan,
  similarBody,
} from '../../shared/core/similar.js';
import type { SimilarQuery } from '../../shared/core/similar-request.js';
import { vectorTexts } from '../../shared/core/similar-vectors.js';
import type { TopologyIndex } from '../../shared/core/topology.js';
import type { NodeRequest, NodeResponse } from '../../shared/io/node-client.js';
import type { ProxyContext, TopologyHold } from '../context.js';
import { scatter } from '../scatter.js';
import { nodeError, referToNode } from './refer.js';
import type { SearchOutcome } from './run-search.js';
import { askShards, type SpreadAnswers, textOf, withIndex } from './spread-request.js';

/** Finds similar documents. Throws ApiError, also for what a node finds wrong with the query. */
export function runSimilar(ctx: ProxyContext, uid: string, query: SimilarQuery): Promise<SearchOutcome> {
  const startedMs = performance.now();
  return withIndex(ctx, uid, async (hold, index) => {
    // Where the document is, one node has everything to judge the request by: the order of its complaints is kept.
    const judged = { ...query, offset: 0, limit: 0 };
    if (!isDocumentId(query.id) || index.primaryKey === null) return refuse(ctx, hold, index, judged);
    const owner = new Owner(ctx, hold, index, query.id);
    const [judgement, document, several] = await Promise.all([
      owner.ask('POST', 'similar', JSON.stringify(judged)),
      owner.ask('GET', `documents/${query.id}?retrieveVectors=true`),
      hasSeveralVectors(ctx, hold, index),
    ]);
    if (judgement.status >= 400) throw nodeError(hold.topology, index, judgement);
    judgeFilter('', query.filter, searchSettings(index), 'invalid_similar_filter');
    // Deleted between the two questions.
    if (document.status >= 400) return null;
    const vectors = vectorTexts(document.body.toString('latin1'), 0, query.embedder);
    const plan = planSimilar(query, index, vectors, several);
    const elapsedMs = () => Math.round(performance.now() - startedMs);
    let matches: boolean | null = null;
    let asked = plan.asked;
    for (;;) {
      const answers = await askByVectors(ctx, hold, index, plan, judged, asked);
      if (answers === null) return null;
      const unavailable = answers.flatMap((answer) => answer.unavailable);
      if (answers[0]!.alone)
        return { text: relaySimilar(textOf(answers[0]!.answers[0]!), plan), unavailable };
      const parts = answers.flatMap(({ answers }, at) =>
        answers.map((answer) => ({
          text: textOf(answer),
          hasDocument: answer.shards.includes(owner.shard),
          at,
          asked,
        })),
      );
      let merged = mergeSimilar(plan, parts, elapsedMs(), matches);
      if (!merged.done && merged.reason === 'filter') {
        matches = await owner.matches(plan);
        merged = mergeSimilar(plan, parts, elapsedMs(), matches);
      }
      if (merged.done) return { text: merged.text, unavailable };
      asked = Math.min(4 * asked, plan.maxTotalHits + 1);
    }
  });
}

/** The answers of all nodes by each of the vectors, or by none. A node that has everything is asked once. */
async function askByVectors(
  ctx: ProxyContext,
  hold: TopologyHold,
  index: TopologyIndex,
  plan: SimilarPlan,
  own: object,
  asked: number,
): Promise<SpreadAnswers[] | null> {
  const vectors = Math.max(1, plan.vectors.length);
  const answers = await Promise.all(
    Array.from({ length: vectors }, (_, at) =>
      askShards(ctx, hold, index, {
        route: 'search',
        stickyText: `${index.uid}\n${JSON.stringify(plan.query)}`,
        body: (shards) => similarBody(plan, index, shards, asked, at),
        alone: { route: 'similar', body: (shards) => aloneSimilarBody(plan, shards) },
        own,
        ownRoute: 'similar',
      }),
    ),
  );
  // Which node has everything may have changed between two of them.
  const consistent = answers.every((answer) => answer !== null && answer.alone === answers[0]!.alone);
  return consistent ? (answers as SpreadAnswers[]) : null;
}

/** Whether some document may have more than one vector of one embedder. */
async function hasSeveralVectors(
  ctx: ProxyContext,
  hold: TopologyHold,
  index: TopologyIndex,
): Promise<boolean> {
  const answers = await scatter(ctx, hold, index, {
    stickyKey: index.uid,
    deadlineMs: ctx.options.searchDeadlineMs,
    build: (_shards, node, current) => ({
      method: 'GET',
      path: `/indexes/${current.physicalNames[node]}/stats`,
    }),
  });
  return answers.some(({ response }) => {
    if (response.status >= 400) return true;
    const stats = JSON.parse(response.body.toString('utf8')) as Record<string, number | undefined>;
    return (stats.numberOfEmbeddings ?? 1) > (stats.numberOfEmbeddedDocuments ?? 0);
  });
}

function refuse(ctx: ProxyContext, hold: TopologyHold, index: TopologyIndex, own: object): Promise<never> {
  return referToNode(ctx, hold.topology, index, (names) => ({
    method: 'POST',
    path: `/indexes/${names(index.uid)}/similar`,
    body: JSON.stringify(own),
  }));
}

/** Whichever replica of a document's shard answers. */
class Owner {
  readonly shard: number;

  constructor(
    private readonly ctx: ProxyContext,
    private readonly hold: TopologyHold,
    private readonly index: TopologyIndex,
    private readonly id: string,
  ) {
    this.shard = shardOf(id, index.shardCount, ctx.hash);
  }

  async ask(method: NodeRequest['method'], route: string, body?: string): Promise<NodeResponse> {
    const [answer] = await scatter(this.ctx, this.hold, this.index, {
      stickyKey: this.id,
      deadlineMs: this.ctx.options.searchDeadlineMs,
      shards: [this.shard],
      build: (_shards, node, current) => ({
        method,
        path: `/indexes/${current.physicalNames[node]}/${route}`,
        body,
      }),
    });
    if (answer === undefined) throw new ApiError('miroir_node_unreachable', 'No node answers.');
    return answer.response;
  }

  /** Whether the filter lets the document through. */
  async matches(plan: SimilarPlan): Promise<boolean> {
    const filter = withShards(plan.query.filter, [this.shard]);
    const body = `{"ids":[${JSON.stringify(this.id)}],"limit":0,"filter":${filter}}`;
    const answer = await this.ask('POST', 'documents/fetch', body);
    if (answer.status >= 400) throw nodeError(this.hold.topology, this.index, answer);
    const { total } = JSON.parse(answer.body.toString('utf8')) as { total: number };
    return total > 0;
  }
}
