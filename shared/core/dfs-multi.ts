// Several searches of one index in one request to a node, and their answers as byte text.
import { memberText, scanArray } from './json-scan.js';

/** The body of a /multi-search for searches given as bodies of single ones. */
export function multiBody(physicalName: string, bodies: readonly string[]): string {
  const head = `{"indexUid":${JSON.stringify(physicalName)}`;
  return `{"queries":[${bodies.map((body) => `${head},${body.slice(1)}`).join(',')}]}`;
}

/** The answers in a /multi-search answer, as single searches would give them. */
export function readMulti(text: string): string[] {
  const results = memberText(text, 0, 'results');
  if (results === null) throw new SyntaxError('the answer has no results');
  const found = scanArray(results, 0);
  const out: string[] = [];
  for (let i = 0; i + 1 < found.length; i += 2) {
    const answer = results.slice(found[i]!, found[i + 1]!);
    out.push(answer.replace(/^\{"indexUid":"[^"]*",/, '{'));
  }
  return out;
}
