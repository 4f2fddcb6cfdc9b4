/** What the history of a workflow tells of its activities: what was done, to what, and how it ended. Pure. */
import type { WorkflowExecutionDescription, WorkflowService } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { StepOutcome, StepView } from './schemas.ts';

type History = NonNullable<Awaited<ReturnType<WorkflowService['getWorkflowExecutionHistory']>>['history']>;
export type Event = NonNullable<History['events']>[number];
type Payload = Parameters<typeof defaultPayloadConverter.fromPayload>[0];
type Timestamp = Event['eventTime'];
type Failure = NonNullable<NonNullable<Event['activityTaskFailedEventAttributes']>['failure']>;

/** By the id that the activity has in its workflow, in the order in which they were asked for. */
export function stepsIn(events: readonly Event[]): Map<string, StepView> {
  const steps = new Map<string, StepView>();
  const byEvent = new Map<number, StepView>();
  for (const event of events) {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled) {
      const name = scheduled.activityType?.name ?? '';
      const view: StepView = {
        step: name,
        summary: textIn(event.userMetadata?.summary) ?? name,
        outcome: 'waiting',
        attempts: 0,
        ...instanceIn(valueIn(scheduled.input?.payloads?.[0])),
      };
      steps.set(scheduled.activityId ?? '', view);
      byEvent.set(Number(event.eventId), view);
      continue;
    }
    const started = event.activityTaskStartedEventAttributes;
    if (started) {
      Object.assign(byEvent.get(Number(started.scheduledEventId)) ?? {}, {
        outcome: 'running',
        attempts: started.attempt ?? 1,
        started_at: timeOf(event.eventTime),
        ...(started.lastFailure && { error: wordsOf(started.lastFailure) }),
      } satisfies Partial<StepView>);
      continue;
    }
    const end = endIn(event);
    if (end) {
      Object.assign(byEvent.get(end.of) ?? {}, { ...end.view, ended_at: timeOf(event.eventTime) });
    }
  }
  return steps;
}

/** How an activity ended, if the event tells of an end. */
function endIn(event: Event): { of: number; view: Partial<StepView> } | undefined {
  const {
    activityTaskCompletedEventAttributes: completed,
    activityTaskFailedEventAttributes: failed,
    activityTaskTimedOutEventAttributes: timedOut,
    activityTaskCanceledEventAttributes: cancelled,
  } = event;
  const view = (
    of: unknown,
    outcome: StepOutcome,
    more: Partial<StepView> = {},
  ): ReturnType<typeof endIn> => ({ of: Number(of), view: { outcome, ...more } });
  if (completed) {
    const { to } = fieldsOf(valueIn(completed.result?.payloads?.[0]));
    return view(completed.scheduledEventId, 'done', typeof to === 'string' ? { to } : {});
  }
  if (failed) return view(failed.scheduledEventId, 'failed', { error: wordsOf(failed.failure) });
  if (timedOut) return view(timedOut.scheduledEventId, 'timed-out', { error: wordsOf(timedOut.failure) });
  return cancelled ? view(cancelled.scheduledEventId, 'cancelled') : undefined;
}

/** An activity is written down when it has ended; what it does until then, Temporal knows elsewhere. */
export function notePending(
  steps: ReadonlyMap<string, StepView>,
  { raw }: WorkflowExecutionDescription,
): void {
  for (const pending of raw.pendingActivities ?? []) {
    const view = steps.get(pending.activityId ?? '');
    if (!view || view.ended_at !== undefined) continue;
    const startedAt = timeOf(pending.lastStartedTime);
    Object.assign(view, {
      outcome: startedAt === undefined ? 'waiting' : 'running',
      attempts: pending.attempt ?? 1,
      ...(startedAt !== undefined && { started_at: startedAt }),
      ...(pending.lastFailure && { error: wordsOf(pending.lastFailure) }),
    } satisfies Partial<StepView>);
  }
}

/** What an activity was asked to do to which instance. */
function instanceIn(input: unknown): Partial<StepView> {
  const { instance, from, target, how } = fieldsOf(input);
  const { id, name } = fieldsOf(instance);
  if (typeof id !== 'string') return {};
  return {
    instance_id: id,
    ...(typeof name === 'string' && { instance_name: name }),
    ...(typeof from === 'string' && { from }),
    ...(typeof target === 'string' && { to: target }),
    ...(typeof how === 'string' && { how }),
  };
}

/** When the run has started, and the id of the run that it has continued as new. */
export function startIn([first]: readonly Event[]): {
  startedAt: Date | undefined;
  continues: string | undefined;
} {
  const time = timeOf(first?.eventTime);
  const continues = first?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId;
  return {
    startedAt: time === undefined ? undefined : new Date(time),
    continues: continues === '' || continues === null ? undefined : continues,
  };
}

/** Why the workflow itself failed, if it did. */
export function failureIn(events: readonly Event[]): StepView['error'] {
  const failure = events.at(-1)?.workflowExecutionFailedEventAttributes?.failure;
  return failure ? wordsOf(failure) : undefined;
}

/** The innermost failure says what happened; those around it only say where. */
function wordsOf(failure: Failure | null | undefined): NonNullable<StepView['error']> {
  if (failure?.cause) return wordsOf(failure.cause);
  const code = failure?.applicationFailureInfo?.type;
  return { ...(code && { code }), message: failure?.message ?? 'no words' };
}

const fieldsOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

/** Undefined also for what is encrypted. */
function valueIn(payload: Payload | null | undefined): unknown {
  if (!payload) return undefined;
  try {
    return defaultPayloadConverter.fromPayload(payload);
  } catch {
    return undefined;
  }
}

function textIn(payload: Payload | null | undefined): string | undefined {
  const value = valueIn(payload);
  return typeof value === 'string' ? value : undefined;
}

const timeOf = (time: Timestamp): string | undefined =>
  time?.seconds ? new Date(Number(time.seconds) * 1000 + (time.nanos ?? 0) / 1e6).toISOString() : undefined;
