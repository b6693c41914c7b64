// Histories of workflow runs as files: recorded once from real runs, replayed against whatever the code is now.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { resolveTemporal } from '../../shared/io/temporal-binary.js';

const FOLDER = resolve(import.meta.dirname, '../replay');

export interface RecordedHistory {
  name: string;
  /** The original one: the ids of children derive from it. */
  workflowId: string;
  /** As `temporal workflow show -o json` prints it. */
  history: unknown;
}

/** Writes the history of one run under a name; replaces the one of before. */
export async function recordHistory(
  address: string,
  name: string,
  run: { workflowId: string; runId?: string },
): Promise<void> {
  const { TEMPORAL_ADDRESS: _ignored, ...env } = process.env;
  const choice = await resolveTemporal({ env });
  if (choice.kind !== 'binary') throw new Error('recording needs the temporal program');
  const which = ['--workflow-id', run.workflowId, ...(run.runId ? ['--run-id', run.runId] : [])];
  const text = execFileSync(choice.path, ['workflow', 'show', '-o', 'json', '--address', address, ...which], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  mkdirSync(FOLDER, { recursive: true });
  // Stack traces play no part in a replay, and name folders of the machine that recorded them.
  const history: unknown = JSON.parse(text, (key, value: unknown) => (key === 'stackTrace' ? '' : value));
  const recorded = { workflowId: run.workflowId, history };
  writeFileSync(join(FOLDER, `${name}.json`), `${JSON.stringify(recorded)}\n`);
}

export function readHistories(): RecordedHistory[] {
  if (!existsSync(FOLDER)) return [];
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => {
      const recorded = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Omit<RecordedHistory, 'name'>;
      return { name: file.replace('.json', ''), ...recorded };
    });
}
