/** The Schedule that puts back hosts left out of service by a workflow that was terminated or lost. */
import {
  ScheduleAlreadyRunning,
  ScheduleOverlapPolicy,
  type Client,
  type ScheduleOptions,
} from '@temporalio/client';
import { durationMs } from './core/duration.ts';
import { MAINTENANCE_QUEUE, reconcileScheduleId, WORKFLOWS } from './names.ts';
import { ATTRIBUTE_KEYS } from './search-attributes.ts';

/** Creates or updates the Schedule of one site; `off` deletes it. */
export async function ensureReconcileSchedule(client: Client, site: string, every: string): Promise<void> {
  const scheduleId = reconcileScheduleId(site);
  const handle = client.schedule.getHandle(scheduleId);
  if (every === 'off') {
    await handle.delete().catch(() => undefined);
    return;
  }
  const options: ScheduleOptions = {
    scheduleId,
    spec: { intervals: [{ every: durationMs(every) }] },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: durationMs(every) },
    action: {
      type: 'startWorkflow',
      workflowType: WORKFLOWS.reconcile,
      workflowId: scheduleId,
      taskQueue: MAINTENANCE_QUEUE,
      args: [{ site }],
      typedSearchAttributes: [{ key: ATTRIBUTE_KEYS.site, value: site }],
    },
  };
  try {
    await client.schedule.create(options);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await handle.update(({ state }) => ({ ...options, state }));
  }
}
