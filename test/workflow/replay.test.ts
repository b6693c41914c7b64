// Replays the recorded histories with the workflows as they are now: a run that began before an upgrade must be able
// to go on after it. A difference needs `patched`, not a new recording.
import { Worker } from '@temporalio/worker';
import { describe, expect, it } from 'vitest';
import { readHistories } from '../support/histories.js';
import { quietRuntime, workflowBundle } from '../support/workflow-worker.js';

const histories = readHistories();

async function replay(history: unknown, workflowId: string): Promise<unknown> {
  quietRuntime();
  const one = [{ history, workflowId }];
  for await (const result of Worker.runReplayHistories({ workflowBundle }, one)) return result.error ?? null;
  throw new Error('nothing was replayed');
}

describe('a recorded history', () => {
  it.each(histories)('$name replays', async ({ history, workflowId }) => {
    expect(await replay(history, workflowId)).toBeNull();
  });

  it('covers every workflow and the ways that a change may go', () => {
    const types = histories.map(({ history }) => {
      const [first] = (history as { events: Record<string, Record<string, { name?: string }>>[] }).events;
      return first!.workflowExecutionStartedEventAttributes!.workflowType!.name;
    });
    for (const type of ['topologyChange', 'moveShard', 'rollbackMove', 'endRetention', 'deliver'])
      expect(types).toContain(type);
    expect(histories.length).toBeGreaterThanOrEqual(10);
  });

  it('that differs from the code is noticed', async () => {
    const { history, workflowId } = histories.find(({ name }) => name === 'cancel')!;
    const text = JSON.stringify(history).replaceAll('"planChange"', '"planSomethingElse"');
    expect(text).not.toBe(JSON.stringify(history));
    expect(String(await replay(JSON.parse(text), workflowId))).toMatch(/determinism/i);
  });
});
