// Shows a hit as the client may see it: what was asked for by Miroir alone is cut out, the rest keeps its bytes.
import { compareBytes, toKeyText } from './byte-text.js';
import { scanObject, skipSpace, skipString, skipValue } from './json-scan.js';
import { SHARD_FIELD } from './topology.js';

/** What to leave out of hits. Names are key texts (see toKeyText). */
export interface HitView {
  /** Fields of the document that the client must not see or did not ask for. */
  readonly drop: ReadonlySet<string>;
  /** The same for `_formatted`. */
  readonly dropFormatted: ReadonlySet<string>;
  /** False: the details were asked for by Miroir alone. */
  readonly showDetails: boolean;
  /** Key of the hidden last rule inside the details, or null when the client's own rules have it. */
  readonly hiddenRule: string | null;
  /** The user's displayed attributes as key texts, or null for all: hides matches and sort values of others. */
  readonly displayed: readonly string[] | null;
}

/** Hits as they come from nodes, for what compares them before they are shown. */
export const BARE_VIEW: HitView = {
  drop: new Set(),
  dropFormatted: new Set(),
  showDetails: true,
  hiddenRule: null,
  displayed: null,
};

/** The view for an index when nothing was added to the client's query but the hidden field. */
export function plainView(primaryKey: string | null): HitView {
  const drop = new Set([SHARD_FIELD]);
  return {
    drop,
    dropFormatted: drop,
    showDetails: true,
    hiddenRule: primaryKey === null ? null : `${toKeyText(primaryKey)}:asc`,
    displayed: null,
  };
}

/**
 * One hit, given by its place in an answer, as the client sees it. Where its details are known to end at `detailsEnd`,
 * they are not read.
 */
export function showHit(text: string, start: number, view: HitView, detailsEnd = -1): string {
  const copy = new Copy(text, start);
  return copy.finish(copyHit(copy, text, start, view, detailsEnd));
}

/** The text from `from` to `to` with the hits in it, whose array opens at `start`, as the client sees them. */
export function showHits(text: string, start: number, view: HitView, from: number, to: number): string {
  const copy = new Copy(text, from);
  let position = skipSpace(text, start + 1);
  while (text.charCodeAt(position) === 123) {
    position = skipSpace(text, copyHit(copy, text, position, view, -1));
    if (text.charCodeAt(position) !== 44) break;
    position = skipSpace(text, position + 1);
  }
  if (text.charCodeAt(position) !== 93) throw new SyntaxError('expected the end of the hits in JSON');
  return copy.finish(to);
}

/** Takes what is hidden out of one hit; answers the position after it. */
function copyHit(copy: Copy, text: string, start: number, view: HitView, detailsEnd: number): number {
  // Names that Meilisearch and Miroir add begin with an underscore; others matter only where one is to be dropped.
  const dropsOthers = view.drop.size > 1;
  let position = skipSpace(text, start + 1);
  if (text.charCodeAt(position) === 125) return position + 1;
  let keptEnd = -1;
  for (;;) {
    const keyStart = position;
    const keyEnd = skipString(text, keyStart);
    const colon = skipSpace(text, keyEnd);
    if (text.charCodeAt(colon) !== 58) throw new SyntaxError('expected a colon in JSON');
    const valueStart = skipSpace(text, colon + 1);
    const isNamed = dropsOthers || text.charCodeAt(keyStart + 1) === 95;
    const key = isNamed ? text.slice(keyStart + 1, keyEnd - 1) : '';
    const valueEnd =
      detailsEnd >= 0 && key === '_rankingScoreDetails' ? detailsEnd : skipValue(text, valueStart);
    const comma = skipSpace(text, valueEnd);
    const code = text.charCodeAt(comma);
    const nextKey = code === 44 ? skipSpace(text, comma + 1) : valueEnd;
    const shown = isNamed ? showMember(text, key, valueStart, valueEnd, view) : undefined;
    if (shown === null) {
      // One comma goes as well: the one before, or where nothing is before, the one behind.
      if (keptEnd >= 0) copy.skip(keptEnd, valueEnd);
      else copy.skip(keyStart, nextKey);
    } else {
      keptEnd = valueEnd;
      if (shown !== undefined) copy.replace(valueStart, valueEnd, shown);
    }
    if (code === 125) return comma + 1;
    if (code !== 44) throw new SyntaxError('expected a comma in JSON');
    position = nextKey;
  }
}

/** The new text of a member of a hit; undefined leaves it, null removes it. */
function showMember(
  text: string,
  key: string,
  valueStart: number,
  valueEnd: number,
  view: HitView,
): string | null | undefined {
  if (view.drop.has(key)) return null;
  return key.charCodeAt(0) === 95 ? showSpecial(text, key, valueStart, valueEnd, view) : undefined;
}

/** Copies text but for what is skipped or replaced, in as few pieces as possible. */
class Copy {
  private out = '';

  constructor(
    private readonly text: string,
    private from: number,
  ) {}

