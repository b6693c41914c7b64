// The schedule of verifications: every worker makes sure that it is as configured; a second one changes nothing.
import {
  type Client,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
} from '@temporalio/client';
import type { Log } from '../activities/deps.js';
import type { Config } from '../shared/io/config.js';

export function scheduleId(clusterId: string): string {
  return `miroir/verify-schedule/${clusterId}`;
}

/** Creates, changes or deletes the schedule. A server without schedules costs the schedule, not the worker. */
export async function keepSchedule(
  client: Client,
  config: Pick<Config, 'clusterId' | 'taskQueue' | 'verifyEveryMs'>,
  log: Log,
): Promise<void> {
  const { clusterId, taskQueue, verifyEveryMs } = config;
  const id = scheduleId(clusterId);
  const spec = { intervals: [{ every: verifyEveryMs }] };
  try {
    if (verifyEveryMs === 0) {
      await client.schedule.getHandle(id).delete();
      return;
    }
    await client.schedule.create({
      scheduleId: id,
      spec,
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1m' },
      action: {
        type: 'startWorkflow',
        workflowType: 'scheduledVerify',
        workflowId: `${id}/run`,
        taskQueue,
        args: [clusterId],
      },
    });
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return;
    if (!(error instanceof ScheduleAlreadyRunning)) {
      log.warn({}, `verifications are not scheduled: ${(error as Error).message}`);
      return;
    }
    // An operator may have paused it or chosen other times of day: only another interval of ours replaces it.
    const handle = client.schedule.getHandle(id);
    const { intervals } = (await handle.describe()).spec;
    if (intervals?.length === 1 && intervals[0]!.every !== verifyEveryMs)
      await handle.update((previous) => ({ ...previous, spec }));
  }
}
