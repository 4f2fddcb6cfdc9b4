/** Sessions through the REST service: a real Temporal server, real workers, a simulated site. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import type { SessionDetail } from '../../src/api/schemas.ts';
import { HostTable } from '../../src/core/host-table.ts';
import { sessionSpec, type SessionInput } from '../../src/core/session-spec.ts';
import { MAINTENANCE_QUEUE, WORKFLOWS } from '../../src/names.ts';
import { ATTRIBUTE_KEYS } from '../../src/search-attributes.ts';
import type { Carried } from '../../workflows/session/session-record.ts';
import { startEngine, type Engine, SITE } from '../support/engine.ts';
import { fleetOf, hostNames, WORK } from '../support/fleets.ts';
import { startService, type Service } from './service.ts';

const PATIENCE_MS = 90_000;

let engine: Engine;
let service: Service;
before(async () => {
  engine = await startEngine(fleetOf(4, 2));
  service = await startService({ client: engine.client, site: SITE });
});
after(async () => {
  await service.close();
  await engine.stop();
});

/** As Fenix's clients write it. */
const at = (milliseconds: number): string =>
  new Date(Date.now() + milliseconds).toISOString().slice(0, 19).replace('T', ' ');

const request = (more: object = {}): object => ({
  state: 'MAINTENANCE',
  maintenance_at: at(0),
  metadata: { openstack_version: 'Train' },
  workflow: 'default',
  hosts: [],
  haulout: { projects: null },
  ...more,
});

async function create(more: object = {}, headers: Record<string, string> = {}): Promise<string> {
  const { status, body } = await service.ask<{ session_id: string }>(
    'POST',
    '/v1/maintenance',
    request(more),
    headers,
  );
  assert.equal(status, 200, JSON.stringify(body));
  return body.session_id;
}

