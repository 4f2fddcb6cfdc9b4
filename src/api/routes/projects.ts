/** What a project is asked in a session, and its answers. */
import { allowOnly, answers, type App } from '../app.ts';
import type { Addressee, DialogueStore } from '../dialogue-store.ts';
import { ApiError } from '../errors.ts';
import {
  answerQuery,
  answerRequest,
  answerTaken,
  instanceParams,
  projectInstances,
  projectParams,
  type AnswerQuery,
  type AnswerRequest,
} from '../schemas.ts';
import type { SessionStore } from '../session-store.ts';
import { answerOf } from '../translate.ts';
import { Turnstile } from '../turnstile.ts';

const PROJECT = '/v1/maintenance/:session/:project';
const INSTANCE = `${PROJECT}/:instance`;

/** Clients acknowledge this too, although nobody asked. */
const TOLD_ONLY = 'ACK_INSTANCE_ACTION_DONE';

/** To one question: a project that does not stop must not keep the others from being heard. */
const ANSWERS_AT_ONCE = 4;

export interface ProjectServices {
  sessions: SessionStore;
  dialogues: DialogueStore;
}

export function projectRoutes(app: App, { sessions, dialogues }: ProjectServices): void {
  const config = { access: 'project' } as const;
  const turnstile = new Turnstile(ANSWERS_AT_ONCE);

  app.get(
    PROJECT,
    {
      config,
      schema: {
        summary: 'Instances of a project that it was last asked about',
        params: projectParams,
        response: { 200: projectInstances, ...answers(400, 404) },
      },
    },
    async ({ params }) => {
      await sessions.find(params.session);
      const { instances } = await dialogues.notice(params);
      return { instance_ids: instances };
    },
  );

  app.put(
    PROJECT,
    {
      config,
      schema: {
        summary: 'Answer for a project',
        params: projectParams,
        querystring: answerQuery,
        body: answerRequest,
        response: { 200: answerTaken, ...answers(400, 404, 409, 413, 415) },
      },
    },
    ({ params, body, query }) => take(params, body, query),
  );

  app.put(
    INSTANCE,
    {
      config,
      schema: {
        summary: 'Answer for one instance of a project',
        params: instanceParams,
        querystring: answerQuery,
        body: answerRequest,
        response: { 200: answerTaken, ...answers(400, 404, 409, 413, 415) },
      },
    },
    ({ params, body, query }) => take(params, body, query),
  );

  allowOnly(app, PROJECT, ['GET', 'PUT']);
  allowOnly(app, INSTANCE, ['PUT']);

  async function take(to: Addressee, body: AnswerRequest, { notice }: AnswerQuery) {
    const { state } = body;
    const taken = { session_id: to.session, state };
    if (state === TOLD_ONLY) return { ...taken, verdict: 'ignored' as const };
    const answer = answerOf(body, notice);
    const question = JSON.stringify([to.session, to.project, to.instance]);
    const { verdict, reason = 'it is not what was asked' } = await turnstile.pass(question, async () => {
      await sessions.find(to.session);
      return dialogues.answer(to, answer);
    });
    if (verdict === 'refused') throw new ApiError('Refused', `${state}: ${reason}`);
    return { ...taken, verdict };
  }
}
