import { allHandlersFinished, condition, setCurrentDetails, setHandler } from '@temporalio/workflow';
import { renderDialogue } from '../src/core/details.ts';
import {
  Dialogue,
  type AnswerReceipt,
  type DialogueInput,
  type DialogueOutcome,
} from '../src/core/dialogue.ts';
import type { ScheduledEvent } from '../src/core/notice.ts';
import { callSite } from './activity-calls.ts';
import { failWith, wasCancelled } from './failures.ts';
import { answerSignal, answerUpdate, noticeQuery } from './messages.ts';
import { announce } from './notifications.ts';

/** More than any client repeats or mistakes itself; each one is kept in the history. */
const ANSWERS_TAKEN = 500;

/** The project is asked about what was found by then: it can always look for itself. */
const LOOK_UP_MS = 60_000;

/**
 * Asks one project one question: one notice, one deadline, one answer. An answer may come while the notice is still being
 * delivered, and an early one ends the wait. Whatever comes after it, or after the deadline, changes nothing.
 */
export async function projectDialogue(input: DialogueInput): Promise<DialogueOutcome> {
  const dialogue = new Dialogue(input.notice);
  const { project, replyAt = '' } = input.notice;
  let taken = 0;
  let refused: string | undefined;
  const show = (): void => setCurrentDetails(renderDialogue({ ...dialogue.view(), refused }));
  const take = (raw: unknown): AnswerReceipt => {
    const receipt = dialogue.answer(raw, Date.now());
    taken += 1;
    refused = receipt.reason;
    show();
    return receipt;
  };
  setHandler(
    answerSignal,
    (raw) => {
      if (taken < ANSWERS_TAKEN) take(raw);
    },
    {
      description: 'Answer the notice: {"state": "ACK_…" or "NACK_…", "instanceActions": {"ID": "MIGRATE"}}',
    },
  );
  setHandler(answerUpdate, (raw) => take(raw), {
    validator: (_raw) => {
      if (taken < ANSWERS_TAKEN) return;
      throw failWith('InvalidMessage', `${project} was heard ${taken} times, which is enough`);
    },
    description: 'As the signal answer; says what became of it',
  });
  setHandler(noticeQuery, () => dialogue.view(), {
    description: 'What is asked, until when, and what was answered',
  });

  show();
  if (input.lookUpInstances === true) dialogue.nameInstances(await lookUpInstances(input.notice));
  dialogue.noteTold(await announce(dialogue.notice));
  show();
  await condition(() => dialogue.isAnswered, Math.max(1, Date.parse(replyAt) - Date.now()), {
    summary: `until ${project} answers`,
  });
  const outcome = dialogue.close();
  show();
  await condition(allHandlersFinished);
  return outcome;
}

async function lookUpInstances({ site, session, project }: ScheduledEvent): Promise<string[]> {
  const request = { site, session, project };
  const options = { summary: `instances of ${project}`, deadline: Date.now() + LOOK_UP_MS };
  try {
    const { instances } = await callSite(site, 'listInstancesOf', request, options);
    return instances;
  } catch (error) {
    if (wasCancelled(error)) throw error;
    return [];
  }
}
