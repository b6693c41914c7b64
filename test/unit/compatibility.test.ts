// docs/compatibility.md names every difference that the drop-in test takes for granted.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { INDEX_UID_BYTES, indexUidProblem } from '../../shared/core/field-errors.js';
import { physicalName } from '../../shared/core/topology.js';
import { DIFFERENCES } from '../support/side-by-side/differences.js';

const page = readFileSync(new URL('../../docs/compatibility.md', import.meta.url), 'utf8');

it('lists the differences of the drop-in test, and no others', () => {
  const table = page.split('## ')[1]!;
  const rows = [...table.matchAll(/^\| (?!what differs)(.+?) \|/gm)].map((match) => match[1]!);
  expect(rows).toEqual(DIFFERENCES.map(({ reason }) => reason));
});

it('leaves room for what nodes add to an index uid', () => {
  const longest = 'x'.repeat(INDEX_UID_BYTES);
  expect(indexUidProblem(longest)).toBeNull();
  expect(indexUidProblem(`${longest}x`)).toContain(`more than ${INDEX_UID_BYTES} bytes`);
  // Meilisearch's own sentence beyond its own limit of 400 bytes.
  expect(indexUidProblem('x'.repeat(401))).toContain('more than 512 bytes');
  expect(physicalName(longest, 999_999_999, 999_999_999).length).toBeLessThanOrEqual(400);
  expect(page).toContain(`at most ${INDEX_UID_BYTES} bytes`);
});
