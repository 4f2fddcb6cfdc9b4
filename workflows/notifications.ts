import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  ParentClosePolicy,
  WorkflowIdReusePolicy,
  proxyLocalActivities,
  startChild,
  uuid4,
} from '@temporalio/workflow';
import type { SessionActivities } from '../activities/contract.ts';
import {
  describeEvent,
  type DeliveryInput,
  type DeliveryMemo,
  type EventFacts,
  type EventInterest,
  type NoticeEvent,
} from '../src/core/notice.ts';
import { deliveryWorkflowId, MAINTENANCE_QUEUE } from '../src/names.ts';
import { shorten } from './activity-calls.ts';
import { delivery } from './delivery.ts';
import { deliveryAttributes } from './search-attributes.ts';

/**
 * Has an event delivered to every sink that takes it; resolves to their names as soon as the deliveries have started.
 * They go on by themselves, whatever becomes of the caller, and an event that was announced before is not delivered
 * again.
 */
export const announce = (event: NoticeEvent): Promise<string[]> =>
  CancellationScope.nonCancellable(async () => {
    // Local, and so hardly slower than to know it: it only looks into the configuration of the worker.
    const { findSinks } = proxyLocalActivities<Pick<SessionActivities, 'findSinks'>>({
      startToCloseTimeout: '10s',
      summary: `who is told of ${event.type}?`,
    });
    const sinks = await findSinks(interestOf(event));
    await Promise.all(sinks.map((sink) => startDelivery({ event, sink })));
    return sinks;
  });

/** What is said of every event: it is a new one, and happens now. */
export const newEvent = (about: Pick<EventFacts, 'site' | 'session'>): EventFacts => ({
  id: uuid4(),
  at: new Date(Date.now()).toISOString(),
  site: about.site,
  session: about.session,
});

const interestOf = (event: NoticeEvent): EventInterest =>
  event.type === 'maintenance.scheduled'
    ? { type: event.type, project: event.project }
    : { type: event.type };

async function startDelivery(input: DeliveryInput): Promise<void> {
  const { event, sink } = input;
  const memo: DeliveryMemo = { type: event.type, about: describeEvent(event), session: event.session, sink };
  try {
    await startChild(delivery, {
      workflowId: deliveryWorkflowId(event.id, sink),
      taskQueue: MAINTENANCE_QUEUE,
      args: [input],
      workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: shorten(`${sink}: ${memo.about}`),
      memo: { ...memo },
      typedSearchAttributes: deliveryAttributes(event),
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
