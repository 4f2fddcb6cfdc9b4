/** The worker is killed at each call that it makes to CloudTower, before and after it is carried out. */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { ONE, Site } from './site.ts';

type Boundary = readonly [call: string, when: 'before' | 'after'];

const WAY_IN: readonly Boundary[] = [
  ['enter-maintenance-mode-precheck', 'before'],
  ['enter-maintenance-mode-precheck', 'after'],
  ['enter-maintance-mode-precheck-result', 'before'],
  ['create-label', 'before'],
  ['create-label', 'after'],
  ['add-labels-to-resources', 'before'],
  ['add-labels-to-resources', 'after'],
  ['enter-maintance-mode', 'before'],
  ['enter-maintance-mode', 'after'],
  ['get-tasks', 'before'],
];
const WAY_OUT: readonly Boundary[] = [
  ['exit-maintance-mode-precheck-result', 'before'],
  ['exit-maintance-mode-precheck-result', 'after'],
  ['exit-maintance-mode', 'before'],
  ['exit-maintance-mode', 'after'],
  ['remove-labels-from-resources', 'before'],
  ['remove-labels-from-resources', 'after'],
  ['delete-label', 'before'],
];

let site: Site;
afterEach(() => site.stop());

describe('the worker is killed, and another one goes on from where CloudTower stands', () => {
  for (const [way, boundaries] of [
    ['in', WAY_IN],
    ['out', WAY_OUT],
  ] as const) {
    test(`at each call on the way ${way}`, async () => {
      site = await Site.start();
      Object.assign(site.fake.tower.timings, { enterMs: 4_000, exitMs: 4_000 });
      const [first, ...others] = boundaries;
      assert.ok(first);
      let held = site.fake.hold(...first);
      const session = await site.session(ONE);
      for (const next of [...others, undefined]) {
        await held.arrived;
        await site.killWorker();
        held.cut();
        if (next) held = site.fake.hold(...next);
        await site.startWorker();
      }
      const report = await site.report(session);

      assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
      assert.deepEqual(
        site.objections().filter((text) => !text.includes('label')),
        [],
      );
      assert.deepEqual([site.audit('host.entering'), site.audit('host.exiting')], [['smtx-01'], ['smtx-01']]);
      assert.deepEqual([site.audit('vm.shut-down'), site.audit('vm.started')], [['gpu'], ['gpu']]);
      assert.deepEqual(site.takeWorked(), { worked: ['smtx-01'], wrong: [] });
      // A label that the worker could not delete any more goes with the next one.
      await site.report(await site.session({ ...ONE, hosts: ['smtx-04'] }));
      assert.deepEqual(site.objections(), []);
    });
  }
});

describe('what a session leaves that was ended with its host is put back by reconcile', () => {
  const terminatedAt = async (reached: () => Promise<void>): Promise<void> => {
    const session = await site.session(ONE);
    await reached();
    await site.terminate(session, ONE.hosts);
    assert.deepEqual((await site.reconcile()).putBack, ONE.hosts);
    assert.deepEqual(site.objections({ changed: ['web', 'protected', 'off', 'in-recycle-bin'] }), []);
    assert.equal(site.fake.vm('gpu').status, 'RUNNING');
  };

  test('a host that enters', async () => {
    site = await Site.start();
    site.fake.tower.timings.enterMs = 8_000;
    await terminatedAt(async () => {
      const held = site.fake.hold('enter-maintance-mode', 'after');
      await held.arrived;
      held.release();
    });
  });

  test('a host in maintenance', async () => {
    site = await Site.start();
    site.workMs = 60_000;
    await terminatedAt(() => site.workedOn('smtx-01'));
  });

  test('a VM that was shut down for a host that did not enter', async () => {
    site = await Site.start();
    site.fake.tower.taskFaults.push({ mutation: 'enterMaintenanceMode', kind: 'fail', words: 'ZBS_BUSY' });
    const session = await site.session(ONE);
    await site.until(session, ({ hosts }) => hosts.held === 1);
    assert.equal(site.fake.vm('gpu').status, 'STOPPED');
    await session.terminate();
    assert.deepEqual((await site.reconcile()).putBack, ONE.hosts);
    assert.equal(site.fake.vm('gpu').status, 'RUNNING');
    assert.deepEqual(site.objections({ changed: ['web'] }), []);
  });
});
