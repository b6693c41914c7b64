// Turns a hit's ranking score details into a key that compares as the ranking rules of one Meilisearch would: rule by
// rule, without fusing and without an epsilon.
import { compareBytes } from './byte-text.js';
import { haversineMetres, type Point } from './geo.js';

/** Values of a sort rule: numbers before strings before nothing, whatever the direction. */
export interface SortPart {
  readonly kind: 'sort';
  readonly class: 0 | 1 | 2;
  readonly value: number | string;
  readonly descending: boolean;
}

/** Distance from the query's point; a document without one comes last. */
export interface GeoPart {
  readonly kind: 'geo';
  readonly metres: number | null;
  readonly descending: boolean;
}

/** A plain number is better the smaller it is. */
export type KeyPart = number | SortPart | GeoPart;
export type MergeKey = readonly KeyPart[];

/** What a ranking rule says of a hit in its `_rankingScoreDetails`; which of it depends on the rule. */
export interface RuleDetail {
  order: number;
  score?: number;
  matchingWords?: number;
  maxMatchingWords?: number;
  typoCount?: number;
  maxTypoCount?: number;
  attributeRankingOrderScore?: number;
  queryWordDistanceScore?: number;
  matchType?: string;
  value?: unknown;
  distance?: number | null;
  similarity?: number | null;
  position?: number;
}

const MATCH_TYPES: Record<string, number> = { exactMatch: 0, matchesStart: 1, noExactMatch: 2 };

/**
 * The key of a hit from its details as byte text. `readPoint` gives the hit's own `_geo`: the details carry the point
 * of the first document of a bucket only.
 */
export function mergeKey(details: string, readPoint: () => Point | null): MergeKey {
  return mergeKeyOf(JSON.parse(details) as Record<string, RuleDetail>, readPoint);
}

/** The same from details that were read before. */
export function mergeKeyOf(
  details: Readonly<Record<string, RuleDetail>>,
  readPoint: () => Point | null,
): MergeKey {
  const rules = Object.entries(details);
  rules.sort((left, right) => left[1].order - right[1].order);
  const key: KeyPart[] = [];
  for (const [name, detail] of rules) pushParts(key, name, detail, readPoint);
  return key;
}

function pushParts(key: KeyPart[], name: string, detail: RuleDetail, readPoint: () => Point | null): void {
  switch (name) {
    case 'words':
      key.push(-(detail.matchingWords ?? 0));
      return;
    case 'typo':
      key.push(detail.typoCount ?? 0);
      return;
    case 'proximity':
    case 'attributeRank':
    case 'wordPosition':
      key.push(-(detail.score ?? 0));
      return;
    case 'attribute':
      key.push(-(detail.attributeRankingOrderScore ?? 0), -(detail.queryWordDistanceScore ?? 0));
      return;
    case 'exactness':
      key.push(MATCH_TYPES[detail.matchType ?? ''] ?? 2, -(detail.matchingWords ?? 0));
      return;
    case 'vectorSort':
      key.push(-(detail.similarity ?? 0));
      return;
    case 'skipped':
      key.push(0);
      return;
    case 'pin':
      key.push(detail.position ?? 0);
      return;
  }
  const descending = name.endsWith(':desc');
  if (name.startsWith('_geoPoint(') && 'distance' in detail) {
    key.push(geoPart(name, descending, readPoint()));
    return;
  }
  key.push(sortPart(detail.value, descending));
}

/** The part of a value that a rule sorts by. */
export function sortPart(value: unknown, descending: boolean): SortPart {
  if (typeof value === 'number') return { kind: 'sort', class: 0, value, descending };
  if (typeof value === 'string') return { kind: 'sort', class: 1, value, descending };
  return { kind: 'sort', class: 2, value: 0, descending };
}

const GEO_RULE = /^_geoPoint\(([^,]+), ([^)]+)\)/;

function geoPart(name: string, descending: boolean, point: Point | null): GeoPart {
  const target = GEO_RULE.exec(name);
  if (point === null || target === null) return { kind: 'geo', metres: null, descending };
  const metres = haversineMetres([Number(target[1]), Number(target[2])], point);
  return { kind: 'geo', metres, descending };
}

/** Negative when `left` ranks before `right`. */
export function compareParts(left: KeyPart | undefined, right: KeyPart | undefined): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (left === undefined || right === undefined) return 0;
  if (typeof left === 'number' || typeof right === 'number') return 0;
  if (left.kind === 'sort' && right.kind === 'sort') return compareSorts(left, right);
  if (left.kind === 'geo' && right.kind === 'geo') return compareDistances(left, right);
  return 0;
}

function compareSorts(left: SortPart, right: SortPart): number {
  if (left.class !== right.class) return left.class - right.class;
  const order =
    typeof left.value === 'string' && typeof right.value === 'string'
      ? compareBytes(left.value, right.value)
      : Number(left.value) - Number(right.value);
  return left.descending ? -order : order;
}

function compareDistances(left: GeoPart, right: GeoPart): number {
  if (left.metres === null || right.metres === null) {
    return Number(left.metres === null) - Number(right.metres === null);
  }
  return left.descending ? right.metres - left.metres : left.metres - right.metres;
}

/** Compares from the part at `from` on. */
export function compareKeys(left: MergeKey, right: MergeKey, from = 0): number {
  const length = Math.max(left.length, right.length);
  for (let i = from; i < length; i++) {
    const order = compareParts(left[i], right[i]);
    if (order !== 0) return order;
  }
  return 0;
}
