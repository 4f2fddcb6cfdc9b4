/** Whole sessions over six nodes; the record of the API server and kubectl say whether they did as they should. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { apply, kubectl } from './bed.ts';
import { COMPUTES, CONTROL, GATEWAY, limit, NODES, Site, WHOLE_FLEET } from './site.ts';

let site: Site;
before(async () => {
  site = await Site.start();
});
beforeEach(() => site.begin());
after(() => site.stop());

const [FIRST = '', SECOND = ''] = COMPUTES;

test('six nodes are taken by role and zone, under every lock, and all come back', async (t) => {
  const session = await site.session(WHOLE_FLEET);
  const report = await site.report(session);

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.equal(report.hosts.done, NODES.length);
  assert.deepEqual(await site.objections(), []);
  const { worked, wrong } = site.takeWorked();
  assert.deepEqual(wrong, []);
  assert.deepEqual(worked.slice(0, 2), [CONTROL, GATEWAY]);
  assert.deepEqual([...worked].sort(), [...NODES].sort());
  const { mostOut, reactionsMs, calls } = await site.judge();
  assert.ok(mostOut <= 2, `${mostOut} nodes were out at one time, although a zone has two computes`);
  assert.equal(reactionsMs.length, NODES.length);
  t.diagnostic(
    `${calls / NODES.length} calls for each node; cordoned ${reactionsMs.join(', ')} ms after its locks`,
  );
});

test('a budget that lets no pod go is named, and when it is relaxed the node is emptied', async () => {
  await site.spread();
  await limit({ minAvailable: 12 });
  const session = await site.session({ hosts: [FIRST] });
  await site.whenTold(FIRST, /default\/web-\S+ \(.*disruption budget web/);
  await limit({ minAvailable: 10 });

  const report = await site.report(session);

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.ok(report.instances.moved > 0, 'pods that are made anew elsewhere have left');
  assert.deepEqual(await site.objections(), []);
  assert.deepEqual(site.takeWorked().wrong, []);
});

test('a controller that fails holds the node in its own words, and once it is well the node goes on', async () => {
  site.slow.failure = 'two replicas of volume 7 are on this node';
  const session = await site.session({ hosts: [FIRST] });
  const { held } = await site.until(session, ({ hosts }) => hosts.held === 1);
  assert.equal(held[0]?.code, 'EnterFailed');
  assert.match(held[0].message, /two replicas of volume 7 are on this node/);
  assert.deepEqual((await site.judge()).mostOut, 0);
  site.slow.failure = undefined;
  await site.when('the lock is released', async () =>
    (await site.locks()).every(({ spec, status }) => spec.nodeName !== FIRST || status?.state === 'inactive'),
  );
  await session.signal('continue');

  const report = await site.report(session);

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(await site.objections(), []);
});

test('who is waited for is shown, a controller that restarts goes on, and a lock that is added is waited for', async () => {
  await site.slow.stop();
  const session = await site.session({ hosts: [FIRST] });
  await site.until(session, ({ blockedBy }) => blockedBy.some((text) => text.includes('released by slow')));
  site.slow.delayMs = 3_000;
  site.slow.start();
  await site.whenTold(FIRST, /released by slow \(\d+ %, moves its workload\)/);
  await site.slow.stop();
  await apply({
    apiVersion: 'lcm.mirantis.com/v1alpha1',
    kind: 'NodeWorkloadLock',
    metadata: { name: `late-${FIRST}` },
    // As some controllers name it.
    spec: { controllerName: 'late', nodeName: `${FIRST}.example.org` },
  });
  site.slow.start();
  await site.whenTold(FIRST, /released by late/);
  assert.equal((await site.judge()).mostOut, 0);
  const status = { status: { state: 'inactive' } };
  await kubectl(
    'patch',
    'nwl',
    `late-${FIRST}`,
    '--subresource=status',
    '--type=merge',
    '-p',
    JSON.stringify(status),
  );
  await site.until(session, ({ hosts }) => hosts.done === 1 || site.isWorkedOn(FIRST));
  await kubectl('delete', 'nwl', `late-${FIRST}`);

  const report = await site.report(session);

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(await site.objections(), []);
});

test('a node that somebody else has cordoned is maintained, and stays cordoned', async () => {
  await kubectl('cordon', FIRST);

  const report = await site.report(await site.session({ hosts: [FIRST] }));

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(site.takeWorked(), { worked: [FIRST], wrong: [] });
  assert.deepEqual(await site.objections({ cordoned: [FIRST] }), []);
  await kubectl('uncordon', FIRST);
});

test('pods whose data would be lost block the node before it is touched', async () => {
  const container = { name: 'app', image: 'none' };
  await apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'alone', namespace: 'default' },
    spec: { nodeName: FIRST, terminationGracePeriodSeconds: 1, containers: [container] },
  });
  const session = await site.session({ hosts: [FIRST] });
  const { held } = await site.until(session, ({ hosts }) => hosts.held === 1);
  assert.match(held[0]?.message ?? '', /alone.*no controller would make it anew/);
  await session.signal('cancel');
  await site.until(session, ({ state }) => state === 'MAINTENANCE_CANCELLED');
  assert.deepEqual(await site.objections(), []);

  const report = await site.report(
    await site.session({ hosts: [FIRST], mosk: { pods: { unmanaged: 'evict' } } }),
  );

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(await site.objections(), []);
});

test('a maintenance of somebody else is left alone, and waited for by name', async () => {
  await apply({
    apiVersion: 'lcm.mirantis.com/v1alpha1',
    kind: 'ClusterMaintenanceRequest',
    metadata: { name: 'by-hand', annotations: { 'kubernetes.io/description': 'upgrade to 25.2, ask Ada' } },
    spec: { scope: 'os' },
  });
  const session = await site.session({ hosts: [FIRST] });
  await site.until(session, ({ blockedBy }) =>
    blockedBy.some((what) => /ClusterMaintenanceRequest by-hand stands already .*ask Ada/.test(what)),
  );
  const impatient = await site.session({ hosts: [SECOND], onBusyHost: 'fail' });
  const { reason } = await site.until(impatient, ({ state }) => state === 'MAINTENANCE_FAILED');
  assert.match(reason, /HostBusy: .*by-hand stands already/);
  await impatient.signal('cancel');
  await site.until(impatient, ({ state }) => state === 'MAINTENANCE_CANCELLED');
  assert.equal(
    (await kubectl('get', 'nmr,cmr', '-o', 'name')).trim(),
    'clustermaintenancerequest.lcm.mirantis.com/by-hand',
  );
  await kubectl('delete', 'cmr', 'by-hand');

  const report = await site.report(session);

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(await site.objections(), []);
});
