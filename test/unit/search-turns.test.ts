import { describe, expect, it } from 'vitest';
import { SearchTurns } from '../../proxy/search/search-turns.js';

const NEVER_MS = 600_000;

describe('SearchTurns', () => {
  it('lets an upload go on at once while nobody searches', async () => {
    await new SearchTurns().quiet(NEVER_MS);
  });

  it('holds an upload until the last search that is under way has its answer, whatever the answer', async () => {
    const turns = new SearchTurns();
    const order: string[] = [];
    const answers: ((failed: boolean) => void)[] = [];
    const searches = ['first', 'second'].map((name) =>
      turns
        .run(
          () =>
            new Promise<void>((resolve, reject) => {
              answers.push((failed) => (failed ? reject(new Error('a node said no')) : resolve()));
            }),
        )
        .catch(() => {})
        .then(() => order.push(name)),
    );
    const upload = turns.quiet(NEVER_MS).then(() => order.push('upload'));
    answers[1]!(true);
    await searches[1];
    expect(order).toEqual(['second']);
    answers[0]!(false);
    await Promise.all([upload, ...searches]);
    expect(order.indexOf('upload')).toBeGreaterThan(0);
    await turns.quiet(NEVER_MS);
  });

  it('lets an upload go on though searches never pause', async () => {
    const turns = new SearchTurns();
    void turns.run(() => new Promise(() => {}));
    await turns.quiet(1);
    await turns.quiet(1);
  });
});
