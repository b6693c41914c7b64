// Puts the corrected hits of one node's answer into their order. A correction moves hits behind others, so that enough
// must have been fetched to know what comes before them.
import { type Answer, cutAnswer } from './answer.js';
import { type Correction, correctHit } from './dfs-hits.js';
import { detailsText } from './hits.js';
import { compareKeys, compareParts, type MergeKey, mergeKey } from './merge-keys.js';

/** A hit as text, with what it compares by. */
export interface Row {
  readonly text: string;
  readonly key: MergeKey;
}

export interface CorrectionRules {
  readonly correction: Correction;
  /** Terms that the node was asked for. */
  readonly terms: number;
  /** Nodes never give more hits. */
  readonly maxTotalHits: number;
  /** Hits by distance are ordered by the merge, all together. */
  readonly byDistance: boolean;
  /** Hits that match all terms may stand behind others. */
  readonly isMixed?: boolean;
}

/**
 * The corrected rows of an answer that was asked for `asked` hits, or null when a node gave no answer. `fetch` asks the
 * same again for more.
 */
export async function correctRows(
  first: string,
  asked: number,
  rules: CorrectionRules,
  fetch: (asked: number) => Promise<string | null>,
): Promise<Row[] | null> {
  let text = first;
  for (let limit = asked; ; limit = 2 * limit + 16) {
    if (limit > asked) {
      const more = await fetch(limit);
      if (more === null) return null;
      text = more;
    }
    const all = readRows(cutAnswer(text), rules);
    const rows = rules.correction.words === null ? all : all.filter((row) => row.isWhole);
    const isCut = rows.length >= limit && limit <= rules.maxTotalHits;
    const isHidden =
      rules.isMixed && rows.length < asked && all.length >= limit && limit <= rules.maxTotalHits;
    if (isHidden) continue;
    if (rules.byDistance) return rows;
    if (isCut && mayMissEarlier(rows, asked)) continue;
    return rows.sort((left, right) => compareKeys(left.key, right.key)).slice(0, asked);
  }
}

interface JudgedRow extends Row {
  readonly nodeKey: MergeKey;
  /** How many parts of the key are decided before the rule exactness. */
  readonly before: number;
  readonly isMoved: boolean;
  /** It matches all terms that the node was asked for. */
  readonly isWhole: boolean;
}

function readRows(answer: Answer, rules: CorrectionRules): JudgedRow[] {
  const rows: JudgedRow[] = [];
  for (let i = 0; i + 1 < answer.hits.length; i += 2) {
    const hit = answer.text.slice(answer.hits[i]!, answer.hits[i + 1]!);
    const text = correctHit(hit, rules.correction, rules.terms);
    const details = detailsText(hit, 0, hit.length) ?? '{}';
    const nodeKey = mergeKey(details, () => null);
    const key = text === hit ? nodeKey : mergeKey(detailsText(text, 0, text.length)!, () => null);
    const before = partsBeforeExactness(details);
    const isMoved = compareKeys(nodeKey, key, before) !== 0;
    rows.push({ text, key, nodeKey, before, isMoved, isWhole: isWhole(details) });
  }
  return rows;
}

function isWhole(details: string): boolean {
  const { words } = JSON.parse(details) as { words?: { matchingWords: number; maxMatchingWords: number } };
  return words === undefined || words.matchingWords === words.maxMatchingWords;
}

function partsBeforeExactness(details: string): number {
  const rules = Object.entries(JSON.parse(details) as Record<string, { order: number }>);
  const exactness = rules.find(([name]) => name === 'exactness')?.[1].order ?? 0;
  const earlier = rules.filter(([, { order }]) => order < exactness);
  return earlier.length + (earlier.some(([name]) => name === 'attribute') ? 1 : 0);
}

/** Whether hits that were not fetched may rank before one of the first `asked`. */
function mayMissEarlier(rows: readonly JudgedRow[], asked: number): boolean {
  const last = rows.at(-1);
  if (last === undefined) return false;
  let from = rows.length;
  while (from > 0 && isOneGroup(rows[from - 1]!, last)) from--;
  return from < asked && rows.slice(from).some((row) => row.isMoved);
}

function isOneGroup(left: JudgedRow, right: JudgedRow): boolean {
  for (let part = 0; part < left.before; part++) {
    if (compareParts(left.nodeKey[part], right.nodeKey[part]) !== 0) return false;
  }
  return true;
}
