// Meilisearch's filter expressions: text or nested arrays in, a tree out, with Meilisearch's messages for bad syntax.
import { ApiError } from '../shared/core/errors.js';
import { FILTER_KEYWORDS } from '../shared/core/filter-pins.js';
import { describeValue } from './settings.js';

export interface Word {
  text: string;
  start: number;
  end: number;
  /** The whole expression, for messages. */
  source: string;
}

export type Filter =
  | { kind: 'and' | 'or'; parts: Filter[] }
  | { kind: 'not'; part: Filter }
  | { kind: 'compare'; attribute: Word; operator: '=' | '!=' | '>' | '>=' | '<' | '<='; value: Word }
  | { kind: 'between'; attribute: Word; from: Word; to: Word }
  | { kind: 'in'; attribute: Word; values: Word[] }
  | { kind: 'exists' | 'null' | 'empty'; attribute: Word }
  | { kind: 'contains' | 'starts'; attribute: Word; value: Word }
  | { kind: 'radius'; attribute: Word; latitude: number; longitude: number; meters: number };

export class FilterSyntaxError extends Error {
  constructor(message: string, source: string, start: number, end: number) {
    super(`${message}\n${start + 1}:${end + 1} ${source}`);
  }
}

const TOKEN = /\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(>=|<=|!=|[=<>()[\],])|([\p{L}\p{N}_\-./*]+))/uy;
const OPERATIONS =
  'Was expecting an operation `=`, `!=`, `>=`, `>`, `<=`, `<`, `IN`, `NOT IN`, `TO`, `EXISTS`, `NOT EXISTS`, `IS NULL`, `IS NOT NULL`, `IS EMPTY`, `IS NOT EMPTY`, `CONTAINS`, `NOT CONTAINS`, `STARTS WITH`, `NOT STARTS WITH`, `_geoRadius`, `_geoBoundingBox` or `_geoPolygon`';

interface Token extends Word {
  type: 'quoted' | 'symbol' | 'plain';
}

class Parser {
  private readonly tokens: Token[] = [];
  private at = 0;

  constructor(private readonly source: string) {
    TOKEN.lastIndex = 0;
    for (let end = 0; source.slice(end).trim() !== ''; end = TOKEN.lastIndex) {
      TOKEN.lastIndex = end;
      const match = TOKEN.exec(source);
      if (!match) {
        throw new FilterSyntaxError(`${OPERATIONS} at \`${source.trim()}\`.`, source, 0, source.length);
      }
      const quoted = match[1] ?? match[2];
      const text = quoted?.replace(/\\(["'])/g, '$1') ?? match[3] ?? match[4]!;
      const width = quoted === undefined ? text.length : quoted.length + 1;
      const start = TOKEN.lastIndex - width;
      const type = quoted !== undefined ? 'quoted' : match[3] ? 'symbol' : 'plain';
      this.tokens.push({ type, text, start, end: start + (quoted?.length ?? text.length), source });
    }
  }

  parse(): Filter | null {
    if (this.tokens.length === 0) return null;
    const filter = this.or();
    const rest = this.tokens[this.at];
    if (rest) {
      const left = this.source.slice(rest.start);
      throw new FilterSyntaxError(
        `Found unexpected characters at the end of the filter: \`${left}\`. You probably forgot an \`OR\` or an \`AND\` rule.`,
        this.source,
        rest.start,
        this.source.length,
      );
    }
    return filter;
  }

  private or(): Filter {
    const parts = [this.and()];
    while (this.take('OR')) parts.push(this.and());
    return parts.length === 1 ? parts[0]! : { kind: 'or', parts };
  }

  private and(): Filter {
    const parts = [this.not()];
    while (this.take('AND')) parts.push(this.not());
    return parts.length === 1 ? parts[0]! : { kind: 'and', parts };
  }

  private not(): Filter {
    if (this.take('NOT')) return { kind: 'not', part: this.not() };
    if (this.take('(')) {
      const inner = this.or();
      if (!this.take(')'))
        this.fail(`Expression \`${this.source}\` is missing the following closing delimiter: \`)\`.`, 0);
      return inner;
    }
    return this.condition();
  }

  private condition(): Filter {
    const attribute = this.value();
    if (attribute.text === '_geoRadius' && this.take('(')) return this.radius(attribute);
    for (const operator of ['=', '!=', '>=', '<=', '>', '<'] as const) {
      if (this.take(operator)) return { kind: 'compare', attribute, operator, value: this.value() };
    }
    const negated = this.take('NOT');
    const wrap = (part: Filter): Filter => (negated ? { kind: 'not', part } : part);
    if (this.take('IN')) return wrap({ kind: 'in', attribute, values: this.list() });
    if (this.take('EXISTS')) return wrap({ kind: 'exists', attribute });
    if (this.take('CONTAINS')) return wrap({ kind: 'contains', attribute, value: this.value() });
    if (this.take('STARTS') && this.take('WITH'))
      return wrap({ kind: 'starts', attribute, value: this.value() });
    if (!negated && this.take('IS')) {
      const isNot = this.take('NOT');
      const kind = this.take('NULL') ? 'null' : this.take('EMPTY') ? 'empty' : null;
      if (kind) return isNot ? { kind: 'not', part: { kind, attribute } } : { kind, attribute };
    }
    const next = this.tokens[this.at];
    if (
      !negated &&
      next &&
      (next.type === 'quoted' || !FILTER_KEYWORDS.has(next.text)) &&
      this.tokens[this.at + 1]?.text === 'TO'
    ) {
      const from = this.value();
      this.take('TO');
      return { kind: 'between', attribute, from, to: this.value() };
    }
    return this.fail(`${OPERATIONS} at \`${this.source.slice(attribute.start).trim()}\`.`, attribute.start);
  }

  private radius(attribute: Word): Filter {
    const numbers: number[] = [];
    do numbers.push(Number(this.value().text));
    while (this.take(','));
    if (!this.take(')') || numbers.length < 3 || numbers.some(Number.isNaN)) {
      this.fail(
        'The `_geoRadius` filter must be in the form: `_geoRadius(latitude, longitude, radius, optionalResolution)`.',
      );
    }
    return { kind: 'radius', attribute, latitude: numbers[0]!, longitude: numbers[1]!, meters: numbers[2]! };
  }

  private list(): Word[] {
    if (!this.take('[')) this.fail('Expected `[` after `IN` keyword.');
    const values: Word[] = [];
    while (!this.take(']')) {
      values.push(this.value());
      if (!this.take(',') && this.tokens[this.at]?.text !== ']') {
        this.fail('Expected matching `]` after the list of field names given to `IN[`');
      }
    }
    return values;
  }

  private value(): Word {
    const token = this.tokens[this.at];
    if (!token) return this.fail('Was expecting a value but instead got nothing.');
    if (token.type === 'symbol') {
      return this.fail(`Was expecting a value but instead got \`${this.source.slice(token.start)}\`.`);
    }
    if (token.type === 'plain' && FILTER_KEYWORDS.has(token.text)) {
      return this.fail(
        `Was expecting a value but instead got \`${token.text}\`, which is a reserved keyword. To use \`${token.text}\` as a field name or a value, surround it by quotes.`,
        token.start,
        token.end,
      );
    }
    this.at++;
    return token;
  }

  private take(text: string): boolean {
    const token = this.tokens[this.at];
    if (token?.text !== text || token.type === 'quoted') return false;
    this.at++;
    return true;
  }

  private fail(message: string, start?: number, end = this.source.length): never {
    const from = start ?? this.tokens[this.at]?.start ?? this.source.length;
    throw new FilterSyntaxError(message, this.source, from, end);
  }
}

/** Parses a filter parameter; null where it says nothing. Throws ApiError with the given code. */
export function parseFilter(input: unknown, code: string): Filter | null {
  try {
    return parsePart(input, 0, code);
  } catch (error) {
    if (error instanceof FilterSyntaxError) throw new ApiError(code, error.message);
    throw error;
  }
}

function parsePart(input: unknown, depth: number, code: string): Filter | null {
  if (input === undefined || input === null) return null;
  if (typeof input === 'string') return new Parser(input).parse();
  if (Array.isArray(input) && depth < 2) {
    const parts = input.map((part) => parsePart(part, depth + 1, code)).filter((part) => part !== null);
    if (parts.length === 0) return null;
    return { kind: depth === 0 ? 'and' : 'or', parts };
  }
  const expected = depth < 2 ? 'String, Array' : 'String';
  throw new ApiError(
    code,
    `Invalid syntax for the filter parameter: \`expected ${expected}, found: ${typeof input === 'object' ? JSON.stringify(input) : describeValue(input).replace(/^.*?: `|`$/g, '')}\`.`,
  );
}
