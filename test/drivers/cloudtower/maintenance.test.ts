/** The maintenance of a host, call by call: the pre-check, the way in and the way out, and what may come in between. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MaintenanceError, type ErrorCode } from '../../../src/core/errors.ts';
import { formatMark, type Mark } from '../../../src/core/mark.ts';
import { PLAIN_REQUEST } from '../../../src/core/platform-options.ts';
import type { Driver, HostCheck, PlatformTask, TaskStatus } from '../../../src/drivers/driver.ts';
import { FakeCloudTower } from '../../fakes/cloudtower/server.ts';
import { connect, context } from './connect.ts';

const PATIENCE_MS = 60_000;
const HOST = 'smtx-01';
const mark: Mark = { session: 'rack 12', host: HOST };

const FLEET = [
  {
    name: HOST,
    vms: [
      { name: 'web' },
      { name: 'gpu', pinned: 'it has a GPU' },
      { name: 'off', status: 'STOPPED' },
      { name: 'off-without-ha', status: 'STOPPED', ha: false },
      { name: 'in-recycle-bin', recycled: true },
      { name: 'paused', status: 'SUSPENDED' },
      { name: 'kept', protected: true },
    ],
  },
  { name: 'smtx-02', vms: [] },
  { name: 'smtx-03', vms: [{ name: 'db' }] },
  { name: 'smtx-04', vms: [] },
] as const;

let fake: FakeCloudTower;
let driver: Driver;

async function begin(shape: 'sdk' | 'docs'): Promise<void> {
  fake = await FakeCloudTower.start({ hosts: FLEET, shape });
  driver = connect(fake.url, { timeout: '5s' });
}
afterEach(async () => {
  await driver.close();
  await fake.close();
  assert.deepEqual(fake.complaints, []);
});

async function ended(task: PlatformTask | undefined): Promise<TaskStatus> {
  assert.ok(task, 'a task was started');
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const status = await driver.pollTask(task, context);
    if (status.state !== 'running') return status;
    assert.ok(Date.now() < deadline, `task ${task.id} does not end`);
    await sleep(20);
  }
}

async function done(task: PlatformTask | undefined): Promise<void> {
  assert.deepEqual(await ended(task), { state: 'done' });
}

const precheck = (check?: PlatformTask, request = PLAIN_REQUEST): Promise<HostCheck> =>
  driver.precheck(HOST, request, context, check);

const enter = (...stops: string[]): Promise<PlatformTask | undefined> =>
  driver.enter(HOST, mark, PLAIN_REQUEST, context, stops.map(idOf));

const idOf = (name: string): string => fake.vm(name).id;
const refOf = (name: string): { id: string; name: string } => ({ id: idOf(name), name });
const place = (name: string): string => fake.tower.hosts.get(fake.vm(name).host)?.name ?? 'nowhere';
const callsOf = (call: string): number => fake.calls.filter((one) => one.call === call).length;

const withCode =
  (code: ErrorCode, words = /./) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof MaintenanceError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(`${error.message} ${error.vendor ?? ''}`, words);
    return true;
  };

for (const shape of ['sdk', 'docs'] as const) {
  describe(`with ${shape} answers`, () => {
    beforeEach(() => begin(shape));

    test('the pre-check decides what is stopped and what moves', async () => {
      fake.tower.timings.precheckMs = 300;
      const check = await driver.check?.(HOST, context);
      assert.ok(check);
      assert.equal((await driver.pollTask(check, context)).state, 'running');
      await assert.rejects(precheck(check), withCode('PlatformBusy', /pre-check/));
      await done(check);
      const { instances, blockers, warnings } = await precheck(check);
      assert.deepEqual([blockers, warnings], [[], []]);
      const ability = (name: string) => instances.find(({ instance }) => instance.name === name);
      const gpu = ability('gpu');
      assert.match(gpu?.live ?? '', /pre-check says it has to be shut down/);
      assert.match(gpu?.cold ?? '', /pre-check says it has to be shut down/);
      assert.match(gpu?.byPlatform ?? '', /pre-check/);
      assert.deepEqual([gpu?.stop, gpu?.platformStops], [undefined, true]);
      for (const name of ['web', 'paused', 'kept']) {
        assert.deepEqual([ability(name)?.live, ability(name)?.byPlatform], [undefined, undefined], name);
        assert.equal(ability(name)?.platformStops, undefined);
        assert.match(ability(name)?.stop ?? '', /only what its pre-check names/);
      }
      assert.match(ability('in-recycle-bin')?.cold ?? '', /recycle bin/);
      assert.equal(callsOf('enter-maintenance-mode-precheck'), 1);
    });

    test('a host goes in and comes back, with everything that was done to its VMs', async () => {
      await driver.cordon(HOST, mark, PLAIN_REQUEST, context);
      await done(await enter('gpu'));
      const { host, instances } = await driver.inspect(HOST, context);
      assert.equal(host.standing, 'maintenance');
      assert.deepEqual(instances.map(({ name, state, stoppedBy }) => [name, state, stoppedBy]).sort(), [
        ['gpu', 'stopped', formatMark(mark)],
        ['off-without-ha', 'stopped', undefined],
      ]);

      const plan = await driver.planExit?.(HOST, context);
      assert.ok(plan);
      assert.deepEqual(plan.start, [refOf('gpu')]);
      assert.deepEqual(plan.changed, []);
      assert.deepEqual(plan.back.map(({ name, how }) => `${name} ${how}`).sort(), [
        'in-recycle-bin cold',
        'kept live',
        'off cold',
        'paused live',
        'web live',
      ]);
      await done(await driver.exit(HOST, mark, context, plan));
      assert.deepEqual(['web', 'off', 'in-recycle-bin', 'paused', 'kept'].map(place), Array(5).fill(HOST));
      assert.deepEqual([fake.host(HOST).state, fake.vm('gpu').status], ['IN_USE', 'RUNNING']);
      assert.equal(await driver.exit(HOST, mark, context), undefined);

      // Whoever finds the mark on a VM that runs takes it off, and the label goes with its last bearer.
      await done(await driver.start(idOf('gpu'), mark, context));
      await driver.uncordon(HOST, mark, context);
      assert.equal(fake.tower.labels.size, 0);
    });

    test('without a word what was shut down is started, and nothing comes back', async () => {
      await done(await enter('gpu'));
      await done(await driver.exit(HOST, mark, context));
      assert.equal(fake.vm('gpu').status, 'RUNNING');
      assert.notEqual(place('web'), HOST);
    });

    test('only what is asked for is given back, and the rest keeps no mark', async () => {
      await done(await enter('gpu'));
      const web = { ...refOf('web'), how: 'live' as const };
      await done(await driver.exit(HOST, mark, context, { start: [], back: [web] }));
      assert.deepEqual([place('web'), fake.vm('gpu').status], [HOST, 'STOPPED']);
      assert.notEqual(place('kept'), HOST);
      assert.deepEqual(fake.tower.labelsOn(idOf('gpu')), []);
    });

    test('a VM that has no host while it is off is known by its mark, and given back', async () => {
      fake.tower.hidesHostsOfStopped = true;
      await done(await enter('gpu'));
      const { instances } = await driver.inventory(context);
      assert.ok(!instances.some(({ name }) => name === 'off'));
      const gpu = instances.find(({ name }) => name === 'gpu');
      assert.deepEqual([gpu?.host, gpu?.stoppedBy], [HOST, formatMark(mark)]);
      assert.deepEqual(await driver.locate(idOf('gpu'), context), gpu);
      const plan = await driver.planExit?.(HOST, context);
      assert.deepEqual([plan?.start, plan?.changed], [[refOf('gpu')], []]);
      await done(await driver.exit(HOST, mark, context));
      assert.equal(fake.vm('gpu').status, 'RUNNING');
    });

    test('a VM that somebody has touched meanwhile is left to them, and it is said why', async () => {
      await done(await enter('gpu'));
      await done(await driver.move(idOf('web'), { how: 'live', target: 'smtx-04' }, context));
      fake.tower.deleteVm(fake.vm('off'));
      const gpu = fake.vm('gpu');
      fake.tower.switch(gpu, 'RUNNING');
      fake.tower.advance();
      const plan = await driver.planExit?.(HOST, context);
      assert.ok(plan);
      assert.deepEqual(plan.changed.map(({ name, reason }) => [name, reason]).sort(), [
        ['gpu', `VM_STATE_CHANGED, it is RUNNING on ${HOST}`],
        ['web', 'VM_HOST_CHANGED, it is RUNNING on smtx-04'],
      ]);
      assert.deepEqual(plan.start, []);
      await done(await driver.exit(HOST, mark, context));
      assert.equal(place('web'), 'smtx-04');
    });
  });
}

describe('what stands against a host', () => {
  beforeEach(() => begin('sdk'));

  test('a VM of the pre-check that nobody can shut down, but not one that has left', async () => {
    const check = await driver.check?.(HOST, context);
    await done(check);
    const gpu = fake.vm('gpu');
    gpu.status = 'UNKNOWN';
    assert.deepEqual((await precheck(check)).blockers, [
      'gpu has to be shut down by the pre-check, and is UNKNOWN',
    ]);
    Object.assign(gpu, { status: 'RUNNING', host: fake.host('smtx-02').id });
    assert.deepEqual((await precheck(check)).blockers, []);
    fake.tower.deleteVm(gpu);
    assert.deepEqual((await precheck(check)).blockers, [
      `VM ${gpu.localId} has to be shut down by the pre-check, and CloudTower does not show it to us`,
    ]);
  });

  const blockers = async (): Promise<string[]> => (await precheck()).blockers;

  test('a host that is not connected', async () => {
    fake.host(HOST).status = 'SESSION_EXPIRED';
    assert.deepEqual(await blockers(), ['smtx-01 is SESSION_EXPIRED']);
    assert.equal((await driver.inspect(HOST, context)).host.standing, 'down');
  });

  test('another host of the cluster that somebody has out, or that is lost', async () => {
    await done(await driver.enter('smtx-02', { ...mark, host: 'smtx-02' }, PLAIN_REQUEST, context));
    fake.host('smtx-04').status = 'SESSION_EXPIRED';
    assert.deepEqual(await blockers(), [
      'smtx-02, of the same cluster cluster-1, is MAINTENANCE_MODE',
      'smtx-04, of the same cluster cluster-1, is SESSION_EXPIRED',
    ]);
  });

  test('another host that a session has out, unless this one takes the risk', async () => {
    const other = { session: 'rack 13', host: 'smtx-02' };
    await driver.cordon('smtx-02', other, PLAIN_REQUEST, context);
    assert.deepEqual(await blockers(), []);
    await done(await driver.enter('smtx-02', other, PLAIN_REQUEST, context));
    const out = `smtx-02, of the same cluster cluster-1, is MAINTENANCE_MODE (${formatMark(other)})`;
    assert.deepEqual(await blockers(), [out]);
    const { blockers: left, warnings } = await precheck(undefined, { ...PLAIN_REQUEST, beyondLimits: true });
    assert.deepEqual([left, warnings], [[], [out]]);
  });

  test('another host that has gone out since the precheck, before anything is done to a VM', async () => {
    assert.deepEqual(await blockers(), []);
    await done(await driver.enter('smtx-02', { ...mark, host: 'smtx-02' }, PLAIN_REQUEST, context));
    await assert.rejects(enter('gpu'), withCode('HostBlocked', /smtx-02, of the same cluster.*MAINTENANCE/));
    assert.equal(callsOf('enter-maintance-mode'), 1);
    assert.deepEqual(fake.tower.labelsOn(idOf('gpu')), []);
  });

  test('nor does anything keep a host that is on its way from being seen to its end', async () => {
    await done(await enter('gpu'));
    fake.host('smtx-02').status = 'SESSION_EXPIRED';
    assert.deepEqual((await precheck()).blockers, []);
  });

  test('another task that works on it is waited for', async () => {
    fake.host(HOST).busy = true;
    await assert.rejects(precheck(), withCode('PlatformBusy', /UPDATING/));
  });

  test('a warning of its health is told', async () => {
    fake.host(HOST).status = 'CONNECTED_WARNING';
    assert.deepEqual((await precheck()).warnings, ['smtx-01 is CONNECTED_WARNING']);
  });
});

describe('a task', () => {
  beforeEach(() => begin('sdk'));

  const failed = async (task: PlatformTask | undefined): Promise<MaintenanceError> => {
    const status = await ended(task);
    assert.ok(status.state === 'failed', status.state);
    return status.error;
  };

  test('that fails says so in the words of the vendor, and VMs that were shut down are found', async () => {
    fake.tower.taskFaults.push({ mutation: 'enterMaintenanceMode', kind: 'fail', words: 'no space left' });
    withCode('EnterFailed', /TASK_FAILED: no space left/)(await failed(await enter('gpu')));
    assert.equal((await driver.locate(idOf('gpu'), context))?.stoppedBy, formatMark(mark));
    await done(await driver.start(idOf('gpu'), mark, context));
    assert.equal((await driver.locate(idOf('gpu'), context))?.stoppedBy, undefined);
  });

  test('of a VM that has to be shut down and is not named fails', async () => {
    withCode('EnterFailed', /cannot migrate gpu: it has a GPU/)(await failed(await enter()));
  });

  test('that is paused is a failure until somebody lets it go on, and is found again then', async () => {
    fake.tower.taskFaults.push({ mutation: 'enterMaintenanceMode', kind: 'pause' });
    const task = await enter('gpu');
    withCode('EnterFailed', /paused in CloudTower: let it go on there, then continue/)(await failed(task));
    await assert.rejects(driver.exit(HOST, mark, context), withCode('PlatformBusy', /still enters/));
    fake.tower.resumeTasks();
    assert.deepEqual(await driver.findTask('enter', HOST, context), undefined, 'it is over by now');
    assert.equal(fake.host(HOST).state, 'MAINTENANCE_MODE');
  });

  test('that is done is over when the host says so, too', async () => {
    const task = await enter('gpu');
    assert.ok(task);
    const host = fake.host(HOST);
    host.state = 'ENTERING_MAINTENANCE_MODE';
    assert.equal((await driver.pollTask(task, context)).state, 'running');
    host.state = 'MAINTENANCE_MODE';
    await done(task);
  });

  test('that vanishes is followed by what the host says, and never started again', async () => {
    Object.assign(fake.tower.timings, { enterMs: 1_000, exitMs: 1_000 });
    fake.tower.taskFaults.push(
      { mutation: 'enterMaintenanceMode', kind: 'vanish' },
      { mutation: 'exitMaintenanceMode', kind: 'vanish' },
    );
    const task = await enter('gpu');
    assert.ok(task);
    assert.equal((await driver.pollTask(task, context)).state, 'running');
    const found = await driver.findTask('enter', HOST, context);
    assert.deepEqual(await enter('gpu'), found);
    assert.deepEqual([await ended(found), await ended(task)], Array(2).fill({ state: 'vanished' }));
    assert.equal((await driver.inspect(HOST, context)).host.standing, 'maintenance');
    assert.equal(callsOf('enter-maintance-mode'), 1);

    assert.deepEqual(await ended(await driver.exit(HOST, mark, context)), { state: 'vanished' });
    assert.equal((await driver.inspect(HOST, context)).host.standing, 'in-service');
  });

  test('that runs is found by its host, whoever asks, and no second one is started', async () => {
    fake.tower.timings.enterMs = 3_600_000;
    const task = await enter('gpu');
    assert.ok(task);
    assert.deepEqual(await driver.findTask('enter', HOST, context), task);
    assert.deepEqual(await enter('gpu'), task);
    assert.equal((await driver.inspect(HOST, context)).host.standing, 'entering');
    assert.equal(callsOf('enter-maintance-mode'), 1);
    const status = await driver.pollTask(task, context);
    assert.ok(status.state === 'running' && status.progress === 0, JSON.stringify(status));
  });

  test('of a pre-check is not one of entering', async () => {
    fake.tower.timings.precheckMs = 3_600_000;
    await driver.check?.(HOST, context);
    assert.equal(await driver.findTask('enter', HOST, context), undefined);
  });

  test('of leaving is found, too', async () => {
    await done(await enter('gpu'));
    fake.tower.timings.exitMs = 3_600_000;
    const task = await driver.exit(HOST, mark, context);
    assert.deepEqual(await driver.findTask('exit', HOST, context), task);
    assert.deepEqual(await driver.exit(HOST, mark, context), task);
    assert.equal(callsOf('exit-maintance-mode'), 1);
  });

  test('of a pre-check that fails, is paused, or is forgotten', async () => {
    fake.tower.taskFaults.push({ mutation: 'enterMaintenanceModePrecheck', kind: 'fail', words: 'ZBS_DOWN' });
    const error = await failed(await driver.check?.(HOST, context));
    withCode('PlatformError', /ZBS_DOWN/)(error);
    assert.equal(error.retryable, true);
    fake.tower.taskFaults.push({ mutation: 'enterMaintenanceModePrecheck', kind: 'pause' });
    const paused = await failed(await driver.check?.(HOST, context));
    withCode('PlatformError', /paused in CloudTower/)(paused);
    assert.equal(paused.retryable, false, 'it goes on only when somebody says so');
    const forgotten: PlatformTask = { id: 'task-999', kind: 'check', subject: HOST };
    assert.deepEqual(await driver.pollTask(forgotten, context), { state: 'vanished' });
    await assert.rejects(precheck(forgotten), withCode('PlatformGarbled', /forgotten/));
  });
});

describe('an error answer', () => {
  beforeEach(() => begin('sdk'));

  const refusal = (status: number, code?: 'ResourceLocked'): void => {
    const error = { status, message: 'HOST_IS_LOCKED', ...(code === undefined ? {} : { code }) };
    fake.fail({ call: 'enter-maintance-mode', error });
  };

  for (const [status, code, expected, retryable] of [
    [400, 'ResourceLocked', 'PlatformBusy', true],
    [500, 'ResourceLocked', 'PlatformBusy', true],
    [400, undefined, 'PlatformRefused', false],
    [404, undefined, 'NotFound', false],
    [500, undefined, 'PlatformError', true],
  ] as const) {
    test(`${status} ${code ?? 'without a code'} is ${expected}`, async () => {
      refusal(status, code);
      await assert.rejects(enter('gpu'), (error) => {
        withCode(expected, /HOST_IS_LOCKED/)(error);
        assert.equal((error as MaintenanceError).retryable, retryable);
        return true;
      });
    });
  }

  test('that comes as if all was well is none the less no answer', async () => {
    const error = { status: 200, message: 'HOST_IS_LOCKED' };
    fake.fail({ call: 'enter-maintance-mode', error });
    await assert.rejects(enter('gpu'), withCode('PlatformGarbled', /HOST_IS_LOCKED/));
    await done(await enter('gpu'));
    fake.fail({ call: 'exit-maintance-mode-precheck-result', error });
    await assert.rejects(
      async () => driver.planExit?.(HOST, context),
      withCode('PlatformGarbled', /HOST_IS_LOCKED/),
    );
  });

  test('that comes although the call was carried out is no reason to enter twice', async () => {
    fake.tower.timings.enterMs = 1_000;
    fake.fail({ call: 'enter-maintance-mode', isDone: true, error: { status: 500, message: 'timed out' } });
    await assert.rejects(enter('gpu'), withCode('PlatformError', /timed out/));
    await done(await enter('gpu'));
    assert.equal(callsOf('enter-maintance-mode'), 1);
  });

  test('a connection that is cut after the call was carried out is neither', async () => {
    fake.tower.timings.enterMs = 1_000;
    fake.fail({ call: 'enter-maintance-mode', isDone: true });
    await assert.rejects(enter('gpu'), withCode('PlatformUnreachable'));
    await done(await enter('gpu'));
    assert.equal(callsOf('enter-maintance-mode'), 1);
  });
});

describe('labels', () => {
  beforeEach(() => begin('sdk'));

  test('are waited for where changing them is a task', async () => {
    fake.tower.timings.labelMs = 120;
    await driver.cordon(HOST, mark, PLAIN_REQUEST, context);
    const { host } = await driver.inspect(HOST, context);
    assert.deepEqual([host.standing, host.cordonReason], ['cordoned', formatMark(mark)]);
    await driver.uncordon(HOST, mark, context);
    assert.equal((await driver.inspect(HOST, context)).host.standing, 'in-service');
  });

  test('that stand on a VM yet outlive the cordon', async () => {
    await driver.cordon(HOST, mark, PLAIN_REQUEST, context);
    await done(await driver.stop(idOf('web'), mark, context));
    await driver.uncordon(HOST, mark, context);
    assert.equal((await driver.locate(idOf('web'), context))?.stoppedBy, formatMark(mark));
    await done(await driver.start(idOf('web'), mark, context));
    assert.equal(fake.tower.labels.size, 0);
  });

  test('that were made and put on nothing are used again', async () => {
    fake.fail({ call: 'add-labels-to-resources', error: { status: 500, message: 'timed out' } });
    await assert.rejects(driver.cordon(HOST, mark, PLAIN_REQUEST, context), withCode('PlatformError'));
    await driver.cordon(HOST, mark, PLAIN_REQUEST, context);
    assert.equal(callsOf('create-label'), 1);
  });

  test('of ours that stand on nothing are deleted by the next, and those of others are not', async () => {
    fake.fail({ call: 'delete-label', error: { status: 500, message: 'timed out' } });
    await driver.cordon(HOST, mark, PLAIN_REQUEST, context);
    await assert.rejects(driver.uncordon(HOST, mark, context), withCode('PlatformError'));
    fake.tower.createLabel('haulout', 'to be serviced');
    const other = { ...mark, host: 'smtx-02' };
    await driver.cordon('smtx-02', other, PLAIN_REQUEST, context);
    assert.deepEqual(
      [...fake.tower.labels.values()].map(({ value }) => value),
      ['to be serviced', formatMark(other)],
    );
  });

  test('that are deleted before they are set are made anew at the next try', async () => {
    fake.fail({ call: 'add-labels-to-resources', error: { status: 404, message: 'Label not found' } });
    await assert.rejects(driver.cordon(HOST, mark, PLAIN_REQUEST, context), withCode('PlatformBusy'));
    fake.tower.labels.clear();
    await driver.cordon(HOST, mark, PLAIN_REQUEST, context);
    assert.equal((await driver.inspect(HOST, context)).host.standing, 'cordoned');
    assert.equal(callsOf('create-label'), 2);
  });
});
