import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  ApplicationFailure,
  ParentClosePolicy,
  WorkflowIdReusePolicy,
  executeChild,
} from '@temporalio/workflow';
import { durationMs } from '../../src/core/duration.ts';
import { MaintenanceError } from '../../src/core/errors.ts';
import type {
  Checkpoint,
  HostFailureDetails,
  HostMaintenanceInput,
  HostMemo,
  HostOutcome,
} from '../../src/core/host-run.ts';
import { hostWorkflowId } from '../../src/names.ts';
import { callSession } from '../activity-calls.ts';
import { hostMaintenance } from '../host-maintenance.ts';
import { hostAttributes } from '../search-attributes.ts';

/** Told what is waited for, by name, and undefined when it is over. */
type WaitsFor = (what: string | undefined) => void;

/**
 * A worker that dies over a decision of a host is noticed after this long. Temporal's own 10 s would be most of the time
 * that the host stands still; a host's history is short, and is read anew well within it.
 */
const TASK_TIMEOUT_MS = 5_000;

/**
 * Runs the workflow of one host as a child and waits for its end. The id is the lock: where another session has it,
 * this waits or fails, as the session says. A run that an earlier history of this same session has left (after a reset)
 * is not repeated: its outcome counts.
 */
export async function runHost(input: HostMaintenanceInput, waitsFor: WaitsFor): Promise<HostOutcome> {
  const deadline = Date.now() + durationMs(input.spec.timeouts.host);
  for (;;) {
    try {
      return await startHost(input);
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
    const outcome = await awaitOtherRun(input, waitsFor, deadline);
    if (outcome) return outcome;
  }
}

/** Waits for the run that has the lock; its outcome, if it was one of this session. */
async function awaitOtherRun(
  { site, host, chain, spec }: HostMaintenanceInput,
  waitsFor: WaitsFor,
  deadline: number,
): Promise<HostOutcome | undefined> {
  const holder = await callSession('findHolder', { site, host }, { summary: `who has ${host}?`, deadline });
  if (!holder) return undefined;
  const foreign = holder.chain !== chain;
  if (foreign && spec.onBusyHost === 'fail') {
    throw new MaintenanceError('HostBusy', `${host} is being worked on by session ${holder.session}`);
  }
  waitsFor(foreign ? `${host}: session ${holder.session} has it` : `${host}: its run from before the reset`);
  const { outcome } = await callSession(
    'awaitHost',
    { site, host, chain },
    { summary: `wait for ${holder.session} to let go of ${host}`, deadline },
  );
  waitsFor(undefined);
  return outcome;
}

/** What the failure of a host's workflow says of where the host stands. */
export function failureDetails(error: unknown): HostFailureDetails | undefined {
  if (!(error instanceof ChildWorkflowFailure) || !(error.cause instanceof ApplicationFailure))
    return undefined;
  const details: unknown = error.cause.details?.[0];
  return isFailureDetails(details) ? details : undefined;
}

const isFailureDetails = (value: unknown): value is HostFailureDetails =>
  typeof value === 'object' && value !== null && isCheckpoint((value as { checkpoint?: unknown }).checkpoint);

const isCheckpoint = (value: unknown): value is Checkpoint =>
  typeof value === 'object' && value !== null && 'step' in value && 'rolledBack' in value;

function startHost(input: HostMaintenanceInput): Promise<HostOutcome> {
  const memo: HostMemo = { session: input.session, chain: input.chain, purpose: input.purpose };
  const verb = input.purpose === 'maintain' ? (input.checkpoint ? 'continue' : 'maintain') : 'put back';
  return executeChild(hostMaintenance, {
    workflowId: hostWorkflowId(input.site, input.host),
    args: [input],
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
    // Even a terminated session leaves its hosts time to roll back in order.
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    workflowTaskTimeout: TASK_TIMEOUT_MS,
    staticSummary: `${verb} ${input.host}`,
    memo: { ...memo },
    typedSearchAttributes: hostAttributes(input),
  });
}
