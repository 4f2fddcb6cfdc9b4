import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  proxyActivities,
  setCurrentDetails,
  sleep,
} from '@temporalio/workflow';
import type { SinkActivities } from '../activities/contract.ts';
import { formatDuration } from '../src/core/duration.ts';
import { describeEvent, type DeliveryInput } from '../src/core/notice.ts';
import { sinkQueue } from '../src/names.ts';
import { shorten } from './activity-calls.ts';
import { failWith, viewFailure } from './failures.ts';

/** How long an event that nobody answers is worth sending. */
const PATIENCE_MS = 24 * 3_600_000;

/** Longer than any delivery that the configuration of a worker allows. */
const LONGEST_ATTEMPT = '65 minutes';

/** A delivery may wait long and does nothing meanwhile: many of them must not beat often. */
const HEARTBEAT_TIMEOUT = '30s';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 600_000;

interface FailedAttempt {
  message: string;
  /** It may be sent again. */
  again: boolean;
  /** It ended without a word, so the sink may have the event. */
  interrupted: boolean;
  /** How long the sink asks to wait. */
  pauseMs: number;
}

/**
 * Delivers one event to one sink, and tries again with growing pauses for as long as it makes sense: a notice until its
 * answer would come too late, anything else for a day. It fails when it gives up: what has failed is the list of what the
 * outside was not told.
 *
 * @throws ApplicationFailure DeliveryFailed
 */
export async function delivery(input: DeliveryInput): Promise<void> {
  const until = worthUntil(input);
  let interrupted = false;
  for (let tries = 1; ; tries += 1) {
    if (Date.now() >= until) throw giveUp(input, 'the time to answer was over before it could be sent');
    const failed = await attempt(input, until, interrupted);
    if (!failed) return;
    interrupted ||= failed.interrupted;
    const pauseMs = Math.max(failed.pauseMs, pauseAfter(tries));
    const triedFor = `${failed.message}${tries === 1 ? '' : `; tried ${tries} times`}`;
    if (!failed.again || Date.now() + pauseMs >= until) throw giveUp(input, triedFor);
    show(input, `it did not take it: ${triedFor}, and again in ${formatDuration(pauseMs)}`);
    await sleep(pauseMs, { summary: shorten(`try again: ${failed.message}`) });
  }
}

function worthUntil({ event, again }: DeliveryInput): number {
  const replyAt = event.type === 'maintenance.scheduled' ? event.replyAt : undefined;
  return replyAt === undefined || again === true ? Date.now() + PATIENCE_MS : Date.parse(replyAt);
}

/** Undefined: the sink has the event. */
async function attempt(
  input: DeliveryInput,
  until: number,
  interrupted: boolean,
): Promise<FailedAttempt | undefined> {
  show(input, 'on its way');
  try {
    await deliver(input, until, interrupted);
    show(input, 'delivered');
    return undefined;
  } catch (error) {
    if (CancellationScope.current().consideredCancelled) throw error;
    return readFailure(error);
  }
}

/** Whether there is another attempt is decided here and not by the server, since not every sink bears one. */
function deliver({ event, sink }: DeliveryInput, until: number, interrupted: boolean): Promise<void> {
  const { deliverEvent } = proxyActivities<SinkActivities>({
    taskQueue: sinkQueue(sink),
    scheduleToStartTimeout: Math.max(1, until - Date.now()),
    startToCloseTimeout: LONGEST_ATTEMPT,
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    retry: { maximumAttempts: 1 },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary: shorten(`tell ${sink}: ${describeEvent(event)}`),
  });
  return deliverEvent({ event, interrupted });
}

function readFailure(error: unknown): FailedAttempt {
  const { code, message, retryable } = viewFailure(error);
  switch (code) {
    case 'DeliveryFailed':
      return { message, again: retryable, interrupted: false, pauseMs: askedPause(error) };
    case 'DeadlineExceeded':
      return { message: 'no worker has taken it up', again: false, interrupted: false, pauseMs: 0 };
    default:
      return { message, again: true, interrupted: true, pauseMs: 0 };
  }
}

/** An activity says in milliseconds how long its sink asks to wait. */
function askedPause(error: unknown): number {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  const asked = cause instanceof ApplicationFailure ? cause.nextRetryDelay : undefined;
  return typeof asked === 'number' ? asked : 0;
}

/** Spread, so that what failed at one time is not tried again at one time. */
const pauseAfter = (tries: number): number =>
  Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), LONGEST_PAUSE_MS) * (0.75 + Math.random() / 2);

const giveUp = (input: DeliveryInput, reason: string): Error =>
  failWith('DeliveryFailed', `${nameOf(input)}: ${reason}`);

const show = (input: DeliveryInput, standing: string): void => {
  setCurrentDetails(`${nameOf(input)}: ${standing}`);
};

const nameOf = ({ event, sink }: DeliveryInput): string => `${sink}: ${describeEvent(event)}`;
