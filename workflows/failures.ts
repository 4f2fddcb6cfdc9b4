import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowFailure,
  TerminatedFailure,
  TimeoutFailure,
  isCancellation,
} from '@temporalio/workflow';
import { isErrorCode, MaintenanceError, type ErrorCode } from '../src/core/errors.ts';

/** A failure in the words of the catalogue. */
export interface FailureView {
  code: ErrorCode;
  message: string;
  /** Whether the same may succeed later without anybody doing anything. */
  retryable: boolean;
}

/**
 * Reads a failure of an activity or of a host workflow. Anything else is a defect of ours and is thrown on: it fails
 * the workflow task, which waits for corrected code instead of losing the session.
 */
export function viewFailure(error: unknown): FailureView {
  if (error instanceof MaintenanceError) return pick(error.code, error.message, error.retryable);
  const cause =
    error instanceof ActivityFailure || error instanceof ChildWorkflowFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure) {
    const details: unknown = cause.details?.[0];
    const retryable =
      typeof details === 'object' && details !== null && 'retryable' in details && details.retryable === true;
    if (isErrorCode(cause.type)) return pick(cause.type, cause.message, retryable);
    if (error instanceof ActivityFailure) return pick('ActionFailed', cause.message, false);
  }
  if (cause instanceof TimeoutFailure) {
    return cause.timeoutType === 'HEARTBEAT' || cause.timeoutType === 'START_TO_CLOSE'
      ? pick('PlatformUnreachable', `no worker came to an end with it: ${cause.message}`, true)
      : pick('DeadlineExceeded', 'it took longer than its timeout', false);
  }
  if (cause instanceof TerminatedFailure) {
    return pick('HostWorkflowLost', 'the workflow of the host was terminated from outside', false);
  }
  throw error;
}

/**
 * Whether this came of a cancellation. An activity whose worker died while it was being cancelled ends as a timeout, so
 * the scope is asked too.
 */
export const wasCancelled = (error: unknown): boolean =>
  isCancellation(error) || CancellationScope.current().consideredCancelled;

const pick = (code: ErrorCode, message: string, retryable: boolean): FailureView => ({
  code,
  message,
  retryable,
});

/** The failure that ends a workflow with a code of the catalogue. */
export const failWith = (code: ErrorCode, message: string, ...details: unknown[]): ApplicationFailure =>
  ApplicationFailure.create({ type: code, message, nonRetryable: true, details });
