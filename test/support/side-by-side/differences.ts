// Where a fleet must answer unlike one Meilisearch, and why. docs/compatibility.md tells users the same.
import type { ShownAnswer } from './sides.js';

export interface Difference {
  reason: string;
  /** Whether this is it: by the request's name and both answers. */
  applies(name: string, miroir: ShownAnswer, meilisearch: ShownAnswer): boolean;
}

/** The same JSON values with the members of every object, or also the items of `results`, in one order. */
function sorted(text: string, results: 'in order' | 'in any order'): string {
  const sort = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sort);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).map(([key, item]): [string, unknown] => [key, sort(item)]);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  const body = sort(JSON.parse(text)) as { results?: unknown[] };
  if (results === 'in any order') body.results = body.results?.map((item) => JSON.stringify(item)).sort();
  return JSON.stringify(body);
}

export const DIFFERENCES: readonly Difference[] = [
  {
    reason: 'documents are listed by their primary key, not by the order in which they were added',
    applies: (name, miroir, meilisearch) =>
      /^(GET|POST) \/indexes\/\w+\/documents(\?|$|\/fetch)/.test(name) &&
      miroir.status === 200 &&
      meilisearch.status === 200 &&
      miroir.body !== meilisearch.body &&
      sorted(miroir.body, 'in any order') === sorted(meilisearch.body, 'in any order') &&
      sorted(miroir.body, 'in order') !== sorted(meilisearch.body, 'in order'),
  },
  {
    reason:
      'a list that holds something else than documents is refused with one sentence and 400, never with 500',
    applies: (name, miroir, meilisearch) =>
      /^POST \/indexes\/pets\/documents/.test(name) &&
      miroir.status === 400 &&
      miroir.body.includes('data are neither an object nor a list of objects') &&
      (meilisearch.status === 500 || meilisearch.body.includes('trailing characters')),
  },
];
