// Every setting of Meilisearch 1.50: its key, its sub-route, its shape, its error code, in Meilisearch's order.
import { ApiError } from './errors.js';
import { wrongKind } from './field-errors.js';
import { checkKind, invalidValue, type Kind } from './setting-kinds.js';

export interface SettingRow {
  readonly key: string;
  /** The last part of the path, as in /indexes/movies/settings/stop-words. */
  readonly route: string;
  readonly method: 'PUT' | 'PATCH';
  readonly code: string;
  readonly kind: Kind;
}

const TEXT: Kind = { is: 'string' };
const FLAG: Kind = { is: 'boolean' };
const WORDS: Kind = { is: 'list', of: TEXT, unique: 'sorted' };
const FIELDS: Kind = { is: 'list', of: TEXT };

const FILTERABLE_PATTERN: Kind = {
  is: 'object',
  fields: {
    attributePatterns: FIELDS,
    features: {
      is: 'object',
      fields: { facetSearch: FLAG, filter: { is: 'object', fields: { equality: FLAG, comparison: FLAG } } },
    },
  },
  required: ['attributePatterns'],
};

interface PatternRule {
  attributePatterns: string[];
  features?: { facetSearch?: boolean; filter?: { equality?: boolean; comparison?: boolean } | null } | null;
}

/** A field name, or an object with patterns; the latter is completed with its default features. */
const FILTERABLE_RULE: Kind = {
  is: 'rule',
  parse(value, path, code) {
    if (typeof value === 'string') return value;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw wrongKind(path, 'a string', value, code);
    }
    const { attributePatterns, features } = checkKind(FILTERABLE_PATTERN, value, path, code) as PatternRule;
    return {
      attributePatterns,
      features: {
        facetSearch: features?.facetSearch ?? false,
        filter: {
          equality: features?.filter?.equality ?? true,
          comparison: features?.filter?.comparison ?? false,
        },
      },
    };
  },
};

export const RANKING_RULES = [
  'words',
  'typo',
  'proximity',
  'attributeRank',
  'sort',
  'wordPosition',
  'exactness',
];
/** The ranking rules that judge by words; `attribute` stands for two of them. */
export const RELEVANCY_RULES: ReadonlySet<string> = new Set([
  ...RANKING_RULES.filter((rule) => rule !== 'sort'),
  'attribute',
]);
const FOR_SORTING = ['_geoPoint'];
const FOR_FILTERING = ['_geoRadius', '_geoBoundingBox', '_geoPolygon'];

const RANKING_RULE: Kind = {
  is: 'rule',
  parse(value, path, code) {
    if (typeof value !== 'string') throw wrongKind(path, 'a string', value, code);
    if (value === 'attribute' || RANKING_RULES.includes(value)) return value;
    const field = /^(.+):(?:asc|desc)$/s.exec(value)?.[1];
    if (field === undefined) {
      throw invalidValue(
        path,
        `\`${value}\` ranking rule is invalid. Valid ranking rules are words, typo, sort, proximity, attribute, ` +
          'exactness and custom ranking rules.',
        code,
      );
    }
    const reserved = (name: string, hint = '') =>
      invalidValue(
        path,
        `\`${name}\` is a reserved keyword and thus can't be used as a ranking rule${hint}`,
        code,
      );
    for (const name of FOR_SORTING) {
      if (field.startsWith(name))
        throw reserved(name, `. \`${name}\` can only be used for sorting at search time`);
    }
    for (const name of FOR_FILTERING) {
      if (field.startsWith(name))
        throw reserved(name, `. \`${name}\` can only be used for filtering at search time`);
    }
    if (['_geo', '_geojson', '_geoDistance'].includes(field)) throw reserved(field);
    return value;
  },
};

const TYPO_LENGTHS: Kind = {
  is: 'object',
  fields: { oneTypo: { is: 'integer', max: 255 }, twoTypos: { is: 'integer', max: 255 } },
  check({ oneTypo, twoTypos }, path, code) {
    if (typeof oneTypo === 'number' && typeof twoTypos === 'number' && oneTypo > twoTypos) {
      throw invalidValue(path, typoLengthsProblem(oneTypo, twoTypos), code);
    }
  },
};

/** Meilisearch's sentence, its stray backtick included. */
export function typoLengthsProblem(oneTypo: number, twoTypos: number): string {
  return (
    '`minWordSizeForTypos` setting is invalid. `oneTypo` and `twoTypos` fields should be between `0` and `255`, ' +
    `and \`twoTypos\` should be greater or equals to \`oneTypo\` but found \`oneTypo: ${oneTypo}\` and twoTypos: ${twoTypos}\`.`
  );
}

