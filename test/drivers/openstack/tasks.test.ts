import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { MaintenanceError } from '../../../src/core/errors.ts';
import type { Driver, PlatformTask } from '../../../src/drivers/driver.ts';
import { connect, context } from './connect.ts';
import { FakeCloud } from './fake-cloud.ts';
import { FakeNova, fault, type Json, migrationJson, serverJson, serviceJson, utc } from './fake-nova.ts';

const MARK = { session: 's', host: 'compute-1' };
const OURS = 'haulout session=s host=compute-1';

let cloud: FakeCloud;
let nova: FakeNova;
let driver: Driver;

beforeEach(async () => {
  cloud = await FakeCloud.start();
  nova = new FakeNova(cloud);
  nova.services = [serviceJson()];
  driver = connect(cloud);
});
afterEach(async () => {
  await driver.close();
  await cloud.close();
});

const put = (over: Json = {}): void => {
  nova.servers = [serverJson(over)];
};
const migrations = (...all: Json[]): void => {
  nova.migrations = all.map(migrationJson);
};
const actions = (...all: Json[]): void => {
  nova.actions = {
    'server-1': all.map((over) => ({
      request_id: 'req-1',
      user_id: 'our-user',
      message: null,
      events: [],
      ...over,
    })),
  };
};

const MIGRATING = { status: 'MIGRATING', 'OS-EXT-STS:task_state': 'migrating' };
const RESIZED = { status: 'VERIFY_RESIZE', 'OS-EXT-STS:vm_state': 'resized' };

const task = (id: string, kind: PlatformTask['kind'] = 'move'): PlatformTask => ({
  id,
  kind,
  subject: 'server-1',
});
const LIVE = task('ours-live/req-1/6');
const COLD = task('ours-cold/req-1/6');

const find = (): Promise<PlatformTask | undefined> => driver.findTask('move', 'server-1', context);
const posted = (): unknown[] =>
  cloud.asked('compute', 'POST', '/v2.1/servers/server-1/action').map(({ body }) => body);
const sent = (method: string): string[] =>
  cloud.asked('compute', method).map(({ path }) => path.replace('/v2.1', ''));

const withCode = (code: string) => (error: unknown) => {
  assert.ok(error instanceof MaintenanceError, String(error));
  assert.equal(error.code, code, error.message);
  return true;
};

describe('a move', () => {
  test('that is live goes to the target, and is known by its request and what was before it', async () => {
    put();
    migrations({ id: 6, status: 'completed' }, { id: 2, status: 'completed' });
    const started = await driver.move('server-1', { how: 'live', target: 'compute-2' }, context);
    assert.deepEqual(started, task('ours-live/req-new/6'));
    assert.deepEqual(posted(), [{ 'os-migrateLive': { host: 'compute-2', block_migration: 'auto' } }]);
  });

  test('goes where Nova chooses when no target is given', async () => {
    put();
    await driver.move('server-1', { how: 'live' }, context);
    const cold = await driver.move('server-1', { how: 'cold' }, context);
    assert.deepEqual(posted(), [
      { 'os-migrateLive': { host: null, block_migration: 'auto' } },
      { migrate: null },
    ]);
    assert.deepEqual(cold, task('ours-cold/req-new/0'), 'the first of this server');
  });

  for (const [words, status, code] of [
    ["Cannot 'os-migrateLive' instance x while it is in task_state migrating", 409, 'PlatformBusy'],
    ["Cannot 'os-migrateLive' instance x while it is in vm_state stopped", 409, 'MoveRefused'],
    ["Operation 'live-migration' not supported for SEV-enabled instance (x).", 409, 'MoveRefused'],
    ['Compute host nope could not be found.', 400, 'NoTarget'],
    ['Invalid input for field/attribute host.', 400, 'PlatformRefused'],
    [
      "Policy doesn't allow os_compute_api:os-migrate-server:migrate_live to be performed.",
      403,
      'NotAuthorized',
    ],
    ['Instance server-1 could not be found.', 404, 'NotFound'],
    ['Unexpected API Error.', 500, 'PlatformError'],
  ] as const) {
    test(`that Nova refuses with "${words}" is ${code}`, async () => {
      put();
      nova.instead.set('POST /servers/server-1/action', fault(status, words));
      await assert.rejects(driver.move('server-1', { how: 'live' }, context), (error) => {
        withCode(code)(error);
        assert.ok(error instanceof MaintenanceError && error.vendor?.includes(words), 'in the words of Nova');
        return true;
      });
    });
  }
});

