/** Sessions while vCenter, or the way to it, makes trouble that passes. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { MaintenanceError } from '../../../src/core/errors.ts';
import type { Fault } from './bed.ts';
import { connect } from './hosts.ts';
import { Site } from './site.ts';

const HOST = 'DC0_C0_H0';

let site: Site;
before(async () => {
  site = await Site.start({ hosts: 4, vmsPerHost: 2 });
});
after(() => site.stop());
beforeEach(async () => {
  await site.bed.reset();
  await site.bed.turn({ relocateMs: 300, enterMs: 300, exitMs: 300 });
  site.takeWorked();
});

/** Nobody has to do anything: the host is through, and nothing was done twice. */
async function passes(faults: readonly Fault[]): Promise<void> {
  for (const fault of faults) await site.bed.fail(fault);
  const vms = (await site.witness.vms()).filter(({ host }) => host === HOST);
  const report = await site.report(await site.session({ hosts: [HOST], instances: { return: true } }));

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.equal(report.instances.moved, vms.length);
  assert.deepEqual(
    (await site.objections()).filter((text) => !text.includes('moved more than once')),
    [],
  );
  const moved = (await site.bed.log()).filter(
    ({ operation, result }) => operation === 'relocate' && result === 'success',
  );
  // There and back again.
  assert.equal(moved.length, 2 * vms.length);
  assert.deepEqual(site.takeWorked(), { worked: [HOST], wrong: [] });
}

const METHODS = ['RelocateVM_Task', 'EnterMaintenanceMode_Task', 'ExitMaintenanceMode_Task', 'SetField'];

describe('trouble that passes', () => {
  const each = (fault: object): Fault[] => METHODS.map((method) => ({ method, ...fault }) as Fault);

  test('a session that is lost at each change', () =>
    passes(each({ action: 'fault', fault: 'NotAuthenticated' })));
  test('answers that are lost after each change', () => passes(each({ action: 'cutAfter' })));
  test('connections that are cut before each change', () => passes(each({ action: 'cutBefore' })));
  test('503 at each change', () => passes(each({ action: 'status', status: 503, retryAfterSeconds: 1 })));
  test('a page of HTML in place of an answer', () => passes(each({ action: 'html' })));
  test('a VM or host that is in use', () => passes(each({ action: 'fault', fault: 'ResourceInUse' })));
  test('a host that is not connected for a moment', () =>
    passes([{ method: 'RelocateVM_Task', action: 'taskFault', fault: 'HostNotConnected' }]));
  test('a target that is not compatible', () =>
    passes([{ method: 'RelocateVM_Task', action: 'taskFault', fault: 'NoCompatibleHost' }]));
  test('reads that fail', () =>
    passes([
      { method: 'RetrievePropertiesEx', action: 'cutBefore', times: 2 },
      { method: 'RetrievePropertiesEx', action: 'status', status: 503, times: 2 },
      { method: 'GET info', action: 'cutAfter', times: 2 },
    ]));
});

test('sessions that expire while a VM moves', async () => {
  await site.bed.turn({ relocateMs: 4_000 });
  const session = await site.session({ hosts: ['DC0_C0_H1'] });
  await site.seen(({ operation, ended }) => operation === 'relocate' && !ended);
  await site.bed.expireSessions();
  const report = await site.report(session);
  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(await site.objections(), []);
});

