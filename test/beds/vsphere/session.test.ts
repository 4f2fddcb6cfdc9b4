/** Whole sessions over the vCenter of the bed; its own log and govc say whether they did as they should. */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import type { Size } from './bed.ts';
import { Site } from './site.ts';

let site: Site;
const start = async (size: Size): Promise<void> => {
  site = await Site.start(size);
  await site.bed.turn({ relocateMs: 300, enterMs: 100, exitMs: 100, powerMs: 50, shutdownMs: 200 });
};
afterEach(() => site.stop());

const EIGHT = Array.from({ length: 8 }, (_, index) => `DC0_C0_H${index}`);

for (const drs of [false, true]) {
  test(`eight hosts with 24 VMs are emptied by the engine, and each VM moves once, DRS ${drs ? 'on' : 'off'}`, async () => {
    await start({ hosts: 8, vmsPerHost: 3, drs });
    for (const number of [0, 1, 2]) {
      await site.operator(
        'vm.migrate',
        '-host',
        `/DC0/host/DC0_C0/DC0_C0_H${number}`,
        `DC0_C0_H7_VM${number}`,
      );
    }
    await site.bed.reset();

    const report = await site.report(
      await site.session({ hosts: EIGHT, budget: { maxConcurrentHosts: 2, maxConcurrentMovesPerHost: 2 } }),
    );

    assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
    assert.equal(report.hosts.done, 8);
    assert.deepEqual(await site.objections(), []);
    const moves = (await site.bed.log()).filter(({ operation }) => operation === 'relocate');
    assert.deepEqual([moves.length, report.instances.moved], [24, 24]);
    assert.ok(moves.every(({ by }) => by !== 'drs'));
    const { worked, wrong } = site.takeWorked();
    assert.deepEqual(wrong, []);
    assert.deepEqual(worked.sort(), EIGHT);
  });
}

test('hosts are emptied by DRS where the session says so, and it is known where the VMs went', async () => {
  await start({ hosts: 4, vmsPerHost: 2, drs: true });

  const report = await site.report(await site.session({ hosts: EIGHT.slice(0, 2), drain: 'platform' }));

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  const log = await site.bed.log();
  const moves = log.filter(({ operation }) => operation === 'relocate');
  assert.ok(moves.length >= 4 && moves.every(({ by }) => by === 'drs'));
  assert.equal(report.instances.moved, moves.length);
  assert.deepEqual(
    (await site.objections()).filter((text) => !text.includes('moved more than once')),
    [],
  );
  assert.deepEqual(site.takeWorked().wrong, []);
});

test('what DRS would leave, the engine moves, although DRS is to empty the host', async () => {
  await start({ hosts: 3, vmsPerHost: 1, drs: false });
  const report = await site.report(await site.session({ hosts: ['DC0_C0_H0'], drain: 'platform' }));
  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.equal(report.instances.moved, 1);
  assert.deepEqual(await site.objections(), []);
});

test('vCenter gives up: the host is held by the names of the VMs, and goes on when there is room', async () => {
  await start({ hosts: 2, vmsPerHost: 1, drs: true });
  const other = '/DC0/host/DC0_C0/DC0_C0_H1';
  await site.operator('host.maintenance.enter', other);

  const session = await site.session({ hosts: ['DC0_C0_H0'], drain: 'platform', vsphere: { timeout: '2s' } });
  const { held } = await site.until(session, ({ hosts }) => hosts.held === 1);
  assert.equal(held[0]?.code, 'HostNotEmpty');
  assert.match(held[0].message, /still running on DC0_C0_H0: DC0_C0_H\d_VM0/);
  await site.operator('host.maintenance.exit', other);
  await session.signal('continue');
  const report = await site.report(session);

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(site.takeWorked(), { worked: ['DC0_C0_H0'], wrong: [] });
});

test('VMs are stopped and started, moved cold and moved while off, and come back', async () => {
  await start({ hosts: 3, vmsPerHost: 4 });
  await site.operator('vm.power', '-off', 'DC0_C0_H0_VM3');

  const session = await site.session({
    hosts: ['DC0_C0_H0'],
    instances: {
      stopped: 'move',
      return: true,
      overrides: { DC0_C0_H0_VM0: 'stop', DC0_C0_H0_VM1: 'cold' },
    },
  });
  const report = await site.report(session);

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(report.instances, { total: 4, moved: 3, stopped: 1 });
  const problems = await site.objections({ off: ['DC0_C0_H0_VM3'] });
  // There and back again.
  assert.deepEqual(
    problems.filter((text) => !text.includes('moved more than once')),
    [],
  );
  const here = (await site.witness.vms()).filter(({ host }) => host === 'DC0_C0_H0').map(({ name }) => name);
  assert.deepEqual(
    here.sort(),
    [0, 1, 2, 3].map((number) => `DC0_C0_H0_VM${number}`),
  );
});