describe('the move that is under way', () => {
  test('is none of a server that rests', async () => {
    put();
    actions({ action: 'live-migration' });
    assert.equal(await find(), undefined);
  });

  test('is found by what the server does, as it was started', async () => {
    put(MIGRATING);
    actions({ action: 'reboot', request_id: 'req-2' }, { action: 'live-migration' });
    migrations({ id: 7, status: 'running' }, { id: 6, status: 'completed' });
    assert.deepEqual(await find(), LIVE);
  });

  test('is found before it has a record', async () => {
    put(MIGRATING);
    actions({ action: 'live-migration' });
    migrations({ id: 6, status: 'completed' });
    assert.deepEqual(await find(), LIVE);
  });

  test('of somebody else is found, and neither confirmed nor aborted', async () => {
    put(MIGRATING);
    actions({ action: 'live-migration', user_id: 'ada' });
    migrations({ id: 7, status: 'running' });
    const found = await find();
    assert.deepEqual(found, task('others-live/req-1/0'));
    await driver.cancelTask(found, context);
    assert.deepEqual(sent('DELETE'), []);

    migrations({ id: 7, status: 'finished', migration_type: 'resize' });
    const resize = task('others-cold/req-1/0');
    assert.deepEqual(await driver.pollTask(resize, context), { state: 'done' });
    assert.deepEqual(posted(), []);
  });

  test('is a cold one of ours that was never confirmed, wherever the server is seen', async () => {
    put(RESIZED);
    actions({ action: 'migrate' });
    migrations({ id: 7, status: 'finished' }, { id: 6, status: 'completed' });
    assert.deepEqual(await find(), COLD);
    assert.equal((await driver.locate('server-1', context))?.state, 'moving');
    assert.deepEqual(
      (await driver.inspect('compute-1', context)).instances.map(({ state }) => state),
      ['moving'],
    );
  });

  for (const [what, action] of [
    ['a resize of its owner', { action: 'resize', user_id: 'ada' }],
    ['a cold migration of somebody else', { action: 'migrate', user_id: 'ada' }],
  ] as const) {
    test(`is not ${what} that waits to be confirmed`, async () => {
      put(RESIZED);
      actions(action);
      migrations({ id: 7, status: 'finished' });
      assert.equal(await find(), undefined);
      assert.equal((await driver.locate('server-1', context))?.state, 'running');
    });
  }
});

describe('following a live move', () => {
  const poll = () => driver.pollTask(LIVE, context);

  test('tells how far it is', async () => {
    put(MIGRATING);
    const memory = { memory_total_bytes: 1000, memory_processed_bytes: 1200, memory_remaining_bytes: 250 };
    migrations({ id: 7, status: 'running', ...memory });
    assert.deepEqual(await poll(), { state: 'running', progress: 75, detail: 'running' });
    migrations({ id: 7, status: 'queued', memory_total_bytes: null });
    assert.deepEqual(await poll(), { state: 'running', detail: 'queued' });
  });

  test('goes on while the record is not there yet', async () => {
    put(MIGRATING);
    migrations({ id: 6, status: 'completed' });
    assert.deepEqual(await poll(), { state: 'running', detail: 'migrating' });
  });

  test('goes on when the server says it rests, as long as the record does not', async () => {
    put();
    migrations({ id: 7, status: 'running' });
    assert.deepEqual(await poll(), { state: 'running', detail: 'running' });
  });

  test('ends when the record does', async () => {
    put();
    migrations({ id: 7, status: 'completed' }, { id: 6, status: 'error' });
    assert.deepEqual(await poll(), { state: 'done' });
  });

  test('is not misled by a move that came after it', async () => {
    put(MIGRATING);
    migrations({ id: 9, status: 'error' }, { id: 7, status: 'completed' });
    assert.deepEqual(await poll(), { state: 'done' });
  });

  for (const [status, code, events] of [
    ['failed', 'MoveFailed', [{ event: 'compute_pre_live_migration', details: 'no such bridge' }]],
    [
      'error',
      'NoTarget',
      [{ event: 'conductor_live_migrate_instance', details: 'No valid host was found.' }],
    ],
  ] as const) {
    test(`that is "${status}" is ${code}, with the reason of the event`, async () => {
      put();
      migrations({ id: 7, status });
      const [event] = events;
      actions({
        action: 'live-migration',
        message: 'Error',
        events: [{ ...event, result: 'Error', finish_time: 'x' }],
      });
      const answer = await poll();
      assert.ok(answer.state === 'failed');
      assert.equal(answer.error.code, code);
      assert.equal(answer.error.vendor, event.details);
      assert.match(answer.error.message, /^migration 7 of server-1 to compute-2 ended as "(failed|error)": /);
    });
  }

  test('that failed without a reason says where to look for one', async () => {
    put();
    migrations({ id: 7, status: 'failed' });
    actions({ action: 'live-migration' });
    const answer = await poll();
    assert.ok(answer.state === 'failed');
    assert.equal(answer.error.code, 'MoveFailed');
    assert.match(answer.error.message, /the log of nova-compute on compute-1 may say why/);
  });

  test('that failed before it had a record says why', async () => {
    put();
    const event = { event: 'conductor_live_migrate_instance', details: 'out of patience' };
    actions({
      action: 'live-migration',
      message: 'Error',
      events: [{ ...event, result: 'Error', finish_time: 'x' }],
    });
    const answer = await poll();
    assert.ok(answer.state === 'failed');
    assert.equal(answer.error.vendor, 'out of patience');
  });

  test('has vanished when Nova knows neither record nor request, and when the server is gone', async () => {
    put();
    assert.deepEqual(await poll(), { state: 'vanished' });
    nova.servers = [];
    assert.deepEqual(await poll(), { state: 'vanished' });
    assert.deepEqual(await driver.pollTask(task('no-such-task'), context), { state: 'vanished' });
  });

  describe('whose record stands still', () => {
    const stale = { id: 7, status: 'running', created_at: utc(300), updated_at: utc(120) };

    test('has vanished when the server has come to rest', async () => {
      put();
      migrations(stale);
      assert.deepEqual(await poll(), { state: 'vanished' });
    });

    test('goes on as long as its source is up', async () => {
      put(MIGRATING);
      migrations({ ...stale, status: 'queued' });
      assert.deepEqual(await poll(), { state: 'running', detail: 'queued' });
    });

    for (const status of ['running', 'accepted']) {
      test(`at "${status}" has failed when its source is down`, async () => {
        put(MIGRATING);
        migrations({ ...stale, status });
        nova.services = [serviceJson({ state: 'down' })];
        const answer = await poll();
        assert.ok(answer.state === 'failed');
        assert.equal(answer.error.code, 'MoveFailed');
        assert.match(
          answer.error.message,
          /^nova-compute on compute-1 is down, in the middle of moving server-1/,
        );
      });
    }
  });
});

