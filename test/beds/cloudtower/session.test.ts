/** Whole sessions over the fake of CloudTower; its own audit says whether they did as they should. */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { FOUR, ONE, Site } from './site.ts';

let site: Site;
afterEach(() => site.stop());

for (const shape of ['sdk', 'docs'] as const) {
  test(`four hosts go out one at a time, and everything is as it was, by ${shape} answers`, async () => {
    site = await Site.start(shape);
    const report = await site.report(
      await site.session({ ...ONE, hosts: FOUR, budget: { maxConcurrentHosts: 2 } }),
    );

    assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
    assert.equal(report.hosts.done, 4);
    assert.deepEqual(site.objections(), []);
    const { worked, wrong } = site.takeWorked();
    assert.deepEqual([worked.sort(), wrong], [FOUR, []]);
    assert.deepEqual(site.audit('vm.shut-down'), ['gpu']);
    assert.deepEqual(site.audit('vm.started'), ['gpu']);
    assert.equal(report.instances.stopped, 1);
    assert.equal(site.callsOf('enter-maintance-mode'), 4);
  });
}

test('what was moved away stays there, unless the session wants it back', async () => {
  site = await Site.start();
  const report = await site.report(
    await site.session({ hosts: ['smtx-01'], instances: { mode: 'live-then-stop' } }),
  );
  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(report.instances, { total: 3, moved: 2, stopped: 1 });
  assert.deepEqual(site.objections({ changed: ['web', 'protected', 'off', 'in-recycle-bin'] }), []);
  assert.equal(site.fake.vm('gpu').status, 'RUNNING');
});

test('a host with VMs that may not be shut down is held before anything is touched, by the names of its VMs', async () => {
  site = await Site.start();
  site.fake.vm('protected').pinned = 'it has a GPU, too';
  const session = await site.session({ ...ONE, instances: { mode: 'live', return: true } });
  const { held } = await site.until(session, ({ hosts }) => hosts.held === 1);
  assert.deepEqual([held[0]?.code, held[0]?.step], ['HostBlocked', 'precheck']);
  assert.match(
    held[0]?.message ?? '',
    /gpu, protected: .*live.*pre-check says it has to be shut down: .*"stop" in instances.overrides$/,
  );
  assert.deepEqual([site.audit(), site.objections()], [[], []]);

  for (const name of ['gpu', 'protected']) site.fake.vm(name).pinned = undefined;
  await session.signal('continue');
  const report = await site.report(session);
  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(site.audit('vm.shut-down'), []);
  assert.deepEqual(site.objections(), []);
});

test('one VM may be allowed to be shut down by its name', async () => {
  site = await Site.start();
  const instances = { mode: 'live', overrides: { gpu: 'stop' }, return: true } as const;
  const report = await site.report(await site.session({ ...ONE, instances }));
  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(site.objections(), []);
  assert.deepEqual(site.takeWorked(), { worked: ['smtx-01'], wrong: [] });
});

test('what has come since the pre-check is found by another one, once that is older than a minute', async () => {
  site = await Site.start();
  const { timings } = site.fake.tower;
  timings.labelMs = 65_000;
  const held = site.fake.hold('create-label', 'after');
  const session = await site.session(ONE);
  await held.arrived;
  timings.labelMs = 0;
  site.fake.vm('web').pinned = 'it was given a GPU';
  held.release();
  const report = await site.report(session);
  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(site.audit('vm.shut-down').sort(), ['gpu', 'web']);
  assert.equal(site.audit('host.entering').length, 1, 'it was found before the host was touched');
  assert.deepEqual(site.objections(), []);
});

test('a VM that somebody touches during the maintenance is left to them, and the report says why', async () => {
  site = await Site.start();
  site.workMs = 6_000;
  const session = await site.session(ONE);
  await site.workedOn('smtx-01');
  const { tower } = site.fake;
  tower.migrate(site.fake.vm('web'), site.fake.host('smtx-04'));
  site.fake.vm('protected').status = 'STOPPED';
  const report = await site.report(session);

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(report.warnings.filter((text) => text.includes('is left as it is')).sort(), [
    'protected is left as it is: VM_STATE_CHANGED, it is STOPPED on smtx-02',
    'web is left as it is: VM_HOST_CHANGED, it is RUNNING on smtx-04',
  ]);
  assert.deepEqual(site.objections({ changed: ['web', 'protected'] }), []);
  assert.equal(site.fake.vm('web').host, site.fake.host('smtx-04').id);
});

test('a host that restarts after its work is waited for, and then given everything back', async () => {
  site = await Site.start();
  site.workMs = 1_000;
  const session = await site.session(ONE);
  await site.workedOn('smtx-01');
  const host = site.fake.host('smtx-01');
  host.status = 'SESSION_EXPIRED';
  await site.until(session, ({ inFlight }) =>
    inFlight.some(({ waitsFor }) => waitsFor?.includes('is down') === true),
  );
  host.status = 'CONNECTED_HEALTHY';
  const report = await site.report(session);
  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(site.objections(), []);
});

