/** What became of a call of Temporal that failed, in terms that every front end can answer with. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  QueryNotRegisteredError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  isGrpcDeadlineError,
  isGrpcServiceError,
  type ServiceError,
} from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';

/** gRPC status codes. */
/** Its deadline has passed between two tries. */
const CANCELLED = 1;
const INVALID_ARGUMENT = 3;
const FAILED_PRECONDITION = 9;
const UNAVAILABLE = 14;

/** How the server begins when a task of a workflow failed; its SDKs have no error for it. */
const TASK_FAILED = 'Unable to perform workflow execution update';

/** Before an update that the workflow could not look at is sent again, and for how long that goes on. */
const PAUSE_MS = 50;
const SET_ASIDE_MS = 20_000;

export type CallFailure =
  /** The id is in use. */
  | { kind: 'in-use' }
  /** There is no such workflow, or for what changes it: none that is open. */
  | { kind: 'unknown' }
  /** The workflow does not know the query. */
  | { kind: 'no-query' }
  /** The workflow does not take the update. */
  | { kind: 'refused'; reason: string }
  /** The update was not answered in time, and may still be taken. */
  | { kind: 'unanswered' }
  /** No answer in time, or nobody there to give one. */
  | { kind: 'late' }
  /** The server does not accept what was asked. */
  | { kind: 'invalid'; reason: string }
  | { kind: 'no-server' }
  /** The server has its reasons: too much to do, no permission, a defect. */
  | { kind: 'denied'; reason: string };

/** Undefined for anything that is not about Temporal, or a defect. */
export function callFailureOf(error: unknown): CallFailure | undefined {
  if (error instanceof WorkflowExecutionAlreadyStartedError) return { kind: 'in-use' };
  if (error instanceof WorkflowNotFoundError) return { kind: 'unknown' };
  if (error instanceof QueryNotRegisteredError) return { kind: 'no-query' };
  if (error instanceof WorkflowUpdateFailedError) {
    return { kind: 'refused', reason: error.cause?.message ?? error.message };
  }
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return { kind: 'unanswered' };
  if (error instanceof NamespaceNotFoundError) {
    return { kind: 'denied', reason: `it has no namespace ${error.namespace}` };
  }
  return rpcFailureOf(error);
}

/** Sends an update, and sends it again where the workflow has not even looked at it. */
export async function untilTaken<T>(send: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + SET_ASIDE_MS;
  for (;;) {
    try {
      return await send();
    } catch (error) {
      if (!wasSetAside(error) || Date.now() >= deadline) throw error;
    }
    await sleep(PAUSE_MS);
  }
}

/**
 * Whether an update found the workflow in the middle of something, such as its own end, that has to be done over: it was not
 * taken, and can be sent again at once.
 */
function wasSetAside(error: unknown): boolean {
  const cause = (error as Partial<ServiceError> | undefined)?.cause ?? error;
  return (
    isGrpcServiceError(cause) &&
    (cause.code as number) === FAILED_PRECONDITION &&
    cause.details.startsWith(TASK_FAILED)
  );
}

function rpcFailureOf(error: unknown): CallFailure | undefined {
  const cause = (error as Partial<ServiceError> | undefined)?.cause ?? error;
  if (isGrpcDeadlineError(error)) return { kind: 'late' };
  if (!isGrpcServiceError(cause)) return undefined;
  const code: number = cause.code;
  switch (code) {
    case FAILED_PRECONDITION:
    case CANCELLED:
      return { kind: 'late' };
    case INVALID_ARGUMENT:
      return { kind: 'invalid', reason: cause.details };
    case UNAVAILABLE:
      return { kind: 'no-server' };
    default:
      return { kind: 'denied', reason: cause.details };
  }
}