const SOURCE: Kind = {
  is: 'choice',
  of: ['openAi', 'huggingFace', 'ollama', 'userProvided', 'rest', 'composite'],
};
const FRAGMENTS: Kind = {
  is: 'map',
  nullable: true,
  of: { is: 'object', fields: { value: { is: 'any' } }, required: ['value'] },
};
const NESTED_EMBEDDER_FIELDS: Record<string, Kind> = {
  source: SOURCE,
  model: TEXT,
  revision: TEXT,
  pooling: { is: 'choice', of: ['useModel', 'forceCls', 'forceMean'] },
  apiKey: TEXT,
  dimensions: { is: 'integer' },
  binaryQuantized: FLAG,
  documentTemplate: TEXT,
  documentTemplateMaxBytes: { is: 'integer' },
  url: TEXT,
  indexingFragments: FRAGMENTS,
  searchFragments: FRAGMENTS,
  request: { is: 'any' },
  response: { is: 'any' },
  headers: { is: 'map', of: TEXT },
};
const NESTED_EMBEDDER: Kind = { is: 'object', fields: NESTED_EMBEDDER_FIELDS };
const EMBEDDER: Kind = {
  is: 'object',
  fields: {
    ...NESTED_EMBEDDER_FIELDS,
    searchEmbedder: NESTED_EMBEDDER,
    indexingEmbedder: NESTED_EMBEDDER,
    distribution: {
      is: 'object',
      fields: { mean: { is: 'number' }, sigma: { is: 'number' } },
      required: ['mean', 'sigma'],
    },
  },
  check(embedder, path, code) {
    const at = path.startsWith('.embedders') ? path : `.embedders${path}`;
    if (embedder.dimensions === 0) {
      throw new ApiError(code, `\`${at}.dimensions\`: \`dimensions\` cannot be zero`);
    }
    if (embedder.documentTemplateMaxBytes === 0) {
      throw new ApiError(
        code,
        `\`${at}.documentTemplateMaxBytes\`: \`documentTemplateMaxBytes\` cannot be zero`,
      );
    }
    if (embedder.source === 'userProvided' && typeof embedder.dimensions !== 'number') {
      throw new ApiError(
        code,
        `\`${at}\`: Missing field \`dimensions\` (note: this field is mandatory for source \`userProvided\`)`,
      );
    }
  },
};

/** Every locale that Meilisearch knows, ISO 639-1 and 639-3. */
export const LOCALES = (
  'af ak am ar az be bn bg ca cs da de el en eo et fi fr gu he hi hr hu hy id it jv ja kn ka km ko la lv lt ml mr ' +
  'mk my ne nl nb or pa fa pl pt ro ru si sk sl sn es sr sv ta te tl th tk tr uk ur uz vi yi zh zu afr aka amh ara ' +
  'aze bel ben bul cat ces dan deu ell eng epo est fin fra guj heb hin hrv hun hye ind ita jav jpn kan kat khm kor ' +
  'lat lav lit mal mar mkd mya nep nld nob ori pan pes pol por ron rus sin slk slv sna spa srp swe tam tel tgl tha ' +
  'tuk tur ukr urd uzb vie yid zho zul cmn'
).split(' ');

const row = (key: string, kind: Kind, method: 'PUT' | 'PATCH' = 'PUT', code?: string): SettingRow => {
  const route = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return { key, route, method, code: code ?? `invalid_settings_${route.replaceAll('-', '_')}`, kind };
};

/** In the order in which Meilisearch lists them. */
export const SETTINGS: readonly SettingRow[] = [
  row('displayedAttributes', FIELDS),
  row('searchableAttributes', FIELDS),
  row('filterableAttributes', { is: 'list', of: FILTERABLE_RULE }),
  row('sortableAttributes', WORDS),
  row('foreignKeys', {
    is: 'list',
    of: {
      is: 'object',
      fields: { foreignIndexUid: TEXT, fieldName: TEXT },
      required: ['foreignIndexUid', 'fieldName'],
    },
  }),
  row('rankingRules', { is: 'list', of: RANKING_RULE }),
  row('stopWords', WORDS),
  row('nonSeparatorTokens', WORDS),
  row('separatorTokens', WORDS),
  row('dictionary', WORDS),
  row('synonyms', { is: 'map', of: FIELDS }),
  row('distinctAttribute', TEXT),
  row('proximityPrecision', { is: 'choice', of: ['byWord', 'byAttribute'] }),
  row(
    'typoTolerance',
    {
      is: 'object',
      fields: {
        enabled: FLAG,
        minWordSizeForTypos: TYPO_LENGTHS,
        disableOnWords: WORDS,
        disableOnAttributes: WORDS,
        disableOnNumbers: FLAG,
      },
    },
    'PATCH',
  ),
  row(
    'faceting',
    {
      is: 'object',
      fields: {
        maxValuesPerFacet: { is: 'integer' },
        sortFacetValuesBy: { is: 'map', of: { is: 'choice', of: ['alpha', 'count'] } },
      },
    },
    'PATCH',
  ),
  row('pagination', { is: 'object', fields: { maxTotalHits: { is: 'integer', nonZero: true } } }, 'PATCH'),
  row('embedders', { is: 'map', of: EMBEDDER, nullable: true }, 'PATCH'),
  row('searchCutoffMs', { is: 'integer' }),
  row('localizedAttributes', {
    is: 'list',
    of: {
      is: 'object',
      fields: { attributePatterns: FIELDS, locales: { is: 'list', of: { is: 'choice', of: LOCALES } } },
      required: ['attributePatterns', 'locales'],
    },
  }),
  row('facetSearch', FLAG),
  row('prefixSearch', { is: 'choice', of: ['indexingTime', 'disabled'] }),
  row(
    'chat',
    {
      is: 'object',
      fields: {
        description: TEXT,
        documentTemplate: TEXT,
        documentTemplateMaxBytes: { is: 'integer' },
        searchParameters: { is: 'any' },
      },
    },
    'PATCH',
    'invalid_settings_index_chat',
  ),
];
