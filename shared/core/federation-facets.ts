// Facets of a federation: one index's facets over several nodes, and those of several indexes put together.
import { compareBytes, fromByteText, toByteText, toKeyText } from './byte-text.js';
import { type FacetRules, mergeDistributions, mergeStats } from './facets.js';
import { membersOf, memberText } from './json-scan.js';

export interface IndexFacets {
  readonly uid: string;
  /** As the client sees them: raw `facetDistribution` and `facetStats`. */
  readonly distribution: string;
  readonly stats: string;
  /** The index's faceting.sortFacetValuesBy. */
  readonly sortBy: Readonly<Record<string, string>>;
}

/** The facets of one index out of nodes' federated answers; `names` are what the nodes call it. */
export function mergeNodeFacets(
  answers: readonly { readonly text: string; readonly name: string }[],
  rules: FacetRules,
): { distribution: string; stats: string } {
  const parts = answers.flatMap(({ text, name }) => {
    const all = memberText(text, 0, 'facetsByIndex');
    return (all === null ? null : memberText(all, 0, toKeyText(name))) ?? [];
  });
  const stats = parts.map((part) => memberText(part, 0, 'stats') ?? '{}');
  const distributions = parts.map((part) => memberText(part, 0, 'distribution') ?? '{}');
  return {
    distribution: mergeDistributions(distributions, stats, rules),
    stats: mergeStats(stats, rules.hidden),
  };
}

/** The facet whose values two of the indexes order differently, or null. */
export function inconsistentFacet(indexes: readonly IndexFacets[]): string | null {
  const orders = new Map<string, boolean>();
  for (const index of indexes) {
    for (const [field] of membersOf(index.distribution, 0)) {
      const byCount = sortsByCount(index, field);
      if ((orders.get(field) ?? byCount) !== byCount) return field;
      orders.set(field, byCount);
    }
  }
  return null;
}

function sortsByCount({ sortBy }: IndexFacets, field: string): boolean {
  return (sortBy[fromByteText(field)] ?? sortBy['*']) === 'count';
}

/** The members of the answer that show facets: by index, or put together. Empty when no index has any. */
export function facetMembers(
  indexes: readonly IndexFacets[],
  merge: { readonly maxValues: number | null } | null,
): string[] {
  if (indexes.length === 0) return [];
  if (merge === null) {
    const shown = indexes.map(
      ({ uid, distribution, stats }) =>
        `"${toByteText(uid)}":{"distribution":${distribution},"stats":${stats}}`,
    );
    return [`"facetsByIndex":{${shown.join(',')}}`];
  }
  return [
    `"facetDistribution":${mergedDistribution(indexes, merge.maxValues)}`,
    `"facetStats":${mergeStats(
      indexes.map(({ stats }) => stats),
      null,
    )}`,
  ];
}

function mergedDistribution(indexes: readonly IndexFacets[], maxValues: number | null): string {
  const fields = new Map<string, { byCount: boolean; values: Map<string, number> }>();
  for (const index of indexes) {
    for (const [field, counts] of membersOf(index.distribution, 0)) {
      const known = fields.get(field) ?? { byCount: sortsByCount(index, field), values: new Map() };
      fields.set(field, known);
      for (const [value, count] of membersOf(counts, 0)) {
        known.values.set(value, (known.values.get(value) ?? 0) + Number(count));
      }
    }
  }
  const names = [...fields.keys()].sort(compareBytes);
  const shown = names.map((name) => {
    const { byCount, values } = fields.get(name)!;
    const sorted = [...values].sort(
      byCount
        ? (left, right) => right[1] - left[1]
        : (left, right) => compareBytes(plain(left[0]), plain(right[0])),
    );
    const cut = sorted.slice(0, maxValues ?? sorted.length).map(([value, count]) => `"${value}":${count}`);
    return `"${name}":{${cut.join(',')}}`;
  });
  return `{${shown.join(',')}}`;
}

function plain(keyText: string): string {
  return keyText.includes('\\') ? toByteText(JSON.parse(`"${fromByteText(keyText)}"`) as string) : keyText;
}
