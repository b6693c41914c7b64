// The ranking score details of hits, cut before the value of their last rule: that rule is nearly always the hidden one
// by primary key, so most hits differ in nothing else, and what is before is read once for all of them.
import { scanObject, skipValue } from './json-scan.js';
import { type MergeKey, mergeKey, mergeKeyOf, type RuleDetail, sortPart } from './merge-keys.js';

/** Where the details of a hit are; they are its last member. */
export interface HitDetails {
  readonly start: number;
  /** Null where the last rule does not sort by a value. */
  readonly head: DetailsHead | null;
  /** The value of the last rule, where there is a head. */
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** Details up to the value of their last rule. One object stands for all hits of several answers with this text. */
export class DetailsHead {
  /** What the rules say by their names; nothing of the last one's value. */
  readonly rules: Readonly<Record<string, RuleDetail>>;
  private readonly parts: MergeKey;
  private readonly isLast: boolean;
  private readonly descending: boolean;

  constructor(readonly text: string) {
    this.rules = JSON.parse(`${text}null}}`) as Record<string, RuleDetail>;
    const names = Object.keys(this.rules);
    const last = names.pop()!;
    const before = names.map((name) => this.rules[name]!.order);
    this.isLast = before.every((order) => order < this.rules[last]!.order);
    this.descending = last.endsWith(':desc');
    // The key of the last rule is left to each hit.
    this.parts = mergeKeyOf(this.rules, () => null).slice(0, -1);
  }

  /** What a hit compares by. */
  keyOf(text: string, { start, valueStart, valueEnd }: HitDetails): MergeKey {
    if (!this.isLast) return mergeKey(text.slice(start, valueEnd + 2), () => null);
    return [...this.parts, sortPart(readValue(text.slice(valueStart, valueEnd)), this.descending)];
  }
}

function readValue(raw: string): unknown {
  const isPlain = raw.charCodeAt(0) === 34 && !raw.includes('\\');
  return isPlain ? raw.slice(1, -1) : JSON.parse(raw);
}

/** Heads come again and again, within an answer and between queries. */
const known = new Map<string, DetailsHead>();
const MOST_KNOWN = 1_024;

function headOf(text: string): DetailsHead {
  let head = known.get(text);
  if (head === undefined) {
    // A slice would keep the whole answer in memory for as long as it is known; one of a joined text keeps that only.
    head = new DetailsHead(` ${text}`.slice(1));
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(head.text, head);
  }
  return head;
}

/** Cuts the details of the hits of one answer, one after the other. */
export class DetailsCutter {
  private last: DetailsHead | null = null;

  /** The details that open at `at`; they end two positions behind their value, or where skipValue says. */
  cut(text: string, at: number): HitDetails & { readonly end: number } {
    if (this.last !== null) {
      const valueStart = at + this.last.text.length;
      // Comparing slices is an order of magnitude faster than walking or hashing them.
      if (text.slice(at, valueStart) === this.last.text) {
        const valueEnd = skipValue(text, valueStart);
        if (closesTwice(text, valueEnd)) {
          return { start: at, head: this.last, valueStart, valueEnd, end: valueEnd + 2 };
        }
      }
    }
    const rules = scanObject(text, at);
    const end = rules.at(-1)!;
    const value = rules.length < 5 ? null : sortValue(text, rules, end);
    if (value === null) return { start: at, head: null, valueStart: end, valueEnd: end, end };
    this.last = headOf(text.slice(at, value[0]));
    return { start: at, head: this.last, valueStart: value[0], valueEnd: value[1], end };
  }
}

function closesTwice(text: string, at: number): boolean {
  return text.charCodeAt(at) === 125 && text.charCodeAt(at + 1) === 125;
}

/** Where the value of the last rule begins and ends, if that rule has nothing else but its order. */
function sortValue(text: string, rules: readonly number[], end: number): [start: number, end: number] | null {
  const nameEnd = rules.at(-4)! - 1;
  const isSort = text.endsWith(':asc', nameEnd) || text.endsWith(':desc', nameEnd);
  const ruleStart = rules.at(-3)!;
  if (!isSort || text.charCodeAt(ruleStart) !== 123) return null;
  const members = scanObject(text, ruleStart);
  if (members.length !== 9 || text.slice(members[0], members[1]) !== '"order"') return null;
  if (text.slice(members[4], members[5]) !== '"value"') return null;
  const valueEnd = members[7]!;
  return closesTwice(text, valueEnd) && valueEnd + 2 === end ? [members[6]!, valueEnd] : null;
}
