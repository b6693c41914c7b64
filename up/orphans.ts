// Processes that outlived a `miroir up` that was killed: remembered by pid and command line, ended by the next start.
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

interface Remembered {
  pid: number;
  commandLine: string;
}

const TERM_DEADLINE_MS = 15_000;
const execute = promisify(execFile);

export interface ProcessLedger {
  /** Remembers the process that runs under this name now. */
  remember(name: string, pid: number, commandLine: string): void;
  /** Ends what a killed run left running; answers the names. */
  endOrphans(): Promise<string[]>;
}

/** A ledger in one file. It never holds secrets: those are not on command lines. */
export function openProcessLedger(file: string): ProcessLedger {
  const read = (): Record<string, Remembered> => {
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as Record<string, Remembered>;
    } catch {
      return {};
    }
  };
  const write = (remembered: Record<string, Remembered>) => writeFileSync(file, JSON.stringify(remembered));
  return {
    remember: (name, pid, commandLine) => write({ ...read(), [name]: { pid, commandLine } }),
    endOrphans: async () => {
      const ended: string[] = [];
      // Children end before the server that they talk to, which is remembered first.
      for (const [name, { pid, commandLine }] of Object.entries(read()).reverse()) {
        if (!(await isStill(pid, commandLine))) continue;
        await end(pid, commandLine);
        ended.push(name);
      }
      write({});
      return ended;
    },
  };
}

async function end(pid: number, commandLine: string): Promise<void> {
  process.kill(pid, 'SIGTERM');
  const until = performance.now() + TERM_DEADLINE_MS;
  while (await isStill(pid, commandLine)) {
    if (performance.now() > until) {
      process.kill(pid, 'SIGKILL');
      return;
    }
    await sleep(50);
  }
}

/** Pids are used again: only the same command line is the same process. */
async function isStill(pid: number, commandLine: string): Promise<boolean> {
  try {
    const { stdout } = await execute('ps', ['-ww', '-o', 'args=', '-p', String(pid)]);
    return stdout.trim() === commandLine;
  } catch {
    return false;
  }
}
