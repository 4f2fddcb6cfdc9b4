/** The simulator as a server: the API over one datacentre, with latency, faults and the journal around every request. */
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { Datacentre, type TaskKind } from './datacentre.ts';
import { type Fault, Faults, type Operation, type Target } from './faults.ts';
import { type FleetInput, generateFleet } from './fleet.ts';
import { Journal } from './journal.ts';
import { Refusal } from './refusal.ts';
import { registerRoutes } from './routes.ts';
import type { Task } from './tasks.ts';
import { Workshop } from './work.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What faults know the route by; latency applies to these routes too. */
    operation?: RouteOperation;
    /** Reads of the journal would fill the journal. */
    unrecorded?: boolean;
  }
  interface FastifyRequest {
    fault: Fault | undefined;
  }
}

/** Reads of one task are told apart by what the task does, which only the task knows. */
type RouteOperation = Exclude<Operation, `task:${string}`> | 'task';

export interface SimulatorOptions {
  fleet: FleetInput;
  /** 0 or absent: any free one. */
  port?: number;
  /** Loopback when absent: the API asks for no credentials. */
  host?: string;
  journalFile?: string;
}

export interface Simulator {
  url: string;
  datacentre: Datacentre;
  journal: Journal;
  faults: Faults;
  /** Cuts all connections, and ends when the journal file is complete. */
  close(): Promise<void>;
}

/** Starts a simulator in this process. Throws when the fleet is wrong or the port is taken. */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const fleet = generateFleet(options.fleet);
  const journal = new Journal(options.journalFile);
  const datacentre = new Datacentre(fleet, journal);
  const workshop = new Workshop(journal, fleet.timing.workMs);
  const faults = new Faults(fleet.seed);

  const app = Fastify({
    forceCloseConnections: true,
    bodyLimit: 1024 * 1024,
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerErrors(app);
  recordRequests(app, journal);
  injectFaults(app, {
    faults,
    journal,
    latencyMs: fleet.timing.latencyMs,
    describe: describer(datacentre, workshop),
  });
  registerRoutes(app, { datacentre, workshop, faults, journal });

  await app.listen({ port: options.port ?? 0, host: options.host ?? '127.0.0.1' });
  return {
    url: urlOf(app.server.address()),
    datacentre,
    journal,
    faults,
    close: async () => {
      datacentre.close();
      workshop.close();
      await app.close();
      await journal.close();
    },
  };
}

function answerErrors(app: FastifyInstance): void {
  const answer = (reply: FastifyReply, status: number, code: string, message: string): FastifyReply =>
    reply.code(status).send({ error: { code, message } });

  app.setErrorHandler((error: FastifyError | Refusal, _request, reply) => {
    if (error instanceof Refusal) return answer(reply, error.status, error.code, error.message);
    const status = error.statusCode ?? 500;
    return answer(reply, status, status < 500 ? 'BadRequest' : 'InternalError', error.message);
  });
  app.setNotFoundHandler((request, reply) =>
    answer(reply, 404, 'NotFound', `there is no ${request.method} ${request.url}`),
  );
}

function recordRequests(app: FastifyInstance, journal: Journal): void {
  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config.unrecorded) return;
    const client = request.headers['x-client'];
    journal.append({
      type: 'request',
      method: request.method,
      path: request.url,
      ...(typeof client === 'string' ? { client } : {}),
    });
  });
}

/** Finds out what a request does, and to which host and instance. */
type Describe = (operation: RouteOperation, request: FastifyRequest) => Target;

interface FaultsAround {
  faults: Faults;
  journal: Journal;
  latencyMs: number;
  describe: Describe;
}

function injectFaults(app: FastifyInstance, { faults, journal, latencyMs, describe }: FaultsAround): void {
  app.decorateRequest('fault', undefined);

  app.addHook('preHandler', async (request, reply) => {
    const { operation } = request.routeOptions.config;
    if (operation === undefined) return undefined;
    if (latencyMs > 0) await delay(latencyMs);
    const target = describe(operation, request);
    request.fault = faults.strike(target);
    if (!request.fault) return undefined;
    journal.append({
      type: 'fault.injected',
      fault: request.fault.id,
      operation: target.operation,
      effect: request.fault.effect.kind,
      ...(target.host === undefined ? {} : { host: target.host }),
      ...(target.instance === undefined ? {} : { instance: target.instance.id }),
    });
    return strikeBefore(request.fault, request, reply);
  });

  app.addHook('onSend', async (request, _reply, payload) => {
    await strikeAfter(request);
    return payload;
  });
}

/** Effects that keep the request from being done, or delay it. */
async function strikeBefore(
  { effect }: Fault,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  switch (effect.kind) {
    case 'fail':
      return reply.code(effect.status).send({ error: { code: effect.code, message: effect.message } });
    case 'retryAfter':
      return reply
        .code(429)
        .header('retry-after', String(effect.seconds))
        .send({ error: { code: 'TooManyRequests', message: 'slow down' } });
    case 'garbage':
      return reply.type('text/html').send('<html><body>Welcome to the proxy</body></html>');
    case 'dropConnection':
      reply.hijack();
      request.raw.socket.destroy();
      return reply;
    case 'slow':
      await delay(effect.ms);
      return undefined;
    case 'hang':
    case 'loseAnswer':
    case 'failTask':
    case 'neverEnds':
      return undefined;
  }
}

/** Effects on the answer to a request that was done. */
async function strikeAfter(request: FastifyRequest): Promise<void> {
  const effect = request.fault?.effect;
  if (effect?.kind === 'loseAnswer') request.raw.socket.destroy();
  if (effect?.kind !== 'hang') return;
  if (effect.ms === undefined) await new Promise(() => undefined);
  else await delay(effect.ms);
}

function describer(datacentre: Datacentre, workshop: Workshop): Describe {
  const aboutInstance = (id: string): Omit<Target, 'operation'> => {
    const found = datacentre.find(id);
    return found ? { host: found.host, instance: { id, name: found.name } } : {};
  };
  const aboutTask = ({ kind, subject }: Task<TaskKind>): Omit<Target, 'operation'> =>
    kind === 'enter' || kind === 'exit' ? { host: subject } : aboutInstance(subject);

  return (operation, { params, query, body }) => {
    const { host, instance, task: taskId, work } = params as Partial<Record<string, string>>;
    const { subject } = query as { subject?: string };
    const task = taskId === undefined ? undefined : datacentre.tasks.get(taskId);
    if (operation === 'task') {
      return task
        ? { operation: `task:${task.kind}`, ...aboutTask(task) }
        : { operation: 'task:work', host: workshop.get(work ?? '').host };
    }
    if (task) return { operation, ...aboutTask(task) };
    if (instance !== undefined) return { operation, ...aboutInstance(instance) };
    if (subject !== undefined) return { operation, host: subject, ...aboutInstance(subject) };
    return { operation, host: host ?? (body as { host?: string } | undefined)?.host };
  };
}

function urlOf(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') throw new Error('the server has no TCP address');
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}
