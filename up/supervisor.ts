// Keeps child processes running: own log files, restart with back-off, an orderly stop. Secrets go by environment only.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';

export interface ChildSpec {
  name: string;
  command: string;
  args: string[];
  env: Record<string, string>;
  cwd?: string;
  logFile: string;
  /** Recognises the JSON line that says it is ready; null when the caller probes it instead. */
  ready: ((line: Record<string, unknown>) => boolean) | null;
  readyDeadlineMs?: number;
  /** How long it may take to end after SIGTERM before it is killed. */
  stopDeadlineMs?: number;
}

export interface Child {
  readonly name: string;
  pid(): number | null;
  /** Ends it in order and does not start it again. */
  stop(): Promise<void>;
  /** Kills it at once (SIGKILL) and does not start it again; answers when it is gone. */
  kill(): Promise<void>;
}

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MOST_MS = 15_000;
/** A child that lived this long is healthy: its next crash waits the shortest time again. */
const HEALTHY_AFTER_MS = 30_000;

/** Starts children and starts crashed ones again. */
export class Supervisor {
  private readonly children = new Set<SupervisedChild>();
  private stopping = false;

  /** `report` hears of crashes; `remember` of every process that is started. */
  constructor(
    private readonly report: (line: string) => void,
    private readonly remember: (name: string, pid: number, commandLine: string) => void = () => {},
  ) {}

  /** Starts a child and waits until it is ready. Throws with the end of its log when it ends before. */
  async start(spec: ChildSpec): Promise<Child> {
    if (this.stopping) throw new Error('stopping: nothing is started any more');
    const child = new SupervisedChild(spec, this.report, this.remember, () => this.children.delete(child));
    this.children.add(child);
    try {
      await child.launch();
    } catch (error) {
      await child.kill();
      throw error;
    }
    return child;
  }

  /** From here on crashed children stay down. */
  beginStop(): void {
    this.stopping = true;
    for (const child of this.children) child.stayDown();
  }

  killAll(): void {
    this.beginStop();
    for (const child of this.children) void child.kill();
  }
}

class SupervisedChild implements Child {
  readonly name: string;
  private process: ChildProcess | null = null;
  private gone: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | null = null;
  private wanted = true;
  private isUp = false;
  private backoffMs = BACKOFF_FIRST_MS;
  private readonly log: WriteStream;
  private tail: string[] = [];

  constructor(
    private readonly spec: ChildSpec,
    private readonly report: (line: string) => void,
    private readonly remember: (name: string, pid: number, commandLine: string) => void,
    private readonly forget: () => void,
  ) {
    this.name = spec.name;
    this.log = createWriteStream(spec.logFile, { flags: 'a', mode: 0o600 });
  }

  pid(): number | null {
    return this.process?.pid ?? null;
  }

  stayDown(): void {
    this.wanted = false;
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  /** Starts the process once; settles when it is ready. */
  async launch(): Promise<void> {
    const startedAt = performance.now();
    // Detached: a Ctrl-C in the terminal must reach `miroir up` alone, which then stops its children in order.
    const process_ = spawn(this.spec.command, this.spec.args, {
      cwd: this.spec.cwd,
      env: { ...inheritedEnv(), ...this.spec.env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process = process_;
    if (process_.pid) {
      this.remember(this.name, process_.pid, [this.spec.command, ...this.spec.args].join(' '));
    }
    const ready = this.follow(process_);
    let resolveGone = () => {};
    this.gone = new Promise((resolve) => {
      resolveGone = resolve;
    });
    const ended = new Promise<never>((_resolve, reject) => {
      const onEnd = (reason: string) => {
        if (this.process === process_) this.process = null;
        resolveGone();
        const tail = this.tail.slice(-8).join('\n    ');
        reject(
          new Error(
            `${this.name} ended (${reason}); its last lines, from ${this.spec.logFile}:\n    ${tail}`,
          ),
        );
        this.onEnded(reason, performance.now() - startedAt);
      };
      process_.once('error', (error) => onEnd(error.message));
      process_.once('exit', (code, signal) => onEnd(signal ?? `code ${code}`));
    });
    ended.catch(() => {});
    let deadline: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const deadlineMs = this.spec.readyDeadlineMs ?? 60_000;
      deadline = setTimeout(
        () =>
          reject(
            new Error(`${this.name} is not ready after ${deadlineMs / 1_000} s; see ${this.spec.logFile}`),
          ),
        deadlineMs,
      );
    });
    try {
      await Promise.race([ready, ended, late]);
      this.isUp = true;
    } finally {
      clearTimeout(deadline);
    }
  }

  async stop(): Promise<void> {
    this.stayDown();
    const process_ = this.process;
    if (process_) {
      process_.kill('SIGTERM');
      const timer = setTimeout(() => process_.kill('SIGKILL'), this.spec.stopDeadlineMs ?? 15_000);
      await this.gone;
      clearTimeout(timer);
    }
    this.finish();
  }

  async kill(): Promise<void> {
    this.stayDown();
    this.process?.kill('SIGKILL');
    await this.gone;
    this.finish();
  }

  private finish(): void {
    this.log.end();
    this.forget();
  }

  /** Copies the output into the log file; settles at the ready line. */
  private follow(process_: ChildProcess): Promise<void> {
    return new Promise((resolve) => {
      if (this.spec.ready === null) resolve();
      for (const stream of [process_.stdout, process_.stderr]) {
        if (!stream) continue;
        createInterface({ input: stream }).on('line', (line) => {
          if (!this.log.writableEnded) this.log.write(`${line}\n`);
          this.tail.push(line);
          if (this.tail.length > 20) this.tail.shift();
          const parsed = line.startsWith('{') ? parseLine(line) : null;
          if (parsed && this.spec.ready?.(parsed)) resolve();
        });
      }
    });
  }

  private onEnded(reason: string, livedMs: number): void {
    if (!this.wanted || !this.isUp) return;
    if (livedMs > HEALTHY_AFTER_MS) this.backoffMs = BACKOFF_FIRST_MS;
    const delayMs = this.backoffMs;
    this.backoffMs = Math.min(this.backoffMs * 2, BACKOFF_MOST_MS);
    this.report(
      `${this.name} ended (${reason}); starting it again in ${delayMs / 1_000} s, see ${this.spec.logFile}`,
    );
    this.timer = setTimeout(() => {
      this.timer = null;
      this.launch().then(
        () => this.report(`${this.name} is back`),
        (error: unknown) => {
          if (this.process === null) return;
          this.report(error instanceof Error ? error.message : String(error));
          this.process.kill('SIGKILL');
        },
      );
    }, delayMs);
  }
}

function parseLine(line: string): Record<string, unknown> | null {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}

/** The caller's environment without settings that are meant for `miroir up` itself. */
function inheritedEnv(): Record<string, string> {
  const inherited: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !/^(MEILI_|MIROIR_NODE_MASTER_KEY$)/.test(name)) inherited[name] = value;
  }
  return inherited;
}
