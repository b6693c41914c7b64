// How long documents are: added up by nodes where lengths are recorded as documents are written, estimated where not.
import { documentLength } from '../../shared/core/bm25.js';
import { memberText, scanArray } from '../../shared/core/json-scan.js';
import { lengthVersion, sumLengths } from '../../shared/core/length-marks.js';
import { withShards } from '../../shared/core/search-plan.js';
import { searchSettings } from '../../shared/core/search-settings.js';
import { SHARD_FIELD, type TopologyIndex } from '../../shared/core/topology.js';
import type { ProxyContext, TopologyHold } from '../context.js';
import { scatter } from '../scatter.js';
import { Incomplete, keep, type NodeAnswer, nodesOf } from './corpus-parts.js';

/** The recorded lengths of a node's shards, added up by their facet. */
export interface LengthsPart extends NodeAnswer {
  readonly documents: number;
  readonly words: number;
}

export async function readLengths(
  ctx: ProxyContext,
  hold: TopologyHold,
  index: TopologyIndex,
): Promise<LengthsPart[]> {
  const version = lengthVersion(searchSettings(index).searchable, ctx.hash);
  const body = JSON.stringify({ q: '', limit: 0, facets: [SHARD_FIELD] });
  const answers = await scatter(ctx, hold, index, {
    stickyKey: index.uid,
    deadlineMs: ctx.options.searchDeadlineMs,
    build: (shards, node, current) => ({
      method: 'POST',
      path: `/indexes/${current.physicalNames[node]!}/search`,
      body: `${body.slice(0, -1)},"filter":${withShards(undefined, shards)}}`,
    }),
  });
  return answers.map(({ node, shards, response, tookMs }) => {
    if (response.status !== 200) throw new Incomplete();
    const { facetDistribution } = JSON.parse(response.body.toString('utf8')) as {
      facetDistribution: Record<string, Record<string, number>>;
    };
    return { node, shards, tookMs, ...sumLengths(facetDistribution[SHARD_FIELD] ?? {}, version) };
  });
}

/** Up to so many documents are read anew whenever a task of the index has succeeded. */
const READ_EACH_TIME = 2_000;

/**
 * The average length of documents without a recorded one, by node: all of them in an index that does not record, those
 * that were written before it did or in part where it does. Of many it is an estimate, which outlives writes until there
 * are a tenth more or fewer such documents, or others are searchable.
 */
export async function readRest(
  ctx: ProxyContext,
  hold: TopologyHold,
  index: TopologyIndex,
  position: number | null,
  documents: number,
): Promise<SampledPart[]> {
  if (documents <= 0) return [];
  const sample = () => sampleLengths(ctx, hold, index);
  const searchable = index.settings.searchableAttributes ?? null;
  if (documents <= READ_EACH_TIME)
    return keep(ctx, index, position, ['lengths read through', searchable], sample);
  const startedMs = performance.now();
  const size = Math.round(Math.log(1 + documents) / Math.log(1.1));
  const version = JSON.stringify([size, index.scoring ?? null, searchable, nodesOf(index)]);
  const { value, cached } = (await ctx.statistics?.getLasting(
    index.incarnation,
    'lengths',
    version,
    sample,
  )) ?? { value: await sample(), cached: false };
  const tookMs = performance.now() - startedMs;
  ctx.gathered?.({ statistic: 'estimated lengths', cached, position: null, tookMs, nodes: value });
  return value;
}

/**
 * Documents of one request, and requests to a node: lengths are exact up to their product, sampled evenly beyond. Small
 * pages, since reading one keeps the proxy from everything else.
 */
const PAGE = 500;
const PAGES = 400;

export interface SampledPart extends NodeAnswer {
  readonly documents: number;
  readonly averageLength: number;
}

/** The average length of those documents of each node that have no recorded one. */
async function sampleLengths(
  ctx: ProxyContext,
  hold: TopologyHold,
  index: TopologyIndex,
): Promise<SampledPart[]> {
  const searchable = searchSettings(index).searchable;
  const fields = searchable === null ? {} : { fields: index.settings.searchableAttributes };
  const unknown =
    index.scoring === 'dfs' ? `NOT ${SHARD_FIELD} = "${lengthVersion(searchable, ctx.hash)}"` : undefined;
  const request = (name: string, shards: readonly number[], offset: number) => {
    const body = JSON.stringify({ ...fields, offset, limit: PAGE });
    return {
      method: 'POST' as const,
      path: `/indexes/${name}/documents/fetch`,
      body: `${body.slice(0, -1)},"filter":${withShards(unknown, shards)}}`,
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
  return Promise.all(
    answers.map(async ({ node, shards, response, tookMs }) => {
      if (response.status !== 200) throw new Incomplete();
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
      return { node, shards, tookMs, documents: total, averageLength: mean(lengths) };
    }),
  );
}

function lengthsIn(text: string, searchable: readonly string[] | null): number[] {
  const results = memberText(text, 0, 'results') ?? '[]';
  const found = scanArray(results, 0);
  const lengths: number[] = [];
  for (let i = 0; i + 1 < found.length; i += 2) lengths.push(documentLength(results, found[i]!, searchable));
  return lengths;
}
function mean(numbers: readonly number[]): number {
  return numbers.length === 0 ? 0 : numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
