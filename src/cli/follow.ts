/** Follows a session until it ends or needs an operator. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowExecutionStatusName } from '@temporalio/client';
import type { Progress } from '../core/progress.ts';
import type { SessionState } from '../core/session-state.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { CliError } from './failure.ts';
import type { Sessions } from './sessions.ts';

const POLL_MS = 500;

export interface Followed {
  status: WorkflowExecutionStatusName;
  progress: Progress;
}

export interface FollowOptions {
  /** Ends the following, not the session. */
  signal: AbortSignal;
  onProgress: (progress: Progress) => void | Promise<void>;
  /** No worker answers at present; the following goes on. */
  onSilence: () => void;
  /** Ends the following while the session is open; default `needsOperator`. */
  until?: (progress: Progress) => boolean;
}

/**
 * Asks for the progress again and again. Resolves when the session has ended, when `until` says so, or when `signal`
 * aborts; then to what was seen last, undefined when nothing was. Throws CliError when it ends without a report.
 */
export async function follow(
  sessions: Pick<Sessions, 'progress' | 'status' | 'result'>,
  id: string,
  { signal, onProgress, onSilence, until = needsOperator }: FollowOptions,
): Promise<Followed | undefined> {
  let last: Followed | undefined;
  while (!signal.aborted) {
    const status = await sessions.status(id);
    const progress = await progressOf(sessions, id, status);
    if (progress) {
      last = { status, progress };
      await onProgress(progress);
    } else {
      onSilence();
    }
    await assertReported(sessions, id, status);
    if (last && (isClosed(status) || until(last.progress))) return last;
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
  return last;
}

/** It stands still until somebody continues it, cancels it, or approves of what comes next. */
export function needsOperator(progress: Progress): boolean {
  const { state, reason, hosts } = progress;
  // Who has paused it knows; that its window has closed somebody has to be told.
  const isOver = state === 'MAINTENANCE_PAUSED' && reason.startsWith('WindowClosed');
  if (state === 'MAINTENANCE_FAILED' || isOver) return hosts.inFlight === 0;
  return waitsForApproval(progress);
}

/** Nothing goes on before somebody approves. */
export function waitsForApproval({ blockedBy, inFlight }: Progress): boolean {
  const isApproval = (what: string | undefined): boolean => what?.startsWith('approval') === true;
  return blockedBy.some(isApproval) && inFlight.every(({ waitsFor }) => isApproval(waitsFor));
}

/** What the state of a session means for a script. */
export function exitCodeOf(state: SessionState): ExitCode {
  if (state === 'MAINTENANCE_CANCELLED') return EXIT.cancelled;
  return state === 'MAINTENANCE_FAILED' ? EXIT.failed : EXIT.ok;
}

/** Throws CliError with the reason when the session ended without a report: refused, terminated or timed out. */
export async function assertReported(
  sessions: Pick<Sessions, 'result'>,
  id: string,
  status: WorkflowExecutionStatusName,
): Promise<void> {
  if (status === 'FAILED' || status === 'TERMINATED' || status === 'TIMED_OUT') await sessions.result(id);
}

/** Undefined when no worker answers. A session that was refused before it could answer tells why. */
async function progressOf(
  sessions: Pick<Sessions, 'progress' | 'result'>,
  id: string,
  status: WorkflowExecutionStatusName,
): Promise<Progress | undefined> {
  try {
    return await sessions.progress(id);
  } catch (error) {
    if (error instanceof CliError && error.exitCode === EXIT.noAnswer) return undefined;
    await assertReported(sessions, id, status);
    throw error;
  }
}

const isClosed = (status: WorkflowExecutionStatusName): boolean =>
  status !== 'RUNNING' && status !== 'CONTINUED_AS_NEW' && status !== 'PAUSED';
