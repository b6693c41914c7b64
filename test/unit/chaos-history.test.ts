// The judge of the chaos runs, judged: it must find what is lost, resurrected or wrong, and allow what is possible.
import { describe, expect, it } from 'vitest';
import { type ChaosDocument, History } from '../chaos/history.js';

const document = (id: string, revision: number, group = 'g'): ChaosDocument => ({ id, group, revision });
const found = (...documents: ChaosDocument[]) => new Map(documents.map((one) => [one.id, one]));
const clean = { lost: [], resurrected: [], wrong: [] };

describe('History', () => {
  it('allows just the last acknowledged state', () => {
    const history = new History();
    history.acknowledge({ kind: 'add', documents: [document('a', 1), document('b', 1)] });
    history.acknowledge({ kind: 'update', documents: [{ id: 'a', revision: 2 }] });
    history.acknowledge({ kind: 'delete', ids: ['b'] });
    expect(history.judge(found(document('a', 2)))).toEqual({ expected: 1, found: 1, ...clean });
    expect(history.judge(found(document('a', 1))).wrong).toHaveLength(1);
    expect(history.judge(found()).lost).toHaveLength(1);
    expect(history.judge(found(document('a', 2), document('b', 1))).resurrected).toHaveLength(1);
    expect(history.judge(found(document('a', 2), document('never', 1))).resurrected).toHaveLength(1);
  });

  it('deletes by filter what the filter matches, and nothing else', () => {
    const history = new History();
    history.acknowledge({ kind: 'add', documents: [document('a', 1, 'x'), document('b', 1, 'y')] });
    history.acknowledge({ kind: 'delete-by-filter', group: 'x' });
    expect(history.judge(found(document('b', 1, 'y')))).toMatchObject(clean);
    expect(history.judge(found()).lost).toHaveLength(1);
    expect(history.judge(found(document('a', 1, 'x'), document('b', 1, 'y'))).resurrected).toHaveLength(1);
  });

  it('allows both states after a write without an answer, and asks nobody to write there again', () => {
    const history = new History();
    history.acknowledge({ kind: 'add', documents: [document('a', 1), document('b', 1)] });
    history.leaveOpen({ kind: 'update', documents: [{ id: 'a', revision: 2 }] });
    expect(history.known()).toEqual(['b']);
    expect(history.judge(found(document('a', 1), document('b', 1)))).toMatchObject(clean);
    expect(history.judge(found(document('a', 2), document('b', 1)))).toMatchObject(clean);
    expect(history.judge(found(document('a', 3), document('b', 1))).wrong).toHaveLength(1);
    expect(history.judge(found(document('b', 1))).lost).toHaveLength(1);
  });

  it('lets a late deletion by filter take whatever was in its group, and nothing else', () => {
    const history = new History();
    history.acknowledge({ kind: 'add', documents: [document('a', 1, 'x'), document('b', 1, 'y')] });
    history.leaveOpen({ kind: 'delete-by-filter', group: 'x' });
    expect([...history.openGroups]).toEqual(['x']);
    expect(history.known()).toEqual(['b']);
    expect(history.judge(found(document('b', 1, 'y')))).toMatchObject(clean);
    expect(history.judge(found(document('a', 1, 'x'), document('b', 1, 'y')))).toMatchObject(clean);
    expect(history.judge(found(document('a', 1, 'x'))).lost).toHaveLength(1);
    history.acknowledge({ kind: 'update', documents: [{ id: 'b', revision: 2 }] });
    expect(history.judge(found(document('b', 2, 'y')))).toMatchObject(clean);
  });

  it('lets a late write come before or after a deletion by filter', () => {
    const history = new History();
    history.acknowledge({ kind: 'add', documents: [document('a', 1, 'x')] });
    history.leaveOpen({ kind: 'update', documents: [{ id: 'a', group: 'y' }] });
    history.acknowledge({ kind: 'delete-by-filter', group: 'x' });
    expect(history.judge(found())).toMatchObject(clean);
    expect(history.judge(found(document('a', 1, 'y')))).toMatchObject(clean);
    const late = new Map([['a', { id: 'a', group: 'y' }]]);
    expect(history.judge(late)).toMatchObject(clean);
  });

  it('compares content, not the order of keys', () => {
    const history = new History();
    history.acknowledge({ kind: 'add', documents: [{ id: 'a', group: 'x', revision: 1 }] });
    expect(history.allows('a', { revision: 1, group: 'x', id: 'a' })).toBe(true);
    expect(history.allows('a', { revision: 1, group: 'x', id: 'a', more: 1 })).toBe(false);
    expect(history.allows('b', null)).toBe(true);
  });
});
