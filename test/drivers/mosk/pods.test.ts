import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PODS, type Pod } from '../../../src/kubernetes/core.ts';
import { amountOf } from '../../../src/kubernetes/quantity.ts';
import { hasToLeave, obstacleOf, overdueReason, toInstance } from '../../../src/drivers/mosk/pods.ts';

const BLOCK = { emptyDir: 'block', unmanaged: 'block' } as const;

function newPod({
  kind = 'ReplicaSet',
  ...more
}: {
  kind?: string;
  meta?: object;
  spec?: object;
  phase?: string;
}): Pod {
  return PODS.schema.parse({
    metadata: {
      name: 'web-1',
      namespace: 'shop',
      uid: 'u',
      resourceVersion: '1',
      ownerReferences: kind === '' ? [] : [{ kind, name: 'web', controller: true }],
      ...more.meta,
    },
    spec: { nodeName: 'node-1', ...more.spec },
    status: { phase: more.phase ?? 'Running' },
  });
}

test('pods of DaemonSets, those of the kubelet itself and finished ones stay', () => {
  assert.equal(hasToLeave(newPod({})), true);
  assert.equal(hasToLeave(newPod({ kind: 'DaemonSet' })), false);
  assert.equal(hasToLeave(newPod({ meta: { annotations: { 'kubernetes.io/config.mirror': 'x' } } })), false);
  assert.equal(hasToLeave(newPod({ phase: 'Succeeded' })), false);
  assert.equal(hasToLeave(newPod({ phase: 'Failed' })), false);
});

test('what would be lost blocks, unless that is allowed', () => {
  const scratch = newPod({ spec: { volumes: [{ name: 'scratch', emptyDir: {} }] } });
  assert.match(obstacleOf(scratch, BLOCK) ?? '', /emptyDir scratch/);
  assert.equal(obstacleOf(scratch, { ...BLOCK, emptyDir: 'evict' }), undefined);
  const alone = newPod({ kind: '' });
  assert.match(obstacleOf(alone, BLOCK) ?? '', /no controller/);
  assert.equal(obstacleOf(alone, { ...BLOCK, unmanaged: 'evict' }), undefined);
  assert.equal(obstacleOf(newPod({}), BLOCK), undefined);
  const leaving = newPod({
    kind: '',
    meta: { ownerReferences: [], deletionTimestamp: '2026-01-01T00:00:00Z' },
  });
  assert.equal(obstacleOf(leaving, BLOCK), undefined);
});

test('a pod that has not ended in its time is said to be late, and what holds it', () => {
  const now = Date.parse('2026-01-01T01:00:00Z');
  const late = { deletionTimestamp: '2026-01-01T00:00:00Z' };
  assert.equal(overdueReason(newPod({}), now), undefined);
  assert.equal(
    overdueReason(newPod({ meta: { deletionTimestamp: '2026-01-01T00:59:50Z' } }), now),
    undefined,
  );
  assert.match(
    overdueReason(newPod({ meta: late }), now) ?? '',
    /by 2026-01-01T00:00:00Z: its kubelet has not/,
  );
  const held = newPod({ meta: { ...late, finalizers: ['shop/backup'] } });
  assert.match(overdueReason(held, now) ?? '', /held by the finalizers shop\/backup/);
});

test('a pod takes what its containers ask for together, or the largest of its init containers', () => {
  const asks = (cpu: string, memory: string): object => ({ resources: { requests: { cpu, memory } } });
  const spec = {
    containers: [asks('250m', '64Mi'), asks('1', '128Mi')],
    initContainers: [asks('2', '32Mi')],
  };
  assert.deepEqual(toInstance(newPod({ spec }))?.resources, { vcpus: 2, memoryMb: 192, diskGb: 0 });
});

test('quantities are read as Kubernetes writes them', () => {
  const known: [string, number][] = [
    ['250m', 0.25],
    ['1.5', 1.5],
    ['512Mi', 512 * 2 ** 20],
    ['2G', 2e9],
    ['1e3', 1000],
    ['12E2', 1200],
    ['3k', 3000],
  ];
  for (const [quantity, amount] of known) assert.equal(amountOf(quantity), amount, quantity);
  assert.equal(amountOf('much'), 0);
  assert.equal(amountOf(undefined), 0);
});
