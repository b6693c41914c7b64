// One search over one index, from parameters to the JSON text of the answer.
import { randomUUID } from 'node:crypto';
import { ApiError } from '../shared/core/errors.js';
import { countFacets, facetAttributes } from './facets.js';
import { evaluateFilter } from './filter-evaluation.js';
import { parseFilter } from './filter-grammar.js';
import { formatHit, matchPositions, showDocument } from './formatting.js';
import { distanceMeters, geoPoint } from './geo.js';
import type { IndexData } from './index-data.js';
import { Matching } from './matching.js';
import { parseQuery } from './query.js';
import { buildRules, mergeRanks, orderDocuments, type Rule } from './ranking.js';
import { floatText, joinFields, splitFields } from './raw-json.js';
import type { SearchParameters } from './search-parameters.js';
import { describeFilterable, filterFeatures, isSortable } from './settings.js';

/** Throws Meilisearch's error for sorts and attributes that the settings do not allow. */
export function checkSort(index: IndexData, sort: string[], code: string): void {
  for (const expression of sort) {
    const attribute = /^(.+):(?:asc|desc)$/.exec(expression)?.[1];
    if (!attribute) {
      throw new ApiError(
        code,
        `Invalid syntax for the sort parameter: expected expression ending by \`:asc\` or \`:desc\`, found \`${expression}\`.`,
      );
    }
    const name = attribute.startsWith('_geoPoint(') ? '_geo' : attribute;
    if (isSortable(index.settings, name)) continue;
    const sortable = [...index.settings.sortableAttributes].sort();
    const available =
      sortable.length === 0
        ? 'This index does not have configured sortable attributes.'
        : `Available sortable attributes are: \`${sortable.join(', ')}\`.`;
    throw new ApiError(code, `Index \`${index.uid}\`: Attribute \`${name}\` is not sortable. ${available}`);
  }
}

function check(index: IndexData, parameters: SearchParameters): void {
  checkSort(index, parameters.sort, 'invalid_search_sort');
  if (parameters.sort.length > 0 && !index.settings.rankingRules.includes('sort')) {
    throw new ApiError(
      'invalid_search_sort',
      `Index \`${index.uid}\`: You must specify where \`sort\` is listed in the rankingRules setting to use the sort parameter at search time.`,
    );
  }
  const { distinct, attributesToSearchOn } = parameters;
  if (distinct !== null && !filterFeatures(index.settings, distinct)) {
    const available = describeFilterable(index.settings);
    throw new ApiError(
      'invalid_search_distinct',
      `Index \`${index.uid}\`: Attribute \`${distinct}\` is not filterable and thus, cannot be used as distinct attribute. ${available}`,
    );
  }
  for (const attribute of attributesToSearchOn ?? []) {
    if (attribute.includes('*') || index.weightOf(attribute) >= 0) continue;
    const names = [...index.settings.searchableAttributes].sort().join(', ');
    throw new ApiError(
      'invalid_search_attributes_to_search_on',
      `Index \`${index.uid}\`: Attribute \`${attribute}\` is not searchable. Available searchable attributes are: \`${names}\`.`,
    );
  }
}

function scoreOf(rules: Rule[], document: number): number {
  const { rank, max } = mergeRanks(rules.flatMap((rule) => rule.ranks(document)));
  return rank / max;
}

function distinctKeys(index: IndexData, document: number, attribute: string): string[] {
  const values = index.valuesOf(document, attribute);
  return values
    ? [...values.numbers.map((number) => `n${number}`), ...values.strings.map((text) => `s${text}`)]
    : [];
}

/** Keeps the first document of each distinct value; those without a value all stay. Adds to the values seen. */
function keepDistinct(
  index: IndexData,
  documents: Iterable<number>,
  attribute: string,
  seen = new Set<string>(),
  most = Number.POSITIVE_INFINITY,
): number[] {
  const kept: number[] = [];
  for (const document of documents) {
    if (kept.length >= most) break;
    const keys = distinctKeys(index, document, attribute);
    if (keys.some((key) => seen.has(key))) continue;
    for (const key of keys) seen.add(key);
    kept.push(document);
  }
  return kept;
}

/**
 * The first hits with one for each distinct value, and all that counts beside them: what shares no value with a hit;
 * with pages, the first such document of each further value.
 */
function pickDistinct(
  index: IndexData,
  documents: number[],
  rules: Rule[],
  attribute: string,
  needed: number,
  paged: boolean,
): { hits: number[]; counted: number[] } {
  const seen = new Set<string>();
  const hits = keepDistinct(
    index,
    orderDocuments(documents, rules, documents.length),
    attribute,
    seen,
    needed,
  );
  const isHit = new Set(hits);
  const others = documents.filter(
    (document) =>
      !isHit.has(document) && !distinctKeys(index, document, attribute).some((key) => seen.has(key)),
  );
  return { hits, counted: [...hits, ...(paged ? keepDistinct(index, others, attribute, seen) : others)] };
}

function details(rules: Rule[], document: number): string {
  return joinFields(
    rules.map((rule, order) => {
      const { name, fields } = rule.detail(document);
      return [name, `{"order":${order},${fields}}`] as const;
    }),
  );
}