describe('following a cold move', () => {
  const poll = () => driver.pollTask(COLD, context);

  test('confirms it, and waits until the server says so too', async () => {
    put(RESIZED);
    migrations({ id: 7, status: 'migrating' });
    assert.deepEqual(await poll(), { state: 'running', detail: 'migrating' });
    migrations({ id: 7, status: 'finished' });
    assert.deepEqual(await poll(), { state: 'running', detail: 'confirming' });
    assert.deepEqual(posted(), [{ confirmResize: null }]);
    migrations({ id: 7, status: 'confirmed' });
    assert.deepEqual(await poll(), { state: 'running', detail: 'confirming' });
    put();
    assert.deepEqual(await poll(), { state: 'done' });
  });

  test('waits when Nova is not ready for the confirmation', async () => {
    put(RESIZED);
    migrations({ id: 7, status: 'finished' });
    const words = "Cannot 'confirmResize' instance x while it is in vm_state active";
    nova.instead.set('POST /servers/server-1/action', fault(409, words));
    assert.deepEqual(await poll(), { state: 'running', detail: 'confirming' });
  });

  test('that somebody reverted has failed', async () => {
    put();
    migrations({ id: 7, status: 'reverted' });
    const answer = await poll();
    assert.ok(answer.state === 'failed');
    assert.match(answer.error.message, /ended as "reverted"/);
  });

  test('is not aborted: it cannot be', async () => {
    put({ 'OS-EXT-STS:task_state': 'resize_migrating' });
    migrations({ id: 7, status: 'migrating' });
    await driver.cancelTask(COLD, context);
    assert.deepEqual(sent('DELETE'), []);
  });
});

describe('aborting a live move', () => {
  for (const status of ['queued', 'running']) {
    test(`that is ${status} asks Nova to`, async () => {
      put(MIGRATING);
      migrations({ id: 7, status });
      await driver.cancelTask(LIVE, context);
      assert.deepEqual(sent('DELETE'), ['/servers/server-1/migrations/7']);
    });
  }

  test('that is only accepted waits until Nova would', async () => {
    put(MIGRATING);
    migrations({ id: 7, status: 'accepted' });
    const aborted = driver.cancelTask(LIVE, context);
    while (cloud.asked('compute', 'GET', '/v2.1/os-migrations').length === 0) await new Promise(setImmediate);
    assert.deepEqual(sent('DELETE'), []);
    migrations({ id: 7, status: 'running' });
    await aborted;
    assert.deepEqual(sent('DELETE'), ['/servers/server-1/migrations/7']);
  });

  test('that is over, or was aborted already, is no failure', async () => {
    put();
    migrations({ id: 7, status: 'cancelled' });
    await driver.cancelTask(LIVE, context);
    put(MIGRATING);
    migrations({ id: 7, status: 'running' });
    const words = "Instance server-1 is in an invalid state for 'abort live migration'";
    nova.instead.set('DELETE /servers/server-1/migrations/7', fault(409, words));
    await driver.cancelTask(LIVE, context);
  });

  test('that is not allowed is a failure', async () => {
    put(MIGRATING);
    migrations({ id: 7, status: 'running' });
    nova.instead.set('DELETE /servers/server-1/migrations/7', fault(403, 'Policy does not allow it'));
    await assert.rejects(driver.cancelTask(LIVE, context), withCode('NotAuthorized'));
  });
});

