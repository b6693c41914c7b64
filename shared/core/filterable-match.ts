// Which rule of filterableAttributes decides about a field, as Meilisearch matches them.

export interface FilterableMatch {
  /** Position of the rule. */
  readonly rule: number;
  readonly facetSearch: boolean;
}

interface Rule {
  attributePatterns?: string[];
  features?: { facetSearch?: boolean; filter?: { equality?: boolean } };
}

/** The patterns of the rules that allow facet search. */
export function facetSearchable(rules: unknown): string[] {
  if (!Array.isArray(rules)) return [];
  const all = (rules as (string | Rule)[]).flatMap((item) => {
    if (typeof item === 'string') return [item];
    return (item.features?.facetSearch ?? false) ? (item.attributePatterns ?? []) : [];
  });
  return [...new Set(all)];
}

/** The first rule that matches a field, or null. */
export function filterableMatch(rules: unknown, field: string): FilterableMatch | null {
  if (!Array.isArray(rules)) return null;
  for (const [rule, item] of rules.entries()) {
    if (typeof item === 'string') {
      if (field === item || field.startsWith(`${item}.`)) return { rule, facetSearch: true };
      continue;
    }
    const { attributePatterns, features } = item as Rule;
    if ((attributePatterns ?? []).some((pattern) => matchesPattern(pattern, field))) {
      return { rule, facetSearch: features?.facetSearch ?? false };
    }
  }
  return null;
}

/** Whether a filter may compare a field for equality. */
export function allowsEquality(rules: unknown, field: string): boolean {
  const match = filterableMatch(rules, field);
  if (match === null) return false;
  const rule = (rules as (string | Rule)[])[match.rule]!;
  return typeof rule === 'string' || (rule.features?.filter?.equality ?? true);
}

/** Whether a pattern with stars at its ends matches a whole name. */
export function matchesPattern(pattern: string, name: string): boolean {
  if (pattern === '*') return true;
  const open = pattern.startsWith('*');
  const closed = pattern.endsWith('*');
  if (open && closed) return name.includes(pattern.slice(1, -1));
  if (open) return name.endsWith(pattern.slice(1));
  if (closed) return name.startsWith(pattern.slice(0, -1));
  return name === pattern;
}
