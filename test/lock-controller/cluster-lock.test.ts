import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideCluster } from '../../src/lock-controller/cluster-lock.ts';
import type { Request } from '../../src/lock-controller/requests.ts';

const request = (name: string, release?: string): Request => ({
  metadata: { name, uid: name, resourceVersion: '1', labels: {}, annotations: {}, ownerReferences: [] },
  spec: { scope: 'drain', ...(release !== undefined && { release }) },
});

const ACTIVE = { do: 'say', status: { state: 'active' } };

test('the cluster gets a lock, which is active while nobody asks', () => {
  assert.deepEqual(decideCluster({ requests: [] }, undefined), { do: 'create' });
  assert.deepEqual(decideCluster({ lock: {}, requests: [] }, undefined), ACTIVE);
  assert.deepEqual(decideCluster({ lock: { state: 'inactive' }, requests: [] }, undefined), ACTIVE);
});

test('a request is checked until it is agreed to, and then stands', () => {
  assert.deepEqual(decideCluster({ lock: { state: 'active' }, requests: [request('r1')] }, 'a'), {
    do: 'check',
  });
  assert.deepEqual(decideCluster({ lock: { state: 'inactive' }, requests: [request('r1')] }, 'a'), {
    do: 'say',
    status: { state: 'inactive' },
  });
});

test('a request for another release is deferred, beside one for this release it is not', () => {
  const other = request('r1', 'b');
  assert.deepEqual(decideCluster({ lock: { state: 'active' }, requests: [other] }, 'a'), {
    do: 'say',
    status: {
      state: 'active',
      errorMessage: 'request r1 is for release b, and this controller is of release a',
    },
  });
  assert.deepEqual(decideCluster({ lock: {}, requests: [other, request('r2', 'a')] }, 'a'), { do: 'check' });
});

test('what was agreed to stands when the controller has become one of another release', () => {
  assert.deepEqual(decideCluster({ lock: { state: 'inactive' }, requests: [request('r1', 'a')] }, 'b'), {
    do: 'say',
    status: { state: 'inactive' },
  });
});
