import { describe, expect, it } from 'vitest';
import { SearchTurns } from '../../proxy/search/search-turns.js';

const NEVER_MS = 600_000;

describe('SearchTurns', () => {
  it('lets an upload go on at once while nobody searches', async () => {
    await new SearchTurns().quiet(NEVER_MS);
  });

  it('holds an upload until the last search that is under way has its answer', async () => {
    const turns = new SearchTurns();
    turns.begin();
    turns.begin();
    let isQuiet = false;
    const upload = turns.quiet(NEVER_MS).then(() => {
      isQuiet = true;
    });
    turns.end();
    await new Promise((resolve) => setImmediate(resolve));
    expect(isQuiet).toBe(false);
    turns.end();
    await upload;
    await turns.quiet(NEVER_MS);
  });

  it('lets an upload go on though searches never pause', async () => {
    const turns = new SearchTurns();
    turns.begin();
    await turns.quiet(1);
    await turns.quiet(1);
  });
});
