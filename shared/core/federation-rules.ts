// Which ranking rules of two queries Meilisearch compares with each other, and whether it can.
import { searchKind } from './dfs-hybrid.js';
import type { SearchQuery } from './search-request.js';
import { RANKING_RULES, RELEVANCY_RULES } from './setting-table.js';

export type RuleKind = 'relevancy' | 'asc' | 'desc' | 'geo asc' | 'geo desc';

/** The kinds of rules that decide a query, by the user's own settings; neighbours in relevancy are one. */
export function ruleKinds(query: SearchQuery, rankingRules: unknown): RuleKind[] {
  const rules = Array.isArray(rankingRules) ? (rankingRules as string[]) : RANKING_RULES;
  const semantic = searchKind(query) === 'semantic';
  const placeholder = !semantic && (query.q ?? '').trim() === '';
  const met = new Set<string>();
  const kinds: RuleKind[] = [];
  const add = (kind: RuleKind): void => {
    if (kind !== 'relevancy' || kinds.at(-1) !== 'relevancy') kinds.push(kind);
  };
  const addSort = (rule: string): void => {
    const geo = rule.startsWith('_geoPoint(');
    const field = geo ? '_geoPoint' : rule.replace(/:(?:asc|desc)$/, '');
    if (met.has(`by ${field}`)) return;
    met.add(`by ${field}`);
    const direction = rule.endsWith(':desc') ? 'desc' : 'asc';
    add(geo ? `geo ${direction}` : direction);
  };
  for (const rule of rules) {
    if (rule === 'sort') {
      if (!met.has(rule)) for (const item of query.sort ?? []) addSort(item);
      met.add(rule);
    } else if (RELEVANCY_RULES.has(rule)) {
      if (placeholder) continue;
      if (semantic) {
        // The first rule of relevancy is the vectors' place; after a sorted field, another one ends the rules.
        if (met.has('vector') && [...met].some((name) => name.startsWith('by '))) break;
        if (!met.has('vector')) add('relevancy');
        met.add('vector');
        continue;
      }
      if (rule === 'words' && query.matchingStrategy === 'all') continue;
      // Without a rule for it, words come before the first rule of relevancy.
      if (query.matchingStrategy !== 'all' && !met.has('words')) {
        add('relevancy');
        met.add('words');
      }
      if (!met.has(rule)) add('relevancy');
      met.add(rule);
    } else {
      addSort(rule);
    }
  }
  return kinds;
}

/** True when every query can be compared with those before it, in Meilisearch's order of running them. */
export function areComparable(queries: readonly (readonly RuleKind[])[]): boolean {
  let longest: readonly RuleKind[] = [];
  for (const kinds of queries) {
    const shared = Math.min(kinds.length, longest.length);
    for (let i = 0; i < shared; i++) if (kinds[i] !== longest[i]) return false;
    if (longest.length <= kinds.length) longest = kinds;
  }
  return true;
}
