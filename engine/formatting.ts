// What a hit shows: selected fields as raw text, highlighted and cropped copies, and the positions of matches.
import type { Matching } from './matching.js';
import { joinFields, parseWithTextNumbers, splitArray, splitFields } from './raw-json.js';
import type { SearchParameters } from './search-parameters.js';
import { type Token, tokenize } from './tokenizer.js';

/** Keeps the selected fields of a document (`a`, `a.b`, `*`), their text untouched. */
export function selectFields(text: string, selectors: string[] | null): string {
  if (selectors === null || selectors.includes('*')) return text;
  const kept: [string, string][] = [];
  for (const [name, value] of splitFields(text)) {
    if (selectors.includes(name)) kept.push([name, value]);
    else {
      const inner = selectors.filter((selector) => selector.startsWith(`${name}.`));
      const nested = inner.map((selector) => selector.slice(name.length + 1));
      if (inner.length === 0) continue;
      if (value.startsWith('{')) kept.push([name, selectFields(value, nested)]);
      else if (value.startsWith('[{')) {
        kept.push([
          name,
          `[${splitArray(value)
            .map((element) => selectFields(element, nested))
            .join(',')}]`,
        ]);
      }
    }
  }
  return joinFields(kept);
}

/** A document as answers show it; `_vectors` only on request. */
export function showDocument(text: string, selectors: string[] | null, retrieveVectors: boolean): string {
  const selected = selectFields(text, selectors);
  if (retrieveVectors || !selected.includes('"_vectors"')) return selected;
  const fields = splitFields(selected);
  fields.delete('_vectors');
  return joinFields(fields);
}

interface Match {
  start: number;
  end: number;
}

function findMatches(matching: Matching, text: string): { tokens: Token[]; matches: (Match | null)[] } {
  const tokens = tokenize(text);
  const matches = tokens.map((token) => {
    const roles = matching.termsOfWord(token.word).filter(({ term }) => !matching.query.terms[term]!.phrase);
    const phrases = matching.query.terms.filter((term) => term.phrase);
    const inPhrase = phrases.some(({ words }) => words.some((word) => word.text === token.word));
    if (roles.length === 0 && !inPhrase) return null;
    const prefix = roles
      .map(({ term }) => matching.query.terms[term]!)
      .find((term) => term.prefix && token.word.startsWith(term.words[0]!.text));
    const whole =
      prefix === undefined || roles.length > 1 || prefix.words[0]!.text.length >= token.end - token.start;
    return { start: token.start, end: whole ? token.end : token.start + prefix.words[0]!.text.length };
  });
  return { tokens, matches };
}

function cropWindow(
  tokens: Token[],
  matches: (Match | null)[],
  length: number,
): { from: number; to: number } {
  if (length === 0 || tokens.length <= length) return { from: 0, to: tokens.length };
  const first = Math.max(
    0,
    matches.findIndex((match) => match !== null),
  );
  const from = Math.max(0, Math.min(first - Math.floor(length / 2), tokens.length - length));
  return { from, to: from + length };
}

function formatText(
  matching: Matching,
  text: string,
  parameters: SearchParameters,
  highlight: boolean,
  cropLength: number | null,
): string {
  const { tokens, matches } = findMatches(matching, text);
  const window =
    cropLength === null ? { from: 0, to: tokens.length } : cropWindow(tokens, matches, cropLength);
  const begin = window.from === 0 ? 0 : tokens[window.from]!.start;
  const end = window.to === tokens.length ? text.length : tokens[window.to - 1]!.end;
  let shown = begin > 0 ? parameters.cropMarker : '';
  let at = begin;
  for (const match of highlight ? matches.slice(window.from, window.to) : []) {
    if (!match) continue;
    const marked = text.slice(match.start, match.end);
    shown += text.slice(at, match.start) + parameters.highlightPreTag + marked + parameters.highlightPostTag;
    at = match.end;
  }
  return shown + text.slice(at, end) + (end < text.length ? parameters.cropMarker : '');
}

function mapTexts(value: unknown, path: string, map: (text: string, path: string) => string): unknown {
  if (typeof value === 'string') return map(value, path);
  if (Array.isArray(value)) return value.map((element) => mapTexts(element, path, map));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      mapTexts(inner, path === '' ? name : `${path}.${name}`, map),
    ]),
  );
}

function names(attributes: string[], path: string): boolean {
  return attributes.some((name) => name === '*' || path === name || path.startsWith(`${name}.`));
}

/** The `_formatted` of a hit as JSON text. */
export function formatHit(matching: Matching, text: string, parameters: SearchParameters): string {
  const { attributesToHighlight, attributesToCrop, attributesToRetrieve } = parameters;
  const crops = new Map(
    (attributesToCrop ?? []).map((entry) => {
      const colon = entry.lastIndexOf(':');
      const length = colon > 0 ? Number(entry.slice(colon + 1)) : Number.NaN;
      return Number.isNaN(length) ? [entry, parameters.cropLength] : [entry.slice(0, colon), length];
    }),
  );
  const selectors = attributesToRetrieve && [
    ...attributesToRetrieve,
    ...(attributesToHighlight ?? []),
    ...crops.keys(),
  ];
  const shown = selectFields(text, selectors);
  const formatted = mapTexts(parseWithTextNumbers(shown), '', (value, path) => {
    const crop = [...crops].find(([name]) => names([name], path));
    const highlight = names(attributesToHighlight ?? [], path);
    return crop || highlight ? formatText(matching, value, parameters, highlight, crop?.[1] ?? null) : value;
  });
  return JSON.stringify(formatted);
}

/** The `_matchesPosition` of a hit as JSON text; offsets and lengths in bytes. */
export function matchPositions(matching: Matching, text: string): string {
  const positions: Record<string, { start: number; length: number }[]> = {};
  const { index } = matching;
  mapTexts(parseWithTextNumbers(text), '', (value, path) => {
    if (index.weightOf(path) < 0) return value;
    for (const match of findMatches(matching, value).matches) {
      if (!match) continue;
      const start = Buffer.byteLength(value.slice(0, match.start));
      const length = Buffer.byteLength(value.slice(match.start, match.end));
      positions[path] ??= [];
      positions[path].push({ start, length });
    }
    return value;
  });
  return JSON.stringify(positions);
}
