// Gathers what BM25 must know of a corpus: how many documents there are, how many have each term, and how long they are
// on average. One request a node, and none while nothing was written.
import { type CorpusStatistics, documentLength } from '../../shared/core/bm25.js';
import { matchesOf } from '../../shared/core/dfs-hits.js';
import { multiBody, readMulti } from '../../shared/core/dfs-multi.js';
import { memberText, scanArray } from '../../shared/core/json-scan.js';
import { readTerms, termText, wordSettings } from '../../shared/core/query-terms.js';
import { withShards } from '../../shared/core/search-plan.js';
import type { SearchQuery } from '../../shared/core/search-request.js';
import { searchSettings } from '../../shared/core/search-settings.js';
import type { NodeId, TopologyIndex } from '../../shared/core/topology.js';
import type { ProxyContext, TopologyHold } from '../context.js';
import { scatter } from '../scatter.js';

/** A query's terms as BM25 counts them. */
export interface ScoredQuery {
  /** The terms, phrases without their quotes. */
  readonly terms: readonly string[];
  /** What a node is asked to count the documents of each term. */
  readonly queries: readonly SearchQuery[];
}

/** The statistics of some shards, on the node that was asked for them. */
export interface CorpusPart extends CorpusStatistics {
  readonly shards: readonly number[];
}

/** Reads a query; null when it has no words to score by. Where words cannot be told, all of it is one term. */
export function readScoredQuery(query: SearchQuery, index: TopologyIndex): ScoredQuery | null {
  const q = (query.q ?? '').trim();
  if (q === '') return null;
  const { attributesToSearchOn, locales } = query;
  const own = {
    matchingStrategy: 'all' as const,
    limit: 0,
    ...(attributesToSearchOn ? { attributesToSearchOn } : {}),
    ...(locales ? { locales } : {}),
  };
  const read = readTerms(query.q!, wordSettings(index));
  if (read === null) return { terms: [q], queries: [{ q, ...own }] };
  if (read.terms.length === 0) return null;
  const texts = read.terms.map((_, at) => termText(read, at));
  return {
    terms: texts.map((text) => text.replaceAll('"', '')),
    queries: texts.map((text, at) => ({
      // Only the query's very last word stands for what begins with it.
      q: read.terms[at]!.end === read.text.length ? text : `${text} `,
      ...own,
    })),
  };
}

/** The statistics of every node that answers for some shards. */
export function gatherCorpus(
  ctx: ProxyContext,
  hold: TopologyHold,
  index: TopologyIndex,
  query: ScoredQuery,
): Promise<CorpusPart[]> {
  const { statistics } = ctx;
  const gather = async (): Promise<CorpusPart[]> => {
    const counts = await countDocuments(ctx, hold, index, query);
    const total = counts.reduce((sum, { documents }) => sum + documents, 0);
    const sample = () => sampleLengths(ctx, hold, index);
    // Lengths outlive writes, until there are a tenth more or fewer documents, or others are searchable.
    const size = Math.round(Math.log(1 + total) / Math.log(1.1));
    const version = JSON.stringify([size, index.settings.searchableAttributes ?? null, nodesOf(index)]);
    const lengths = await (statistics?.getLasting(index.incarnation, 'lengths', version, sample) ?? sample());
    const average = mean([...lengths.values()]);
    return counts.map((part) => ({ ...part, averageLength: lengths.get(part.node) ?? average }));
  };
  const key = JSON.stringify([query.queries, nodesOf(index)]);
  return statistics?.get(index.uid, index.incarnation, key, gather) ?? gather();
}

/** Parts are of those replicas that were asked. */
function nodesOf(index: TopologyIndex): string[] {
  return Object.entries(index.physicalNames)
    .map((node) => node.join(' '))
    .sort();
}

interface CountedPart {
  readonly node: NodeId;
  readonly shards: readonly number[];
  readonly documents: number;
  readonly documentFrequencies: readonly number[];
}

async function countDocuments(
  ctx: ProxyContext,
  hold: TopologyHold,
  index: TopologyIndex,
  { queries }: ScoredQuery,
): Promise<CountedPart[]> {
  const all: SearchQuery = { q: '', limit: 0 };
  const answers = await scatter(ctx, hold, index, {
    stickyKey: index.uid,
    deadlineMs: ctx.options.searchDeadlineMs,
    build: (shards, node, current) => {
      const bodies = [all, ...queries].map((query) => {
        return `${JSON.stringify(query).slice(0, -1)},"filter":${withShards(undefined, shards)}}`;
      });
      return {
        method: 'POST',
        path: '/multi-search',
        body: multiBody(current.physicalNames[node]!, bodies),
      };
    },
  });
  return answers.map(({ node, shards, response }) => {
    const [documents, ...frequencies] =
      response.status === 200 ? readMulti(response.body.toString('latin1')).map(matchesOf) : [0];
    return {
      node,
      shards,
      documents: documents!,
      documentFrequencies: queries.map((_, term) => frequencies[term] ?? 0),
    };
  });
}

function mean(numbers: readonly number[]): number {
  return numbers.length === 0 ? 0 : numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

/**
 * Documents of one request, and requests to a node: lengths are exact up to their product, sampled evenly beyond. Small
 * pages, since reading one keeps the proxy from everything else.
 */
const PAGE = 500;
const PAGES = 400;

/** The average length of the documents of each node. */
async function sampleLengths(
  ctx: ProxyContext,
  hold: TopologyHold,
  index: TopologyIndex,
): Promise<Map<NodeId, number>> {
  const searchable = searchSettings(index).searchable;
  const fields = searchable === null ? {} : { fields: index.settings.searchableAttributes };
  const request = (name: string, shards: readonly number[], offset: number) => {
    const body = JSON.stringify({ ...fields, offset, limit: PAGE });
    return {
      method: 'POST' as const,
      path: `/indexes/${name}/documents/fetch`,
      body: `${body.slice(0, -1)},"filter":${withShards(undefined, shards)}}`,
    };
  };
  let names = index.physicalNames;
  const answers = await scatter(ctx, hold, index, {
    stickyKey: index.uid,
    deadlineMs: ctx.options.searchDeadlineMs,
    build: (shards, node, current) => {
      names = current.physicalNames;
      return request(names[node]!, shards, 0);
    },
  });
  const out = new Map<NodeId, number>();
  await Promise.all(
    answers.map(async ({ node, shards, response }) => {
      if (response.status !== 200) return;
      const first = response.body.toString('latin1');
      const total = Number(memberText(first, 0, 'total') ?? 0);
      const lengths = lengthsIn(first, searchable);
      const pages = Math.min(PAGES, Math.ceil(total / PAGE));
      for (let page = 1; page < pages; page++) {
        const offset = Math.max(page * PAGE, Math.floor((total * page) / pages));
        const deadlineMs = ctx.options.searchDeadlineMs;
        const more = await ctx.nodes
          .client(node)
          ?.request({ ...request(names[node]!, shards, offset), deadlineMs });
        if (more?.status === 200) lengths.push(...lengthsIn(more.body.toString('latin1'), searchable));
      }
      out.set(node, mean(lengths));
    }),
  );
  return out;
}

function lengthsIn(text: string, searchable: readonly string[] | null): number[] {
  const results = memberText(text, 0, 'results') ?? '[]';
  const found = scanArray(results, 0);
  const lengths: number[] = [];
  for (let i = 0; i + 1 < found.length; i += 2) lengths.push(documentLength(results, found[i]!, searchable));
  return lengths;
}
