// What a command works with: the API, the output, the clock, and the question before something is taken away.
import { createInterface } from 'node:readline/promises';
import { InvalidArgumentError } from 'commander';
import { AdminApi } from './api.js';
import { type Environment, findAdminKey } from './credentials.js';
import { CommandFailure, EXIT, type ExitCode } from './exit.js';
import type { Output, OutputFormat, Sink } from './output.js';

/** The world around the program; main passes the process, tests pass their own. */
export interface Surroundings {
  env: Environment;
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: Sink;
  stderr: Sink & NodeJS.WritableStream;
}

export interface GlobalOptions {
  url: string;
  adminKey?: string;
  output: OutputFormat;
  yes: boolean;
  /** For the whole command; undefined waits as long as it takes. */
  timeout?: number;
}

const REQUEST_TIMEOUT_MS = 30_000;

export class Session {
  readonly api: AdminApi;
  private readonly deadlineMs: number;

  constructor(
    readonly world: Surroundings,
    readonly options: GlobalOptions,
    readonly output: Output,
  ) {
    this.api = new AdminApi({
      url: options.url,
      adminKey: findAdminKey(world.env, options.adminKey, (message) => output.warn(message)),
      requestTimeoutMs: options.timeout ?? REQUEST_TIMEOUT_MS,
    });
    this.deadlineMs =
      options.timeout === undefined ? Number.POSITIVE_INFINITY : performance.now() + options.timeout;
  }

  /** What is left of --timeout. */
  remainingMs(): number {
    return this.deadlineMs - performance.now();
  }

  /** Asks before something is taken away; without a terminal only --yes goes on. */
  async confirm(question: string): Promise<void> {
    if (this.options.yes) return;
    if (!this.world.stdin.isTTY || !this.world.stderr.isTTY) {
      throw new CommandFailure(`${question} Without a terminal this needs --yes.`, EXIT.usage);
    }
    const lines = createInterface({ input: this.world.stdin, output: this.world.stderr });
    try {
      const answer = await lines.question(`${question} [y/N] `);
      if (!/^y(es)?$/i.test(answer.trim())) throw new CommandFailure('nothing was changed', EXIT.failed);
    } finally {
      lines.close();
    }
  }
}

export type Action<Arguments extends unknown[]> = (session: Session, ...args: Arguments) => Promise<ExitCode>;

/** Milliseconds of `0`, `500ms`, `30s`, `10m`, `2h`; a bare number counts seconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  if (!match) throw new InvalidArgumentError('expected a duration such as 0, 30s, 10m or 2h');
  const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[match[2] ?? 's']!;
  return Math.round(Number(match[1]) * unitMs);
}

export function parseCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('expected a positive whole number');
  return Number(text);
}
