/** vCenter's tasks in terms of the driver contract. */
import { z } from 'zod';
import { type ErrorCode, MaintenanceError } from '../../core/errors.ts';
import type { CallContext, TaskKind, TaskStatus } from '../driver.ts';
import { unlessGone } from '../gone.ts';
import { codeOf, isFault, wordsOf } from './fault.ts';
import type { Vim } from './vim.ts';
import { taskInfo, type LocalizedFault, type Ref, type TaskInfo } from './wire.ts';

const toRef = (task: string): Ref => ({ type: 'Task', value: task });

/** What a task says of itself; undefined when vCenter has forgotten it. */
export const readTask = (vim: Vim, task: string, context: CallContext): Promise<TaskInfo | undefined> =>
  unlessGone(vim.property(toRef(task), 'info', taskInfo, context));

/** Success says only that the task was asked to end. One that is over cannot be cancelled. */
export async function cancelTask(vim: Vim, task: string, context: CallContext): Promise<void> {
  try {
    await unlessGone(vim.invoke({ on: toRef(task), method: 'CancelTask', schema: z.unknown() }, context));
  } catch (error) {
    if (!isFault(error, 'InvalidState') && !isFault(error, 'NotSupported')) throw error;
  }
}

/** Any other is a PlatformError. */
const FAILURES: Readonly<Partial<Record<TaskKind, ErrorCode>>> = {
  move: 'MoveFailed',
  enter: 'EnterFailed',
  exit: 'ExitFailed',
};

export function statusOf(kind: TaskKind, info: TaskInfo | undefined): TaskStatus {
  if (!info) return { state: 'vanished' };
  const { state, progress, error, descriptionId } = info;
  if (state === 'success') return { state: 'done' };
  if (state === 'error') return { state: 'failed', error: failureOf(kind, error, descriptionId) };
  return { state: 'running', ...(progress === undefined ? {} : { progress }), detail: state };
}

export function failureOf(kind: TaskKind, error: LocalizedFault | undefined, what: string): MaintenanceError {
  const vendor = error ? wordsOf(error.fault, error.localizedMessage) : 'no reason given';
  const isRoom = kind === 'move' && error !== undefined && codeOf(error.fault) === 'NoTarget';
  return new MaintenanceError(
    isRoom ? 'NoTarget' : (FAILURES[kind] ?? 'PlatformError'),
    `${what} failed: ${vendor}`,
    { vendor },
  );
}
