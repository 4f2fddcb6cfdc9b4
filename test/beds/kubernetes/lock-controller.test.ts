/** What the locks of one controller say, from request to request. Each test has nodes of its own, so they run side by side. */
import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import { apply, kubectl } from './bed.ts';
import { LockStage } from './lock-controller-stage.ts';
import { CONTROLLER, isActive, isGoing, isInactive, says } from './lock-witness.ts';

/** Each has a host that runs; the others are their tests' to add. */
const NODES = [
  ...['slow-1', 'slow-2', 'slow-3', 'slow-4'],
  ...['quick-1', 'quick-2', 'quick-3', 'quick-4', 'quick-5', 'quick-6'],
];

describe('the lock controller', { concurrency: 6 }, () => {
  let stage: LockStage;

  const backInService = async (host: string): Promise<void> => {
    assert.equal((await stage.host(host)).standing, 'in-service');
  };
  const isEmpty = async (host: string): Promise<void> => {
    assert.deepEqual(await stage.host(host), { standing: 'maintenance', instances: 0 });
  };
  /** One that only this test has. */
  const startAnother = async (t: TestContext, name: string, more?: object): Promise<void> => {
    const controller = await stage.startController(name, more);
    t.after(() => controller.kill());
  };

  before(async () => {
    stage = await LockStage.build();
    await stage.addNodes(NODES);
    await stage.startController();
    for (const node of NODES) await stage.untilNode(node, isActive);
  });
  after(async () => {
    const wrong = stage.witness.takeWrong();
    await stage.stop();
    assert.deepEqual(wrong, [], 'a lock said what was not so');
  });

  test('lets go of a node when its host is empty, and takes it back when the request is gone', async () => {
    const uid = await stage.request('round', 'slow-1');
    const going = await stage.untilNode('slow-1', isGoing);
    // Others may come from the hosts of other tests before it is cordoned.
    assert.match(
      going.status?.inactivationProgress?.description ?? '',
      /^drain: \d of \d instances have left$/,
    );
    const away = await stage.untilNode('slow-1', isInactive);
    assert.deepEqual(away.status, {
      state: 'inactive',
      inactivationProgress: { percentage: 100, description: 'slow-1 is empty and in maintenance' },
    });
    await isEmpty('slow-1');
    await stage.withdraw('round');
    await stage.untilNode('slow-1', isActive);
    await backInService('slow-1');
    const report = (await stage.session('slow-1', uid).result()) as { state: string };
    assert.equal(report.state, 'MAINTENANCE_DONE');
    assert.deepEqual(stage.witness.seen.get('lc-slow-1'), ['active', 'inactive', 'active']);
  });

  test('rolls back when the request is withdrawn before the host is empty', async () => {
    const uid = await stage.request('withdrawn', 'slow-2');
    await stage.untilNode('slow-2', isGoing);
    await stage.withdraw('withdrawn');
    await stage.untilNode('slow-2', isActive);
    await backInService('slow-2');
    const report = (await stage.session('slow-2', uid).result()) as { state: string; reason: string };
    assert.equal(report.state, 'MAINTENANCE_CANCELLED');
    assert.match(report.reason, /the maintenance request is gone/);
    assert.deepEqual(stage.witness.seen.get('lc-slow-2'), ['active']);
  });

  test('a session that somebody has cancelled fails the lock, and a new request begins anew', async () => {
    const uid = await stage.request('cancelled', 'slow-3');
    await stage.untilNode('slow-3', isGoing);
    await stage.session('slow-3', uid).signal('cancel', { reason: 'not today' });
    const failed = await stage.untilNode('slow-3', ({ status }) => status?.state === 'failed');
    assert.match(failed.status?.errorMessage ?? '', /not today.*make the request cancelled anew/);
    await backInService('slow-3');
    await stage.withdraw('cancelled');
    await stage.untilNode('slow-3', isActive);
    await stage.request('cancelled', 'slow-3');
    await stage.untilNode('slow-3', isGoing);
    await stage.withdraw('cancelled');
    await stage.untilNode('slow-3', isActive);
  });

  test('says who is held and why; it goes back without its request, and on when somebody has continued', async () => {
    const uids: string[] = [];
    for (const host of ['quick-1', 'quick-2']) {
      await stage.engine.fault({
        match: { operation: 'migrate', host, after: 1 },
        effect: { kind: 'fail', status: 409, code: 'NoPower', message: 'the instance clings to its host' },
      });
      uids.push(await stage.request(`held-${host}`, host));
    }
    for (const [index, host] of ['quick-1', 'quick-2'].entries()) {
      const held = await stage.untilNode(host, says(/the instance clings.*signal continue/));
      assert.equal(held.status?.state, 'active');
      assert.match(
        held.status.errorMessage ?? '',
        new RegExp(`^session lock/${CONTROLLER}/${host}/${uids[index]}: ${host}: `),
      );
    }
    await stage.withdraw('held-quick-1');
    await stage.untilNode('quick-1', isActive);
    await backInService('quick-1');
    await stage.engine.clearFaults();
    await stage.session('quick-2', uids[1] ?? '').signal('continue');
    await stage.untilNode('quick-2', isInactive);
    await stage.withdraw('held-quick-2');
    await stage.untilNode('quick-2', isActive);
    await backInService('quick-2');
  });

  test('a session that is terminated leaves its host to roll back before the lock is active', async () => {
    const uid = await stage.request('terminated', 'quick-3');
    await stage.untilNode('quick-3', isInactive);
    await stage.session('quick-3', uid).terminate('by mistake');
    await stage.untilNode('quick-3', says(/has ended \(TERMINATED/));
    await stage.withdraw('terminated');
    await stage.untilNode('quick-3', isActive);
    await backInService('quick-3');
  });

  test('a lock that is deleted in the middle is made again, and the session goes on', async () => {
    const uid = await stage.request('deleted', 'quick-4');
    const before = await stage.untilNode('quick-4', isInactive);
    await kubectl('delete', 'nodeworkloadlock', 'lc-quick-4');
    const again = await stage.untilNode(
      'quick-4',
      (lock) => lock.metadata.uid !== before.metadata.uid && isInactive(lock),
    );
    assert.match(again.metadata.annotations?.['haulout.io/session'] ?? '', new RegExp(`${uid}$`));
    await isEmpty('quick-4');
    await stage.withdraw('deleted');
    await stage.untilNode('quick-4', isActive);
  });

  test('a lock that is deleted with its request is made again, and not active before the host is back', async () => {
    await stage.request('both-deleted', 'slow-4');
    const before = await stage.untilNode('slow-4', isInactive);
    await kubectl('delete', 'nmr/both-deleted', 'nwl/lc-slow-4', '--wait=false');
    await stage.untilNode('slow-4', (lock) => lock.metadata.uid !== before.metadata.uid && isInactive(lock));
    await stage.untilNode('slow-4', isActive);
    await backInService('slow-4');
  });

  test('puts right what somebody has written into a lock', async () => {
    await stage.addNodes(['edited']);
    await stage.untilNode('edited', isActive);
    const lock = 'nwl/lc-edited';
    const write = (body: object, ...more: string[]): Promise<string> =>
      kubectl('patch', lock, '--type=merge', '-p', JSON.stringify(body), ...more);
    const comesTo = (path: string, value: string): Promise<string> =>
      kubectl('wait', `--for=jsonpath={${path}}=${value}`, lock, '--timeout=60s');
    await write({ status: { state: 'failed' } }, '--subresource=status');
    await comesTo('.status.state', 'active');
    await write({ spec: { nodeName: 'quick-5' } });
    await comesTo('.spec.nodeName', 'edited');
  });

  test('waits for a host that another session has, and says so', async () => {
    const other = await stage.engine.start({
      hosts: ['quick-5'],
      actions: [{ plugin: 'approval', type: 'host' }],
      instances: { return: true },
    });
    await stage.engine.until(other, ({ blockedBy }) => blockedBy.some((text) => text.includes('approval')));
    await stage.request('busy', 'quick-5');
    const waiting = await stage.untilNode('quick-5', says(new RegExp(other.workflowId)));
    assert.equal(waiting.status?.state, 'active');
    await other.signal('approve', { host: 'quick-5', approved: true });
    await stage.untilNode('quick-5', isInactive);
    await isEmpty('quick-5');
    await stage.withdraw('busy');
    await stage.untilNode('quick-5', isActive);
    await backInService('quick-5');
  });

  test('leaves the locks of others alone, also one in the place of its own', async () => {
    const spec = { controllerName: 'openstack', nodeName: 'quick-7' };
    const kind = { apiVersion: 'lcm.mirantis.com/v1alpha1', kind: 'NodeWorkloadLock' };
    const names = ['openstack-quick-7', 'lc-quick-7'];
    await apply(...names.map((name) => ({ ...kind, metadata: { name }, spec })));
    const versions = (): Promise<string> =>
      kubectl('get', 'nodeworkloadlock', ...names, '-o', 'jsonpath={.items[*].metadata.resourceVersion}');
    const before = await versions();
    await stage.addNodes(['quick-7']);
    await stage.request('foreign', 'quick-7');
    await stage.request('own', 'quick-6');
    await stage.untilNode('quick-6', isInactive);
    await stage.withdraw('own');
    await stage.untilNode('quick-6', isActive);
    assert.equal(await versions(), before);
    await backInService('quick-7');
    await stage.withdraw('foreign');
    await kubectl('delete', 'node', 'quick-7');
    await kubectl('delete', 'nodeworkloadlock', ...names);
  });

  test('a node that is added gets a lock, and one that is removed loses it', async () => {
    await stage.addNodes(['added']);
    await stage.untilNode('added', isActive);
    await kubectl('delete', 'node', 'added');
    await kubectl('wait', '--for=delete', 'nodeworkloadlock/lc-added', '--timeout=60s');
  });

  test('a node whose host the site does not know fails its lock, until the request is gone', async () => {
    await stage.addNodes(['ghost']);
    await stage.untilNode('ghost', isActive);
    await stage.request('ghost', 'ghost');
    const failed = await stage.untilNode('ghost', says(/"ghost"|ghost is/));
    assert.equal(failed.status?.state, 'failed');
    await stage.withdraw('ghost');
    await stage.untilNode('ghost', isActive);
  });

  test('defers a request for another release', async (t) => {
    const name = 'lc-release';
    await stage.addNodes(['quick-8'], name);
    await startAnother(t, name, { release: 'mosk-17-4' });
    await stage.untilNode('quick-8', ({ status }) => status?.release === 'mosk-17-4', name);
    const uid = await stage.request('release', 'quick-8', { release: 'mosk-25-1' });
    const deferred = await stage.untilNode('quick-8', says(/request release is for release mosk-25-1/), name);
    assert.equal(deferred.status?.state, 'active');
    await assert.rejects(stage.session('quick-8', uid, name).describe(), /not found/i);
    await backInService('quick-8');
    await stage.withdraw('release');
    await stage.untilNode('quick-8', isActive, name);
    await stage.request('release', 'quick-8', { release: 'mosk-17-4' });
    await stage.untilNode('quick-8', isInactive, name);
    await stage.withdraw('release');
    await stage.untilNode('quick-8', isActive, name);
  });

  test('the lock of the cluster is inactive when sessions could run, and active again without a request', async (t) => {
    await startAnother(t, 'nowhere', { site: 'nowhere' });
    await stage.untilCluster(isActive);
    await stage.requestCluster('cluster');
    await stage.untilCluster(isInactive);
    await stage.untilCluster(
      (lock) => lock.status?.state === 'active' && says(/no worker serves site nowhere/)(lock),
      'nowhere',
    );
    await stage.withdrawCluster('cluster');
    await stage.untilCluster(isActive);
    await stage.untilCluster(isActive, 'nowhere');
  });
});
