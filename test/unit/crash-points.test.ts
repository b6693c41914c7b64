// No point at which a worker may be killed is left out of the tests that kill it there.
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import {
  ADDING_POINTS,
  REMOVING_POINTS,
  ROLLBACK_POINTS,
  STREAM_POINTS,
  VERIFICATION_POINTS,
} from '../support/crash-points.js';

const ROOT = resolve(import.meta.dirname, '../..');
const FOLDERS = ['activities', 'proxy', 'shared', 'worker', 'workflows'];

function pointsOfCode(): string[] {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
      join(ROOT, folder, name),
    ),
  ).filter((name) => name.endsWith('.ts'));
  const texts = files.map((name) => readFileSync(name, 'utf8'));
  return texts.flatMap((text) =>
    [...text.matchAll(/faults\??\.reach\(\s*(.*?)\s*\)/g)].map(([, point]) => point!),
  );
}

it('names every crash point of the code in a test, and none that is not there', () => {
  const tested = [
    ...ADDING_POINTS,
    ...REMOVING_POINTS,
    ...ROLLBACK_POINTS,
    ...STREAM_POINTS,
    ...VERIFICATION_POINTS,
  ].map((point) => `'${point.replace(/@\d+$/, '')}'`);
  expect([...new Set(tested)].sort()).toEqual([...new Set(pointsOfCode())].sort());
});