function geoDistance(index: IndexData, document: number, sort: string[]): string | null {
  const origin = sort
    .map((part) => /^_geoPoint\(([-\d.e+\s]+),([-\d.e+\s]+)\)/.exec(part))
    .find((match) => match);
  const point = origin && geoPoint(index, document);
  if (!origin || !point) return null;
  return String(
    Math.round(distanceMeters({ latitude: Number(origin[1]), longitude: Number(origin[2]) }, point)),
  );
}

function hitText(matching: Matching, rules: Rule[], document: number, parameters: SearchParameters): string {
  const { index } = matching;
  const stored = index.documents[document]!.text;
  const displayed = showDocument(stored, index.settings.displayedAttributes, parameters.retrieveVectors);
  const hit = showDocument(displayed, parameters.attributesToRetrieve, parameters.retrieveVectors);
  const extra: [string, string][] = [];
  if (parameters.attributesToHighlight || parameters.attributesToCrop) {
    extra.push(['_formatted', formatHit(matching, displayed, parameters)]);
  }
  if (parameters.showMatchesPosition) extra.push(['_matchesPosition', matchPositions(matching, displayed)]);
  // As in Meilisearch, only a hit that shows where it is says how far away that is.
  const distance = splitFields(hit).has('_geo') ? geoDistance(index, document, parameters.sort) : null;
  if (distance !== null) extra.push(['_geoDistance', distance]);
  if (parameters.showRankingScore) extra.push(['_rankingScore', floatText(scoreOf(rules, document))]);
  if (parameters.showRankingScoreDetails) extra.push(['_rankingScoreDetails', details(rules, document)]);
  if (extra.length === 0) return hit;
  return `${hit.slice(0, -1)}${hit.length > 2 ? ',' : ''}${joinFields(extra).slice(1)}`;
}

/** Runs a search; `lead` are fields put before the others, as multi-search does with indexUid. */
export function search(
  index: IndexData,
  parameters: SearchParameters,
  lead: [string, string][] = [],
): string {
  const startedMs = performance.now();
  index.ensureIndexed();
  check(index, parameters);
  const facets = parameters.facets === null ? null : facetAttributes(index, parameters.facets);
  const universe = evaluateFilter(
    index,
    parseFilter(parameters.filter, 'invalid_search_filter'),
    'invalid_search_filter',
  );
  const matching = new Matching(index, parseQuery(index, parameters.q), universe, {
    strategy: parameters.matchingStrategy,
    attributes: parameters.attributesToSearchOn,
  });
  const rules = buildRules(matching, parameters.sort);
  const threshold = parameters.rankingScoreThreshold;
  let documents =
    threshold === null
      ? matching.documents
      : matching.documents.filter((document) => scoreOf(rules, document) >= threshold);
  const paged = parameters.page !== null || parameters.hitsPerPage !== null;
  const hitsPerPage = parameters.hitsPerPage ?? 20;
  const page = parameters.page ?? 1;
  const { maxTotalHits } = index.settings.pagination;
  const offset = paged ? Math.max(0, page - 1) * hitsPerPage : parameters.offset;
  const limit = paged ? (page === 0 ? 0 : hitsPerPage) : parameters.limit;
  const needed = Math.min(offset + limit, maxTotalHits);
  const distinct = parameters.distinct ?? index.settings.distinctAttribute;
  let ordered: number[];
  if (distinct === null) {
    ordered = orderDocuments(documents, rules, needed);
    if (threshold !== null && !paged && ordered.length >= needed) {
      // Whatever was not looked at when there were hits enough counts too, above the threshold or not.
      const all = orderDocuments(matching.documents, rules, matching.documents.length);
      const good = new Set(documents);
      const seen = needed === 0 ? 0 : all.indexOf(ordered.at(-1)!);
      documents = all.filter((document, at) => at > seen || good.has(document));
    }
  } else {
    const picked = pickDistinct(index, documents, rules, distinct, needed, paged);
    ordered = picked.hits;
    documents = picked.counted;
  }
  const hits = ordered.slice(offset, offset + limit).map((hit) => hitText(matching, rules, hit, parameters));
  const total = documents.length;
  const fields: [string, string][] = [
    ...lead,
    ['hits', `[${hits.join(',')}]`],
    ['query', JSON.stringify(parameters.q)],
    ['processingTimeMs', String(Math.round(performance.now() - startedMs))],
  ];
  if (paged) {
    const totalPages = hitsPerPage === 0 ? 0 : Math.ceil(total / hitsPerPage);
    fields.push(['hitsPerPage', `${hitsPerPage}`], ['page', `${page}`]);
    fields.push(['totalPages', `${totalPages}`], ['totalHits', `${total}`]);
  } else {
    fields.push(['limit', `${limit}`], ['offset', `${offset}`], ['estimatedTotalHits', `${total}`]);
  }
  if (facets !== null) {
    const counted = countFacets(index, facets, documents);
    fields.push(['facetDistribution', counted.distribution], ['facetStats', counted.stats]);
  }
  fields.push(['requestUid', JSON.stringify(randomUUID())]);
  return joinFields(fields);
}
