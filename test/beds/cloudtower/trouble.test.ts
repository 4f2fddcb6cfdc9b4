/** Sessions while CloudTower, or the way to it, makes trouble. */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import type { CallFault } from '../../fakes/cloudtower/server.ts';
import { ONE, Site } from './site.ts';

let site: Site;
afterEach(() => site.stop());

const LOCKED = { status: 400, message: 'HOST_LOCKED', code: 'ResourceLocked' } as const;
const FAILED = { status: 500, message: 'upstream timed out' };

/** Nobody has to do anything, and nothing is done twice. */
async function passes(): Promise<void> {
  const report = await site.report(await site.session(ONE));
  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(site.objections(), []);
  assert.deepEqual([site.audit('host.entering'), site.audit('host.exiting')], [['smtx-01'], ['smtx-01']]);
  assert.deepEqual(site.takeWorked(), { worked: ['smtx-01'], wrong: [] });
}

describe('it passes', () => {
  const faults: Readonly<Record<string, readonly CallFault[]>> = {
    'objects that are locked': [
      { call: 'enter-maintenance-mode-precheck', error: LOCKED },
      { call: 'enter-maintance-mode', error: LOCKED, times: 2 },
      { call: 'exit-maintance-mode', error: LOCKED },
    ],
    'errors of CloudTower before it does what was asked': [
      { call: 'enter-maintenance-mode-precheck', error: FAILED },
      { call: 'add-labels-to-resources', error: FAILED },
      { call: 'enter-maintance-mode', error: FAILED },
      { call: 'get-tasks', error: FAILED, times: 2 },
      { call: 'exit-maintance-mode-precheck-result', error: FAILED },
      { call: 'exit-maintance-mode', error: FAILED },
    ],
    'errors of CloudTower after it has done what was asked': [
      { call: 'create-label', isDone: true, error: FAILED },
      { call: 'enter-maintance-mode', isDone: true, error: FAILED },
      { call: 'exit-maintance-mode', isDone: true, error: FAILED },
    ],
    'connections that are cut when it was done': [
      { call: 'add-labels-to-resources', isDone: true },
      { call: 'enter-maintance-mode', isDone: true },
      { call: 'exit-maintance-mode', isDone: true },
      { call: 'delete-label', isDone: true },
    ],
  };
  for (const [name, list] of Object.entries(faults)) {
    test(name, async () => {
      site = await Site.start();
      for (const fault of list) site.fake.fail(fault);
      await passes();
    });
  }

  test('tasks that vanish', async () => {
    site = await Site.start();
    Object.assign(site.fake.tower.timings, { enterMs: 4_000 });
    site.fake.tower.taskFaults.push(
      { mutation: 'enterMaintenanceMode', kind: 'vanish' },
      { mutation: 'exitMaintenanceMode', kind: 'vanish' },
    );
    await passes();
  });

  test('tokens that expire while the host enters', async () => {
    site = await Site.start();
    site.fake.tower.timings.enterMs = 3_000;
    const held = site.fake.hold('enter-maintance-mode', 'after');
    const passing = passes();
    await held.arrived;
    site.fake.expireTokens();
    held.release();
    await passing;
  });

  test('a pre-check that fails once', async () => {
    site = await Site.start();
    const words = 'ZBS_BUSY';
    site.fake.tower.taskFaults.push({ mutation: 'enterMaintenanceModePrecheck', kind: 'fail', words });
    await passes();
  });

  test('another task that works on the host', async () => {
    site = await Site.start();
    const host = site.fake.host('smtx-01');
    host.busy = true;
    const held = site.fake.hold('get-hosts', 'after');
    const passing = passes();
    await held.arrived;
    held.release();
    setTimeout(() => (host.busy = false), 4_000);
    await passing;
  });
});

describe('the host is held by what CloudTower says, and goes on from there', () => {
  const holds = async (step: string, words: RegExp): Promise<() => Promise<void>> => {
    const session = await site.session(ONE);
    const { held } = await site.until(session, ({ hosts }) => hosts.held === 1);
    assert.match(held[0]?.message ?? '', words);
    assert.equal(held[0]?.step, step);
    return async () => {
      await session.signal('continue');
      const report = await site.report(session);
      assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
      assert.deepEqual(site.objections(), []);
      assert.deepEqual(site.takeWorked().wrong, []);
    };
  };

  test('entering fails half-way', async () => {
    site = await Site.start();
    site.fake.tower.taskFaults.push({
      mutation: 'enterMaintenanceMode',
      kind: 'fail',
      words: 'ZBS_RECOVERY_RUNS',
    });
    const goOn = await holds(
      'drain',
      /smtx-01 did not enter maintenance.*; still shut down for it: gpu .*TASK_FAILED: ZBS_RECOVERY_RUNS/,
    );
    assert.equal(site.fake.vm('gpu').status, 'STOPPED');
    await goOn();
    assert.equal(site.audit('vm.shut-down').length, 1);
  });

  test('entering is paused', async () => {
    site = await Site.start();
    site.fake.tower.taskFaults.push({ mutation: 'enterMaintenanceMode', kind: 'pause' });
    const goOn = await holds(
      'drain',
      /did not enter maintenance, and is "entering".*paused in CloudTower: let it go on there/,
    );
    site.fake.tower.resumeTasks();
    await goOn();
    assert.equal(site.audit('host.entering').length, 1);
  });

  test('leaving fails', async () => {
    site = await Site.start();
    site.fake.tower.taskFaults.push({
      mutation: 'exitMaintenanceMode',
      kind: 'fail',
      words: 'ELF_VM_START_FAILED',
    });
    const goOn = await holds('exit', /did not leave maintenance.*ELF_VM_START_FAILED/);
    await goOn();
  });

  test('the pre-check fails', async () => {
    site = await Site.start();
    const error = { status: 400, message: 'HOST_NOT_HEALTHY' };
    site.fake.fail({ call: 'enter-maintenance-mode-precheck', error });
    await (
      await holds('precheck', /enter-maintenance-mode-precheck: answered 400.*HOST_NOT_HEALTHY/)
    )();
  });

  test('CloudTower does not know the host any more', async () => {
    site = await Site.start();
    const error = { status: 404, message: 'HOST_NOT_FOUND' };
    site.fake.fail({ call: 'enter-maintance-mode', error });
    await (
      await holds('drain', /enter-maintance-mode: answered 404.*HOST_NOT_FOUND/)
    )();
  });
});
