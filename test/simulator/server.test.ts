import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { FleetInput } from '../../src/simulator/fleet.ts';
import type { JournalEntry } from '../../src/simulator/journal.ts';
import { type Simulator, startSimulator } from '../../src/simulator/server.ts';

const SIZE = { vcpus: 2, memoryMb: 2048, diskGb: 20 };
const CAPACITY = { vcpus: 8, memoryMb: 8192, diskGb: 100 };

/** web-1, web-2, roamer and pinned are on a1; asleep is on a2; a3 and b1 are empty. */
const FLEET: FleetInput = {
  hosts: ['a1', 'a2', 'a3', 'b1'].map((name) => ({
    name,
    labels: { zone: name.slice(0, 1) },
    capacity: CAPACITY,
  })),
  instances: [
    { name: 'web-1', host: 'a1', resources: SIZE, groups: ['pair'] },
    { name: 'web-2', host: 'a1', resources: SIZE, groups: ['pair'] },
    { name: 'roamer', host: 'a1', resources: SIZE },
    { name: 'pinned', host: 'a1', resources: SIZE, requires: { zone: 'a' } },
    { name: 'asleep', host: 'a2', state: 'stopped', resources: SIZE },
  ],
  groups: [{ name: 'pair', policy: 'affinity' }],
  migration: { baseMs: 5, mbPerSecond: 0 },
  durations: { stopMs: 5, startMs: 5, enterMs: 5, exitMs: 5, workMs: 5 },
};
const [WEB_1, WEB_2, ROAMER, PINNED, ASLEEP] = [1, 2, 3, 4, 5].map((number) => `i-00000${number}`);

const anything = z.record(z.string(), z.unknown());
const taskAnswer = z.object({ taskId: z.string() });
const errorAnswer = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

let simulator: Simulator;
beforeEach(async () => {
  simulator = await startSimulator({ fleet: FLEET });
});
afterEach(() => simulator.close());