describe('the worker is killed', () => {
  test('while a VM moves, and while its host enters and leaves maintenance', async () => {
    await start({ hosts: 3, vmsPerHost: 1 });
    await site.bed.turn({ relocateMs: 8_000, enterMs: 8_000, exitMs: 8_000 });
    const session = await site.session({ hosts: ['DC0_C0_H0'] });
    for (const operation of ['relocate', 'enter', 'exit']) {
      await site.seen((one) => one.operation === operation && !one.ended);
      await site.killWorker();
      await site.startWorker();
    }
    const report = await site.report(session);

    assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
    assert.deepEqual(await site.objections(), []);
    const log = await site.bed.log();
    assert.equal(log.filter(({ operation }) => operation !== 'setField').length, 3);
    assert.deepEqual(site.takeWorked(), { worked: ['DC0_C0_H0'], wrong: [] });
  });

  test('in the middle of a cold move', async () => {
    await start({ hosts: 3, vmsPerHost: 1 });
    await site.bed.turn({ relocateMs: 6_000, shutdownMs: 6_000, powerMs: 6_000 });
    const session = await site.session({ hosts: ['DC0_C0_H0'], instances: { mode: 'cold' } });
    for (const operation of ['shutdown', 'relocate', 'powerOn']) {
      await site.seen((one) => one.operation === operation && !one.ended);
      await site.killWorker();
      await site.startWorker();
    }
    const report = await site.report(session);

    assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
    assert.deepEqual(await site.objections(), []);
    const log = await site.bed.log();
    for (const operation of ['shutdown', 'relocate', 'powerOn']) {
      assert.equal(log.filter((one) => one.operation === operation).length, 1, operation);
    }
  });
});

describe('a session that is cancelled puts its host back', () => {
  for (const operation of ['relocate', 'enter', 'exit'] as const) {
    test(`during ${operation}`, async () => {
      await start({ hosts: 3, vmsPerHost: 1 });
      await site.bed.turn({ [`${operation}Ms`]: 10_000 });
      const session = await site.session({ hosts: ['DC0_C0_H0'] });
      await site.seen((one) => one.operation === operation && !one.ended);
      await session.signal('cancel', { reason: 'the spare parts are late' });
      const report = await site.report(session);

      assert.equal(report.state, 'MAINTENANCE_CANCELLED', report.reason);
      assert.deepEqual(await site.objections(), []);
      const cut = (await site.bed.log()).find((one) => one.operation === operation);
      assert.equal(cut?.result, operation === 'exit' ? 'success' : 'RequestCanceled');
    });
  }

  test('while DRS empties it', async () => {
    await start({ hosts: 3, vmsPerHost: 3, drs: true });
    await site.bed.turn({ relocateMs: 4_000 });
    const session = await site.session({ hosts: ['DC0_C0_H0'], drain: 'platform' });
    await site.seen((one) => one.operation === 'relocate' && one.by === 'drs');
    await session.signal('cancel', {});
    const report = await site.report(session);

    assert.equal(report.state, 'MAINTENANCE_CANCELLED', report.reason);
    assert.deepEqual(await site.objections(), []);
  });
});

describe('a host that is not ours to take', () => {
  test('is left to who has it in maintenance already', async () => {
    await start({ hosts: 3, vmsPerHost: 1 });
    await site.operator('vm.migrate', '-host', '/DC0/host/DC0_C0/DC0_C0_H1', 'DC0_C0_H0_VM0');
    await site.operator('host.maintenance.enter', '/DC0/host/DC0_C0/DC0_C0_H0');
    const session = await site.session({ hosts: ['DC0_C0_H0'] });
    const { held } = await site.until(session, ({ hosts }) => hosts.held === 1);
    assert.equal(held[0]?.code, 'HostBlocked');
    assert.match(held[0].message, /in maintenance already, not by this session/);
    await session.signal('continue', { skip: ['DC0_C0_H0'] });
    await session.result();
    const [host] = (await site.witness.hosts()).filter(({ name }) => name === 'DC0_C0_H0');
    assert.equal(host?.inMaintenance, true);
  });

  test('is found by its path and by its id, and named twice it is refused', async () => {
    await start({ hosts: 2, vmsPerHost: 1 });
    const [first] = (await site.witness.hosts()).filter(({ name }) => name === 'DC0_C0_H0');
    const id = first?.id ?? '';
    const twice = await site.session({ hosts: ['/DC0/host/DC0_C0/DC0_C0_H0', id] });
    await assert.rejects(twice.result(), (error: Error) => {
      assert.match(String(error.cause), /hosts\.1: "host-\d+" is DC0_C0_H0, which is listed already/);
      return true;
    });
    const report = await site.report(await site.session({ hosts: [id] }));
    assert.equal(report.hosts.done, 1);
    assert.deepEqual(site.takeWorked(), { worked: ['DC0_C0_H0'], wrong: [] });
  });
});