test('a server is gone when Nova says so, and not when something before Nova does', async () => {
  assert.equal(await driver.locate('server-1', context), undefined);
  put();
  nova.instead.set('GET /servers/server-1', { status: 404 });
  await assert.rejects(driver.locate('server-1', context), withCode('PlatformGarbled'));
});

describe('stopping and starting', () => {
  const SHUTOFF = { status: 'SHUTOFF', 'OS-EXT-STS:vm_state': 'stopped' };
  const metadata = (): unknown => nova.servers[0]?.['metadata'];

  test('marks a server before it is stopped', async () => {
    put({ metadata: { app: 'shop' } });
    assert.deepEqual(await driver.stop('server-1', MARK, context), task('stop/req-new', 'stop'));
    assert.deepEqual(metadata(), { app: 'shop', haulout_stopped_by: OURS });
    assert.deepEqual(sent('POST'), ['/servers/server-1/metadata', '/servers/server-1/action']);
  });

  test('leaves the mark on it as long as it is stopped', async () => {
    put({ ...SHUTOFF, metadata: { haulout_stopped_by: OURS } });
    assert.deepEqual(await driver.pollTask(task('stop/req-1', 'stop'), context), { state: 'done' });
    assert.deepEqual(metadata(), { haulout_stopped_by: OURS });
  });

  test('takes the mark off again when Nova will not stop it', async () => {
    put();
    nova.instead.set('POST /servers/server-1/action', fault(409, 'Instance server-1 is locked'));
    await assert.rejects(driver.stop('server-1', MARK, context), withCode('MoveRefused'));
    assert.deepEqual(metadata(), {});
  });

  test('leaves a server alone that is stopped already', async () => {
    put(SHUTOFF);
    const stopping = await driver.stop('server-1', MARK, context);
    assert.deepEqual(await driver.pollTask(stopping, context), { state: 'done' });
    assert.deepEqual(sent('POST'), []);
  });

  test('is found while it goes on', async () => {
    put({ 'OS-EXT-STS:task_state': 'powering-off' });
    actions({ action: 'stop' });
    const found = await driver.findTask('stop', 'server-1', context);
    assert.deepEqual(found, task('stop/req-1', 'stop'));
    assert.equal(await driver.findTask('start', 'server-1', context), undefined);
    assert.deepEqual(await driver.pollTask(found, context), { state: 'running', detail: 'powering-off' });
  });

  test('that failed says why', async () => {
    put();
    const event = {
      event: 'compute_stop_instance',
      result: 'Error',
      finish_time: 'x',
      details: 'qemu is stuck',
    };
    actions({ action: 'stop', message: 'Error', events: [event] });
    const answer = await driver.pollTask(task('stop/req-1', 'stop'), context);
    assert.ok(answer.state === 'failed');
    assert.deepEqual([answer.error.code, answer.error.vendor], ['PlatformError', 'qemu is stuck']);
  });

  test('starts what carries our mark, and takes it off when the server runs', async () => {
    put({ ...SHUTOFF, metadata: { haulout_stopped_by: OURS } });
    const starting = await driver.start('server-1', MARK, context);
    assert.deepEqual(posted(), [{ 'os-start': null }]);
    assert.notDeepEqual(metadata(), {}, 'somebody else can still start it');
    put({ metadata: { haulout_stopped_by: OURS } });
    assert.deepEqual(await driver.pollTask(starting, context), { state: 'done' });
    assert.deepEqual(metadata(), {});
  });

  for (const [what, marks] of [
    ['nobody marked', {}],
    ['another session stopped', { haulout_stopped_by: 'haulout session=other host=compute-1' }],
  ] as const) {
    test(`does not start what ${what}`, async () => {
      put({ ...SHUTOFF, metadata: marks });
      await assert.rejects(driver.start('server-1', MARK, context), withCode('OperatorInterfered'));
      assert.deepEqual(posted(), []);
    });
  }

  test('of a server that is gone is NotFound', async () => {
    await assert.rejects(driver.stop('server-1', MARK, context), withCode('NotFound'));
    await assert.rejects(driver.start('server-1', MARK, context), withCode('NotFound'));
  });
});
