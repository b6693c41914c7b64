// Compares two search answers: hits in order, totals, facets. What depends on time or place is left out.

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Answer = { [key: string]: Json };

const COMPARED = [
  'hits',
  'estimatedTotalHits',
  'totalHits',
  'totalPages',
  'page',
  'hitsPerPage',
  'offset',
  'limit',
  'facetDistribution',
  'facetStats',
] as const;

/** The part of an answer that must be the same, as text with sorted keys. */
export function comparable(answer: Answer): string {
  return JSON.stringify(COMPARED.map((key) => sorted(answer[key] ?? null)));
}

/** True when the answer misses documents that the reference has. */
export function isIncomplete(answer: Answer, reference: Answer): boolean {
  const total = (of: Answer) => Number(of.totalHits ?? of.estimatedTotalHits ?? 0);
  const hits = (of: Answer) => (Array.isArray(of.hits) ? of.hits.length : 0);
  return total(answer) < total(reference) || hits(answer) < hits(reference);
}

/** Where two answers differ first, in a few words. */
export function describeDifference(answer: Answer, reference: Answer): string {
  for (const key of COMPARED) {
    const ours = sorted(answer[key] ?? null);
    const theirs = sorted(reference[key] ?? null);
    if (JSON.stringify(ours) === JSON.stringify(theirs)) continue;
    if (key !== 'hits' || !Array.isArray(ours) || !Array.isArray(theirs)) {
      return `${key}: ${shorten(ours)} instead of ${shorten(theirs)}`;
    }
    const at = theirs.findIndex((hit, place) => JSON.stringify(hit) !== JSON.stringify(ours[place]));
    const place = at === -1 ? theirs.length : at;
    return `hit ${place}: ${shorten(ours[place] ?? null)} instead of ${shorten(theirs[place] ?? null)}`;
  }
  return 'no difference';
}

function shorten(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}

/** The value with the keys of all its objects in order, for comparing as text. */
export function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key]!)]),
  );
}
