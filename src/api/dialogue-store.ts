/** What projects are asked, and what they answer: each question is a workflow. */
import { callFailureOf } from '../call-failure.ts';
import type { AnswerMessage, AnswerReceipt, NoticeView } from '../core/dialogue.ts';
import { dialogueWorkflowId, QUERIES, UPDATES } from '../names.ts';
import { ApiError } from './errors.ts';
import type { Temporal } from './temporal.ts';
import { judgeLate } from './translate.ts';

/** When hundreds of projects answer at one time, workers take a while; clients are used to wait so long. */
const ANSWER_MS = 60_000;

/** Whom a question goes to: a project, or a project about one instance. */
export interface Addressee {
  session: string;
  project: string;
  instance?: string;
}

export class DialogueStore {
  readonly #temporal: Temporal;

  constructor(temporal: Temporal) {
    this.#temporal = temporal;
  }

  /** What was asked last. Throws ApiError NotFound when nothing was. */
  async notice(to: Addressee): Promise<NoticeView> {
    try {
      return await this.#temporal.query(() => this.#handle(to).query<NoticeView>(QUERIES.notice));
    } catch (error) {
      const kind = callFailureOf(error)?.kind;
      if (kind !== 'unknown' && kind !== 'no-query') throw error;
      const about = to.instance === undefined ? '' : ` about instance "${to.instance}"`;
      throw new ApiError(
        'NotFound',
        `Project "${to.project}" has not been asked anything${about} in session "${to.session}"`,
      );
    }
  }

  /** Hands over an answer. Throws ApiError NotFound when nothing was asked, and Refused. */
  async answer(to: Addressee, answer: AnswerMessage): Promise<AnswerReceipt> {
    try {
      return await this.#temporal.worker(
        () =>
          this.#handle(to).executeUpdate<AnswerReceipt, [AnswerMessage]>(UPDATES.answerNotice, {
            args: [answer],
          }),
        ANSWER_MS,
      );
    } catch (error) {
      const failure = callFailureOf(error);
      if (failure?.kind === 'unknown') return judgeLate(await this.notice(to), answer);
      // It has heard enough.
      if (failure?.kind === 'refused') throw new ApiError('Refused', failure.reason, { cause: error });
      throw error;
    }
  }

  #handle({ session, project, instance }: Addressee) {
    return this.#temporal.client.workflow.getHandle(dialogueWorkflowId(session, project, instance));
  }
}