const stateOf = async (session: string): Promise<string> => {
  const { status, body } = await service.ask<{ state: string }>('GET', `/v1/maintenance/${session}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body.state;
};

async function until(session: string, wished: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (let state = ''; state !== wished; await sleep(200)) {
    state = await stateOf(session);
    assert.ok(Date.now() < deadline, `the session is ${state} and not ${wished}`);
  }
}

const detailOf = async (session: string, query = ''): Promise<SessionDetail> =>
  (await service.ask<SessionDetail>('GET', `/v1/maintenance/${session}/detail${query}`)).body;

test('a session as Fenix’s clients ask for it: created, looked at to its end, removed', async () => {
  const session = await create({ actions: [WORK] });
  assert.match(session, /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/);
  await until(session, 'MAINTENANCE_DONE');

  const worked = engine.simulator.journal.entries.filter(({ type }) => type === 'work.ended').length;
  assert.equal(worked, 4, 'every host was worked on');
  assert.deepEqual(engine.violations(), []);

  const detail = await detailOf(session);
  assert.equal(detail.state, 'MAINTENANCE_DONE');
  assert.deepEqual(detail.hosts.map(({ host }) => host).sort(), hostNames(4));
  for (const { host, status, steps } of detail.hosts) {
    assert.equal(status, 'COMPLETED', host);
    const names = steps.map(({ step }) => step);
    for (const name of ['precheckHost', 'cordonHost', 'enterMaintenance', 'exitMaintenance']) {
      assert.ok(names.includes(name), `${name} of ${host} among ${names.join(', ')}`);
    }
    assert.ok(
      steps.every(({ outcome, started_at, ended_at }) => outcome === 'done' && started_at && ended_at),
    );
  }
  const moves = detail.hosts.flatMap(({ instances }) => instances);
  assert.ok(moves.length >= 6, `${moves.length} moves`);
  for (const move of moves) {
    assert.equal(move.step, 'moveInstance');
    assert.ok(move.instance_id && move.instance_name && move.from && move.to, JSON.stringify(move));
  }
  assert.equal((detail.progress as { hosts: { done: number } }).hosts.done, 4);

  const removed = await service.ask('DELETE', `/v1/maintenance/${session}`);
  assert.equal(removed.status, 200);
  assert.deepEqual(removed.body, {});
  assert.equal(await stateOf(session), 'MAINTENANCE_DONE', 'it is removed, and still on record');
});

test('detail comes in pages', async () => {
  const session = await create({ hosts: hostNames(3) });
  await until(session, 'MAINTENANCE_DONE');
  const first = await detailOf(session, '?limit=2');
  assert.equal(first.hosts.length, 2);
  assert.equal(first.next_offset, 2);
  const second = await detailOf(session, '?limit=2&offset=2');
  assert.equal(second.hosts.length, 1);
  assert.equal(second.next_offset, undefined);
  const hosts = [...first.hosts, ...second.hosts].map(({ host }) => host);
  assert.deepEqual(hosts.sort(), hostNames(3));
});

test('detail tells of all runs of a session that has continued as new', async () => {
  const input: SessionInput = { site: SITE, hosts: hostNames(2) };
  // As a run hands it to the next one, with a history limit of a few events.
  const carried: Carried = {
    table: HostTable.of(hostNames(2), 4).toState(),
    state: 'START_MAINTENANCE',
    startedAt: Date.now(),
    actions: [],
    actionsDone: [],
    actionFailures: 0,
    failedAndRolledBack: 0,
    adopts: [],
    budget: sessionSpec.parse(input).budget,
    historyLimit: 20,
  };
  const first = await engine.client.workflow.start(WORKFLOWS.maintenanceSession, {
    workflowId: 'long',
    taskQueue: MAINTENANCE_QUEUE,
    args: [input, carried],
    typedSearchAttributes: [{ key: ATTRIBUTE_KEYS.site, value: SITE }],
  });
  await until('long', 'MAINTENANCE_DONE');
  const run = await engine.client.workflow.getHandle('long', first.firstExecutionRunId).describe();
  assert.equal(run.status.name, 'CONTINUED_AS_NEW');
  const { steps, started_at, truncated } = await detailOf('long');
  assert.equal(started_at, run.startTime.toISOString());
  const times = steps.map((step) => step.started_at ?? '');
  assert.deepEqual(times, [...times].sort());
  const ends = run.closeTime?.toISOString() ?? '';
  assert.ok(times.some((time) => time < ends) && times.some((time) => time > ends), times.join());
  assert.equal(truncated, false);
});

describe('a session that fails', () => {
  test('has failed for its clients, tells why, and goes on when it is told to continue', async () => {
    const [host = ''] = hostNames(1);
    await engine.fault({
      match: { operation: 'work', host },
      effect: { kind: 'failTask', code: 'FlashFailed', message: 'checksum mismatch' },
    });
    const session = await create({ hosts: [host], actions: [WORK] });
    await until(session, 'MAINTENANCE_FAILED');
    const detail = await detailOf(session);
    assert.equal(detail.status, 'RUNNING');
    assert.match(detail.hosts[0]?.error?.message ?? '', /checksum mismatch/);
    assert.equal(detail.hosts[0]?.error?.code, 'ActionFailed');
    await engine.clearFaults();

    const { status, body } = await service.ask('PUT', `/v1/maintenance/${session}/`, {
      state: 'MAINTENANCE',
    });
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual(body, { maintenance: `${service.url}/v1/maintenance/${session}/`, session_id: session });
    await until(session, 'MAINTENANCE_DONE');
    assert.equal((await detailOf(session)).hosts.length, 2, 'both runs of the host are told of');

    for (const method of ['PUT', 'POST']) {
      const again = await service.ask(method, `/v1/maintenance/${session}`);
      assert.equal(again.status, 200, 'there is nothing to continue');
    }
  });

  test('that the workers refuse says what is wrong with it', async () => {
    const session = await create({ hosts: ['nowhere'], actions: [{ plugin: 'no_such', type: 'host' }] });
    await until(session, 'MAINTENANCE_FAILED');
    const detail = await detailOf(session);
    assert.equal(detail.error?.code, 'InvalidSession');
    const { status, body } = await service.ask('PUT', `/v1/maintenance/${session}`, {});
    assert.equal(status, 409);
    assert.match(body.message ?? '', /resumeFrom/);
  });
});

test('to remove a session that runs puts its hosts back', async () => {
  const session = await create({ hosts: hostNames(1), actions: [{ plugin: 'approval', type: 'host' }] });
  await engine.until(
    engine.client.workflow.getHandle(session),
    ({ inFlight }) => inFlight[0]?.step === 'work',
  );
  assert.equal((await service.ask('DELETE', `/v1/maintenance/${session}/`)).status, 200);
  await until(session, 'MAINTENANCE_FAILED');
  const hosts = engine.simulator.datacentre.hosts();
  assert.ok(hosts.every(({ cordonReason, maintenance }) => !cordonReason && maintenance === 'out'));
  assert.equal((await service.ask('DELETE', `/v1/maintenance/${session}`)).status, 200, 'and again');
});

test('a session may have an id with blanks', async () => {
  const id = 'rack 12 🚢';
  const session = await engine.start({ maintenanceAt: new Date(Date.now() + 3_600_000).toISOString() }, id);
  await engine.until(session, ({ state }) => state === 'MAINTENANCE');
  const { body } = await service.ask('GET', `/v1/maintenance/${encodeURIComponent(id)}`);
  assert.deepEqual(body, { session_id: id, state: 'MAINTENANCE' });
  await session.signal('cancel', {});
});

test('the list has the sessions that are open', async () => {
  const session = await create({ maintenance_at: at(3_600_000) });
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const { body } = await service.ask<{ sessions: string[]; session_id: string[] }>(
      'GET',
      '/v1/maintenance/',
    );
    assert.deepEqual(body.sessions, body.session_id);
    if (body.sessions.join() === session) break;
    assert.ok(Date.now() < deadline, `the list is ${body.sessions.join(', ')}`);
    await sleep(200);
  }
  assert.equal(await stateOf(session), 'MAINTENANCE');
  await service.ask('DELETE', `/v1/maintenance/${session}`);
});

test('a session of another site is none', async () => {
  const session = await create({ maintenance_at: at(3_600_000) });
  const other = await startService({ client: engine.client, site: 'other' });
  try {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const { status, body } = await other.ask(method, `/v1/maintenance/${session}`);
      assert.equal(status, 404);
      assert.equal(body.error, 'Invalid session');
      assert.equal(body.code, 'UnknownSession');
    }
  } finally {
    await other.close();
    await service.ask('DELETE', `/v1/maintenance/${session}`);
  }
});

describe('the same Idempotency-Key', () => {
  const key = { 'idempotency-key': 'rack 12, first try' };
  const more = { maintenance_at: at(3_600_000) };

  test('is the same session, however often it is asked for at one time', async () => {
    const sessions = await Promise.all(Array.from({ length: 10 }, () => create(more, key)));
    assert.equal(new Set(sessions).size, 1);
    const [session = ''] = sessions;
    assert.notEqual(await create(more), session, 'without a key it is another one');
    await service.ask('DELETE', `/v1/maintenance/${session}`);
    await until(session, 'MAINTENANCE_FAILED');
    assert.equal(await create(more, key), session, 'also when it has ended');
  });

  test('is the same session also when it was to start long ago', async (context) => {
    context.mock.timers.enable({ apis: ['Date'], now: Date.now() + 2 * 3_600_000 });
    const { status, body } = await service.ask('POST', '/v1/maintenance', request(more));
    assert.deepEqual([status, body.path], [400, 'maintenance_at'], 'a new one starts in the past');
    await create(more, key);
  });

  test('is refused for another session', async () => {
    const { status, body } = await service.ask(
      'POST',
      '/v1/maintenance',
      request({ ...more, hosts: hostNames(1) }),
      key,
    );
    assert.equal(status, 422);
    assert.equal(body.code, 'KeyReused');
  });
});

test('a field that is not there is called required, not by the words of a parser', async () => {
  const { body } = await service.ask('POST', '/v1/maintenance', {});
  assert.equal(body.message, 'maintenance_at: is required');
});

describe('what is wrong is refused with the field that is', () => {
  const cases: [string, object, string][] = [
    ['a key that is not known', { host: ['a'] }, 'host'],
    ['no start', { maintenance_at: undefined }, 'maintenance_at'],
    ['a start that is no time', { maintenance_at: 'soon' }, 'maintenance_at'],
    ['a start that does not exist', { maintenance_at: '2099-02-30 00:00:00' }, 'maintenance_at'],
    ['a start in the past', { maintenance_at: '2020-01-01 00:00:00' }, 'maintenance_at'],
    ['a workflow that is not known', { workflow: 'k8s' }, 'workflow'],
    ['a host twice', { hosts: ['a', 'a'] }, 'hosts.1'],
    ['an action of no known type', { actions: [{ plugin: 'wait', type: 'night' }] }, 'actions.0.type'],
    ['something to download', { download: ['https://example.org/plugin.tgz'] }, 'download'],
    [
      'a budget that is none',
      { haulout: { budget: { maxConcurrentHosts: 0 } } },
      'haulout.budget.maxConcurrentHosts',
    ],
    [
      'a key of Haulout that has one of its own',
      { haulout: { maintenanceAt: 'x' } },
      'haulout.maintenanceAt',
    ],
    ['another site', { haulout: { site: 'other' } }, 'haulout.site'],
    ['too many hosts', { hosts: Array.from({ length: 20_001 }, (_, n) => `h${n}`) }, 'hosts'],
  ];
  for (const [name, more, path] of cases) {
    test(name, async () => {
      const { status, body } = await service.ask('POST', '/v1/maintenance', request(more));
      assert.equal(status, 400, JSON.stringify(body));
      assert.equal(body.code, 'InvalidRequest');
      assert.equal(body.path, path);
      assert.ok(body.message && body.error);
    });
  }
});

describe('requests that are none', () => {
  const cases: [string, string, string, unknown, Record<string, string>, number][] = [
    ['a body that is not JSON', 'POST', '/v1/maintenance', '{"hosts": [', {}, 400],
    ['no body', 'POST', '/v1/maintenance', undefined, {}, 400],
    ['a list', 'POST', '/v1/maintenance', [], {}, 400],
    ['a prototype', 'POST', '/v1/maintenance', '{"__proto__": {"x": 1}}', {}, 400],
    ['another kind of body', 'POST', '/v1/maintenance', '{}', { 'content-type': 'text/plain' }, 415],
    ['a body that is too large', 'POST', '/v1/maintenance', `"${'x'.repeat(1024 * 1024)}"`, {}, 413],
    ['a path that is not there', 'GET', '/v2/maintenance', undefined, {}, 404],
    ['a session that is not there', 'GET', '/v1/maintenance/nobody', undefined, {}, 404],
    ['detail of one', 'GET', '/v1/maintenance/nobody/detail', undefined, {}, 404],
    ['an id with a slash in it', 'GET', '/v1/maintenance/a%2Fb', undefined, {}, 400],
    ['an id that is too long', 'GET', `/v1/maintenance/${'a'.repeat(256)}`, undefined, {}, 400],
    ['an id that is no text', 'GET', '/v1/maintenance/%ff', undefined, {}, 400],
    ['an id with a quote in it', 'GET', "/v1/maintenance/a'b%22c/detail", undefined, {}, 404],
    ['another method', 'PATCH', '/v1/maintenance/x', {}, {}, 405],
    ['another method for detail', 'PUT', '/v1/maintenance/x/detail', {}, {}, 405],
  ];
  for (const [name, method, path, body, headers, expected] of cases) {
    test(`${name}: ${expected}`, async () => {
      const answer = await service.ask(method, path, body, headers);
      assert.equal(answer.status, expected, JSON.stringify(answer.body));
      assert.ok(answer.body.code && answer.body.message && answer.body.error, JSON.stringify(answer.body));
    });
  }
});

test('what asks too often is told so', async () => {
  const limited = await startService({ client: engine.client, site: SITE, rateLimit: 5 });
  try {
    const statuses: number[] = [];
    for (let count = 0; count < 7; count += 1) {
      statuses.push((await limited.ask('GET', '/v1/maintenance/nobody')).status);
    }
    assert.deepEqual(statuses, [404, 404, 404, 404, 404, 429, 429]);
    assert.equal((await limited.ask('GET', '/v9')).body.code, 'TooManyRequests');
  } finally {
    await limited.close();
  }
});

test('the OpenAPI document has every route', async () => {
  const { body } = await service.ask<{ openapi: string; paths: Record<string, object> }>(
    'GET',
    '/openapi.json',
  );
  assert.equal(body.openapi, '3.1.0');
  const routes = Object.entries(body.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  assert.deepEqual(routes.sort(), [
    'DELETE /v1/instance/{instance}',
    'DELETE /v1/instance_group/{group}',
    'DELETE /v1/maintenance/{session}',
    'GET /v1/instance/{instance}',
    'GET /v1/instance_group/{group}',
    'GET /v1/maintenance',
    'GET /v1/maintenance/{session}',
    'GET /v1/maintenance/{session}/detail',
    'GET /v1/maintenance/{session}/{project}',
    'POST /v1/maintenance',
    'POST /v1/maintenance/{session}',
    'PUT /v1/instance/{instance}',
    'PUT /v1/instance_group/{group}',
    'PUT /v1/maintenance/{session}',
    'PUT /v1/maintenance/{session}/{project}',
    'PUT /v1/maintenance/{session}/{project}/{instance}',
  ]);
});
