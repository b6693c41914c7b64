// A child process of a test: its last log lines, the lines that announce something, and an end that is ours alone.
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';

export interface ProcessOptions {
  name: string;
  command: string;
  args: string[];
  env?: Record<string, string>;
  cwd?: string;
  /** Whom it runs as, when this process is root. */
  uid?: number;
  gid?: number;
}

const KEPT_LINES = 200;

/** Children of this test process that still run; none survives it. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class TestProcess {
  readonly lines: string[] = [];
  private readonly listeners = new Set<(line: string) => void>();
  private child: ChildProcess | null = null;
  ended: Promise<{ code: number | null; signal: string | null }> = Promise.resolve({
    code: null,
    signal: null,
  });

  constructor(readonly options: ProcessOptions) {}

  get name(): string {
    return this.options.name;
  }

  get pid(): number | null {
    return this.child?.pid ?? null;
  }

  isRunning(): boolean {
    return this.child !== null;
  }

  /** Starts it; starting a running one is a mistake of the test. */
  start(): void {
    if (this.child !== null) throw new Error(`${this.name} runs already`);
    const { command, args, env, cwd, uid, gid } = this.options;
    const child = spawn(command, args, {
      cwd,
      uid,
      gid,
      env: { ...cleanEnvironment(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    running.add(child);
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop()!;
        for (const line of lines) this.keep(line);
      });
    }
    this.ended = new Promise((resolve) => {
      const end = (code: number | null, signal: string | null) => {
        running.delete(child);
        if (this.child === child) this.child = null;
        this.keep(`-- ${this.name} ended: code ${code}, signal ${signal}`);
        resolve({ code, signal });
      };
      child.once('exit', end);
      child.once('error', (error) => {
        this.keep(String(error));
        end(null, null);
      });
    });
  }

  /** Waits for a line that `match` answers something for; looks at lines from now on. */
  waitForLine<T>(match: (line: string) => T | undefined | null, deadlineMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        this.listeners.delete(listener);
      };
      const listener = (line: string) => {
        const found = match(line);
        if (found === undefined || found === null) return;
        done();
        resolve(found);
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`${this.name} did not say what was expected\n${this.tail()}`));
      }, deadlineMs);
      this.listeners.add(listener);
      void this.ended.then(({ code, signal }) => {
        done();
        reject(new Error(`${this.name} ended with ${code ?? signal}\n${this.tail()}`));
      });
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  /** Sends the signal and waits for the end; SIGKILL follows when it takes too long. */
  async end(signal: NodeJS.Signals = 'SIGTERM', deadlineMs = 15_000): Promise<number | null> {
    const child = this.child;
    if (child === null) return null;
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
    const { code } = await this.ended;
    clearTimeout(timer);
    return code;
  }

  tail(count = 40): string {
    return this.lines
      .slice(-count)
      .map((line) => `  [${this.name}] ${line}`)
      .join('\n');
  }

  private keep(line: string): void {
    if (line === '') return;
    this.lines.push(line);
    if (this.lines.length > KEPT_LINES) this.lines.shift();
    for (const listener of [...this.listeners]) listener(line);
  }
}

/** This environment without what would configure the children behind the test's back. */
function cleanEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name, value]) => value !== undefined && !/^(MIROIR_|MEILI_|TEMPORAL_|VITEST|NODE_OPTIONS)/.test(name),
  );
  return Object.fromEntries(kept) as Record<string, string>;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
