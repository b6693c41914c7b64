// Gathers what BM25 must know of a corpus: how many documents there are, how many have each term, and how long they are
// on average. One request a node, beside the search itself, and none while no task of the index has succeeded.
import { addStatistics, type CorpusStatistics } from '../../shared/core/bm25.js';
import { matchesOf } from '../../shared/core/dfs-hits.js';
import { multiBody, readMulti } from '../../shared/core/dfs-multi.js';
import { readTerms, termText, wordSettings } from '../../shared/core/query-terms.js';
import { withShards } from '../../shared/core/search-plan.js';
import type { SearchQuery } from '../../shared/core/search-request.js';
import type { TopologyIndex } from '../../shared/core/topology.js';
import type { ProxyContext, TopologyHold } from '../context.js';
import { scatter } from '../scatter.js';
import { type LengthsPart, readLengths, readRest, type SampledPart } from './corpus-lengths.js';
import { Incomplete, keep, type NodeAnswer, sum } from './corpus-parts.js';

/** A query's terms as BM25 counts them. */
export interface ScoredQuery {
  /** The terms, phrases without their quotes. */
  readonly terms: readonly string[];
  /** What a node is asked to count the documents of each term. */
  readonly queries: readonly SearchQuery[];
}

/** What is known of a corpus, in all and by node. */
export interface Corpus {
  readonly whole: CorpusStatistics;
  readonly parts: readonly CorpusPart[];
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

/**
 * The statistics of every node that answers for some shards; null when they must be gathered anew. The position of the
 * index is read first: see StatisticsCache.
 */
export async function gatherCorpus(
  ctx: ProxyContext,
  hold: TopologyHold,
  index: TopologyIndex,
  query: ScoredQuery,
): Promise<Corpus | null> {
  const position = (await ctx.statistics?.readPosition(index.incarnation)) ?? null;
  try {
    const [counts, recorded] = await Promise.all([
      keep(ctx, index, position, ['document frequencies', query.queries], () =>
        countDocuments(ctx, hold, index, query),
      ),
      index.scoring === 'dfs'
        ? keep(ctx, index, position, ['recorded lengths', index.settings.searchableAttributes], () =>
            readLengths(ctx, hold, index),
          )
        : [],
    ]);
    const unknown = sum(counts, 'documents') - sum(recorded, 'documents');
    const rest = await readRest(ctx, hold, index, position, unknown);
    return {
      whole: wholeOf(counts, recorded, rest),
      parts: counts.map((part) => partOf(part, recorded, rest)),
    };
  } catch (error) {
    if (error instanceof Incomplete) return null;
    throw error;
  }
}

/** Over all nodes: two questions may have been answered by different replicas, so parts are not matched. */
function wholeOf(
  counts: readonly CountedPart[],
  recorded: readonly LengthsPart[],
  rest: readonly SampledPart[],
): CorpusStatistics {
  const documents = sum(counts, 'documents');
  const unknown = documents - sum(recorded, 'documents');
  // Words are whole: rounding makes parts add up to what one node would have counted.
  const words = sum(recorded, 'words') + Math.round(Math.max(0, unknown) * meanLength(rest));
  return {
    documents,
    documentFrequencies: addStatistics(counts.map((part) => ({ ...part, averageLength: 0 })))
      .documentFrequencies,
    averageLength: documents === 0 ? 0 : words / documents,
  };
}

function meanLength(parts: readonly SampledPart[]): number {
  const documents = sum(parts, 'documents');
  return documents === 0
    ? 0
    : parts.reduce((total, part) => total + part.documents * part.averageLength, 0) / documents;
}

function partOf(
  part: CountedPart,
  recorded: readonly LengthsPart[],
  rest: readonly SampledPart[],
): CorpusPart {
  const own = recorded.find(({ node }) => node === part.node) ?? { documents: 0, words: 0 };
  const average = rest.find(({ node }) => node === part.node)?.averageLength ?? meanLength(rest);
  const words = own.words + Math.max(0, part.documents - own.documents) * average;
  return { ...part, averageLength: part.documents === 0 ? 0 : words / part.documents };
}

interface CountedPart extends NodeAnswer {
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
  return answers.map(({ node, shards, response, tookMs }) => {
    if (response.status !== 200) throw new Incomplete();
    const [documents, ...frequencies] = readMulti(response.body.toString('latin1')).map(matchesOf);
    return {
      node,
      shards,
      tookMs,
      documents: documents!,
      documentFrequencies: queries.map((_, term) => frequencies[term] ?? 0),
    };
  });
}
