import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NODES, type KubeNode } from '../../../src/kubernetes/core.ts';
import { NODE_REQUESTS, type NodeMaintenanceRequest } from '../../../src/kubernetes/lcm.ts';
import { seeNode, toHost } from '../../../src/drivers/mosk/inventory.ts';

const MARK = 'haulout session=kernel host=node-1.example.org';
const object = (name: string, more: object): object => ({ name, uid: name, resourceVersion: '1', ...more });

function newNode({ labels = {}, annotations = {}, unschedulable = false, ready = 'True' }): KubeNode {
  return NODES.schema.parse({
    metadata: object('node-1.example.org', { labels, annotations }),
    spec: { unschedulable },
    status: {
      allocatable: { cpu: '15500m', memory: '32Gi' },
      conditions: [{ type: 'Ready', status: ready }],
    },
  });
}

const newRequest = (annotations: Record<string, string>): NodeMaintenanceRequest =>
  NODE_REQUESTS.schema.parse({
    metadata: object('by-hand', { annotations }),
    spec: { nodeName: 'node-1', scope: 'drain' },
  });

const stand = (node: KubeNode, requests: NodeMaintenanceRequest[] = [], isEmpty = true): unknown[] => {
  const { standing, cordonReason } = toHost(seeNode(node, requests), isEmpty);
  return [standing, cordonReason];
};

test('a node stands where its request says, and in service without one', () => {
  const ours = (phase?: string): NodeMaintenanceRequest[] => [
    newRequest({ 'haulout.io/mark': MARK, ...(phase === undefined ? {} : { 'haulout.io/phase': phase }) }),
  ];
  assert.deepEqual(stand(newNode({})), ['in-service', undefined]);
  assert.deepEqual(stand(newNode({}), ours()), ['cordoned', MARK]);
  assert.deepEqual(stand(newNode({}), ours('locks')), ['entering', MARK]);
  assert.deepEqual(stand(newNode({ unschedulable: true }), ours('drain')), ['entering', MARK]);
  assert.deepEqual(stand(newNode({ unschedulable: true, ready: 'False' }), ours('out')), [
    'maintenance',
    MARK,
  ]);
  assert.deepEqual(stand(newNode({ unschedulable: true }), ours('out'), false), ['entering', MARK]);
  assert.deepEqual(stand(newNode({}), ours('out')), ['entering', MARK], 'somebody has uncordoned it');
  assert.deepEqual(stand(newNode({}), ours('back')), ['exiting', MARK]);
  assert.deepEqual(stand(newNode({ annotations: { 'haulout.io/mark': MARK } })), ['cordoned', MARK]);
});

test('what somebody else has done to a node is told in their words', () => {
  const described = newRequest({ 'kubernetes.io/description': 'new disks, ask Ada' });
  assert.deepEqual(stand(newNode({}), [described]), ['cordoned', 'new disks, ask Ada']);
  assert.deepEqual(stand(newNode({ ready: 'Unknown' })), ['down', undefined]);
  assert.equal(stand(newNode({ unschedulable: true }))[0], 'cordoned');
});

test('a node of the same short name in another domain is not out for that, and not free', () => {
  const twin = newRequest({
    'haulout.io/mark': 'haulout session=kernel host=node-1.example.com',
    'haulout.io/phase': 'out',
  });
  const { own, foreign } = seeNode(newNode({}), [twin]);
  assert.equal(own, undefined);
  assert.deepEqual(foreign, [twin]);
  assert.equal(stand(newNode({}), [twin])[0], 'cordoned');
});

test('roles and zones are labels, the weightiest role first', () => {
  const labels = {
    'openstack-gateway': 'enabled',
    'node-role.kubernetes.io/master': '',
    'topology.kubernetes.io/zone': 'a',
  };
  const host = toHost(seeNode(newNode({ labels }), []), true);
  assert.deepEqual(
    [host.role, host.labels['role'], host.labels['zone']],
    ['controller', 'control-plane', 'a'],
  );
  assert.deepEqual(host.aliases, ['node-1']);
  assert.deepEqual(host.capacity, { vcpus: 15, memoryMb: 32_768, diskGb: 0 });
  assert.equal(toHost(seeNode(newNode({}), []), true).labels['role'], 'compute');
});
