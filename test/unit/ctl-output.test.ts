import { describe, expect, it } from 'vitest';
import { formatAge, formatBytes, formatTable, Output } from '../../ctl/output.js';
import { parseDuration } from '../../ctl/session.js';
import { fakeTerminal } from '../support/terminal.js';

describe('Output', () => {
  it('writes data to stdout and the rest to stderr', () => {
    const terminal = fakeTerminal();
    const output = new Output({ format: 'text', ...terminal });
    output.progress('half done');
    output.progress('half done');
    output.warn('careful');
    output.result(['line'], { nextSteps: ['do this'] });
    expect(terminal.text()).toEqual({
      stdout: 'line\n\nNext:\n  do this\n',
      stderr: 'half done\nwarning: careful\n',
    });
  });

  it('gives programs one document with next steps, also for a failure', () => {
    const terminal = fakeTerminal();
    const output = new Output({ format: 'json', ...terminal });
    output.result(['line'], { value: 1 });
    expect(JSON.parse(terminal.text().stdout)).toEqual({ value: 1, nextSteps: [] });

    const failing = fakeTerminal();
    new Output({ format: 'json', ...failing }).failure({ message: 'no', code: 'x', nextSteps: ['y'] });
    expect(JSON.parse(failing.text().stdout)).toEqual({
      error: { message: 'no', code: 'x' },
      nextSteps: ['y'],
    });
    expect(failing.text().stderr).toContain('error: no');
  });

  it.each([
    ['no terminal', {}, false, false],
    ['a terminal', {}, true, true],
    ['NO_COLOR', { NO_COLOR: '1' }, true, false],
    ['a dumb terminal', { TERM: 'dumb' }, true, false],
  ])('animates and colours as it may: %s', (_, env, isTTY, lively) => {
    const terminal = fakeTerminal(env, isTTY);
    const output = new Output({ format: 'text', ...terminal });
    output.progress('one');
    output.progress('two');
    output.result([output.tint('green', 'healthy')], {});
    const { stdout, stderr } = terminal.text();
    expect(stdout + stderr).toSatisfy((text: string) => text.includes('\u001b') === lively);
    if (!lively) expect(stderr).toBe('one\ntwo\n');
    else expect(stderr.endsWith('\n')).toBe(true);
  });
});

describe('formats', () => {
  it('align tables', () => {
    expect(
      formatTable(
        ['A', 'LONG'],
        [
          ['wide', 1],
          ['', null],
        ],
      ),
    ).toEqual(['A     LONG', 'wide  1', '-     -']);
  });

  it('print sizes, ages and durations', () => {
    expect([0, 999, 1_000, 1_500_000].map(formatBytes)).toEqual(['0 B', '999 B', '1.0 kB', '1.5 MB']);
    expect([0, 119_000, 120_000, 7_200_000, 172_800_000].map(formatAge)).toEqual([
      '0s',
      '119s',
      '2m',
      '2h',
      '2d',
    ]);
    expect(['0', '500ms', '90', '1.5s', '10m', '2h'].map(parseDuration)).toEqual([
      0, 500, 90_000, 1_500, 600_000, 7_200_000,
    ]);
    for (const wrong of ['', 'x', '-1', '10d', '1 m']) expect(() => parseDuration(wrong)).toThrow(/duration/);
  });
});