  skip(start: number, end: number): void {
    if (start > this.from) this.out += this.text.slice(this.from, start);
    this.from = end;
  }

  replace(start: number, end: number, text: string): void {
    this.skip(start, end);
    this.out += text;
  }

  finish(end: number): string {
    return this.out + this.text.slice(this.from, end);
  }
}

/** The same for a member that Meilisearch adds. */
function showSpecial(
  text: string,
  key: string,
  start: number,
  end: number,
  view: HitView,
): string | null | undefined {
  if (text.charCodeAt(start) !== 123) return undefined;
  if (key === '_formatted') {
    const shown = showMembers(text, start, (name) => (view.dropFormatted.has(name) ? null : undefined));
    return shown === '{}' ? null : shown;
  }
  if (key === '_rankingScoreDetails') {
    return view.showDetails ? showDetails(text.slice(start, end), view) : null;
  }
  if (key === '_matchesPosition' && view.displayed !== null) {
    return showMembers(text, start, (name) => (isDisplayed(name, view.displayed!) ? undefined : null));
  }
  return undefined;
}

function isDisplayed(name: string, displayed: readonly string[]): boolean {
  return displayed.some((field) => name === field || name.startsWith(`${field}.`));
}

const SORT_RULE = /^(.*):(asc|desc)$/;

/** Ranking score details without the hidden rule, and with sort values of fields that are not displayed redacted. */
export function showDetails(details: string, view: HitView): string {
  const members = scanObject(details, 0);
  const out = new ObjectWriter(details);
  for (let i = 0; i + 3 < members.length; i += 4) {
    const key = details.slice(members[i]! + 1, members[i + 1]! - 1);
    if (key === view.hiddenRule) continue;
    const field = view.displayed === null ? undefined : SORT_RULE.exec(key)?.[1];
    if (field === undefined || field.startsWith('_geoPoint(') || view.displayed!.includes(field)) {
      out.keep(members[i]!, members[i + 3]!);
      continue;
    }
    const { order } = JSON.parse(details.slice(members[i + 2]!, members[i + 3]!)) as { order: number };
    out.replace(`<hidden-rule-${order}>`, `{"order":${order},"value":"<hidden>"}`);
  }
  return out.finish();
}

/** Copies an object, asking for each member: undefined keeps it, null removes it, text replaces it. */
function showMembers(text: string, start: number, judge: (key: string) => string | null | undefined): string {
  const members = scanObject(text, start);
  const out = new ObjectWriter(text);
  for (let i = 0; i + 3 < members.length; i += 4) {
    const key = text.slice(members[i]! + 1, members[i + 1]! - 1);
    const shown = judge(key);
    if (shown === undefined) out.keep(members[i]!, members[i + 3]!);
    else if (shown !== null) out.replace(key, shown);
  }
  return out.finish();
}

/** Writes an object from slices of another, in as few pieces as possible. */
class ObjectWriter {
  private out = '{';
  private from = -1;
  private to = -1;

  constructor(private readonly text: string) {}

  keep(start: number, end: number): void {
    if (this.from >= 0 && start === this.to + 1) {
      this.to = end;
      return;
    }
    this.flush();
    this.from = start;
    this.to = end;
  }

  replace(key: string, value: string): void {
    this.flush();
    this.comma();
    this.out += `"${key}":${value}`;
  }

  finish(): string {
    this.flush();
    return `${this.out}}`;
  }

  private flush(): void {
    if (this.from < 0) return;
    this.comma();
    this.out += this.text.slice(this.from, this.to);
    this.from = -1;
  }

  private comma(): void {
    if (this.out.length > 1) this.out += ',';
  }
}

/** The raw text of the ranking score details of a hit; they are its last member. Null when it has none. */
export function detailsText(text: string, start: number, end: number): string | null {
  const mark = '"_rankingScoreDetails":';
  const at = text.lastIndexOf(mark, end);
  return at < start ? null : text.slice(at + mark.length, end - 1);
}

/** The raw text of a field of the document in a hit, or null. A dotted name finds nested objects too. */
export function fieldText(text: string, start: number, field: string): string | null {
  const members = scanObject(text, start);
  for (let i = 0; i + 3 < members.length; i += 4) {
    const key = text.slice(members[i]! + 1, members[i + 1]! - 1);
    if (key === field) return text.slice(members[i + 2]!, members[i + 3]!);
    if (field.startsWith(`${key}.`) && text.charCodeAt(members[i + 2]!) === 123) {
      const nested = fieldText(text, members[i + 2]!, field.slice(key.length + 1));
      if (nested !== null) return nested;
    }
  }
  return null;
}

/** Orders raw ids (a number or a quoted string) that Meilisearch folds together. */
export function compareRawIds(left: string, right: string): number {
  return compareBytes(stripQuotes(left), stripQuotes(right));
}

function stripQuotes(raw: string): string {
  return raw.charCodeAt(0) === 34 ? raw.slice(1, -1) : raw;
}
