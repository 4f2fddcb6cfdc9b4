import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { reportOf, startEngine, type Engine } from '../support/engine.ts';
import { fleetOf, hostNames, WORK } from '../support/fleets.ts';

/** The machine may be busy. */
const PATIENCE_MS = 60_000;

describe('a host that fails', () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine(fleetOf(4, 2));
  });
  beforeEach(() => engine.clearFaults());
  after(() => engine.stop());

  const breakWork = (host: string): Promise<void> =>
    engine.fault({
      match: { operation: 'work', host },
      effect: { kind: 'failTask', code: 'FlashFailed', message: 'checksum mismatch' },
    });
  const worksOn = (host: string): number =>
    engine.simulator.journal.entries.filter((entry) => entry.type === 'work.started' && entry.host === host)
      .length;
  const outcome = { maxMovesPerInstance: 99 };

  test('is held where it stands, and goes on from there', async () => {
    await breakWork('compute-01');
    const session = await engine.start({ hosts: ['compute-01', 'compute-02'], actions: [WORK] });
    const failed = await engine.until(session, ({ state }) => state === 'MAINTENANCE_FAILED');
    assert.equal(failed.held.length, 1);
    const [hold] = failed.held;
    assert.ok(hold);
    assert.equal(hold.host, 'compute-01');
    assert.equal(hold.step, 'work');
    assert.equal(hold.code, 'ActionFailed');
    assert.match(hold.message, /checksum mismatch/);
    assert.match(failed.blockedBy[0] ?? '', /compute-01.*checksum mismatch/);
    assert.deepEqual(engine.violations({ ...outcome, held: ['compute-01'] }), []);
    const moves = migrations(engine);

    await engine.clearFaults();
    await session.signal('continue');
    const report = await reportOf(session);
    assert.equal(report.state, 'MAINTENANCE_DONE');
    assert.equal(report.hosts.done, 2);
    assert.equal(report.instances.moved, report.instances.total);
    const movedAgain = migrations(engine)
      .slice(moves.length)
      .filter(({ from }) => from === 'compute-01');
    assert.deepEqual(movedAgain, [], 'nothing of what was done is done again');
    assert.deepEqual(engine.violations(outcome), []);
  });

  test('is skipped when the operator says so, and put back', async () => {
    await breakWork('compute-02');
    const session = await engine.start({ hosts: ['compute-02', 'compute-03'], actions: [WORK] });
    await engine.until(session, ({ state }) => state === 'MAINTENANCE_FAILED');
    await session.signal('continue', { skip: ['compute-02'] });
    const report = await reportOf(session);
    assert.equal(report.hosts.skipped, 1);
    assert.equal(report.hosts.done, 1);
    assert.deepEqual(engine.violations(outcome), []);
  });

  test('is rolled back when the operator says so', async () => {
    await breakWork('compute-02');
    const session = await engine.start({ hosts: ['compute-02'], actions: [WORK] });
    await engine.until(session, ({ state }) => state === 'MAINTENANCE_FAILED');
    await session.executeUpdate('continueSession', { args: [{ rollback: ['compute-02'] }] });
    const report = await reportOf(session);
    assert.equal(report.hosts.rolledBack, 1);
    assert.deepEqual(engine.violations(outcome), []);
  });

  test('is rolled back by itself where the session says so, and counts as failed', async () => {
    await breakWork('compute-02');
    const session = await engine.start({
      hosts: ['compute-02', 'compute-03'],
      actions: [WORK],
      onFailure: 'rollback',
    });
    const failed = await engine.until(
      session,
      ({ state, hosts }) => state === 'MAINTENANCE_FAILED' && hosts.inFlight === 0,
    );
    assert.equal(failed.hosts.rolledBack, 1);
    assert.deepEqual(engine.violations(outcome), []);
    await session.signal('continue');
    assert.equal((await reportOf(session)).state, 'MAINTENANCE_DONE');
  });

  test('is not passed over in silence when it was the last one, and rolled back by itself', async () => {
    await breakWork('compute-02');
    const session = await engine.start({ hosts: ['compute-02'], actions: [WORK], onFailure: 'rollback' });
    const failed = await engine.until(session, ({ state }) => state === 'MAINTENANCE_FAILED');
    assert.match(failed.reason, /1 failed and were rolled back: signal continue to end the session/);
    await session.signal('continue');
    const report = await reportOf(session);
    assert.equal(report.state, 'MAINTENANCE_DONE');
    assert.equal(report.hosts.rolledBack, 1);
    assert.deepEqual(engine.violations(outcome), []);
  });

  test('does not keep the others while failures are tolerated', async () => {
    await breakWork('compute-01');
    const session = await engine.start({ actions: [WORK], budget: { maxFailedHosts: 1 } });
    const failed = await engine.until(session, ({ state }) => state === 'MAINTENANCE_FAILED');
    assert.deepEqual(failed.hosts, {
      total: 4,
      pending: 0,
      inFlight: 0,
      done: 3,
      held: 1,
      skipped: 0,
      rolledBack: 0,
    });
    await session.signal('cancel', {});
    const report = await reportOf(session);
    assert.equal(report.state, 'MAINTENANCE_CANCELLED');
    assert.equal(report.hosts.rolledBack, 1);
    assert.deepEqual(engine.violations(outcome), []);
  });

  for (const orders of [
    ['continue', 'cancel'],
    ['cancel', 'continue'],
  ]) {
    test(`is put back when the session is told to ${orders.join(', and at once to ')}`, async () => {
      await breakWork('compute-02');
      const session = await engine.start({ hosts: ['compute-02', 'compute-03'], actions: [WORK] });
      await engine.until(session, ({ state }) => state === 'MAINTENANCE_FAILED', PATIENCE_MS);
      for (const order of orders) await session.signal(order);
      const report = await reportOf(session);
      assert.equal(report.state, 'MAINTENANCE_CANCELLED');
      assert.deepEqual([report.hosts.rolledBack, report.hosts.held], [1, 0]);
      assert.equal(report.hosts.pending + report.hosts.done, 1);
      assert.deepEqual(engine.violations(outcome), []);
    });
  }

  test('is put back when the session is cancelled while it is taken up again', async () => {
    await breakWork('compute-02');
    // Actions for a role come after those for every host.
    const approval = { plugin: 'approval', type: 'compute' } as const;
    const session = await engine.start({ hosts: ['compute-02'], actions: [WORK, approval] });
    await engine.until(session, ({ state }) => state === 'MAINTENANCE_FAILED', PATIENCE_MS);
    await engine.clearFaults();
    await session.signal('continue');
    await engine.until(session, ({ inFlight }) => inFlight[0]?.waitsFor !== undefined, PATIENCE_MS);
    await session.signal('cancel', { reason: 'it takes too long' });
    const report = await reportOf(session);
    assert.equal(report.state, 'MAINTENANCE_CANCELLED');
    assert.equal(report.hosts.rolledBack, 1);
    assert.deepEqual(engine.violations(outcome), []);
  });

  test('is taken up by a session that resumes the one which held it, after that was terminated', async () => {
    await breakWork('compute-01');
    const hosts = ['compute-01', 'compute-02'];
    const first = await engine.start({ hosts, actions: [WORK] }, 'held-when-terminated');
    await engine.until(first, ({ held }) => held[0]?.host === 'compute-01', PATIENCE_MS);
    await first.terminate('pulled the plug');
    assert.deepEqual(engine.violations({ ...outcome, held: ['compute-01'] }), []);
    const terminatedAt = engine.simulator.journal.entries.length;

    await engine.clearFaults();
    const second = await engine.start({ hosts, actions: [WORK], resumeFrom: 'held-when-terminated' });
    const report = await reportOf(second);
    assert.deepEqual([report.state, report.hosts.done], ['MAINTENANCE_DONE', 2]);
    const again = engine.simulator.journal.entries.filter(
      (entry) =>
        entry.seq > terminatedAt &&
        ((entry.type === 'host.entering' && entry.host === 'compute-01') ||
          (entry.type === 'instance.migration.started' && entry.from === 'compute-01')),
    );
    assert.deepEqual(again, [], 'it is neither emptied nor entered again');
    assert.deepEqual(engine.violations(outcome), []);
  });

  test('before anything is touched does not keep the others', async () => {
    await engine.simulate('POST', '/v1/hosts/compute-04/die', {});
    const session = await engine.start({
      hosts: ['compute-03', 'compute-04'],
      budget: { maxFailedHosts: 1 },
    });
    const failed = await engine.until(
      session,
      ({ state, hosts }) => state === 'MAINTENANCE_FAILED' && hosts.inFlight === 0,
      PATIENCE_MS,
    );
    assert.equal(failed.hosts.done, 1);
    const [hold] = failed.held;
    assert.deepEqual([hold?.host, hold?.step, hold?.code], ['compute-04', 'precheck', 'HostBlocked']);
    await engine.simulate('POST', '/v1/hosts/compute-04/revive', {});
    await session.signal('continue');
    assert.equal((await reportOf(session)).hosts.done, 2);
    assert.deepEqual(engine.violations(outcome), []);
  });

  test('is held by name when an instance cannot leave, after the others have', async () => {
    const host = hostNames(4).find((name) => engine.simulator.datacentre.instancesOn(name).length > 1) ?? '';
    const [instance] = engine.simulator.datacentre.instancesOn(host);
    assert.ok(instance);
    await engine.fault({
      match: { operation: 'migrate', instance: instance.name },
      effect: { kind: 'failTask', code: 'Precopy', message: 'dirty pages faster than the link' },
    });
    const before = worksOn(host);
    const session = await engine.start({ hosts: [host], actions: [WORK] });
    const failed = await engine.until(session, ({ state }) => state === 'MAINTENANCE_FAILED', 60_000);
    const [hold] = failed.held;
    assert.ok(hold);
    assert.equal(hold.step, 'drain');
    assert.equal(hold.code, 'MoveFailed');
    assert.match(hold.message, new RegExp(`${instance.name}.*dirty pages`));
    assert.equal(worksOn(host), before, 'no work on a host that is not empty');
    const targets = new Set(
      migrations(engine)
        .filter((entry) => entry.instance === instance.id && entry.outcome === 'failed')
        .map(({ to }) => to),
    );
    assert.ok(targets.size > 1, 'a second try goes to another target');
    await engine.clearFaults();
    await session.signal('continue');
    assert.equal((await reportOf(session)).state, 'MAINTENANCE_DONE');
    assert.deepEqual(engine.violations(outcome), []);
  });
});

const migrations = (engine: Engine) =>
  engine.simulator.journal.entries.filter((entry) => entry.type === 'instance.migration.ended');
