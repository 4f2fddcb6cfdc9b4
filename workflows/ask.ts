import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  ParentClosePolicy,
  WorkflowIdReusePolicy,
  executeChild,
  sleep,
  startChild,
} from '@temporalio/workflow';
import type { DialogueInput, DialogueOutcome } from '../src/core/dialogue.ts';
import type { ScheduledEvent } from '../src/core/notice.ts';
import { dialogueWorkflowId } from '../src/names.ts';
import { shorten } from './activity-calls.ts';
import { wasCancelled } from './failures.ts';
import { newEvent } from './notifications.ts';
import { projectDialogue } from './project-dialogue.ts';
import { noticeAttributes } from './search-attributes.ts';

/** A project that is being asked something else is asked again after this long. */
const BUSY_MS = 5_000;

/** A notice takes its time to be delivered and answered, however soon it is to be over. */
const LEAST_WAIT_MS = 10_000;

export interface Question extends Omit<ScheduledEvent, 'id' | 'at' | 'type' | 'replyAt'> {
  /** How long its answer is waited for, in milliseconds. */
  replyWithinMs: number;
  /**
   * Its answer is not waited for beyond this, in epoch milliseconds; but for ten seconds, if that is sooner or has
   * passed.
   */
  noLaterThan?: number;
}

/**
 * Asks a project, and resolves to what comes of it. A project is asked one thing at a time, so this waits until an earlier
 * question is through. A dialogue that somebody has ended counts as silence.
 */
export async function ask(question: Question, lookUpInstances = false): Promise<DialogueOutcome> {
  for (;;) {
    try {
      return await start(question, lookUpInstances);
    } catch (error) {
      if (wasCancelled(error)) throw error;
      if (error instanceof ChildWorkflowFailure) return { answer: 'silent', actions: {} };
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
    await sleep(BUSY_MS, { summary: shorten(`${question.project} is being asked something else`) });
  }
}

/**
 * Tells a project something that nobody waits for an answer of: the dialogue takes it, also after its session has ended.
 *
 * @returns whether that could be done: not while it is being asked something else
 */
export async function tell(question: Question): Promise<boolean> {
  try {
    await startChild(projectDialogue, {
      ...dialogueOptions(question, false),
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
    return true;
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return false;
  }
}

const start = (question: Question, lookUpInstances: boolean): Promise<DialogueOutcome> =>
  executeChild(projectDialogue, {
    ...dialogueOptions(question, lookUpInstances),
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
  });

/** By when a project has to answer that is asked now, in RFC 3339. */
export function replyAtOf(replyWithinMs: number, noLaterThan = Infinity): string {
  const now = Date.now();
  return new Date(Math.min(now + replyWithinMs, Math.max(noLaterThan, now + LEAST_WAIT_MS))).toISOString();
}

function dialogueOptions({ replyWithinMs, noLaterThan, ...asked }: Question, lookUpInstances: boolean) {
  const notice: ScheduledEvent = {
    ...asked,
    type: 'maintenance.scheduled',
    ...newEvent(asked),
    replyAt: replyAtOf(replyWithinMs, noLaterThan),
  };
  const input: DialogueInput = { notice, ...(lookUpInstances ? { lookUpInstances } : {}) };
  const { session, project, instance, state } = notice;
  return {
    workflowId: dialogueWorkflowId(session, project, instance),
    args: [input] as [DialogueInput],
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
    staticSummary: shorten(`${state}: ${project}${instance === undefined ? '' : ` about ${instance}`}`),
    typedSearchAttributes: noticeAttributes(notice),
  };
}
