// Named faults for tests: at a named step, never after a time. Only with MIROIR_ENGINE_FAULTS=1.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { ApiError } from '../shared/core/errors.js';

const FAULT = z.object({
  point: z.enum(['after-enqueue', 'before-apply', 'during-apply', 'drop-response']),
  match: z.object({ type: z.string().optional(), indexUid: z.string().optional() }).default({}),
  action: z.enum(['kill', 'stall', 'fail-disk-full', 'delay', 'drop']).optional(),
  ms: z.number().int().nonnegative().default(0),
  times: z.number().int().positive().default(1),
});

export type Fault = z.infer<typeof FAULT>;

/** The task's failure when the node's disk is full. */
export function diskFull(): ApiError {
  return new ApiError(
    'no_space_left_on_device',
    'There is no more space left on the device. Consider increasing the size of the disk/partition.',
    422,
  );
}

export class Faults {
  private armed: Fault[] = [];

  /** Arms a fault from a request's body. */
  arm(body: unknown): Fault {
    const parsed = FAULT.safeParse(body);
    if (!parsed.success) throw new ApiError('bad_request', `Invalid fault: ${z.prettifyError(parsed.error)}`);
    this.armed.push(parsed.data);
    return parsed.data;
  }

  /** Forgets all faults that have not fired; a stall that has begun goes on. */
  disarm(): void {
    this.armed = [];
  }

  /** Takes a fault of this step off the list. */
  take(point: Fault['point'], task: { type: string; indexUid: string }): Fault | null {
    const fault = this.armed.find(
      ({ point: at, match }) =>
        at === point &&
        (match.type === undefined || match.type === task.type) &&
        (match.indexUid === undefined || match.indexUid === task.indexUid),
    );
    if (!fault) return null;
    fault.times--;
    if (fault.times === 0) this.armed = this.armed.filter((other) => other !== fault);
    return fault;
  }

  /** Reaches a step: returns, late or never, or throws, or the process is gone. */
  async reach(point: Fault['point'], task: { type: string; indexUid: string }): Promise<void> {
    const fault = this.take(point, task);
    if (!fault) return;
    await this.fire(fault, fault.action ?? 'kill');
  }

  /** Whether the answer to a task is to be dropped. */
  async dropsResponse(task: { type: string; indexUid: string }): Promise<boolean> {
    const fault = this.take('drop-response', task);
    if (!fault) return false;
    await this.fire(fault, fault.action ?? 'drop');
    return true;
  }

  private async fire(fault: Fault, action: Fault['action']): Promise<void> {
    if (action === 'kill') process.kill(process.pid, 'SIGKILL');
    if (action === 'delay') await sleep(fault.ms);
    if (action === 'fail-disk-full') throw diskFull();
    if (action === 'stall' || action === 'kill') await new Promise(() => {});
  }
}
