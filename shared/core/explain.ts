// Why hits stand in their order: for each the first ranking rule that puts it before the next one.
import type { Answer } from './answer.js';
import { readGeo } from './geo.js';
import { compareRawIds, detailsText, fieldText } from './hits.js';
import { mergeHits } from './merge.js';
import { compareKeys, mergeKey } from './merge-keys.js';
import { askedOf, type SearchPlan } from './search-plan.js';

export interface ExplainedHit {
  rank: number;
  /** The document's id as JSON; null when the answer does not carry it. */
  id: unknown;
  /** Which answer it came from. */
  source: number;
  /** All ranking score details, the hidden last rule included. */
  details: Record<string, unknown>;
  /** What decides between this hit and the next one; null for the last. */
  beforeNextBy: { rule: string; own: unknown; next: unknown } | null;
}

/** The first hits of several nodes' answers in their merged order. Hits must carry their details. */
export function explainOrder(answers: readonly Answer[], plan: SearchPlan, most: number): ExplainedHit[] {
  const merged = mergeHits(answers, {
    required: most,
    primaryKey: plan.primaryKey,
    byDistance: plan.byDistance,
    asked: answers.map(() => askedOf(plan)),
  });
  const hits = merged.hits.map((hit, at): ExplainedHit & { text: string; start: number } => {
    const { text } = answers[hit.source]!;
    const id = plan.primaryKey === null ? null : fieldText(text, hit.start, plan.primaryKey);
    return {
      text,
      start: hit.start,
      rank: at + 1,
      id: id === null ? null : JSON.parse(id),
      source: hit.source,
      details: JSON.parse(detailsText(text, hit.start, hit.end) ?? '{}') as Record<string, unknown>,
      beforeNextBy: null,
    };
  });
  return hits.map(({ text: _, start: __, ...hit }, at) => {
    const next = hits[at + 1];
    return { ...hit, beforeNextBy: next === undefined ? null : decide(hits[at]!, next, plan) };
  });
}

interface Placed {
  text: string;
  start: number;
  details: Record<string, unknown>;
}

function decide(own: Placed, next: Placed, plan: SearchPlan): ExplainedHit['beforeNextBy'] {
  const rules = Object.entries(own.details).sort(
    ([, left], [, right]) => (left as { order: number }).order - (right as { order: number }).order,
  );
  for (const [rule, detail] of rules) {
    const other = next.details[rule];
    if (other === undefined) return { rule, own: detail, next: null };
    if (compareKeys(keyOf(own, rule, detail), keyOf(next, rule, other)) !== 0)
      return { rule, own: detail, next: other };
  }
  const [left, right] = [own, next].map(({ text, start }) =>
    plan.primaryKey === null ? null : fieldText(text, start, plan.primaryKey),
  );
  const byId = left && right && compareRawIds(left, right) !== 0;
  return byId
    ? { rule: 'id as written', own: JSON.parse(left), next: JSON.parse(right) }
    : { rule: 'none', own: null, next: null };
}

function keyOf({ text, start }: Placed, rule: string, detail: unknown) {
  return mergeKey(JSON.stringify({ [rule]: detail }), () => {
    const geo = fieldText(text, start, '_geo');
    return geo === null ? null : readGeo(JSON.parse(geo));
  });
}
