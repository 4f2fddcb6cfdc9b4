/** The edge between activities and drivers: heartbeats, cancellation, and the one place where errors change their kind. */
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { MaintenanceError, type ErrorCode } from '../src/core/errors.ts';
import type { CallContext } from '../src/drivers/driver.ts';
import { Lease } from './lease.ts';
import { WaitNotice } from './wait-notice.ts';

/**
 * A worker is taken for dead after four seconds without a beat. Every request to a platform has a timeout of its own,
 * so beating while one is under way hides nothing that could last.
 */
const BEAT_MS = 1_000;

/**
 * Trouble that may pass by itself, if the error says so: the engine repeats the activity. Everything else goes back to
 * the workflow at once.
 */
const PASSING: readonly ErrorCode[] = [
  'PlatformUnreachable',
  'PlatformBusy',
  'PlatformError',
  'PlatformGarbled',
  'ActionFailed',
];

/** What an activity may do beside its own work. */
export interface Io extends CallContext {
  /**
   * For requests that change something: they are not cut off when the activity is cancelled, since the platform may
   * carry them out all the same, after somebody has looked and seen nothing. Their own timeout bounds them. An attempt
   * that has lost its lease makes none.
   */
  readonly uncut: CallContext;
  /** Details of the last heartbeat of an earlier attempt. */
  resumed: unknown;
  /** Keeps details for the next attempt, should this one die. */
  keep(details: unknown): void;
  /** Says whom it waits for, which its workflow shows; undefined: nobody. To be said again and again. */
  tellWait(waitsFor: string | undefined): void;
  /** Sleeps; throws when the activity is cancelled. */
  sleep(milliseconds: number): Promise<void>;
  /** Aborts when the activity is over for any reason but one: that somebody asked to cancel it. */
  unlessCancelled: AbortSignal;
  /**
   * Whether somebody asked to cancel it. When it is over for another reason, such as a worker that stops or was taken for
   * dead, or a deadline, somebody else goes on from what is there, so nothing must be undone.
   */
  cancelRequested(): boolean;
}

/** Runs the body of an activity. */
export async function perform<T>(work: (io: Io) => Promise<T>): Promise<T> {
  const context = Context.current();
  let details: unknown = context.info.heartbeatDetails;
  const lease = new Lease(context);
  const waitNotice = new WaitNotice(context);
  const beat = setInterval(() => {
    lease.renew();
    context.heartbeat(details);
  }, BEAT_MS);
  try {
    await lease.confirm();
    return await work({
      signal: context.cancellationSignal,
      get uncut() {
        return { signal: lease.signal };
      },
      unlessCancelled: abortUnlessCancelled(context),
      resumed: context.info.heartbeatDetails,
      keep: (value) => {
        details = value;
        context.heartbeat(value);
      },
      tellWait: (waitsFor) => waitNotice.say(waitsFor),
      sleep: (milliseconds) => context.sleep(milliseconds),
      cancelRequested: () => context.cancellationDetails?.cancelRequested === true,
    });
  } catch (error) {
    if (error instanceof CancelledFailure || error instanceof ApplicationFailure) throw error;
    if (context.cancellationSignal.aborted) throw new CancelledFailure('the activity was cancelled');
    throw toFailure(error);
  } finally {
    clearInterval(beat);
    // The workflow forgets it with the end of the activity, and hears nothing after that.
    await waitNotice.delivered();
  }
}

function abortUnlessCancelled(context: Context): AbortSignal {
  const controller = new AbortController();
  context.cancellationSignal.addEventListener('abort', () => {
    if (context.cancellationDetails?.cancelRequested === true) return;
    controller.abort(context.cancellationSignal.reason);
  });
  return controller.signal;
}

/** A driver's error as Temporal's: type is the code, the message carries the vendor's words. */
function toFailure(error: unknown): ApplicationFailure {
  if (!(error instanceof MaintenanceError)) {
    const message = error instanceof Error ? error.message : String(error);
    return ApplicationFailure.create({
      type: 'Unexpected',
      message,
      nonRetryable: false,
      details: [{ retryable: true }],
      ...(error instanceof Error ? { cause: error } : {}),
    });
  }
  const { code, message, vendor, retryable, retryAfterMs } = error;
  const words = vendor === undefined || message.includes(vendor) ? message : `${message} (${vendor})`;
  return ApplicationFailure.create({
    type: code,
    message: words,
    nonRetryable: !(PASSING.includes(code) && retryable),
    details: [{ retryable, vendor }],
    ...(retryAfterMs === undefined ? {} : { nextRetryDelay: retryAfterMs }),
  });
}
