// Ranking rules with the details that Meilisearch shows, and the order that they give to the matching documents.
import { distanceMeters, geoPoint } from './geo.js';
import type { Matching } from './matching.js';
import { floatText } from './raw-json.js';
import { exactnessOf, proximityCost, typoCounts, wordPositionCost } from './relevance.js';
import { compareValues, type SortValue, sortValue } from './sort-values.js';

export interface Rank {
  rank: number;
  max: number;
}

export interface Rule {
  /** Smaller is better; a sort's value is compared by `ascending`. */
  key: (document: number) => SortValue;
  ascending: boolean;
  /** What it adds to the score; nothing for sorts. */
  ranks: (document: number) => Rank[];
  /** Name and JSON text of the detail, its order being filled in by the caller. */
  detail: (document: number) => { name: string; fields: string };
}

function score({ rank, max }: Rank): string {
  return floatText(rank / max);
}

/** Fuses ranks as digits of one number, first rule first. */
export function mergeRanks(ranks: Rank[]): Rank {
  return ranks.reduce(
    (outer, inner) => ({ rank: (outer.rank - 1) * inner.max + inner.rank, max: outer.max * inner.max }),
    { rank: 1, max: 1 },
  );
}

function rankRule(
  name: string,
  ranksOf: (document: number) => Rank[],
  fields: (document: number) => string,
): Rule {
  return {
    key: (document) => {
      const { rank, max } = mergeRanks(ranksOf(document));
      return max - rank;
    },
    ascending: true,
    ranks: ranksOf,
    detail: (document) => ({ name, fields: fields(document) }),
  };
}

function buildTextRule(name: string, matching: Matching): Rule | null {
  const { index, query } = matching;
  const allWords = matching.stages[0]!.words;
  const attributeRank = (document: number): Rank => {
    const heaviest = index.settings.searchableAttributes.includes('*')
      ? 0
      : index.settings.searchableAttributes.length - 1;
    const found = matching.occurrences(document);
    const { terms, words } = matching.stage(document);
    const cost = terms.reduce((sum, term) => {
      const weights = found[term]!.map(({ field }) => index.weightOf(index.fieldNames[field]!));
      return sum + Math.min(heaviest, ...weights) * query.terms[term]!.words.length;
    }, 0);
    return { rank: heaviest * words - cost + 1, max: heaviest * words + 1 };
  };
  const wordPosition = (document: number): Rank => {
    const max = 10 * matching.stage(document).terms.length + 1;
    return { rank: max - wordPositionCost(matching, document), max };
  };
  switch (name) {
    case 'words':
      return rankRule(
        name,
        (document) => [{ rank: matching.stage(document).words, max: allWords }],
        (document) =>
          `"matchingWords":${matching.stage(document).words},"maxMatchingWords":${allWords},"score":${score({ rank: matching.stage(document).words, max: allWords })}`,
      );
    case 'typo': {
      const ranks = (document: number): Rank[] => {
        const { count, max } = typoCounts(matching, document);
        return [{ rank: max + 1 - count, max: max + 1 }];
      };
      return rankRule(name, ranks, (document) => {
        const { count, max } = typoCounts(matching, document);
        return `"typoCount":${count},"maxTypoCount":${max},"score":${score(ranks(document)[0]!)}`;
      });
    }
    case 'proximity': {
      const ranks = (document: number): Rank[] => {
        const max = 3 * (matching.stage(document).terms.length - 1) + 1;
        return [{ rank: max - proximityCost(matching, document), max }];
      };
      return rankRule(name, ranks, (document) => `"score":${score(ranks(document)[0]!)}`);
    }
    case 'attributeRank':
      return rankRule(
        name,
        (document) => [attributeRank(document)],
        (document) => `"score":${score(attributeRank(document))}`,
      );
    case 'wordPosition':
      return rankRule(
        name,
        (document) => [wordPosition(document)],
        (document) => `"score":${score(wordPosition(document))}`,
      );
    case 'attribute':
      return rankRule(
        name,
        (document) => [attributeRank(document), wordPosition(document)],
        (document) => {
          const [rank, position] = [attributeRank(document), wordPosition(document)];
          return `"attributeRankingOrderScore":${score(rank)},"queryWordDistanceScore":${score(position)},"score":${score(mergeRanks([rank, position]))}`;
        },
      );
    case 'exactness': {
      const allTerms = query.terms.length;
      const ranks = (document: number): Rank[] => {
        const { type, words } = exactnessOf(matching, document);
        const typeRank = { exactMatch: 3, matchesStart: 2, noExactMatch: 1 }[type];
        return [
          { rank: typeRank, max: 3 },
          { rank: words + 1, max: allTerms + 1 },
        ];
      };
      return rankRule(name, ranks, (document) => {
        const { type, words } = exactnessOf(matching, document);
        if (type !== 'noExactMatch') return `"matchType":"${type}","score":${score(ranks(document)[0]!)}`;
        return `"matchType":"${type}","matchingWords":${words},"maxMatchingWords":${allTerms},"score":${score(mergeRanks(ranks(document)))}`;
      });
    }
    default:
      return null;
  }
}