describe('a cold move', () => {
  const coldly = { hosts: ['DC0_C0_H3'], instances: { mode: 'cold' as const } };

  test('whose relocation fails is taken back: the VM runs where it was, until the next try', async () => {
    await site.bed.fail({ method: 'RelocateVM_Task', action: 'taskFault', fault: 'NoCompatibleHost' });
    await site.bed.fail({ method: 'RelocateVM_Task', action: 'fault', fault: 'InsufficientResourcesFault' });
    const report = await site.report(await site.session(coldly));
    assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
    assert.deepEqual(await site.objections(), []);
    const log = await site.bed.log();
    const times = (what: string): number => log.filter(({ operation }) => operation === what).length;
    // One for each VM, and one for each way back.
    assert.deepEqual(
      [times('shutdown'), times('powerOn')],
      [report.instances.moved + 2, report.instances.moved + 2],
    );
  });

  const refusal = {
    method: 'PowerOnVM_Task',
    action: 'fault',
    fault: 'InsufficientFailoverResourcesFault',
  } as const;
  const giveVm = async () => {
    await site.operator('vm.migrate', '-host', '/DC0/host/DC0_C0/DC0_C0_H3', 'DC0_C0_H0_VM0');
    await site.bed.reset();
  };

  test('after which the VM does not start holds the host, and continue starts it', async () => {
    await giveVm();
    await site.bed.fail(refusal);
    const session = await site.session(coldly);
    await site.until(session, ({ hosts }) => hosts.held === 1);
    await session.signal('continue');
    const report = await site.report(session);
    assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
    assert.deepEqual(await site.objections(), []);
  });

  test('that everybody has left in the middle is seen to its end by reconcile', async () => {
    await giveVm();
    await site.bed.turn({ relocateMs: 2_000 });
    const session = await site.session(coldly);
    await site.seen(({ operation, ended }) => operation === 'relocate' && !ended);
    await site.terminate(session, coldly.hosts);
    assert.deepEqual((await site.reconcile()).putBack, coldly.hosts);
    assert.deepEqual(await site.objections(), []);
  });

  test('after which the VM does not start holds the host by its name', async () => {
    await giveVm();
    await site.bed.fail(refusal);
    const session = await site.session(coldly);
    const { held } = await site.until(session, ({ hosts }) => hosts.held === 1);
    assert.equal(held[0]?.step, 'drain');
    assert.match(
      held[0].message,
      /DC0_C0_H\d_VM\d was shut down to be moved, and does not start: .*InsufficientFailover/,
    );
    const off = (await site.witness.vms()).filter(({ powerState }) => powerState === 'poweredOff');
    assert.deepEqual(
      off.map(({ name }) => held[0]?.message.includes(name)),
      [true],
    );
    await site.operator('vm.power', '-on', `VirtualMachine:${off[0]?.id ?? ''}`);
    await session.signal('continue');
    const report = await site.report(session);
    assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
    assert.deepEqual(await site.objections(), []);
  });
});

test('a host that is lost in the drain is held by what vCenter says of it, and goes on when it is back', async () => {
  await site.bed.turn({ relocateMs: 2_000 });
  const session = await site.session({ hosts: ['DC0_C0_H2'], timeouts: { drain: '20s' } });
  await site.seen(({ operation, ended }) => operation === 'relocate' && !ended);
  const { id = '' } = (await site.witness.hosts()).find(({ name }) => name === 'DC0_C0_H2') ?? {};
  await site.bed.setHost(id, { connectionState: 'notResponding' });
  const { held } = await site.until(session, ({ hosts }) => hosts.held === 1);
  assert.match(held[0]?.message ?? '', /DC0_C0_H2.*(down|HostNotConnected|notResponding)/);
  await site.bed.setHost(id, { connectionState: 'connected' });
  await session.signal('continue');
  const report = await site.report(session);
  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(await site.objections(), []);
});

test('a site may be limited to a datacenter or a cluster, by name, path or id', async () => {
  const signal = new AbortController().signal;
  const { cluster: id = '' } = (await site.witness.hosts()).find(({ name }) => name === HOST) ?? {};
  const read = async (limits: object) => {
    const driver = connect(site.bed.address, limits);
    const { hosts, instances } = await driver.inventory({ signal }).finally(() => driver.close());
    return { hosts: hosts.sort(byName), instances: instances.sort(byName) };
  };
  const byName = (a: { name: string }, b: { name: string }): number => a.name.localeCompare(b.name);
  const all = await read({ datacenter: 'DC0' });
  assert.equal(all.hosts.length, 5);
  for (const cluster of ['DC0_C0', '/DC0/host/DC0_C0', id]) {
    const { hosts, instances } = await read({ cluster });
    assert.deepEqual(
      hosts,
      all.hosts.filter(({ labels }) => labels['cluster'] === 'DC0_C0'),
    );
    assert.deepEqual(instances, all.instances);
  }
  await assert.rejects(
    read({ cluster: 'DC9' }),
    /cluster "DC9" of the site: .* there is \/DC0\/host\/DC0_C0/,
  );
});

test('a certificate that nobody vouches for is refused, and it is said how to trust it', async () => {
  const driver = connect(site.bed.address, { caFile: undefined });
  await assert.rejects(driver.inventory({ signal: new AbortController().signal }), (error) => {
    assert.ok(error instanceof MaintenanceError);
    assert.equal(error.code, 'NotTrusted');
    assert.match(error.message, /certificate/);
    assert.match(error.message, /caFile/);
    return true;
  });
  await driver.close();
});

test('wrong credentials are NotAuthorized, in the words of vCenter and without the password', async () => {
  const driver = connect(site.bed.address, { password: 'hunter2' });
  await assert.rejects(driver.inventory({ signal: new AbortController().signal }), (error) => {
    assert.ok(error instanceof MaintenanceError);
    assert.equal(error.code, 'NotAuthorized');
    assert.match(error.vendor ?? '', /InvalidLogin: Cannot complete login/);
    assert.doesNotMatch(JSON.stringify([error.message, error.vendor, error.stack]), /hunter2/);
    return true;
  });
  await driver.close();
});
