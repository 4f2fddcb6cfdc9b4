/** Whole rounds of the lock controller: a request, an emptied host, the request gone, a host in service again. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import type { ManagedProcess } from '../../../src/devstack/processes.ts';
import { fleetOf } from '../../support/fleets.ts';
import { apply, kubectl, service } from './bed.ts';
import { CONTROLLER, LockStage, LockWitness, type SeenLock } from './lock-controller-stage.ts';

const HOSTS = ['compute-01', 'compute-02', 'compute-03', 'compute-04', 'compute-05', 'compute-06'];

const isActive = ({ status }: SeenLock): boolean =>
  status?.state === 'active' &&
  status.errorMessage === undefined &&
  status.inactivationProgress === undefined;
const isInactive = ({ status }: SeenLock): boolean => status?.state === 'inactive';
const isGoing = ({ status }: SeenLock): boolean =>
  status?.state === 'active' && (status.inactivationProgress?.percentage ?? 0) > 0;
const says =
  (words: RegExp) =>
  ({ status }: SeenLock): boolean =>
    words.test(status?.errorMessage ?? '');

describe('the lock controller', () => {
  let stage: LockStage;
  let witness: LockWitness;
  const running = new Set<ManagedProcess>();

  const start = async (more?: object): Promise<ManagedProcess> => {
    const controller = await stage.startController(more);
    running.add(controller);
    return controller;
  };
  const kill = async (controller: ManagedProcess): Promise<void> => {
    running.delete(controller);
    await controller.kill();
  };
  const backInService = async (host: string): Promise<void> => {
    assert.equal((await stage.host(host)).standing, 'in-service');
  };
  const isEmpty = async (host: string): Promise<void> => {
    assert.deepEqual(await stage.host(host), { standing: 'maintenance', instances: 0 });
  };

  before(async () => {
    stage = await LockStage.build(fleetOf(7, 3, { migration: { baseMs: 2000, mbPerSecond: 0 } }));
    witness = new LockWitness(stage.engine);
    await stage.addNodes(...HOSTS);
  });
  afterEach(async () => {
    await stage.engine.clearFaults();
    for (const controller of running) await kill(controller);
    assert.deepEqual(witness.takeWrong(), [], 'a lock said what was not so');
  });
  after(async () => {
    witness.close();
    await stage.stop();
  });

  test('lets go of a node when its host is empty, and takes it back when the request is gone', async () => {
    await start();
    await stage.untilNode('compute-01', isActive);
    const uid = await stage.request('round', 'compute-01');
    const going = await stage.untilNode('compute-01', isGoing);
    assert.match(
      going.status?.inactivationProgress?.description ?? '',
      /^drain: [12] of 3 instances have left$/,
    );
    const away = await stage.untilNode('compute-01', isInactive);
    assert.deepEqual(away.status, {
      state: 'inactive',
      inactivationProgress: { percentage: 100, description: 'compute-01 is empty and in maintenance' },
    });
    await isEmpty('compute-01');
    await stage.withdraw('round');
    await stage.untilNode('compute-01', isActive);
    await backInService('compute-01');
    const report = (await stage.session('compute-01', uid).result()) as { state: string };
    assert.equal(report.state, 'MAINTENANCE_DONE');
    assert.deepEqual(witness.seen.get('lc-compute-01'), ['active', 'inactive', 'active']);
  });

  test('two replicas do it once, and a request may name the node with another domain', async () => {
    await Promise.all([start(), start()]);
    const before = await stage.sessions();
    await stage.request('twice', 'compute-02', { nodeName: 'compute-02.rack7.example.org' });
    await stage.untilNode('compute-02', isInactive);
    await isEmpty('compute-02');
    await stage.withdraw('twice');
    await stage.untilNode('compute-02', isActive);
    await backInService('compute-02');
    assert.equal((await stage.sessions()).length, before.length + 1);
    assert.equal((await stage.locks()).length, HOSTS.length);
  });

  const MOMENTS: { when: string; reached: () => Promise<unknown> }[] = [
    { when: 'as the request comes', reached: async () => undefined },
    { when: 'while instances leave', reached: () => stage.untilNode('compute-03', isGoing) },
    { when: 'when the lock is inactive', reached: () => stage.untilNode('compute-03', isInactive) },
  ];
  for (const { when, reached } of MOMENTS) {
    test(`goes on after SIGKILL ${when}`, async () => {
      const first = await start();
      await stage.untilNode('compute-03', isActive);
      await stage.request('killed', 'compute-03');
      await reached();
      await kill(first);
      await start();
      await stage.untilNode('compute-03', isInactive);
      await isEmpty('compute-03');
      await stage.withdraw('killed');
      await stage.untilNode('compute-03', isActive);
      await backInService('compute-03');
    });
  }

  test('hears of what went on while it was dead', async () => {
    const first = await start();
    await stage.request('missed', 'compute-03');
    await stage.untilNode('compute-03', isInactive);
    await kill(first);
    await stage.withdraw('missed');
    const second = await start();
    await stage.engine.seen((entry) => entry.type === 'host.exiting' && entry.host === 'compute-03', 60_000);
    await kill(second);
    await start();
    await stage.untilNode('compute-03', isActive);
    await backInService('compute-03');
  });

  test('rolls back when the request is withdrawn before the host is empty', async () => {
    await start();
    await stage.untilNode('compute-04', isActive);
    const uid = await stage.request('withdrawn', 'compute-04');
    await stage.untilNode('compute-04', isGoing);
    await stage.withdraw('withdrawn');
    await stage.untilNode('compute-04', isActive);
    await backInService('compute-04');
    const report = (await stage.session('compute-04', uid).result()) as { state: string; reason: string };
    assert.equal(report.state, 'MAINTENANCE_CANCELLED');
    assert.match(report.reason, /the maintenance request is gone/);
    assert.deepEqual(witness.seen.get('lc-compute-04'), ['active']);
  });

  test('says who is held and why, and goes on when somebody has continued the session', async () => {
    await start();
    await stage.engine.fault({
      match: { operation: 'migrate', host: 'compute-05' },
      effect: { kind: 'fail', status: 409, code: 'NoPower', message: 'the instance clings to its host' },
    });
    const uid = await stage.request('held', 'compute-05');
    const held = await stage.untilNode('compute-05', says(/the instance clings.*signal continue/));
    assert.equal(held.status?.state, 'active');
    assert.match(
      held.status.errorMessage ?? '',
      new RegExp(`^session lock/${CONTROLLER}/compute-05/${uid}: compute-05: `),
    );
    await stage.engine.clearFaults();
    await stage.session('compute-05', uid).signal('continue');
    await stage.untilNode('compute-05', isInactive);
    await stage.withdraw('held');
    await stage.untilNode('compute-05', isActive);
    await backInService('compute-05');
  });

  test('a host that is held goes back when the request is withdrawn', async () => {
    await start();
    await stage.engine.fault({
      match: { operation: 'migrate', host: 'compute-05', after: 1 },
      effect: { kind: 'fail', status: 409, code: 'NoPower', message: 'the instance clings to its host' },
    });
    await stage.request('given-up', 'compute-05');
    await stage.untilNode('compute-05', says(/the instance clings/));
    await stage.withdraw('given-up');
    await stage.untilNode('compute-05', isActive);
    await backInService('compute-05');
  });

  test('a session that somebody has cancelled fails the lock, and a new request begins anew', async () => {
    await start();
    const uid = await stage.request('cancelled', 'compute-01');
    await stage.untilNode('compute-01', isGoing);
    await stage.session('compute-01', uid).signal('cancel', { reason: 'not today' });
    const failed = await stage.untilNode('compute-01', ({ status }) => status?.state === 'failed');
    assert.match(failed.status?.errorMessage ?? '', /not today.*make the request cancelled anew/);
    await backInService('compute-01');
    await stage.withdraw('cancelled');
    await stage.untilNode('compute-01', isActive);
    await stage.request('cancelled', 'compute-01');
    await stage.untilNode('compute-01', isInactive);
    await stage.withdraw('cancelled');
    await stage.untilNode('compute-01', isActive);
  });

  test('defers a request for another release', async () => {
    await start({ release: 'mosk-17-4' });
    await stage.untilNode('compute-06', ({ status }) => status?.release === 'mosk-17-4');
    const uid = await stage.request('release', 'compute-06', { release: 'mosk-25-1' });
    const deferred = await stage.untilNode('compute-06', says(/request release is for release mosk-25-1/));
    assert.equal(deferred.status?.state, 'active');
    await assert.rejects(stage.session('compute-06', uid).describe(), /not found/i);
    await backInService('compute-06');
    await stage.withdraw('release');
    await stage.untilNode('compute-06', isActive);
    await stage.request('release', 'compute-06', { release: 'mosk-17-4' });
    await stage.untilNode('compute-06', isInactive);
    await stage.withdraw('release');
    await stage.untilNode('compute-06', isActive);
  });

  test('a node that is added gets a lock, and one that is removed loses it', async () => {
    await start();
    await stage.addNodes('compute-07');
    await stage.untilNode('compute-07', isActive);
    await kubectl('delete', 'node', 'compute-07');
    await kubectl('wait', '--for=delete', 'nodeworkloadlock/lc-compute-07', '--timeout=60s');
  });

  test('a node whose host the site does not know fails its lock, until the request is gone', async () => {
    await start();
    await stage.addNodes('ghost');
    await stage.untilNode('ghost', isActive);
    await stage.request('ghost', 'ghost');
    const failed = await stage.untilNode('ghost', says(/"ghost"|ghost is/));
    assert.equal(failed.status?.state, 'failed');
    await stage.withdraw('ghost');
    await stage.untilNode('ghost', isActive);
    await kubectl('delete', 'node', 'ghost');
  });

  test('a session that is terminated leaves its host to roll back before the lock is active', async () => {
    await start();
    const uid = await stage.request('terminated', 'compute-02');
    await stage.untilNode('compute-02', isInactive);
    await stage.session('compute-02', uid).terminate('by mistake');
    await stage.untilNode('compute-02', says(/has ended \(TERMINATED/));
    await stage.withdraw('terminated');
    await stage.untilNode('compute-02', isActive);
    await backInService('compute-02');
  });

  test('a lock that is deleted in the middle is made again, and the session goes on', async () => {
    await start();
    const uid = await stage.request('deleted', 'compute-06');
    await stage.untilNode('compute-06', isInactive);
    await kubectl('delete', 'nodeworkloadlock', 'lc-compute-06');
    const again = await stage.untilNode('compute-06', isInactive);
    assert.match(again.metadata.annotations?.['haulout.io/session'] ?? '', new RegExp(`${uid}$`));
    await isEmpty('compute-06');
    await stage.withdraw('deleted');
    await stage.untilNode('compute-06', isActive);
  });

  test('a session that nothing in the cluster knows of any more is ended', async () => {
    const first = await start();
    await stage.request('forgotten', 'compute-06');
    await stage.untilNode('compute-06', isInactive);
    await kill(first);
    await stage.withdraw('forgotten');
    await kubectl('delete', 'nodeworkloadlock', 'lc-compute-06');
    await start();
    await stage.engine.seen(
      (entry) => entry.type === 'host.uncordoned' && entry.host === 'compute-06',
      60_000,
    );
    await stage.untilNode('compute-06', isActive);
    await backInService('compute-06');
  });

  test('leaves the locks of others alone, also one in the place of its own', async () => {
    const spec = { controllerName: 'openstack', nodeName: 'compute-07' };
    const kind = { apiVersion: 'lcm.mirantis.com/v1alpha1', kind: 'NodeWorkloadLock' };
    const names = ['openstack-compute-07', 'lc-compute-07'];
    await apply(...names.map((name) => ({ ...kind, metadata: { name }, spec })));
    const versions = (): Promise<string> =>
      kubectl('get', 'nodeworkloadlock', ...names, '-o', 'jsonpath={.items[*].metadata.resourceVersion}');
    const before = await versions();
    await start();
    await stage.addNodes('compute-07');
    await stage.request('foreign', 'compute-07');
    await stage.request('own', 'compute-02');
    await stage.untilNode('compute-02', isInactive);
    await stage.withdraw('own');
    await stage.untilNode('compute-02', isActive);
    assert.equal(await versions(), before);
    await backInService('compute-07');
    await stage.withdraw('foreign');
    await kubectl('delete', 'node', 'compute-07');
    await kubectl('delete', 'nodeworkloadlock', ...names);
  });

  test('the lock of the cluster is inactive when sessions could run, and active again without a request', async () => {
    await start();
    await start({ controllerName: 'nowhere', site: 'nowhere', nodes: { selector: { no: 'node' } } });
    await stage.untilCluster(isActive);
    await stage.requestCluster('cluster');
    await stage.untilCluster(isInactive);
    const waiting = await stage.untilCluster(says(/no worker serves site nowhere/), 'nowhere');
    assert.equal(waiting.status?.state, 'active');
    await stage.withdrawCluster('cluster');
    await stage.untilCluster(isActive);
    await stage.untilCluster(isActive, 'nowhere');
  });

  test('the API server may be killed in the middle', async () => {
    await start();
    await stage.request('outage', 'compute-03');
    await stage.untilNode('compute-03', isGoing);
    await service('kill', 'kube-apiserver');
    await stage.engine.seen((entry) => entry.type === 'host.entered' && entry.host === 'compute-03', 60_000);
    await service('start', 'kube-apiserver');
    await stage.untilNode('compute-03', isInactive);
    await stage.withdraw('outage');
    await stage.untilNode('compute-03', isActive);
    await backInService('compute-03');
  });
});
