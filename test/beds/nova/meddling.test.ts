/** What becomes of a session when owners and operators do things of their own to its servers. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { layOut } from './fleet.ts';
import { REQUESTS } from './gateway.ts';
import type { Server } from './nova.ts';
import { Site } from './site.ts';

const HOST = 'compute-1';
const OTHER = 'compute-2';
const MARK = 'haulout_stopped_by';

let site: Site;
before(async () => {
  site = await Site.start();
});
after(() => site.stop());
beforeEach(() => {
  site.takeWorked();
});

async function serverCalled(name: string): Promise<Server> {
  const found = (await site.nova.servers()).find((one) => one.name === name);
  assert.ok(found, `there is no server ${name}`);
  return found;
}

test('a server that Nova has given up, but whose guest runs, keeps its host from being worked on', async () => {
  await layOut(site.bed, site.nova, [{ name: 'lost', host: HOST }]);
  await site.nova.act((await serverCalled('lost')).id, { 'os-resetState': { state: 'error' } });
  const session = await site.session({ hosts: [HOST] });
  const { held } = await site.until(session, ({ hosts }) => hosts.held === 1);
  assert.match(held[0]?.message ?? '', /lost: .*is in ERROR/);
  assert.deepEqual(site.takeWorked(), { worked: [], wrong: [] });

  await site.nova.act((await serverCalled('lost')).id, { 'os-resetState': { state: 'active' } });
  await session.signal('continue');
  const report = await site.report(session);
  assert.deepEqual([report.state, report.instances.moved], ['MAINTENANCE_DONE', 1]);
});

test('a host that a server is on its way to is not worked on before the server has left again', async () => {
  await layOut(site.bed, site.nova, [{ name: 'comes', host: OTHER }]);
  await site.bed.turn({ servers: { comes: { lm_seconds: 10 } } });
  const { id } = await serverCalled('comes');
  await site.nova.act(id, { 'os-migrateLive': { host: HOST, block_migration: 'auto' } });
  await site.nova.until(
    'it migrates',
    () => serverCalled('comes'),
    ({ status }) => status === 'MIGRATING',
  );
  const report = await site.report(await site.session({ hosts: [HOST] }));
  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(site.takeWorked(), { worked: [HOST], wrong: [] });
  assert.notEqual((await serverCalled('comes'))['OS-EXT-SRV-ATTR:host'], HOST);
});

test('a server that we stopped and its owner has started does not stay marked as stopped by us', async () => {
  await layOut(site.bed, site.nova, [{ name: 'mine', host: HOST }]);
  const hold = site.gateway.hold('before', REQUESTS.enable);
  const session = await site.session({ hosts: [HOST], instances: { mode: 'stop' } });
  await hold.reached;
  await site.nova.act((await serverCalled('mine')).id, { 'os-start': null });
  await site.nova.until(
    'it runs',
    () => serverCalled('mine'),
    ({ status }) => status === 'ACTIVE',
  );
  hold.release();
  const report = await site.report(session);
  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  const { status, metadata } = await serverCalled('mine');
  assert.deepEqual([status, MARK in metadata], ['ACTIVE', false]);
});
