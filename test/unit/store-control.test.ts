// How a change is steered in the state store: the rate that its copies share, and the record of what was decided.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreFleet } from '../support/store-fleet.js';

const OPEN = { paused: false, concurrency: 2, nodeConcurrency: null, documentsPerSecond: null };

let fleet: StoreFleet;
beforeEach(async () => {
  fleet = await StoreFleet.open(['a']);
});
afterEach(() => fleet.close());

const turn = (documents: number) => fleet.store.takeCopyTurn('change', documents);

describe('copies of a change', () => {
  it('have no limit before anybody sets one', async () => {
    expect(await turn(1_000)).toEqual({ documents: 1_000, waitMs: 0 });
    await fleet.store.saveControl('change', OPEN);
    expect(await fleet.store.readControl('change')).toEqual(OPEN);
    expect(await turn(1_000)).toEqual({ documents: 1_000, waitMs: 0 });
  });

  it('wait while the change is paused, and go on when it is not', async () => {
    await fleet.store.saveControl('change', { ...OPEN, paused: true });
    expect(await turn(10)).toMatchObject({ documents: 0 });
    await fleet.store.saveControl('change', OPEN);
    expect(await turn(10)).toMatchObject({ documents: 10 });
  });

  it('share one rate, whoever asks and however large their chunks are', async () => {
    await fleet.store.saveControl('change', { ...OPEN, documentsPerSecond: 100 });
    let copied = 0;
    const begunMs = fleet.nowMs;
    for (let turns = 0; turns < 200; turns += 1) {
      const { documents, waitMs } = await turn(turns % 3 === 0 ? 1_000 : 7);
      copied += documents;
      expect(documents > 0 || waitMs > 0).toBe(true);
      fleet.nowMs += waitMs;
    }
    const seconds = (fleet.nowMs - begunMs) / 1_000;
    expect(seconds).toBeGreaterThan(10);
    // One turn of credit at the begin, one under way at the end.
    expect(copied).toBeGreaterThanOrEqual(100 * seconds - 100);
    expect(copied).toBeLessThanOrEqual(100 * seconds + 200);
  });

  it('keep to a new rate at once: what an old one has spent does not count', async () => {
    await fleet.store.saveControl('change', { ...OPEN, documentsPerSecond: 0.01 });
    expect(await turn(10)).toMatchObject({ documents: 1 });
    expect((await turn(10)).waitMs).toBeLessThanOrEqual(500);
    expect(await turn(10)).toMatchObject({ documents: 0 });
    await fleet.store.saveControl('change', { ...OPEN, documentsPerSecond: 50 });
    expect(await turn(10)).toMatchObject({ documents: 10 });
  });

  it('of another change are not held back', async () => {
    await fleet.store.saveControl('change', { ...OPEN, paused: true });
    expect(await fleet.store.takeCopyTurn('other', 10)).toMatchObject({ documents: 10 });
  });
});

describe('the record', () => {
  it('has what was decided in order, with who and when', async () => {
    const event = { changeId: 'change', moveId: null, by: 'ann@desk' };
    await fleet.store.recordEvent({ ...event, event: 'pause', detail: {} });
    fleet.nowMs += 1_000;
    await fleet.store.recordEvent({ ...event, event: 'throttle', detail: { documentsPerSecond: 5 } });
    await fleet.store.recordEvent({ ...event, changeId: 'other', event: 'abort', detail: {} });
    expect(await fleet.store.listEvents('change')).toEqual([
      { ...event, event: 'pause', at: new Date(fleet.nowMs - 1_000).toISOString(), detail: {} },
      {
        ...event,
        event: 'throttle',
        at: new Date(fleet.nowMs).toISOString(),
        detail: { documentsPerSecond: 5 },
      },
    ]);
  });

  it('lists changes, the newest first', async () => {
    for (const id of ['one', 'two', 'three']) {
      await fleet.store.openChange({ id, kind: 'rebalance', input: {}, runId: id });
      fleet.nowMs += 1_000;
    }
    expect((await fleet.store.listChanges(2)).map(({ id }) => id)).toEqual(['three', 'two']);
  });
});
