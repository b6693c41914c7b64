// Tasks in Meilisearch's form: durations to the nanosecond, details by type, secrets masked.
import { describe, expect, it } from 'vitest';
import type { EntryMeta, TaskRow, TaskStatus } from '../../shared/core/entries.js';
import { duration, maskSecret, viewTask } from '../../shared/core/tasks.js';

function row(meta: EntryMeta, status: TaskStatus, outcomeDetails: TaskRow['outcomeDetails'] = null): TaskRow {
  const started = status !== 'enqueued';
  const finished = started && status !== 'processing';
  return {
    uid: 7,
    indexUid: 'a',
    status,
    meta,
    error: null,
    outcomeDetails,
    enqueuedAt: '2026-01-01T00:00:00.000Z',
    startedAt: started ? '2026-01-01T00:00:01.000Z' : null,
    finishedAt: finished ? '2026-01-01T00:00:01.250Z' : null,
  };
}

describe('duration', () => {
  it.each([
    ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', 'PT0S'],
    ['2026-01-01T00:00:00Z', '2026-01-01T00:01:05Z', 'PT65S'],
    ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00.05Z', 'PT0.050S'],
    ['2026-01-01T00:00:00.000001Z', '2026-01-01T00:00:00.000129Z', 'PT0.000128S'],
    ['2026-01-01T00:00:00.999999999Z', '2026-01-01T00:00:01.000000001Z', 'PT0.000000002S'],
    ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', 'P1D'],
    ['2026-01-01T00:00:00Z', '2026-01-03T00:00:01.500Z', 'P2DT1.500S'],
  ])('from %s to %s is %s', (from, to, expected) => {
    expect(duration(from, to)).toBe(expected);
  });

  it('is null when a clock went back', () => {
    expect(duration('2026-01-01T00:00:01Z', '2026-01-01T00:00:00Z')).toBeNull();
  });
});

describe('viewTask', () => {
  const addition: EntryMeta = {
    kind: 'documentAdditionOrUpdate',
    method: 'replace',
    primaryKey: null,
    receivedDocuments: 4,
  };

  it('has the keys of Meilisearch in their order', () => {
    expect(Object.keys(viewTask(row(addition, 'succeeded')))).toEqual([
      'uid',
      'batchUid',
      'indexUid',
      'status',
      'type',
      'canceledBy',
      'details',
      'error',
      'duration',
      'enqueuedAt',
      'startedAt',
      'finishedAt',
    ]);
  });

  it('knows counts only once they are known, and none after a failure', () => {
    const details = (status: TaskStatus) => viewTask(row(addition, status)).details;
    expect(details('enqueued')).toEqual({ receivedDocuments: 4, indexedDocuments: null });
    expect(details('succeeded')).toEqual({ receivedDocuments: 4, indexedDocuments: 4 });
    expect(details('failed')).toEqual({ receivedDocuments: 4, indexedDocuments: 0 });
    expect(viewTask(row(addition, 'enqueued'))).toMatchObject({ batchUid: null, duration: null });
    expect(viewTask(row(addition, 'failed'))).toMatchObject({ batchUid: 7, duration: 'PT0.250S' });
  });

  it('shows deletions by what they were asked with', () => {
    const deletion = (mode: 'ids' | 'filter' | 'all') =>
      viewTask(
        row(
          { kind: 'documentDeletion', mode, providedIds: 3, filter: mode === 'filter' ? '"a = 1"' : null },
          'succeeded',
          { deletedDocuments: 2 },
        ),
      ).details;
    expect(deletion('ids')).toEqual({ providedIds: 3, deletedDocuments: 2, originalFilter: null });
    expect(deletion('filter')).toEqual({ providedIds: 0, deletedDocuments: 2, originalFilter: '"a = 1"' });
    expect(deletion('all')).toEqual({ deletedDocuments: 2 });
  });

  it('masks the keys of embedders', () => {
    const patch = {
      embedders: { main: { source: 'openAi', apiKey: 'sk-0123456789abcdefghij-long-key' }, off: null },
    };
    const view = viewTask(row({ kind: 'settingsUpdate', patch, isDeletion: false }, 'enqueued'));
    expect(view.details).toEqual({
      embedders: { main: { source: 'openAi', apiKey: 'sk-01XXXXXX...' }, off: null },
    });
    expect(
      ['short', 'twelve-chars', 'twenty-characters-it-is', 'thirty-characters-or-more-it-is'].map(maskSecret),
    ).toEqual(['XXX...', 'twXXXX...', 'tweXXXXX...', 'thirtXXXXXX...']);
  });
});
