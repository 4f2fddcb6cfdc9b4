/** The HTTP API of the simulator. Lists come in pages: `limit`, and as `marker` the `next` of the page before. */
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Datacentre, TASK_KINDS } from './datacentre.ts';
import { faultSpec, fateOf, type Faults } from './faults.ts';
import type { Journal } from './journal.ts';
import { viewHost } from './model.ts';
import type { Workshop } from './work.ts';

type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export interface Services {
  datacentre: Datacentre;
  workshop: Workshop;
  faults: Faults;
  journal: Journal;
}

const text = z.string().min(1).max(2000);
const amount = z.number().min(0);
const page = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(200),
  marker: text.optional(),
});
const ofHost = z.object({ host: text });
const ofInstance = z.object({ instance: text });
const withReason = z.strictObject({ reason: text });
const resources = z.strictObject({ vcpus: amount, memoryMb: amount, diskGb: amount });

export function registerRoutes(app: App, services: Services): void {
  readInventory(app, services);
  changeHosts(app, services);
  changeInstances(app, services);
  followTasks(app, services);
  doWork(app, services);
  arrangeTrouble(app, services);
  readJournal(app, services);
}

function readInventory(app: App, { datacentre }: Services): void {
  const config = { operation: 'inventory' } as const;

  app.get('/v1/hosts', { config, schema: { querystring: page } }, async ({ query }) => {
    const { items, next } = paged(datacentre.hosts(), ({ name }) => name, query);
    return { hosts: items.map(viewHost), ...next };
  });

  app.get('/v1/hosts/:host', { config, schema: { params: ofHost } }, async ({ params }) =>
    datacentre.viewHost(params.host),
  );

  app.get(
    '/v1/instances',
    { config, schema: { querystring: page.extend({ host: text.optional() }) } },
    async ({ query }) => {
      const all =
        query.host === undefined
          ? datacentre.instances()
          : datacentre.instancesOn(datacentre.host(query.host).name);
      const { items, next } = paged(all, ({ id }) => id, query);
      return { instances: items.map((instance) => datacentre.view(instance)), ...next };
    },
  );

  app.get('/v1/instances/:instance', { config, schema: { params: ofInstance } }, async ({ params }) =>
    datacentre.view(datacentre.instance(params.instance)),
  );

  app.get('/v1/groups', { config, schema: { querystring: page } }, async ({ query }) => {
    const sorted = [...datacentre.groups()].sort((a, b) => (a.id < b.id ? -1 : 1));
    const { items, next } = paged(sorted, ({ id }) => id, query);
    return { groups: items, ...next };
  });
}

function changeHosts(app: App, { datacentre }: Services): void {
  app.post(
    '/v1/hosts/:host/cordon',
    { config: { operation: 'cordon' }, schema: { params: ofHost, body: withReason } },
    async ({ params, body }) => {
      datacentre.cordon(params.host, body.reason);
      return datacentre.viewHost(params.host);
    },
  );

  app.post(
    '/v1/hosts/:host/uncordon',
    { config: { operation: 'uncordon' }, schema: { params: ofHost, body: withReason.partial().nullish() } },
    async ({ params, body }) => {
      datacentre.uncordon(params.host, body?.reason);
      return datacentre.viewHost(params.host);
    },
  );

  app.post(
    '/v1/hosts/:host/enter',
    { config: { operation: 'enter' }, schema: { params: ofHost, body: withReason } },
    async ({ params, body, fault }, reply) => {
      const { id } = datacentre.enter(params.host, body.reason, fateOf(fault?.effect));
      return reply.code(202).send({ taskId: id });
    },
  );

  app.post(
    '/v1/hosts/:host/exit',
    { config: { operation: 'exit' }, schema: { params: ofHost } },
    async ({ params, fault }, reply) => {
      const { id } = datacentre.exit(params.host, fateOf(fault?.effect));
      return reply.code(202).send({ taskId: id });
    },
  );
}

function changeInstances(app: App, { datacentre }: Services): void {
  app.post(
    '/v1/instances/:instance/migrate',
    {
      config: { operation: 'migrate' },
      schema: {
        params: ofInstance,
        body: z.strictObject({ mode: z.enum(['live', 'cold']), target: text.optional() }),
      },
    },
    async ({ params, body, fault }, reply) => {
      const { id } = datacentre.migrate(params.instance, body, fateOf(fault?.effect));
      return reply.code(202).send({ taskId: id });
    },
  );

  app.post(
    '/v1/instances/:instance/stop',
    {
      config: { operation: 'stop' },
      schema: { params: ofInstance, body: z.strictObject({ mark: text.optional() }).nullish() },
    },
    async ({ params, body, fault }, reply) => {
      const { id } = datacentre.stop(params.instance, body?.mark, fateOf(fault?.effect));
      return reply.code(202).send({ taskId: id });
    },
  );

  app.post(
    '/v1/instances/:instance/start',
    { config: { operation: 'start' }, schema: { params: ofInstance } },
    async ({ params, fault }, reply) => {
      const { id } = datacentre.start(params.instance, fateOf(fault?.effect));
      return reply.code(202).send({ taskId: id });
    },
  );

  app.post(
    '/v1/instances',
    {
      schema: {
        body: z.strictObject({
          name: text,
          host: text,
          project: text.optional(),
          state: z.enum(['running', 'stopped', 'paused', 'error']).default('running'),
          resources,
          groups: z.array(text).default([]),
          requires: z.record(text, text).default({}),
          force: z.boolean().default(false),
        }),
      },
    },
    async ({ body }, reply) =>
      reply.code(201).send(datacentre.createInstance({ ...body, project: body.project })),
  );

  app.delete('/v1/instances/:instance', { schema: { params: ofInstance } }, async ({ params }, reply) => {
    datacentre.deleteInstance(params.instance);
    return reply.code(204).send();
  });
}

