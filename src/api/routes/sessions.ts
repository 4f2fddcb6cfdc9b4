/** Sessions: made, looked at, continued and ended by administrators. */
import type { FastifyRequest } from 'fastify';
import { allowOnly, answers, callerOf, type App } from '../app.ts';
import type { DetailReader } from '../detail.ts';
import {
  detailQuery,
  nothing,
  sessionContinued,
  sessionCreated,
  sessionDetail,
  sessionHeaders,
  sessionList,
  sessionParams,
  sessionRequest,
  sessionState,
} from '../schemas.ts';
import type { SessionStore } from '../session-store.ts';
import { fenixState, sessionOf } from '../translate.ts';

const ALL = '/v1/maintenance';
const ONE = `${ALL}/:session`;
const DETAIL = `${ONE}/detail`;

export interface SessionServices {
  site: string;
  sessions: SessionStore;
  details: DetailReader;
}

export function sessionRoutes(app: App, services: SessionServices): void {
  collection(app, services);
  one(app, services);
  detail(app, services);
}

function collection(app: App, { site, sessions }: SessionServices): void {
  const config = { access: 'admin' } as const;

  app.get(
    ALL,
    {
      config,
      schema: { summary: 'Sessions that are open', response: { 200: sessionList, ...answers() } },
    },
    async () => {
      const open = await sessions.listOpen();
      return { sessions: open, session_id: open };
    },
  );

  app.post(
    ALL,
    {
      config,
      schema: {
        summary: 'Create a session',
        headers: sessionHeaders,
        body: sessionRequest,
        response: { 200: sessionCreated, ...answers(400, 413, 415, 422) },
      },
    },
    async (request) => {
      const idempotencyKey = request.headers['idempotency-key'];
      const session = await sessions.create({
        ...sessionOf(request.body, site),
        caller: callerOf(request).id,
        ...(idempotencyKey !== undefined && { idempotencyKey }),
      });
      return { session_id: session };
    },
  );

  allowOnly(app, ALL, ['GET', 'POST']);
}

function one(app: App, { sessions }: SessionServices): void {
  const config = { access: 'admin' } as const;

  app.get(
    ONE,
    {
      config,
      schema: {
        summary: 'State of a session',
        params: sessionParams,
        response: { 200: sessionState, ...answers(400, 404) },
      },
    },
    async ({ params }) => {
      const { session, status, state } = await sessions.find(params.session);
      return { session_id: session, state: fenixState(status, state) };
    },
  );

  // A body says nothing: the state that Fenix's document has there is where a session would go on, which it knows itself.
  for (const method of ['PUT', 'POST'] as const) {
    app.route({
      method,
      url: ONE,
      config,
      schema: {
        summary: 'Continue a session that has failed or is paused',
        params: sessionParams,
        response: { 200: sessionContinued, ...answers(400, 404, 409, 413, 415) },
      },
      handler: async (request) => {
        const { session } = request.params;
        await sessions.continue(session);
        return { maintenance: urlOf(request), session_id: session };
      },
    });
  }

  app.delete(
    ONE,
    {
      config,
      schema: {
        summary: 'End a session: hosts that are out are put back. One that has ended stays as it is',
        params: sessionParams,
        response: { 200: nothing, ...answers(400, 404) },
      },
    },
    async ({ params }) => {
      await sessions.end(params.session);
      return {};
    },
  );

  allowOnly(app, ONE, ['GET', 'POST', 'PUT', 'DELETE']);
}

function detail(app: App, { sessions, details }: SessionServices): void {
  app.get(
    DETAIL,
    {
      config: { access: 'admin' },
      schema: {
        summary: 'Everything that is known of a session: each step that was run, for each host and instance',
        params: sessionParams,
        querystring: detailQuery,
        response: { 200: sessionDetail, ...answers(400, 404) },
      },
    },
    async ({ params, query }) => details.read(await sessions.find(params.session), query),
  );

  allowOnly(app, DETAIL, ['GET']);
}

const urlOf = ({ protocol, host, url }: FastifyRequest): string => `${protocol}://${host}${url}`;
