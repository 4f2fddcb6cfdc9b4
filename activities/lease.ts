/** The right of an attempt to change something: nobody else may be at the same work by now. */
import type { Context } from '@temporalio/activity';
import { ActivityCancelledError, ActivityPausedError, ActivityResetError } from '@temporalio/client';
import { MaintenanceError } from '../src/core/errors.ts';

/** A second before Temporal may have given the work to another worker. */
const LEASE_MS = 3_000;

/**
 * Lost by a worker that stands still, suspended or starved of processor time, and by one that Temporal has not heard of.
 * It is taken for dead and another one goes on, so an order that follows from what it saw before, or from an attempt it
 * was given before, is out of date.
 */
export class Lease {
  readonly #context: Context;
  readonly #controller = new AbortController();
  #renewedAt = Date.now();

  constructor(context: Context) {
    this.#context = context;
    context.cancellationSignal.addEventListener('abort', () => {
      const details = context.cancellationDetails;
      if (details?.notFound === true || details?.timedOut === true) this.#lose();
    });
  }

  /** To be awaited before anything else: asks Temporal after an attempt that is old by now. Throws PlatformUnreachable. */
  async confirm(): Promise<void> {
    const { client, info } = this.#context;
    const ageMs = Date.now() - info.currentAttemptScheduledTimestampMs;
    if (ageMs <= LEASE_MS) return;
    try {
      await client.activity.heartbeat(info.taskToken, info.heartbeatDetails);
    } catch (error) {
      if (!isWanted(error)) throw lost(error);
    }
  }

  /** To be called all the time: a pause says that the worker stood still. */
  renew(): void {
    this.#check();
    this.#renewedAt = Date.now();
  }

  /** Aborts when the lease is lost. */
  get signal(): AbortSignal {
    this.#check();
    return this.#controller.signal;
  }

  #check(): void {
    if (Date.now() - this.#renewedAt > LEASE_MS) this.#lose();
  }

  #lose(): void {
    this.#controller.abort(lost());
  }
}

/** The heartbeat of an attempt that counts was answered; what was asked of it reaches the activity by itself. */
const isWanted = (answer: unknown): boolean =>
  answer instanceof ActivityCancelledError ||
  answer instanceof ActivityPausedError ||
  answer instanceof ActivityResetError;

const lost = (cause?: unknown): MaintenanceError =>
  new MaintenanceError(
    'PlatformUnreachable',
    'the worker stood still, or was cut off from Temporal, and another one may have gone on',
    { cause },
  );
