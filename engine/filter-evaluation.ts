// Evaluates a filter over an index: a byte per document, 1 where it matches.
import { ApiError } from '../shared/core/errors.js';
import { normalizeFacet } from './columns.js';
import type { Filter, Word } from './filter-grammar.js';
import { distanceMeters, geoPoint } from './geo.js';
import type { IndexData } from './index-data.js';
import { filterablePatterns, filterFeatures } from './settings.js';

export type Bitmap = Uint8Array;

/** All documents that exist. */
export function everyDocument(index: IndexData): Bitmap {
  const all = new Uint8Array(index.documents.length);
  for (const document of index.byId.values()) all[document] = 1;
  return all;
}

/**
 * The documents that a filter matches. Throws ApiError with the given code for what may not be filtered; searches and
 * tasks name the index in it, `lead` being what comes first.
 */
export function evaluateFilter(
  index: IndexData,
  filter: Filter | null,
  code: string,
  lead = `Index \`${index.uid}\`: `,
): Bitmap {
  index.ensureIndexed();
  if (filter === null) return everyDocument(index);
  checkAttributes(index, filter, code, lead);
  return evaluate(index, filter);
}

function checkAttributes(index: IndexData, filter: Filter, code: string, lead: string): void {
  if ('parts' in filter) {
    for (const part of filter.parts) checkAttributes(index, part, code, lead);
  } else if ('part' in filter) checkAttributes(index, filter.part, code, lead);
  else {
    const { attribute } = filter;
    const name = filter.kind === 'radius' ? '_geo' : attribute.text;
    const fail: (message: string) => never = (message) => {
      const where = `\n${attribute.start + 1}:${attribute.end + 1} ${attribute.source}`;
      throw new ApiError(code, `${lead}${message}${where}`);
    };
    const features = filterFeatures(index.settings, name);
    if (!features) {
      const patterns = filterablePatterns(index.settings).map((pattern) => `\`${pattern}\``);
      const available =
        patterns.length === 0
          ? 'This index does not have configured filterable attributes.'
          : `Available filterable attribute patterns are: ${patterns.join(', ')}.`;
      fail(`Attribute \`${name}\` is not filterable. ${available}`);
    }
    const operator = operatorOf(filter);
    const needs = ['=', '!=', 'IN'].includes(operator)
      ? 'equality'
      : /^[<>T]/.test(operator)
        ? 'comparison'
        : null;
    if (needs && !features[needs]) {
      const groups = [
        ...(features.equality ? ['=', '!=', 'IN'] : []),
        ...(features.comparison ? ['<', '>', '<=', '>=', 'TO'] : []),
      ];
      const allowed = ['OR', 'AND', 'NOT', ...groups, 'IS EMPTY', 'IS NULL', 'EXISTS'].join(', ');
      throw new ApiError(
        code,
        `${lead}Filter operator \`${operator}\` is not allowed for the attribute \`${name}\`.\n  - Note: allowed operators: ${allowed}.\n  - Note: field \`${name}\` matched rule #${features.rule} in \`filterableAttributes\`\n  - Hint: enable ${needs} in rule #${features.rule} by modifying the features.filter object\n  - Hint: prepend another rule matching \`${name}\` with appropriate filter features before rule #${features.rule}`,
      );
    }
  }
}

function operatorOf(filter: Filter): string {
  if (filter.kind === 'compare') return filter.operator;
  if (filter.kind === 'in') return 'IN';
  if (filter.kind === 'between') return 'TO';
  return filter.kind;
}

function evaluate(index: IndexData, filter: Filter): Bitmap {
  switch (filter.kind) {
    case 'and': {
      const result = evaluate(index, filter.parts[0]!);
      for (const part of filter.parts.slice(1)) {
        const other = evaluate(index, part);
        for (let at = 0; at < result.length; at++) result[at]! &= other[at]!;
      }
      return result;
    }
    case 'or': {
      const result = new Uint8Array(index.documents.length);
      for (const part of filter.parts) {
        const other = evaluate(index, part);
        for (let at = 0; at < result.length; at++) result[at]! |= other[at]!;
      }
      return result;
    }
    case 'not':
      return complement(index, evaluate(index, filter.part));
    default:
      return evaluateCondition(index, filter);
  }
}

function complement(index: IndexData, matched: Bitmap): Bitmap {
  const result = everyDocument(index);
  for (let at = 0; at < result.length; at++) if (matched[at]) result[at] = 0;
  return result;
}

function equals(index: IndexData, attribute: string, value: Word, into: Bitmap): void {
  const column = index.column(attribute);
  for (const document of column.byString.get(normalizeFacet(value.text)) ?? []) into[document] = 1;
  const number = Number(value.text);
  if (value.text.trim() !== '' && !Number.isNaN(number)) {
    for (const document of column.byNumber.get(number) ?? []) into[document] = 1;
  }
}

function evaluateCondition(index: IndexData, filter: Extract<Filter, { attribute: Word }>): Bitmap {
  const result = new Uint8Array(index.documents.length);
  const attribute = filter.attribute.text;
  const column = index.column(attribute);
  const range = (test: (number: number) => boolean) => {
    for (const [number, documents] of column.byNumber) {
      if (test(number)) for (const document of documents) result[document] = 1;
    }
  };
  const texts = (test: (text: string) => boolean) => {
    for (const [text, documents] of column.byString) {
      if (test(text)) for (const document of documents) result[document] = 1;
    }
  };
  switch (filter.kind) {
    case 'in':
      for (const value of filter.values) equals(index, attribute, value, result);
      break;
    case 'between': {
      const [from, to] = [Number(filter.from.text), Number(filter.to.text)];
      range((number) => number >= from && number <= to);
      texts((text) => text >= normalizeFacet(filter.from.text) && text <= normalizeFacet(filter.to.text));
      break;
    }
    case 'compare': {
      const { operator, value } = filter;
      if (operator === '=' || operator === '!=') {
        equals(index, attribute, value, result);
        return operator === '=' ? result : complement(index, result);
      }
      compareRange(operator, value, range, texts);
      break;
    }
    case 'exists':
      for (const document of column.byDocument.keys()) result[document] = 1;
      break;
    case 'null':
      for (const [document, values] of column.byDocument) if (values.isNull) result[document] = 1;
      break;
    case 'empty':
      for (const [document, values] of column.byDocument) if (values.isEmpty) result[document] = 1;
      break;
    case 'contains':
      texts((text) => text.includes(normalizeFacet(filter.value.text)));
      break;
    case 'starts':
      texts((text) => text.startsWith(normalizeFacet(filter.value.text)));
      break;
    case 'radius':
      for (const document of index.byId.values()) {
        const point = geoPoint(index, document);
        const from = { latitude: filter.latitude, longitude: filter.longitude };
        if (point && distanceMeters(from, point) <= filter.meters) result[document] = 1;
      }
      break;
  }
  return result;
}

function compareRange(
  operator: '>' | '>=' | '<' | '<=',
  value: Word,
  range: (test: (number: number) => boolean) => void,
  texts: (test: (text: string) => boolean) => void,
): void {
  const number = Number(value.text);
  const test = <T>(left: T, right: T): boolean =>
    operator === '>'
      ? left > right
      : operator === '>='
        ? left >= right
        : operator === '<'
          ? left < right
          : left <= right;
  if (Number.isNaN(number)) texts((text) => test(text, normalizeFacet(value.text)));
  else {
    range((candidate) => test(candidate, number));
    texts((text) => test(text, value.text)); // Meilisearch compares texts even with a number
  }
}
