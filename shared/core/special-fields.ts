// The fields with a meaning of their own, `_geo` and `_vectors`: what Meilisearch would find wrong with their values.
// It finds it per batch of tasks, and fails the neighbours along; so it is found here, before anything is numbered.
import { type MeilisearchError, meilisearchError } from './errors.js';
import { isInteger, printCompact, printFloat } from './json-print.js';
import { type FieldRange, textOf, topLevelFields } from './json-text.js';
import { compareText } from './setting-kinds.js';
import type { SettingsObject } from './settings.js';

const encoder = new TextEncoder();

/** What Rust reads as a float. */
export const RUST_FLOAT = /^[+-]?(?:inf|infinity|nan|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/i;

/** True when the index sorts or filters by `_geo`: only then does Meilisearch look at it. */
export function usesGeo(settings: SettingsObject): boolean {
  const rules = (settings.filterableAttributes ?? []) as (string | { attributePatterns: string[] })[];
  return (
    ((settings.sortableAttributes ?? []) as string[]).includes('_geo') ||
    rules.some((rule) =>
      typeof rule === 'string' ? rule === '_geo' : rule.attributePatterns.includes('_geo'),
    )
  );
}

/** Why Meilisearch would refuse this value of `_geo` (JSON text), or null. */
export function geoFailure(value: string, id: string, indexUid: string): MeilisearchError | null {
  if (value === 'null') return null;
  const of = `in the document with the id: \`"${id}"\``;
  const failure = (sentence: string) =>
    meilisearchError('invalid_document_geo_field', `Index \`${indexUid}\`: ${sentence}`);
  if (!value.startsWith('{')) {
    return failure(
      `The \`_geo\` field ${of} is not an object. Was expecting an object with the \`_geo.lat\` and \`_geo.lng\` ` +
        `fields but instead got \`${printCompact(value)}\`.`,
    );
  }
  const fields = fieldsOf(value);
  const lat = fields.get('lat');
  const lng = fields.get('lng');
  if (lat === undefined && lng === undefined) {
    return failure(
      `Could not find latitude nor longitude ${of}. Was expecting \`_geo.lat\` and \`_geo.lng\` fields.`,
    );
  }
  if (lat === undefined) return failure(`Could not find latitude ${of}. Was expecting a \`_geo.lat\` field.`);
  if (lng === undefined)
    return failure(`Could not find longitude ${of}. Was expecting a \`_geo.lng\` field.`);
  if (fields.size > 2) {
    const extra = [...fields]
      .filter(([key]) => key !== 'lat' && key !== 'lng')
      .sort((a, b) => compareText(a[0], b[0]));
    const shown = extra.map(([key, text]) => `${JSON.stringify(key)}:${printCompact(text)}`).join(',');
    return failure(`The \`_geo\` field ${of} contains the following unexpected fields: \`{${shown}}\`.`);
  }
  const badLat = !isFiniteText(lat);
  const badLng = !isFiniteText(lng);
  if (badLat && badLng) {
    return failure(
      `Could not parse latitude nor longitude ${of}. Was expecting finite numbers but instead got ` +
        `\`${printCompact(lat)}\` and \`${printCompact(lng)}\`.`,
    );
  }
  if (!badLat && !badLng) return null;
  return failure(
    `Could not parse ${badLat ? 'latitude' : 'longitude'} ${of}. Was expecting a finite number but instead got ` +
      `\`${printCompact(badLat ? lat : lng)}\`.`,
  );
}

function fieldsOf(object: string): Map<string, string> {
  const bytes = encoder.encode(object);
  return new Map(
    topLevelFields(bytes).map((field: FieldRange) => [field.key, textOf(bytes, field.valueRange)]),
  );
}

function isFiniteText(value: string): boolean {
  if (value.startsWith('"')) {
    const text = JSON.parse(value) as string;
    return RUST_FLOAT.test(text) && Number.isFinite(Number(text));
  }
  return /^[-\d]/.test(value) && Number.isFinite(Number(value));
}

/** Why Meilisearch would refuse this value of `_vectors` (JSON text), or null. It looks even without embedders. */
export function vectorsFailure(value: string, id: string, indexUid: string): MeilisearchError | null {
  if (!value.startsWith('{')) {
    // Meilisearch fails such a task as `internal`; the code that it has for it tells more.
    return meilisearchError(
      'invalid_vectors_type',
      `Index \`${indexUid}\`: The \`_vectors\` field in the document with id: \`${id}\` is not an object. Was ` +
        'expecting an object with a key for each embedder with manually provided vectors, but instead got ' +
        `\`${printCompact(value)}\``,
    );
  }
  for (const [name, text] of fieldsOf(value)) {
    const problem = embedderProblem(name, text);
    if (problem === null) continue;
    return meilisearchError(
      'invalid_vectors_type',
      `Index \`${indexUid}\`: Bad embedder configuration in the document with id: \`${id}\`. ${problem}`,
    );
  }
  return null;
}

function embedderProblem(name: string, value: string): string | null {
  const at = `._vectors.${name}`;
  if (value === 'null' || value.startsWith('[')) return null;
  if (!value.startsWith('{')) {
    const [kind, shown] = describeScalar(value);
    return (
      `Expected \`${at}\` to be an array of floats, an array of arrays of floats, or an object with at least the ` +
      `field \`regenerate\`, but got the ${kind} \`${shown}\``
    );
  }
  const fields = fieldsOf(value);
  for (const key of fields.keys()) {
    if (key !== 'regenerate' && key !== 'embeddings') {
      return `Unexpected field \`${at}.${key}\`\n  - note: the allowed fields are \`regenerate\` and \`embeddings\``;
    }
  }
  const regenerate = fields.get('regenerate');
  if (regenerate === undefined) {
    return (
      `Missing field \`${at}.regenerate\`\n  - note: \`${at}\` must be an array of floats, an array of arrays of ` +
      'floats, or an object with field `regenerate`'
    );
  }
  if (regenerate === 'true' || regenerate === 'false') return null;
  return `Could not parse \`${at}.regenerate\`: invalid type: expected a boolean, but got \`${printCompact(regenerate)}\``;
}

function describeScalar(value: string): [string, string] {
  if (value.startsWith('"')) return ['string', JSON.parse(value) as string];
  if (value === 'true' || value === 'false') return ['boolean', value];
  if (isInteger(value)) return ['integer', value];
  return ['number', printFloat(Number(value)).replace(/\.0$/, '')];
}
