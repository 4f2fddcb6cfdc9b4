/** A platform that wants to know of a session before it gives any host, and when the last is back. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { MaintenanceError } from '../../src/core/errors.ts';
import { hostWorkflowId, MAINTENANCE_QUEUE, WORKFLOWS } from '../../src/names.ts';
import type { ReconcileReport } from '../../workflows/reconcile.ts';
import { reportOf, SITE, startEngine, type Engine } from '../support/engine.ts';
import { fleetOf, WORK } from '../support/fleets.ts';
import { Windows } from '../support/windows.ts';

const PATIENCE_MS = 60_000;

describe('a platform that is told of sessions', () => {
  const windows = new Windows();
  let engine: Engine;
  before(async () => {
    windows.install();
    engine = await startEngine(fleetOf(4, 2));
  });
  beforeEach(() => {
    windows.open.clear();
    windows.log.length = 0;
    windows.waitsFor = undefined;
    windows.refusal = undefined;
  });
  after(async () => {
    windows.remove();
    await engine.stop();
  });

  const touched = (): boolean =>
    engine.simulator.journal.entries.some(({ type }) => type === 'host.cordoned');

  test('gives no host before it is ready, names who keeps it waiting, and is told of the end', async () => {
    windows.waitsFor = 'controller openstack: 40 %';
    const session = await engine.start({ hosts: ['compute-01'], actions: [WORK] });
    await engine.until(
      session,
      ({ blockedBy }) => blockedBy.includes('controller openstack: 40 %'),
      PATIENCE_MS,
    );
    assert.equal(touched(), false);
    windows.waitsFor = undefined;
    assert.equal((await reportOf(session)).state, 'MAINTENANCE_DONE');
    assert.deepEqual(windows.log, [`open ${session.workflowId}`, `close ${session.workflowId}`]);
  });

  test('is asked again when somebody has taken that back', async () => {
    windows.isTakenBack = true;
    const session = await engine.start({ hosts: ['compute-01'], actions: [WORK] });
    assert.equal((await reportOf(session)).state, 'MAINTENANCE_DONE');
    const { workflowId: id } = session;
    assert.deepEqual(windows.log, [`open ${id}`, `open ${id}`, `close ${id}`]);
  });

  test('is told of the end of a session that is cancelled while it waits', async () => {
    windows.waitsFor = 'controller openstack';
    const session = await engine.start({ hosts: ['compute-01'] });
    await engine.until(session, ({ blockedBy }) => blockedBy.length > 0, PATIENCE_MS);
    await session.signal('cancel');
    assert.equal((await reportOf(session)).state, 'MAINTENANCE_CANCELLED');
    assert.deepEqual([...windows.open], []);
  });

  test('that cannot be told of the end keeps the session open until it can', async () => {
    windows.refusal = new MaintenanceError('NotAuthorized', 'may not delete');
    const session = await engine.start({ hosts: ['compute-01'] });
    const { reason } = await engine.until(
      session,
      ({ state }) => state === 'MAINTENANCE_FAILED',
      PATIENCE_MS,
    );
    assert.match(reason, /NotAuthorized: the maintenance of the platform stays open: may not delete/);
    windows.refusal = undefined;
    await session.signal('continue');
    assert.equal((await reportOf(session)).state, 'MAINTENANCE_DONE');
    assert.deepEqual([...windows.open], []);
  });

  test('is there for one session at a time, and the other waits by name or fails', async () => {
    windows.open.add('theirs');
    const waiting = await engine.start({ hosts: ['compute-01'] });
    await engine.until(
      waiting,
      ({ blockedBy }) => blockedBy.some((what) => what.includes('session theirs, which has ended')),
      PATIENCE_MS,
    );
    const failing = await engine.start({ hosts: ['compute-02'], onBusyHost: 'fail' });
    const { reason } = await engine.until(
      failing,
      ({ state }) => state === 'MAINTENANCE_FAILED',
      PATIENCE_MS,
    );
    assert.match(reason, /HostBusy: .*session theirs/);
    windows.open.delete('theirs');
    await failing.signal('continue');
    const reports = await Promise.all([reportOf(waiting), reportOf(failing)]);
    assert.deepEqual(
      reports.map(({ state }) => state),
      ['MAINTENANCE_DONE', 'MAINTENANCE_DONE'],
    );
    // One after the other, whichever came first.
    assert.deepEqual(
      windows.log.map((line) => line.split(' ')[0]),
      ['open', 'close', 'open', 'close'],
    );
  });

  test('is told by the session that resumes one which was terminated, or by reconcile', async () => {
    const lost = await engine.start({ hosts: ['compute-03'], actions: [{ ...WORK, plugin: 'approval' }] });
    await engine.until(lost, ({ blockedBy }) => blockedBy.length > 0, PATIENCE_MS);
    await lost.terminate();
    const host = engine.client.workflow.getHandle(hostWorkflowId(SITE, 'compute-03'));
    await host.result().catch(() => undefined);
    assert.deepEqual([...windows.open], [lost.workflowId]);

    const heir = await engine.start({ resumeFrom: lost.workflowId });
    assert.equal((await reportOf(heir)).state, 'MAINTENANCE_DONE');
    assert.deepEqual([...windows.open], []);

    windows.open.add(lost.workflowId);
    const report = (await engine.client.workflow.execute(WORKFLOWS.reconcile, {
      taskQueue: MAINTENANCE_QUEUE,
      workflowId: `reconcile-${randomUUID()}`,
      args: [{ site: SITE }],
    })) as ReconcileReport;
    assert.deepEqual(report.windowsClosed, [lost.workflowId]);
    assert.deepEqual([...windows.open], []);
  });
});
