/** The REST service: the routes, and what stands around each of them. */
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import type { Client } from '@temporalio/client';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyReply,
  type FastifyRequest,
  type FastifySchemaCompiler,
} from 'fastify';
import { jsonSchemaTransform, serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import { ConstraintStore } from '../constraint-store.ts';
import type { App } from './app.ts';
import { assertMayActFor, type Authenticator, type Caller } from './auth/caller.ts';
import { DetailReader } from './detail.ts';
import { DialogueStore } from './dialogue-store.ts';
import { ApiError, codeOfStatus } from './errors.ts';
import { constraintRoutes } from './routes/constraints.ts';
import { projectRoutes } from './routes/projects.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { SessionStore } from './session-store.ts';
import { SiteConstraints } from './site-constraints.ts';
import { Temporal } from './temporal.ts';
import { invalid } from './translate.ts';

/** Enough for 10,000 hosts by name; Temporal takes 2 MiB. */
const BODY_LIMIT_BYTES = 1024 * 1024;
/** For a request to come in. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Ids of 255 characters, each of which may be written as %XX, three of them for one that is not ASCII. */
const LONGEST_PARAM = 255 * 9;

export interface ApiOptions {
  client: Client;
  /** Sessions are made for it, and only its sessions are shown. */
  site: string;
  authenticator: Authenticator;
  /** Requests a minute from one address. */
  rateLimit: number;
  log: FastifyBaseLogger;
}

/** Builds the service; whoever calls it makes it listen, and closes it. */
export async function createApi(options: ApiOptions): Promise<App> {
  const app: App = Fastify({
    loggerInstance: options.log,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: LONGEST_PARAM },
    frameworkErrors: (error, request, reply: FastifyReply) => {
      answerError(error, request, reply);
    },
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  readBodies(app);
  app.setErrorHandler(answerError);

  await app.register(rateLimit, { max: options.rateLimit, timeWindow: 60_000 });
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, (request) => {
    throw new ApiError('NotFound', `There is no ${request.method} ${request.url}`);
  });
  await describeRoutes(app, options.authenticator);
  guard(app, options.authenticator);
  addRoutes(app, options);
  return app;
}

function addRoutes(app: App, { client, site }: ApiOptions): void {
  const temporal = new Temporal(client);
  const sessions = new SessionStore(temporal, site);
  sessionRoutes(app, { site, sessions, details: new DetailReader(temporal, site) });
  projectRoutes(app, { sessions, dialogues: new DialogueStore(temporal) });
  constraintRoutes(app, new SiteConstraints(temporal, new ConstraintStore(client, site)));
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}

const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (data) => {
    const parsed = schema.safeParse(data);
    return parsed.success ? { value: parsed.data } : { error: invalid(parsed.error) };
  };

/** Clients say that they send JSON also where they send nothing. */
function readBodies(app: App): void {
  const readJson = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void readJson(request, body as string, done);
  });
}

async function describeRoutes(app: App, { wantsToken }: Authenticator): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Haulout',
        description: 'Planned maintenance of hosts, as the clients of OpenStack Fenix ask for it.',
        version: '1',
      },
      ...(wantsToken && {
        components: {
          securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } },
        },
        security: [{ token: [] }],
      }),
    },
    transform: jsonSchemaTransform,
  });
}

/** Before a body is read: whoever may not ask does not get that far. */
function guard(app: App, authenticator: Authenticator): void {
  app.decorateRequest('caller', undefined);
  app.addHook('preParsing', async (request) => {
    const { access } = request.routeOptions.config;
    if (access === undefined) return;
    const caller = await authenticator.authenticate(request.headers);
    assertMay(caller, access, request);
    request.caller = caller;
  });
  app.addHook('onClose', () => authenticator.close());
}

function assertMay(caller: Caller, access: 'admin' | 'project', request: FastifyRequest): void {
  if (access === 'admin' && !caller.isAdmin) {
    throw new ApiError('NotAllowed', 'Only administrators may do this');
  }
  if (!caller.isAdmin && caller.project === undefined) {
    throw new ApiError('NotAllowed', 'The token belongs to no project');
  }
  if (caller.isReader && !['GET', 'HEAD'].includes(request.method)) {
    throw new ApiError('NotAllowed', 'The token may only read');
  }
  const { project } = request.params as { project?: string };
  if (project !== undefined) assertMayActFor(caller, project);
}

function answerError(error: FastifyError | ApiError, request: FastifyRequest, reply: FastifyReply): void {
  const answer = error instanceof ApiError ? error : translate(error);
  if (answer.status >= 500) request.log.error({ err: error.cause ?? error }, answer.message);
  void reply.code(answer.status).send(answer.body);
}

/** Errors of Fastify say what is wrong with a request; all others are defects of ours, and are told in the log alone. */
function translate(error: FastifyError): ApiError {
  const status = error.statusCode ?? 500;
  const message =
    status >= 500 ? 'Something went wrong here; the log of the service says what' : error.message;
  return new ApiError(codeOfStatus(status), message, { cause: error });
}
