// Which nodes `miroir up` adds: new ones, never one that an operator has taken out.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDataFolder } from '../../up/data-folder.js';
import { chooseJoining } from '../../up/join.js';
import type { LocalNode } from '../../up/nodes.js';

const node = (number: number): LocalNode => ({ id: `n${number}`, url: url(number), key: null, child: null });
const url = (number: number) => `http://127.0.0.1:770${number}`;
const view = (number: number, state = 'active') => ({ id: `n${number}`, url: url(number), state });

test('a new fleet gets all nodes, also in a folder that was used before', () => {
  const nodes = [node(1), node(2)];
  expect(chooseJoining(nodes, [], [])).toEqual({ missing: nodes, takenOut: [] });
  expect(chooseJoining(nodes, [], [url(1), url(2)])).toEqual({ missing: nodes, takenOut: [] });
});

test('a node that has joined once and is gone stays out; one that is drained or new is told apart', () => {
  const nodes = [node(1), node(2), node(3), node(4)];
  const chosen = chooseJoining(nodes, [view(1), view(3, 'drained')], [url(1), url(2), url(3)]);
  expect(chosen).toEqual({ missing: [node(4)], takenOut: [node(2)] });
});

test('a known id at another URL is refused', () => {
  expect(() => chooseJoining([node(1)], [{ ...view(1), url: url(9) }], [])).toThrow(
    'node n1 is known at http://127.0.0.1:7709, not at http://127.0.0.1:7701',
  );
});

test('the data folder remembers who has joined', async () => {
  const path = mkdtempSync(join(tmpdir(), 'miroir-joined-'));
  try {
    const folder = await openDataFolder(path);
    expect(await folder.readJoined()).toEqual([]);
    await folder.rememberJoined([url(1)]);
    await folder.rememberJoined([url(1), url(2)]);
    expect(await folder.readJoined()).toEqual([url(1), url(2)]);
    await folder.release();
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
});
