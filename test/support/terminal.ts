// A stand-in for a program's streams: what was written, with or without a terminal.
import { PassThrough } from 'node:stream';
import type { Surroundings } from '../../ctl/session.js';

export interface FakeTerminal extends Surroundings {
  stdin: PassThrough & { isTTY?: boolean };
  text(): { stdout: string; stderr: string };
}

export function fakeTerminal(env: Record<string, string | undefined> = {}, isTTY = false): FakeTerminal {
  const written = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr') => {
    const stream = new PassThrough();
    stream.on('data', (chunk: Buffer) => {
      written[name] += chunk.toString('utf8');
    });
    return Object.assign(stream, { isTTY });
  };
  return {
    // A home without a credentials file.
    env: { HOME: '/nonexistent', ...env },
    stdin: Object.assign(new PassThrough(), { isTTY }),
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    text: () => written,
  };
}
