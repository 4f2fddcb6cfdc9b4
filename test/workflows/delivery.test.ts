import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, beforeEach, test } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createMaintenanceActivities } from '../../activities/index.ts';
import type { FailedDelivery } from '../../src/cli/deliveries.ts';
import type { Config } from '../../src/config.ts';
import type { NoticeEvent } from '../../src/core/notice.ts';
import { deliveryWorkflowId, MAINTENANCE_QUEUE, WORKFLOWS } from '../../src/names.ts';
import type { SinkSettings } from '../../src/notifications/settings.ts';
import { createWorkers } from '../../src/workers.ts';
import { haulout, type CliEnd } from '../cli/run-cli.ts';
import { hostOut, planned } from '../notifications/events.ts';
import { answer, startReceiver, type Post, type Reaction, type Receiver } from '../notifications/receiver.ts';
import { startEngine, type Engine } from '../support/engine.ts';
import { fleetOf } from '../support/fleets.ts';
import { taskFailures } from '../support/task-failures.ts';

const API = 'http://127.0.0.1:12347';
const NOBODY = 'http://127.0.0.1:1';
/** Workflows of the test run apart from those of the product, which does not know them. */
const QUEUE = 'announcer';

let receiver: Receiver;
let engine: Engine;
let native: NativeConnection;
let announcing: Promise<void>;
let announcingWorker: Worker;

/** What the receiver does, by path; else it takes everything. */
let reactions: Record<string, Reaction> = {};

before(async () => {
  receiver = await startReceiver((response, post) => (reactions[post.path] ?? answer(200))(response, post));
  engine = await startEngine(fleetOf(1, 0), (config) => ({
    ...config,
    notifications: { apiUrl: API, sinks: sinksAt(receiver.url) },
  }));
  native = await NativeConnection.connect({ address: process.env.TEMPORAL_ADDRESS ?? '127.0.0.1:7233' });
  announcingWorker = await Worker.create({
    connection: native,
    namespace: engine.namespace,
    taskQueue: QUEUE,
    workflowsPath: path.join(import.meta.dirname, 'announcer.ts'),
    activities: { ...createMaintenanceActivities(engine.client, [], engine.config.notifications) },
  });
  announcing = announcingWorker.run();
});
after(async () => {
  announcingWorker.shutdown();
  await announcing;
  await native.close();
  await receiver.close();
  await engine.stop();
});
beforeEach(() => {
  reactions = {};
  receiver.posts.length = 0;
});

function sinksAt(url: string): Record<string, SinkSettings> {
  const secret = Buffer.alloc(32, 7).toString('base64');
  const scheduled: SinkSettings['events'] = ['maintenance.scheduled'];
  return {
    hook: {
      kind: 'webhook',
      url: `${url}/hook`,
      secret,
      timeout: '30s',
      events: ['maintenance.host', 'maintenance.session'],
    },
    tenant: { kind: 'aodh', urls: { 'p-1': `${url}/tenant` }, timeout: '5m', events: scheduled },
    down: { kind: 'aodh', url: NOBODY, timeout: '5s', projects: ['p-down'], events: scheduled },
  };
}

const fresh = <T extends NoticeEvent>(event: T, more: Partial<T> = {}): T => ({
  ...event,
  ...more,
  id: randomUUID(),
});

async function announce(...events: NoticeEvent[]): Promise<string[][]> {
  const handle = await engine.client.workflow.start('announcer', {
    taskQueue: QUEUE,
    workflowId: `announcer-${randomUUID()}`,
    args: [events],
  });
  return (await handle.result()) as string[][];
}

const deliveryOf = (event: NoticeEvent, sink: string): WorkflowHandle =>
  engine.client.workflow.getHandle(deliveryWorkflowId(event.id, sink));

const idOf = ({ headers }: Post): unknown => headers['webhook-id'];

async function until<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    assert.ok(Date.now() < deadline, 'it never came to that');
    await sleep(50);
  }
}

/** Ends as failed, for this reason. */
const failure = (handle: WorkflowHandle, reason: RegExp): Promise<void> =>
  assert.rejects(handle.result(), ({ cause }: { cause?: Error & { type?: string } }) => {
    assert.equal(cause?.type, 'DeliveryFailed');
    assert.match(cause.message, reason);
    return true;
  });

const run = (...args: string[]): Promise<CliEnd> =>
  haulout(args, { ...process.env, TEMPORAL_NAMESPACE: engine.namespace });

async function listed(event: NoticeEvent): Promise<FailedDelivery | undefined> {
  const { code, stdout, stderr } = await run('deliveries', '--json');
  assert.equal(code, 0, stderr);
  return (JSON.parse(stdout) as FailedDelivery[]).find(({ id }) => id.includes(event.id));
}

test('an event goes to the sinks that take it, and to no other', async () => {
  const [toHost, toProject, toOther] = [
    fresh(hostOut),
    fresh(planned, { replyAt: '2099-01-01T00:00:00Z' }),
    fresh(planned, { project: 'p-9' }),
  ];
  assert.deepEqual(await announce(toHost, toProject, toOther), [['hook'], ['tenant'], []]);
  await deliveryOf(toHost, 'hook').result();
  await deliveryOf(toProject, 'tenant').result();
  assert.deepEqual(receiver.posts.map(({ path: to }) => to).sort(), ['/hook', '/tenant']);
});