test('a host is left alone while somebody else has another one of its cluster out', async () => {
  site = await Site.start();
  const { tower } = site.fake;
  tower.enter(site.fake.host('smtx-02'), []);
  const session = await site.session(ONE);
  const { held } = await site.until(session, ({ hosts }) => hosts.held === 1);
  assert.equal(held[0]?.code, 'HostBlocked');
  assert.match(held[0].message, /smtx-02, of the same cluster cluster-1, is MAINTENANCE_MODE/);
  const back = tower.takenFrom(site.fake.host('smtx-02')).map(({ vm }) => vm.localId);
  tower.exit(site.fake.host('smtx-02'), { start: [], live: back, offline: [] });
  await session.signal('continue');
  const report = await site.report(session);
  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(site.objections(), []);
});

test('a host is left alone while another session has one of its cluster out', async () => {
  site = await Site.start();
  const held = site.fake.hold('exit-maintance-mode-precheck-result', 'before');
  const first = await site.session(ONE);
  await held.arrived;
  const second = await site.session({ ...ONE, hosts: ['smtx-02'], onBusyHost: 'fail' });
  const { held: holds } = await site.until(second, ({ hosts }) => hosts.held === 1);
  assert.equal(holds[0]?.code, 'HostBlocked');
  assert.match(
    holds[0].message,
    /smtx-01, of the same cluster.*MAINTENANCE_MODE \(haulout session=.* host=smtx-01\)/,
  );
  held.release();
  assert.equal((await site.report(first)).state, 'MAINTENANCE_DONE');
  await second.signal('continue');
  assert.equal((await site.report(second)).state, 'MAINTENANCE_DONE');
  assert.deepEqual(site.objections(), []);
});

describe('a session that is cancelled puts its host and all its VMs back', () => {
  const cancelledAt = async (call: string, slow: 'precheckMs' | 'enterMs' | 'exitMs'): Promise<string[]> => {
    site = await Site.start();
    site.fake.tower.timings[slow] = 5_000;
    const held = site.fake.hold(call, 'after');
    const session = await site.session(ONE);
    await held.arrived;
    await session.signal('cancel', { reason: 'the spare parts are late' });
    held.release();
    const report = await site.report(session);
    assert.equal(report.state, 'MAINTENANCE_CANCELLED', report.reason);
    assert.deepEqual(site.objections(), []);
    return site.audit('host.maintenance');
  };

  test('during the pre-check', async () => {
    assert.deepEqual(await cancelledAt('enter-maintenance-mode-precheck', 'precheckMs'), []);
  });

  test('while its mark is made', async () => {
    await cancelledAt('create-label', 'enterMs');
  });

  test('while it enters, which CloudTower does not break off', async () => {
    assert.deepEqual(await cancelledAt('enter-maintance-mode', 'enterMs'), ['smtx-01']);
  });

  test('while it enters for long, and says that it waits for that', async () => {
    site = await Site.start();
    site.fake.tower.timings.enterMs = 75_000;
    const held = site.fake.hold('enter-maintance-mode', 'after');
    const session = await site.session(ONE);
    await held.arrived;
    await session.signal('cancel', {});
    held.release();
    const waits = 'what still runs on smtx-01 to end';
    await site.until(session, ({ inFlight }) => inFlight.some(({ waitsFor }) => waitsFor === waits));
    const report = await site.report(session);
    assert.equal(report.state, 'MAINTENANCE_CANCELLED', report.reason);
    assert.deepEqual(site.objections(), []);
  });

  test('while what can be given back is asked', async () => {
    await cancelledAt('exit-maintance-mode-precheck-result', 'exitMs');
  });

  test('while it leaves', async () => {
    await cancelledAt('exit-maintance-mode', 'exitMs');
  });

  test('while it is worked on', async () => {
    site = await Site.start();
    site.workMs = 4_000;
    const session = await site.session(ONE);
    await site.workedOn('smtx-01');
    await session.signal('cancel', {});
    const report = await site.report(session);
    assert.equal(report.state, 'MAINTENANCE_CANCELLED', report.reason);
    assert.deepEqual(site.objections(), []);
  });
});

test('a host costs a bounded number of calls, and so does a minute of waiting', async () => {
  site = await Site.start();
  site.fake.tower.timings.enterMs = 40_000;
  const held = site.fake.hold('enter-maintance-mode', 'after');
  const session = await site.session(ONE);
  await held.arrived;
  held.release();
  const before = site.callsOf('get-tasks');
  const report = await site.report(session);
  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  const polls = site.callsOf('get-tasks') - before;
  const others = site.fake.calls.length - polls;
  assert.ok(polls <= 45, `${polls} polls in 40 s of entering and a few of leaving`);
  assert.ok(others <= 100, `${others} calls beside these: ${JSON.stringify(countsOf(site.fake.calls))}`);
});

function countsOf(calls: readonly { call: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { call } of calls) counts[call] = (counts[call] ?? 0) + 1;
  return counts;
}
