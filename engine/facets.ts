// Facet counts and number ranges over the matching documents.
import { ApiError } from '../shared/core/errors.js';
import type { IndexData } from './index-data.js';
import { floatText } from './raw-json.js';
import { describeFilterable, filterFeatures, patternCovers } from './settings.js';

export interface Facets {
  /** JSON texts, in the order of Meilisearch's keys. */
  distribution: string;
  stats: string;
}

/** The attributes that a facets parameter names. Throws Meilisearch's error for one that is not filterable. */
export function facetAttributes(index: IndexData, facets: string[]): string[] {
  const attributes = new Set<string>();
  for (const facet of facets) {
    if (facet !== '*' && !filterFeatures(index.settings, facet)) {
      const available = describeFilterable(index.settings);
      throw new ApiError(
        'invalid_search_facets',
        `Invalid facet distribution: Pattern \`${facet}\` is not filterable. ${available}`,
      );
    }
    if (!facet.includes('*')) attributes.add(facet);
    else {
      for (const name of index.columns.keys()) {
        if (patternCovers(facet, name) && filterFeatures(index.settings, name)) attributes.add(name);
      }
    }
  }
  return [...attributes].sort();
}

interface Count {
  shown: string;
  count: number;
  number: boolean;
}

function countValues(index: IndexData, attribute: string, documents: number[]) {
  const counts = new Map<string, Count>();
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const column = index.column(attribute);
  const add = (key: string, shown: string, number: boolean) => {
    const known = counts.get(key);
    if (known) known.count++;
    else counts.set(key, { shown, count: 1, number });
  };
  for (const document of documents) {
    const values = column.byDocument.get(document);
    if (!values) continue;
    for (const number of values.numbers) {
      add(`n${number}`, String(number), true);
      min = Math.min(min, number);
      max = Math.max(max, number);
    }
    for (const [at, text] of values.strings.entries()) add(`s${text}`, values.originals[at]!, false);
  }
  return { counts, min, max };
}

/** Counts every value of the attributes among the documents. */
export function countFacets(index: IndexData, attributes: string[], documents: number[]): Facets {
  const { maxValuesPerFacet, sortFacetValuesBy } = index.settings.faceting;
  const distribution: string[] = [];
  const stats: string[] = [];
  for (const attribute of attributes) {
    const { counts, min, max } = countValues(index, attribute, documents);
    const byCount = (sortFacetValuesBy[attribute] ?? sortFacetValuesBy['*']) === 'count';
    const entries = [...counts].sort(([leftKey, left], [rightKey, right]) => {
      if (left.number !== right.number) return left.number ? -1 : 1;
      if (byCount && left.count !== right.count) return right.count - left.count;
      // As in a shallow tree of Meilisearch: among equal counts the larger value first.
      if (byCount && left.number) return Number(right.shown) - Number(left.shown);
      return leftKey < rightKey === byCount ? 1 : -1;
    });
    const texts = entries
      .slice(0, maxValuesPerFacet)
      .map(([, { shown, count }]) => `${JSON.stringify(shown)}:${count}`);
    distribution.push(`${JSON.stringify(attribute)}:{${texts.join(',')}}`);
    if (min <= max)
      stats.push(`${JSON.stringify(attribute)}:{"min":${floatText(min)},"max":${floatText(max)}}`);
  }
  return { distribution: `{${distribution.join(',')}}`, stats: `{${stats.join(',')}}` };
}
