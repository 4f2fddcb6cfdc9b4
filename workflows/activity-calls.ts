import {
  ActivityCancellationType,
  ActivityFailure,
  CancellationScope,
  TimeoutFailure,
  proxyActivities,
  type ActivityOptions,
} from '@temporalio/workflow';
import type { SessionActivities, SiteActivities } from '../activities/contract.ts';
import { isErrorCode, MaintenanceError } from '../src/core/errors.ts';
import { siteQueue } from '../src/names.ts';

/** How an activity is called: what people read in the Web UI, and when it has to be over whatever is retried. */
export interface CallOptions {
  summary: string;
  /** Epoch milliseconds. */
  deadline: number;
}

/**
 * A worker that dies is noticed after this long; with the first retry interval it sets how soon a new one goes on.
 * Activities beat every second while a request is under way, so it can be short.
 */
const HEARTBEAT_TIMEOUT_MS = 4_000;

/** Bridges two minutes of platform trouble; after that the host is held with the platform's own words. */
const RETRY = {
  initialInterval: 500,
  backoffCoefficient: 2,
  maximumInterval: 30_000,
  maximumAttempts: 10,
} as const;

/**
 * A cancelled step is waited for until nothing of it runs any more: what is rolled back next must not be done again by
 * what came before. Without this the SDK only tries to cancel, whatever its documentation calls the default.
 */
const WAIT_UNTIL_OVER = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED;

type Api = SiteActivities & SessionActivities;

/** Calls an activity of a site on that site's queue. */
export const callSite = <Name extends keyof SiteActivities>(
  site: string,
  name: Name,
  request: Parameters<SiteActivities[Name]>[0],
  options: CallOptions,
): Promise<Awaited<ReturnType<SiteActivities[Name]>>> => call(name, request, options, siteQueue(site));

/** Calls an activity that needs no site, on the queue of the workflow itself. */
export const callSession = <Name extends keyof SessionActivities>(
  name: Name,
  request: Parameters<SessionActivities[Name]>[0],
  options: CallOptions,
): Promise<Awaited<ReturnType<SessionActivities[Name]>>> => call(name, request, options);

/** Calls an activity of somebody else's worker by name. It need not heartbeat. */
export async function callExternal(
  target: { taskQueue: string; activity: string },
  request: unknown,
  options: CallOptions,
): Promise<void> {
  const activities = proxyActivities<Record<string, (request: unknown) => Promise<unknown>>>({
    ...timeouts(options),
    taskQueue: target.taskQueue,
    retry: RETRY,
    summary: shorten(options.summary),
  });
  await naming(options.summary, activities[target.activity]?.(request));
}

function call<Name extends keyof Api>(
  name: Name,
  request: Parameters<Api[Name]>[0],
  options: CallOptions,
  taskQueue?: string,
): Promise<Awaited<ReturnType<Api[Name]>>> {
  const activities = proxyActivities<Record<string, (request: unknown) => Promise<unknown>>>({
    ...timeouts(options),
    ...(taskQueue === undefined ? {} : { taskQueue }),
    heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
    retry: RETRY,
    summary: shorten(options.summary),
  });
  // The names and shapes are tied together by the signature above; the proxy itself is untyped.
  const answer = naming(options.summary, activities[name]?.(request));
  return answer as Promise<Awaited<ReturnType<Api[Name]>>>;
}

/** Says what it was that took too long; Temporal only says that something did. */
async function naming(summary: string, answer: Promise<unknown> | undefined): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    const timeout = pastDeadline(error);
    if (!timeout || CancellationScope.current().consideredCancelled) throw error;
    throw describeTimeout(summary, timeout);
  }
}

const pastDeadline = (error: unknown): TimeoutFailure | undefined =>
  error instanceof ActivityFailure &&
  error.cause instanceof TimeoutFailure &&
  (error.cause.timeoutType === 'SCHEDULE_TO_CLOSE' || error.cause.timeoutType === 'SCHEDULE_TO_START')
    ? error.cause
    : undefined;

/** What kept failing until time ran out is what an operator has to know; where nothing did, what was waited for. */
function describeTimeout(
  summary: string,
  { failure, lastHeartbeatDetails, timeoutType }: TimeoutFailure,
): MaintenanceError {
  if (timeoutType === 'SCHEDULE_TO_START') {
    return new MaintenanceError(
      'DeadlineExceeded',
      `no worker took up "${summary}": start one that serves the site`,
    );
  }
  // The SDK keeps the failure of the attempt before in the raw one only.
  const last = failure?.cause;
  const type = last?.applicationFailureInfo?.type;
  if (last?.message && isErrorCode(type)) {
    return new MaintenanceError(type, `${last.message}; "${summary}" was tried until its timeout`);
  }
  const open = openEnd(lastHeartbeatDetails);
  return new MaintenanceError(
    'DeadlineExceeded',
    `"${summary}" took longer than its timeout${open === undefined ? '' : `: ${open}`}`,
  );
}

/** What an activity waited for when it last beat: somebody by name, a task of the platform, or the job of a webhook. */
function openEnd(details: unknown): string | undefined {
  if (typeof details !== 'object' || details === null) return undefined;
  const { task, waitsFor, poll } = details as { task?: { id?: unknown }; waitsFor?: unknown; poll?: unknown };
  if (typeof waitsFor === 'string') return `it waited for ${waitsFor}`;
  if (typeof task?.id === 'string') return `task ${task.id} of the platform has not ended`;
  return typeof poll === 'string' ? `the job at ${poll} has not ended` : undefined;
}

/** Schedule-to-close is kept by the server over all attempts: the deadline holds however often something is retried. */
function timeouts({ deadline }: CallOptions): ActivityOptions {
  const left = Math.max(1, deadline - Date.now());
  return { scheduleToCloseTimeout: left, startToCloseTimeout: left, cancellationType: WAIT_UNTIL_OVER };
}

/** Temporal takes summaries of up to 400 bytes. */
export const shorten = (summary: string): string =>
  summary.length <= 120 ? summary : `${summary.slice(0, 119)}…`;
