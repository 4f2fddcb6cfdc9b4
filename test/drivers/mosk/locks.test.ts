import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeWait, failureOf } from '../../../src/drivers/mosk/locks.ts';
import { NODE_LOCKS, type NodeWorkloadLock } from '../../../src/kubernetes/lcm.ts';

const newLock = (controllerName: string, status?: object): NodeWorkloadLock =>
  NODE_LOCKS.schema.parse({
    metadata: { name: `${controllerName}-node-1`, uid: controllerName, resourceVersion: '1' },
    spec: { controllerName, nodeName: 'node-1' },
    status,
  });

test('who is waited for is named, in the words of each controller', () => {
  const inactivationProgress = { percentage: 40, description: 'moving OSDs' };
  const waiting = [newLock('ceph', { state: 'active', inactivationProgress }), newLock('neutron')];
  assert.equal(
    describeWait('node-1', 'inactive', waiting),
    'node-1 to be released by ceph (40 %, moving OSDs), neutron',
  );
  const failed = newLock('ceph', { state: 'failed', errorMessage: 'no quorum' });
  assert.equal(
    describeWait('node-1', 'active', [failed]),
    'node-1 to be taken back by ceph (failed, no quorum)',
  );
});

test('a controller that writes a book is quoted in one line that can be read', () => {
  const failed = newLock('ceph', { state: 'failed', errorMessage: 'no quorum\n'.repeat(100_000) });
  assert.ok(describeWait('node-1', 'active', [failed]).length < 600);
  const { message = '', vendor = '' } = failureOf([failed], 'EnterFailed') ?? {};
  assert.match(message, /^controller ceph cannot release its lock ceph-node-1: no quorum no quorum/);
  assert.ok(message.length < 600 && vendor.length < 600);
});