async function ask(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> {
  const response = await fetch(`${simulator.url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const json: unknown = text === '' ? {} : JSON.parse(text);
  return { status: response.status, headers: response.headers, body: anything.parse(json) };
}

async function accepted(path: string, body?: unknown): Promise<string> {
  const answer = await ask('POST', path, body);
  assert.equal(answer.status, 202, JSON.stringify(answer.body));
  return taskAnswer.parse(answer.body).taskId;
}

async function refused(status: number, code: string, path: string, body?: unknown): Promise<void> {
  const answer = await ask('POST', path, body);
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  assert.equal(errorAnswer.parse(answer.body).error.code, code);
}

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 5000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    assert.ok(Date.now() < deadline, `timed out: ${what}`);
    await delay(5);
  }
}

const ended = (task: string): Promise<Record<string, unknown>> =>
  until(`${task} ends`, async () => {
    const { body } = await ask('GET', `/v1/tasks/${task}`);
    return body['state'] === 'running' ? undefined : body;
  });

async function run(path: string, body?: unknown): Promise<void> {
  const task = await ended(await accepted(path, body));
  assert.equal(task['state'], 'done', JSON.stringify(task));
}

const instance = async (id = ''): Promise<Record<string, unknown>> =>
  (await ask('GET', `/v1/instances/${id}`)).body;

const host = async (name: string): Promise<Record<string, unknown>> =>
  (await ask('GET', `/v1/hosts/${name}`)).body;

const fault = async (match: object, effect: object): Promise<void> => {
  assert.equal((await ask('POST', '/v1/faults', { match, effect })).status, 201);
};

const events = (): string[] =>
  simulator.journal.entries.map(({ type }) => type).filter((type) => type !== 'request');

describe('lists', () => {
  test('come in pages, by name or id', async () => {
    const first = await ask('GET', '/v1/hosts?limit=3');
    assert.deepEqual(names(first.body['hosts']), ['a1', 'a2', 'a3']);
    assert.equal(first.body['next'], 'a3');
    const second = await ask('GET', '/v1/hosts?limit=3&marker=a3');
    assert.deepEqual(names(second.body['hosts']), ['b1']);
    assert.equal(second.body['next'], undefined);
  });

  test('of instances can be of one host', async () => {
    const { body } = await ask('GET', '/v1/instances?host=a1&limit=2');
    assert.deepEqual(names(body['instances']), ['web-1', 'web-2']);
    const { body: rest } = await ask('GET', `/v1/instances?host=a1&limit=2&marker=${String(body['next'])}`);
    assert.deepEqual(names(rest['instances']), ['roamer', 'pinned']);
    assert.equal((await ask('GET', '/v1/instances?host=nope')).status, 404);
  });

  test('of tasks can be of a kind, a subject and a state', async () => {
    await run(`/v1/instances/${ROAMER}/migrate`, { mode: 'live', target: 'a3' });
    await fault({ operation: 'migrate' }, { kind: 'neverEnds' });
    const running = await accepted(`/v1/instances/${ROAMER}/migrate`, { mode: 'live', target: 'b1' });
    const find = async (query: string): Promise<unknown[]> =>
      z.array(z.object({ id: z.string() })).parse((await ask('GET', `/v1/tasks?${query}`)).body['tasks']);
    assert.deepEqual(await find(`kind=migrate&subject=${ROAMER}&state=running`), [{ id: running }]);
    assert.equal((await find(`subject=${ROAMER}`)).length, 2);
    assert.equal((await find('limit=1')).length, 1);
    assert.deepEqual(await find('kind=enter'), []);
  });

  test('take only limits that make sense', async () => {
    for (const limit of ['0', '1001', 'x']) {
      const answer = await ask('GET', `/v1/hosts?limit=${limit}`);
      assert.equal(answer.status, 400);
      assert.equal(errorAnswer.parse(answer.body).error.code, 'BadRequest');
    }
  });
});

describe('migration', () => {
  test('shows as moving from its source', async () => {
    await fault({ operation: 'migrate' }, { kind: 'neverEnds' });
    await accepted(`/v1/instances/${ROAMER}/migrate`, { mode: 'live', target: 'b1' });
    assert.deepEqual(pick(await instance(ROAMER), 'state', 'host'), { state: 'moving', host: 'a1' });
  });

  test('ends on the target', async () => {
    await run(`/v1/instances/${ROAMER}/migrate`, { mode: 'live', target: 'b1' });
    assert.deepEqual(pick(await instance(ROAMER), 'state', 'host'), { state: 'running', host: 'b1' });
    assert.deepEqual(events().slice(1), ['instance.migration.started', 'instance.migration.ended']);
  });

  test('an instance on its way has claimed its room', async () => {
    await ask('POST', '/v1/hosts/b1/capacity', { memoryMb: 3000 });
    await fault({ operation: 'migrate', times: 1 }, { kind: 'neverEnds' });
    await accepted(`/v1/instances/${ROAMER}/migrate`, { mode: 'live', target: 'b1' });
    await refused(409, 'CapacityExceeded', `/v1/instances/${WEB_1}/migrate`, { mode: 'live', target: 'b1' });
  });

  test('without a target goes to the host with most free memory that may take it', async () => {
    await ask('POST', '/v1/hosts/a3/capacity', { memoryMb: 4000 });
    await run(`/v1/instances/${ROAMER}/migrate`, { mode: 'live' });
    assert.equal((await instance(ROAMER))['host'], 'b1');
    await run(`/v1/instances/${PINNED}/migrate`, { mode: 'live' });
    assert.equal((await instance(PINNED))['host'], 'a2');
    for (const name of ['a2', 'a3', 'b1']) await ask('POST', `/v1/hosts/${name}/cordon`, { reason: 'full' });
    await refused(409, 'NoValidHost', `/v1/instances/${WEB_1}/migrate`, { mode: 'live' });
  });

  test('is refused onto hosts that are cordoned, in maintenance or down', async () => {
    await ask('POST', '/v1/hosts/a2/cordon', { reason: 'x' });
    await run('/v1/hosts/a3/enter', { reason: 'x' });
    await ask('POST', '/v1/hosts/b1/die');
    for (const target of ['a2', 'a3', 'b1']) {
      await refused(409, 'HostUnavailable', `/v1/instances/${ROAMER}/migrate`, { mode: 'live', target });
    }
  });

  test('is refused where it breaks a rule of placement', async () => {
    const to = (id: string | undefined, target: string): [string, object] => [
      `/v1/instances/${id}/migrate`,
      { mode: 'live', target },
    ];
    await refused(409, 'SameHost', ...to(ROAMER, 'a1'));
    await refused(409, 'RequirementUnmet', ...to(PINNED, 'b1'));
    await refused(404, 'HostNotFound', ...to(ROAMER, 'nope'));
    await refused(404, 'InstanceNotFound', ...to('nope', 'a2'));
    await run(...to(WEB_1, 'a2'));
    await refused(409, 'Affinity', ...to(WEB_2, 'b1'));
    await run(...to(WEB_2, 'a2'));
  });

  test('of an instance that moves already is refused', async () => {
    await fault({ operation: 'migrate' }, { kind: 'neverEnds' });
    await accepted(`/v1/instances/${ROAMER}/migrate`, { mode: 'live' });
    await refused(409, 'InstanceBusy', `/v1/instances/${ROAMER}/migrate`, { mode: 'live' });
    await refused(409, 'InstanceBusy', `/v1/instances/${ROAMER}/stop`, {});
  });

  test('of a stopped instance is cold, and leaves it stopped', async () => {
    await refused(409, 'InstanceNotRunning', `/v1/instances/${ASLEEP}/migrate`, {
      mode: 'live',
      target: 'b1',
    });
    await run(`/v1/instances/${ASLEEP}/migrate`, { mode: 'cold', target: 'b1' });
    assert.deepEqual(pick(await instance(ASLEEP), 'state', 'host'), { state: 'stopped', host: 'b1' });
  });

  test('cold of a running instance brings it up again', async () => {
    await run(`/v1/instances/${ROAMER}/migrate`, { mode: 'cold', target: 'b1' });
    assert.deepEqual(pick(await instance(ROAMER), 'state', 'host'), { state: 'running', host: 'b1' });
  });

  test('that is aborted stays on its source, and gives the room back', async () => {
    await ask('POST', '/v1/hosts/b1/capacity', { memoryMb: 3000 });
    await fault({ operation: 'migrate', times: 1 }, { kind: 'neverEnds' });
    const task = await accepted(`/v1/instances/${ROAMER}/migrate`, { mode: 'live', target: 'b1' });
    assert.equal((await ask('DELETE', `/v1/tasks/${task}`)).status, 202);
    assert.equal((await ended(task))['state'], 'aborted');
    assert.deepEqual(pick(await instance(ROAMER), 'state', 'host'), { state: 'running', host: 'a1' });
    assert.equal((await ask('DELETE', `/v1/tasks/${task}`)).status, 409);
    await run(`/v1/instances/${WEB_1}/migrate`, { mode: 'live', target: 'b1' });
  });

  test('fails when the target dies', async () => {
    await fault({ operation: 'migrate' }, { kind: 'neverEnds' });
    const task = await accepted(`/v1/instances/${ROAMER}/migrate`, { mode: 'live', target: 'b1' });
    await ask('POST', '/v1/hosts/b1/die');
    assert.deepEqual(pick(await ended(task), 'state', 'error'), {
      state: 'failed',
      error: { code: 'HostDown', message: 'b1 went down' },
    });
    assert.equal((await instance(ROAMER))['host'], 'a1');
  });
});

describe('hosts', () => {
  test('are cordoned and uncordoned', async () => {
    await ask('POST', '/v1/hosts/a1/cordon', { reason: 'bad fan' });
    assert.deepEqual(pick(await host('a1'), 'standing', 'cordonReason'), {
      standing: 'cordoned',
      cordonReason: 'bad fan',
    });
    await ask('POST', '/v1/hosts/a1/uncordon');
    assert.deepEqual(pick(await host('a1'), 'standing', 'cordonReason'), { standing: 'in-service' });
  });

  test('enter maintenance when nothing runs on them, and leave it', async () => {
    const full = await ended(await accepted('/v1/hosts/a1/enter', { reason: 'x' }));
    assert.equal(full['state'], 'failed');
    assert.equal((await host('a1'))['standing'], 'in-service');
    await run('/v1/hosts/a2/enter', { reason: 'x' });
    assert.deepEqual(pick(await host('a2'), 'standing', 'maintenanceReason'), {
      standing: 'maintenance',
      maintenanceReason: 'x',
    });
    await refused(409, 'InvalidState', '/v1/hosts/a2/enter', { reason: 'y' });
    await refused(409, 'HostUnavailable', `/v1/instances/${ASLEEP}/start`);
    await run('/v1/hosts/a2/exit');
    assert.deepEqual(pick(await host('a2'), 'standing', 'maintenanceReason'), { standing: 'in-service' });
    await refused(409, 'InvalidState', '/v1/hosts/a2/exit');
  });

  test('do not enter while an instance is on its way to them', async () => {
    await fault({ operation: 'migrate' }, { kind: 'neverEnds' });
    await accepted(`/v1/instances/${ROAMER}/migrate`, { mode: 'live', target: 'b1' });
    const task = await ended(await accepted('/v1/hosts/b1/enter', { reason: 'x' }));
    assert.equal(task['state'], 'failed');
    assert.match(JSON.stringify(task['error']), /HostNotEmpty/);
  });

  test('on their way in or out are busy', async () => {
    await fault({ operation: 'enter' }, { kind: 'neverEnds' });
    await accepted('/v1/hosts/b1/enter', { reason: 'x' });
    assert.equal((await host('b1'))['standing'], 'entering');
    await refused(409, 'HostBusy', '/v1/hosts/b1/exit');
    await refused(409, 'HostBusy', '/v1/hosts/b1/enter', { reason: 'x' });
  });

  test('that die show what ran on them as failed, until they come back', async () => {
    await ask('POST', '/v1/hosts/a1/die');
    assert.equal((await host('a1'))['standing'], 'down');
    assert.equal((await instance(ROAMER))['state'], 'error');
    await refused(409, 'HostDown', `/v1/instances/${ROAMER}/migrate`, { mode: 'cold' });
    await refused(409, 'HostDown', '/v1/hosts/a1/enter', { reason: 'x' });
    await ask('POST', '/v1/hosts/a1/revive');
    assert.equal((await host('a1'))['standing'], 'in-service');
    assert.equal((await instance(ROAMER))['state'], 'running');
  });
});

describe('instances', () => {
  test('are stopped under a mark and started again', async () => {
    await run(`/v1/instances/${ROAMER}/stop`, { mark: 'm' });
    assert.deepEqual(pick(await instance(ROAMER), 'state', 'stoppedBy'), {
      state: 'stopped',
      stoppedBy: 'm',
    });
    await run(`/v1/instances/${ROAMER}/stop`, { mark: 'other' });
    assert.equal((await instance(ROAMER))['stoppedBy'], 'm');
    await run(`/v1/instances/${ROAMER}/start`);
    assert.deepEqual(pick(await instance(ROAMER), 'state', 'stoppedBy'), { state: 'running' });
    assert.deepEqual(events().slice(1), ['instance.stopped', 'instance.started']);
  });

  test('appear and vanish', async () => {
    const wanted = { name: 'new', host: 'b1', resources: SIZE };
    const created = await ask('POST', '/v1/instances', wanted);
    assert.equal(created.status, 201);
    const id = String(created.body['id']);
    assert.equal((await instance(id))['host'], 'b1');
    assert.equal((await ask('DELETE', `/v1/instances/${id}`)).status, 204);
    assert.equal((await ask('GET', `/v1/instances/${id}`)).status, 404);
  });

  test('come to a cordoned host only by force', async () => {
    await ask('POST', '/v1/hosts/b1/cordon', { reason: 'x' });
    const wanted = { name: 'new', host: 'b1', resources: SIZE };
    await refused(409, 'HostUnavailable', '/v1/instances', wanted);
    assert.equal((await ask('POST', '/v1/instances', { ...wanted, force: true })).status, 201);
  });

  test('that vanish while they move take their task with them', async () => {
    await fault({ operation: 'migrate' }, { kind: 'neverEnds' });
    const task = await accepted(`/v1/instances/${ROAMER}/migrate`, { mode: 'live', target: 'b1' });
    await ask('DELETE', `/v1/instances/${ROAMER}`);
    assert.match(JSON.stringify(await ended(task)), /roamer was deleted/);
    await run('/v1/hosts/b1/enter', { reason: 'x' });
  });
});

describe('work', () => {
  const start = (key: string, name = 'b1'): ReturnType<typeof ask> =>
    ask('POST', '/v1/work', { host: name, plugin: 'firmware' }, { 'idempotency-key': key });

  test('is followed at its Location, and done once for each key', async () => {
    const first = await start('k');
    assert.equal(first.status, 202);
    const location = first.headers.get('location') ?? '';
    assert.equal((await start('k')).headers.get('location'), location);
    await until('work is done', async () =>
      (await ask('GET', location)).body['status'] === 'done' ? true : undefined,
    );
    assert.equal((await start('k')).body['status'], 'done');
    assert.notEqual((await start('other')).headers.get('location'), location);
    assert.deepEqual(
      events().filter((type) => type === 'work.started').length,
      2,
      'two keys, two pieces of work',
    );
  });

  test('needs a key and a host that is there, and a key belongs to one host', async () => {
    assert.equal((await ask('POST', '/v1/work', { host: 'b1' })).status, 400);
    assert.equal((await start('k', 'nope')).status, 404);
    assert.equal((await start('k')).status, 202);
    assert.equal((await start('k', 'a1')).status, 422);
  });

  test('fails when asked to, and when its host dies', async () => {
    await fault({ operation: 'work', times: 1 }, { kind: 'failTask', code: 'Firmware', message: 'checksum' });
    await start('k');
    const failed = await until('work fails', async () => {
      const { body } = await ask('GET', '/v1/work/work-1');
      return body['status'] === 'running' ? undefined : body;
    });
    assert.deepEqual(pick(failed, 'status', 'message'), { status: 'failed', message: 'checksum' });
    await fault({ operation: 'work' }, { kind: 'neverEnds' });
    await start('other');
    await ask('POST', '/v1/hosts/b1/die');
    assert.equal((await ask('GET', '/v1/work/work-2')).body['status'], 'failed');
  });
});

describe('the journal', () => {
  test('has every request with its client, and every change, numbered from one', async () => {
    await ask('POST', '/v1/hosts/a1/cordon', { reason: 'x' }, { 'x-client': 'ada' });
    const { body } = await ask('GET', '/v1/journal');
    const entries = z.array(z.looseObject({ seq: z.number(), type: z.string() })).parse(body['entries']);
    assert.deepEqual(
      entries.map(({ seq, type }) => [seq, type]),
      [
        [1, 'datacentre.created'],
        [2, 'request'],
        [3, 'host.cordoned'],
      ],
    );
    assert.deepEqual(pick(entries[1] ?? {}, 'method', 'path', 'client'), {
      method: 'POST',
      path: '/v1/hosts/a1/cordon',
      client: 'ada',
    });
  });

  test('comes in pages, and does not record who reads it', async () => {
    await ask('POST', '/v1/hosts/a1/cordon', { reason: 'x' });
    const first = await ask('GET', '/v1/journal?limit=2');
    assert.equal(first.body['next'], 2);
    const second = await ask('GET', '/v1/journal?after=2&limit=2');
    assert.equal(z.array(z.unknown()).parse(second.body['entries']).length, 1);
    assert.equal(second.body['next'], undefined);
  });

  test('is a file too, complete when the simulator has ended', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'haulout-journal-'));
    t.after(() => rm(directory, { recursive: true }));
    const journalFile = join(directory, 'journal.ndjson');
    const other = await startSimulator({ fleet: FLEET, journalFile });
    await fetch(`${other.url}/v1/hosts`);
    await other.close();
    const lines = (await readFile(journalFile, 'utf8')).trim().split('\n');
    assert.deepEqual(
      lines.map((line) => JSON.parse(line) as JournalEntry),
      other.journal.entries,
    );
  });
});

describe('the same seed', () => {
  test('strikes the same requests', async () => {
    const outcomes = async (seed: number): Promise<number[]> => {
      const other = await startSimulator({ fleet: { ...FLEET, seed } });
      const match = { operation: 'inventory', probability: 0.5, after: 0 } as const;
      other.faults.add({ match, effect: { kind: 'fail', status: 500, code: 'X', message: 'x' } });
      const statuses: number[] = [];
      for (let count = 0; count < 20; count += 1)
        statuses.push((await fetch(`${other.url}/v1/groups`)).status);
      await other.close();
      return statuses;
    };
    const [first, again, another] = [await outcomes(7), await outcomes(7), await outcomes(8)];
    assert.deepEqual(first, again);
    assert.notDeepEqual(first, another);
    assert.deepEqual([...new Set(first)].sort(), [200, 500]);
  });
});

function names(list: unknown): string[] {
  return z
    .array(z.object({ name: z.string() }))
    .parse(list)
    .map(({ name }) => name);
}

const pick = (from: Record<string, unknown>, ...keys: string[]): Record<string, unknown> =>
  Object.fromEntries(keys.filter((key) => key in from).map((key) => [key, from[key]]));