test('a delivery can be found by its session, and says what it is', async () => {
  const event = fresh(hostOut, { session: 'rack-7' });
  await announce(event);
  await deliveryOf(event, 'hook').result();
  const description = await deliveryOf(event, 'hook').describe();
  assert.equal(await description.staticSummary(), 'hook: IN_MAINTENANCE of host compute-3');
  assert.deepEqual(description.memo, {
    type: 'maintenance.host',
    about: 'IN_MAINTENANCE of host compute-3',
    session: 'rack-7',
    sink: 'hook',
  });
  await until(async () => {
    const query = `WorkflowType = '${WORKFLOWS.delivery}' AND MaintenanceSession = 'rack-7' AND MaintenanceHost = 'compute-3'`;
    const { count } = await engine.client.workflow.count(query);
    return count === 1 || undefined;
  });
});

test('an event that was announced before is not delivered again', async () => {
  const event = fresh(hostOut);
  assert.deepEqual(await announce(event, event), [['hook'], ['hook']]);
  await deliveryOf(event, 'hook').result();
  assert.deepEqual(await announce(event), [['hook']]);
  assert.equal(receiver.posts.length, 1);
});

test('who announces does not wait for the delivery, in which the answer may come', async () => {
  let release: () => void = () => undefined;
  reactions['/tenant'] = (response) => {
    release = () => response.end();
  };
  const event = fresh(planned, { replyAt: '2099-01-01T00:00:00Z' });
  await announce(event);
  await until(() => receiver.posts[0]);
  assert.equal((await deliveryOf(event, 'tenant').describe()).status.name, 'RUNNING');
  release();
  await deliveryOf(event, 'tenant').result();
  assert.equal(receiver.posts.length, 1);
});

test('a webhook that fails is tried again with the same id', async () => {
  reactions['/hook'] = (response, post) => answer(receiver.posts.length < 3 ? 500 : 204)(response, post);
  const event = fresh(hostOut);
  await announce(event);
  const delivery = deliveryOf(event, 'hook');
  await delivery.result();
  assert.deepEqual(receiver.posts.map(idOf), [event.id, event.id, event.id]);
  assert.deepEqual(await taskFailures(delivery), []);
});

test('a client that fails inside the delivery is not told again, and the delivery is on the list', async () => {
  reactions['/tenant'] = answer(500, 'Traceback of /tenant');
  const event = fresh(planned, { replyAt: '2099-01-01T00:00:00Z' });
  await announce(event);
  await failure(
    deliveryOf(event, 'tenant'),
    /the answer is 500 .*may have acted on it.*Traceback of \[path\]/,
  );
  assert.equal(receiver.posts.length, 1);
  const entry = await until(() => listed(event));
  assert.equal(entry.sink, 'tenant');
  assert.equal(entry.about, 'PLANNED_MAINTENANCE to project p-1');
  assert.match(entry.reason, /the answer is 500/);
  const { stdout } = await run('deliveries', '--limit', '9');
  assert.ok(stdout.includes(`haulout deliveries retry ${entry.id}\n`), stdout);

  reactions = {};
  const again = await run('deliveries', 'retry', entry.id, '--json');
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual(JSON.parse(again.stdout), { retried: [entry.id] });
  await deliveryOf(event, 'tenant').result();
  assert.equal(receiver.posts.length, 2);
  assert.equal(receiver.posts[0]?.body, receiver.posts[1]?.body);
  await until(async () => ((await listed(event)) === undefined ? true : undefined));

  const third = await run('deliveries', 'retry', entry.id);
  assert.equal(third.code, 6);
  assert.match(third.stderr, /on its way, or was delivered/);
  assert.equal(receiver.posts.length, 2);
});

test('a notice that cannot be sent is given up when its answer would come too late', async () => {
  const event = fresh(planned, {
    project: 'p-down',
    replyAt: new Date(Date.now() + 4_000).toISOString(),
  });
  assert.deepEqual(await announce(event), [['down']]);
  await failure(
    deliveryOf(event, 'down'),
    /^down: PLANNED_MAINTENANCE to project p-down: .*ECONNREFUSED.*; tried \d+ times$/,
  );
});

test('a notice that comes too late to be answered is not sent', async () => {
  const event = fresh(planned, { replyAt: '2020-01-01T00:00:00Z' });
  await announce(event);
  await failure(deliveryOf(event, 'tenant'), /the time to answer was over before it could be sent/);
  assert.deepEqual(receiver.posts, []);
});

test('a client that has not answered when the worker stops is not told again', async () => {
  const slow: SinkSettings = {
    ...{ kind: 'aodh', url: `${receiver.url}/slow`, timeout: '5m' },
    events: [planned.type],
  };
  const config: Config = {
    ...engine.config,
    notifications: { apiUrl: API, sinks: { slow } },
    worker: { ...engine.config.worker, serves: [] },
  };
  const work = async (done: () => Promise<unknown>): Promise<void> => {
    const workers = await createWorkers(config, { connection: native, namespace: engine.namespace });
    const running = workers.run();
    await done();
    workers.shutdown();
    await running;
  };
  reactions['/slow'] = () => undefined;
  const event = fresh(planned, { replyAt: '2099-01-01T00:00:00Z' });
  const delivery = await engine.client.workflow.start(WORKFLOWS.delivery, {
    taskQueue: MAINTENANCE_QUEUE,
    workflowId: deliveryWorkflowId(event.id, 'slow'),
    args: [{ event, sink: 'slow' }],
  });
  await work(() => until(() => receiver.posts[0]));
  await work(() => failure(delivery, /an attempt ended without a word/));
  assert.equal(receiver.posts.length, 1);
});

test('what is no delivery cannot be sent again', async () => {
  const { code, stderr } = await run('deliveries', 'retry', 'nothing');
  assert.equal(code, 5);
  assert.match(stderr, /There is no delivery "nothing"/);
});
