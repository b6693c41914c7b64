// Search parameters as Meilisearch takes them, from a body or a query string, with its errors for wrong ones.
import { ApiError } from '../shared/core/errors.js';
import { describeValue } from './settings.js';

export interface SearchParameters {
  q: string;
  offset: number;
  limit: number;
  page: number | null;
  hitsPerPage: number | null;
  attributesToRetrieve: string[] | null;
  retrieveVectors: boolean;
  attributesToCrop: string[] | null;
  cropLength: number;
  attributesToHighlight: string[] | null;
  showMatchesPosition: boolean;
  showRankingScore: boolean;
  showRankingScoreDetails: boolean;
  filter: unknown;
  sort: string[];
  distinct: string | null;
  facets: string[] | null;
  highlightPreTag: string;
  highlightPostTag: string;
  cropMarker: string;
  matchingStrategy: 'last' | 'all' | 'frequency';
  attributesToSearchOn: string[] | null;
  rankingScoreThreshold: number | null;
}

type Kind = 'string' | 'integer' | 'number' | 'boolean' | 'strings' | 'any';

const KINDS: Record<string, Kind> = {
  q: 'string',
  offset: 'integer',
  limit: 'integer',
  page: 'integer',
  hitsPerPage: 'integer',
  attributesToRetrieve: 'strings',
  attributesToCrop: 'strings',
  cropLength: 'integer',
  cropMarker: 'string',
  attributesToHighlight: 'strings',
  highlightPreTag: 'string',
  highlightPostTag: 'string',
  showMatchesPosition: 'boolean',
  filter: 'any',
  sort: 'strings',
  distinct: 'string',
  facets: 'strings',
  matchingStrategy: 'string',
  attributesToSearchOn: 'strings',
  rankingScoreThreshold: 'number',
  locales: 'strings',
  hybrid: 'any',
  vector: 'any',
  retrieveVectors: 'boolean',
  media: 'any',
  personalize: 'any',
  useNetwork: 'any',
  showRankingScore: 'boolean',
  showRankingScoreDetails: 'boolean',
  showPerformanceDetails: 'boolean',
};
const EXPECTED: Record<Kind, string> = {
  string: 'a string',
  integer: 'a positive integer',
  number: 'a number',
  boolean: 'a boolean',
  strings: 'an array',
  any: 'a value',
};
const NOT_HERE = ['vector', 'media', 'hybrid', 'personalize', 'useNetwork'];

function codeOf(name: string): string {
  const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return `invalid_search_${snake}`;
}

function accepts(kind: Kind, value: unknown): boolean {
  if (kind === 'any') return true;
  if (kind === 'strings') return Array.isArray(value);
  if (kind === 'integer') return Number.isInteger(value) && (value as number) >= 0;
  return typeof value === kind;
}

/** Checks a body; `path` is where it stands in the request, for messages. */
export function readSearchBody(body: unknown, path = ''): SearchParameters {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new ApiError(
      'bad_request',
      `Invalid value type: expected an object, but found ${describeValue(body)}`,
    );
  }
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(body)) {
    const kind = KINDS[name];
    if (!kind) {
      const known = Object.keys(KINDS).map((key) => `\`${key}\``);
      throw new ApiError(
        'bad_request',
        `Unknown field \`${name}\`${path && ` inside \`${path}\``}: expected one of ${known.join(', ')}`,
      );
    }
    if (value === null) continue;
    if (!accepts(kind, value)) {
      throw new ApiError(
        codeOf(name),
        `Invalid value type at \`${path}.${name}\`: expected ${EXPECTED[kind]}, but found ${describeValue(value)}`,
      );
    }
    if (kind === 'strings') checkStrings(name, value as unknown[], path);
    if (NOT_HERE.includes(name) && value) {
      throw new ApiError('feature_not_enabled', `The embedded engine has no \`${name}\`.`);
    }
    given[name] = value;
  }
  return withDefaults(given, path);
}

function checkStrings(name: string, values: unknown[], path: string): void {
  const at = values.findIndex((value) => typeof value !== 'string');
  if (at < 0) return;
  throw new ApiError(
    codeOf(name),
    `Invalid value type at \`${path}.${name}[${at}]\`: expected a string, but found ${describeValue(values[at])}`,
  );
}

function withDefaults(given: Record<string, unknown>, path: string): SearchParameters {
  const strategy = given.matchingStrategy ?? 'last';
  if (!['last', 'all', 'frequency'].includes(strategy as string)) {
    throw new ApiError(
      'invalid_search_matching_strategy',
      `Unknown value \`${strategy}\` at \`${path}.matchingStrategy\`: expected one of \`last\`, \`all\`, \`frequency\``,
    );
  }
  const threshold = given.rankingScoreThreshold as number | undefined;
  if (threshold !== undefined && !(threshold >= 0 && threshold <= 1)) {
    throw new ApiError(
      'invalid_search_ranking_score_threshold',
      `Invalid value at \`${path}.rankingScoreThreshold\`: the value of \`rankingScoreThreshold\` is invalid, expected a float between \`0.0\` and \`1.0\`.`,
    );
  }
  return {
    q: '',
    offset: 0,
    limit: 20,
    page: null,
    hitsPerPage: null,
    attributesToRetrieve: null,
    retrieveVectors: false,
    attributesToCrop: null,
    cropLength: 10,
    attributesToHighlight: null,
    showMatchesPosition: false,
    showRankingScore: false,
    showRankingScoreDetails: false,
    filter: null,
    sort: [],
    distinct: null,
    facets: null,
    highlightPreTag: '<em>',
    highlightPostTag: '</em>',
    cropMarker: '…',
    attributesToSearchOn: null,
    rankingScoreThreshold: null,
    ...given,
    matchingStrategy: strategy as SearchParameters['matchingStrategy'],
  };
}

/** Reads the parameters of GET /search. */
export function readSearchQuery(query: Record<string, string>): SearchParameters {
  const body: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(query)) {
    const kind = KINDS[name];
    if (kind === 'integer' || kind === 'number') {
      const value = Number(text);
      if (text.trim() === '' || !accepts(kind, value)) {
        const reason = kind === 'integer' ? 'a positive integer' : 'a number';
        throw new ApiError(
          codeOf(name),
          `Invalid value in parameter \`${name}\`: could not parse \`${text}\` as ${reason}`,
        );
      }
      body[name] = value;
    } else if (kind === 'boolean') body[name] = text === 'true';
    else if (name === 'sort') body[name] = text.split(/,(?![^(]*\))/).map((part) => part.trim());
    else if (kind === 'strings') body[name] = text.split(',').map((part) => part.trim());
    else if (name === 'filter') body[name] = parseIfArray(text);
    else body[name] = text;
  }
  return readSearchBody(body);
}

function parseIfArray(text: string): unknown {
  if (!text.trim().startsWith('[')) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