function buildSortRule(matching: Matching, expression: string): Rule {
  const { index } = matching;
  const ascending = expression.endsWith(':asc');
  const attribute = expression.slice(0, expression.lastIndexOf(':'));
  const geo = /^_geoPoint\(\s*([-\d.e+]+)\s*,\s*([-\d.e+]+)\s*\)$/.exec(attribute);
  if (geo) {
    const origin = { latitude: Number(geo[1]), longitude: Number(geo[2]) };
    const distance = (document: number) => {
      const point = geoPoint(index, document);
      return point && distanceMeters(origin, point);
    };
    return {
      key: distance,
      ascending,
      ranks: () => [],
      detail: (document) => {
        const point = geoPoint(index, document);
        const value = point && { lat: point.latitude, lng: point.longitude };
        return {
          name: `_geoPoint(${floatText(origin.latitude)}, ${floatText(origin.longitude)}):${ascending ? 'asc' : 'desc'}`,
          fields: `"value":${JSON.stringify(value)},"distance":${point ? floatText(distance(document)!) : 'null'}`,
        };
      },
    };
  }
  return {
    key: (document) => sortValue(index, document, attribute, ascending),
    ascending,
    ranks: () => [],
    detail: (document) => {
      const value = sortValue(index, document, attribute, ascending);
      return {
        name: expression,
        fields: `"value":${typeof value === 'number' ? floatText(value) : JSON.stringify(value)}`,
      };
    },
  };
}

/** The rules of a search, in order; without a query only those that sort. */
export function buildRules(matching: Matching, sort: string[]): Rule[] {
  const rules: Rule[] = [];
  const sorted = new Set<string>();
  const addSort = (expression: string) => {
    const attribute = expression.slice(0, expression.lastIndexOf(':'));
    if (sorted.has(attribute)) return;
    sorted.add(attribute);
    rules.push(buildSortRule(matching, expression));
  };
  for (const name of matching.index.settings.rankingRules) {
    if (name === 'sort') sort.forEach(addSort);
    else if (name.includes(':')) addSort(name);
    else if (matching.query.terms.length > 0) {
      const rule = buildTextRule(name, matching);
      if (rule) rules.push(rule);
    }
  }
  return rules;
}

/** The first `needed` documents in order of the rules. */
export function orderDocuments(documents: number[], rules: Rule[], needed: number): number[] {
  const ordered: number[] = [];
  const sortBucket = (bucket: number[], depth: number): void => {
    const rule = rules[depth];
    if (!rule || bucket.length === 1) {
      for (const document of bucket) ordered.push(document);
      return;
    }
    const left = needed - ordered.length;
    const keyed = bucket.map((document) => ({ document, key: rule.key(document) }));
    const compare = (a: { key: SortValue }, b: { key: SortValue }) =>
      compareValues(a.key, b.key, rule.ascending);
    const best = selectBest(keyed, left, compare).sort(compare);
    for (let at = 0; at < best.length && ordered.length < needed; ) {
      let end = at + 1;
      while (end < best.length && best[end]!.key === best[at]!.key) end++;
      sortBucket(
        best.slice(at, end).map(({ document }) => document),
        depth + 1,
      );
      at = end;
    }
  };
  if (documents.length > 0 && needed > 0) sortBucket(documents, 0);
  return ordered.slice(0, needed);
}

/** The `count` best elements and all that tie with the last of them, unordered. */
function selectBest<T>(elements: T[], count: number, compare: (left: T, right: T) => number): T[] {
  if (elements.length <= 4 * count) return elements;
  const best: T[] = [];
  for (const element of elements) {
    if (best.length === count && compare(element, best[count - 1]!) >= 0) continue;
    let low = 0;
    let high = best.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(best[middle]!, element) <= 0) low = middle + 1;
      else high = middle;
    }
    best.splice(low, 0, element);
    if (best.length > count) best.pop();
  }
  const worst = best[best.length - 1]!;
  return elements.filter((element) => compare(element, worst) <= 0);
}