function followTasks(app: App, { datacentre }: Services): void {
  const ofTask = z.object({ task: text });

  app.get(
    '/v1/tasks',
    {
      config: { operation: 'tasks' },
      schema: {
        querystring: page.extend({
          kind: z.enum(TASK_KINDS).optional(),
          subject: text.optional(),
          state: z.enum(['running', 'done', 'failed', 'aborted']).optional(),
        }),
      },
    },
    async ({ query }) => {
      const found = datacentre.tasks.list(query);
      const start = query.marker === undefined ? 0 : found.findIndex(({ id }) => id === query.marker) + 1;
      const items = found.slice(start, start + query.limit);
      const last = items.at(-1);
      return { tasks: items, ...(last && start + items.length < found.length ? { next: last.id } : {}) };
    },
  );

  app.get(
    '/v1/tasks/:task',
    { config: { operation: 'task' }, schema: { params: ofTask } },
    async ({ params }) => datacentre.tasks.get(params.task),
  );

  app.delete(
    '/v1/tasks/:task',
    { config: { operation: 'abort' }, schema: { params: ofTask } },
    async ({ params }, reply) => {
      datacentre.tasks.abort(params.task);
      return reply.code(202).send({ taskId: params.task });
    },
  );
}

function doWork(app: App, { datacentre, workshop }: Services): void {
  app.post(
    '/v1/work',
    {
      config: { operation: 'work' },
      schema: {
        headers: z.object({ 'idempotency-key': text }),
        body: z.looseObject({ host: text }),
      },
    },
    async ({ headers, body, fault }, reply) => {
      const host = datacentre.host(body.host).name;
      const work = workshop.start(host, headers['idempotency-key'], fateOf(fault?.effect));
      return reply.code(202).header('location', `/v1/work/${work.id}`).send(work);
    },
  );

  app.get(
    '/v1/work/:work',
    { config: { operation: 'task' }, schema: { params: z.object({ work: text }) } },
    async ({ params }) => workshop.get(params.work),
  );
}

function arrangeTrouble(app: App, { datacentre, workshop, faults }: Services): void {
  app.post('/v1/faults', { schema: { body: faultSpec } }, async ({ body }, reply) =>
    reply.code(201).send(faults.add(body)),
  );

  app.get('/v1/faults', async () => ({ faults: faults.list() }));

  app.delete('/v1/faults', async (_request, reply) => {
    faults.clear();
    return reply.code(204).send();
  });

  app.post('/v1/hosts/:host/die', { schema: { params: ofHost } }, async ({ params }) => {
    datacentre.die(params.host);
    workshop.hostDied(params.host);
    return datacentre.viewHost(params.host);
  });

  app.post('/v1/hosts/:host/revive', { schema: { params: ofHost } }, async ({ params }) => {
    datacentre.revive(params.host);
    return datacentre.viewHost(params.host);
  });

  app.post(
    '/v1/hosts/:host/capacity',
    { schema: { params: ofHost, body: resources.partial() } },
    async ({ params, body }) => {
      datacentre.setCapacity(params.host, body);
      return datacentre.viewHost(params.host);
    },
  );
}

function readJournal(app: App, { journal }: Services): void {
  const query = z.object({
    after: z.coerce.number().int().min(0).default(0),
    limit: z.coerce.number().int().min(1).max(10_000).default(1000),
  });
  app.get(
    '/v1/journal',
    { config: { unrecorded: true }, schema: { querystring: query } },
    async ({ query: { after, limit } }) => {
      const entries = journal.after(after, limit);
      const last = entries.at(-1);
      return { entries, ...(last && last.seq < journal.entries.length ? { next: last.seq } : {}) };
    },
  );
}

/** The items that follow the marker, of a list that is sorted by key. */
function paged<T>(
  sorted: readonly T[],
  keyOf: (item: T) => string,
  { limit, marker }: { limit: number; marker?: string | undefined },
): { items: T[]; next: { next?: string } } {
  const start = marker === undefined ? 0 : firstAfter(sorted, keyOf, marker);
  const items = sorted.slice(start, start + limit);
  const last = items.at(-1);
  const isMore = start + items.length < sorted.length;
  return { items, next: last !== undefined && isMore ? { next: keyOf(last) } : {} };
}

function firstAfter<T>(sorted: readonly T[], keyOf: (item: T) => string, marker: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = sorted[middle];
    if (item !== undefined && keyOf(item) <= marker) low = middle + 1;
    else high = middle;
  }
  return low;
}
