// Who is wrong about a document: evidence decides, or nobody.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Claim, differenceOf, judgeClaims } from '../../shared/core/replica-claims.js';

const claim = (node: string, value: string | null, more: Partial<Claim> = {}): Claim => ({
  node,
  value,
  inSync: true,
  foreign: false,
  ...more,
});

describe('claims of replicas', () => {
  it.each<[string, Claim[], unknown]>([
    ['two equal claims are not decided', [claim('a', '1'), claim('b', '2')], { decided: false }],
    ['nor is one that is missing', [claim('a', '1'), claim('b', null)], { decided: false }],
    [
      'two of three in-sync replicas decide',
      [claim('a', '1'), claim('b', '2'), claim('c', '1')],
      { decided: true, value: '1', wrong: ['b'], evidence: 'majority' },
    ],
    ['three different ones do not', [claim('a', '1'), claim('b', '2'), claim('c', '3')], { decided: false }],
    [
      'what nobody reads does not outvote what is read',
      [claim('a', '1'), claim('b', '2', { inSync: false }), claim('c', '2', { inSync: false })],
      { decided: true, value: '1', wrong: ['b', 'c'], evidence: 'in-sync' },
    ],
    [
      'a document without its mark was not written by the journal',
      [claim('a', '1', { foreign: true }), claim('b', null)],
      { decided: true, value: null, wrong: ['a'], evidence: 'foreign-mark' },
    ],
    [
      'the mark decides nothing when the others disagree',
      [claim('a', '1', { foreign: true }), claim('b', '2'), claim('c', '3')],
      { decided: false },
    ],
    ['no in-sync replica, no verdict', [claim('a', '1', { inSync: false })], { decided: false }],
  ])('%s', (_, claims, judgement) => {
    expect(judgeClaims(claims)).toEqual(judgement);
  });

  it('takes an operator at their word only where evidence does not tell, and only for an in-sync replica', () => {
    const equal = [claim('a', '1'), claim('b', '2')];
    expect(judgeClaims(equal, 'b')).toEqual({
      decided: true,
      value: '2',
      wrong: ['a'],
      evidence: 'operator',
    });
    expect(judgeClaims(equal, 'c')).toEqual({ decided: false });
    const outvoted = [...equal, claim('c', '1')];
    expect(judgeClaims(outvoted, 'b')).toMatchObject({ wrong: ['b'], evidence: 'majority' });
  });

  it('never calls all replicas wrong, and never one that agrees with what is right', () => {
    const claims = fc.uniqueArray(
      fc.record({
        node: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
        value: fc.constantFrom('1', '2', null),
        inSync: fc.boolean(),
        foreign: fc.boolean(),
      }),
      { selector: (one) => one.node, minLength: 1 },
    );
    fc.assert(
      fc.property(claims, fc.constantFrom(null, 'a', 'b'), (all, trusted) => {
        const judgement = judgeClaims(all, trusted);
        if (!judgement.decided) return;
        expect(judgement.wrong.length).toBeLessThan(all.length);
        for (const one of all)
          expect(judgement.wrong.includes(one.node)).toBe(differenceOf(one.value, judgement.value) !== null);
      }),
    );
  });
});
