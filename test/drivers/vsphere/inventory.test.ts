import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MaintenanceError } from '../../../src/core/errors.ts';
import { toHost, toInstance, toInventory } from '../../../src/drivers/vsphere/inventory.ts';
import { toWorld } from '../../../src/drivers/vsphere/world.ts';
import { cluster, host, marked, reading, ref, task, vm } from './world.ts';

describe('a host', () => {
  test('has its name, what else it is known by, its labels and what it holds', () => {
    assert.deepEqual(toHost('host-1', reading(cluster({}), host('host-1'))), {
      name: 'host-1.example.org',
      aliases: ['/DC0/host/cluster domain-1/host-1.example.org', 'host-1'],
      role: 'compute',
      labels: { cluster: 'cluster domain-1', datacenter: 'DC0', 'datastore:LocalDS_0': 'mounted' },
      capacity: { vcpus: 128, memoryMb: 65_536, diskGb: 1e9 },
      standing: 'in-service',
    });
  });

  test('that shares its name is called by its path', () => {
    const twins = reading(
      cluster({}),
      cluster({}, 'domain-2'),
      host('host-1', { name: 'esx' }),
      host('host-2', { name: 'esx' }, ref('ClusterComputeResource', 'domain-2')),
    );
    assert.deepEqual(
      toInventory(twins).hosts.map(({ name }) => name),
      ['/DC0/host/cluster domain-1/esx', '/DC0/host/cluster domain-2/esx'],
    );
  });

  test('does not share a label with one in another cluster of the same name', () => {
    const there = ref('ClusterComputeResource', 'domain-2');
    const namesakes = reading(
      cluster({}),
      cluster({}, 'domain-2', { name: 'cluster domain-1', parent: ref('Folder', 'group-h2') }),
      host('host-1'),
      host('host-2', { datastore: [ref('Datastore', 'datastore-2')] }, there),
      vm('vm-1', {
        'runtime.host': ref('HostSystem', 'host-2'),
        datastore: [ref('Datastore', 'datastore-2')],
      }),
    );
    const { hosts, instances } = toInventory(namesakes);
    assert.deepEqual(
      hosts.map(({ labels }) => labels),
      [
        {
          cluster: '/DC0/host/cluster domain-1',
          datacenter: 'DC0',
          'datastore:/DC0/datastore/LocalDS_0': 'mounted',
        },
        {
          cluster: '/DC1/host/cluster domain-1',
          datacenter: 'DC1',
          'datastore:/DC1/datastore/LocalDS_0': 'mounted',
        },
      ],
    );
    assert.deepEqual(instances[0]?.requires, {
      cluster: '/DC1/host/cluster domain-1',
      'datastore:/DC1/datastore/LocalDS_0': 'mounted',
    });
  });

  for (const [why, more, standing] of [
    ['marked', marked('haulout session=s host=h'), 'cordoned'],
    ['with an attribute that was emptied', marked(''), 'in-service'],
    ['in maintenance', { 'runtime.inMaintenanceMode': true }, 'maintenance'],
    ['not connected', { 'runtime.connectionState': 'notResponding' }, 'down'],
    ['in standby', { 'runtime.powerState': 'standBy' }, 'down'],
    [
      'in maintenance, and not connected',
      { 'runtime.inMaintenanceMode': true, 'runtime.connectionState': 'disconnected' },
      'down',
    ],
  ] as const) {
    test(`${why} is ${standing}`, () => {
      assert.equal(toHost('host-1', reading(cluster({}), host('host-1', more))).standing, standing);
    });
  }

  for (const [descriptionId, state, more, standing] of [
    ['HostSystem.enterMaintenanceMode', 'running', {}, 'entering'],
    ['HostSystem.enterMaintenanceMode', 'queued', {}, 'entering'],
    ['HostSystem.enterMaintenanceMode', 'error', {}, 'in-service'],
    ['HostSystem.exitMaintenanceMode', 'running', { 'runtime.inMaintenanceMode': true }, 'exiting'],
  ] as const) {
    test(`with a task ${descriptionId} that is ${state} is ${standing}`, () => {
      const seen = reading(
        cluster({}),
        host('host-1', { recentTask: [ref('Task', 'task-1'), ref('Task', 'task-forgotten')], ...more }),
        task('task-1', { descriptionId, state }),
      );
      assert.equal(toHost('host-1', seen).standing, standing);
    });
  }
});

describe('an instance', () => {
  const of = (more: object, ...others: Parameters<typeof reading>) =>
    toInstance('vm-1', reading(cluster({}), host('host-1'), vm('vm-1', more), ...others));

  test('requires its cluster and its datastores', () => {
    assert.deepEqual(of({}), {
      id: 'vm-1',
      name: 'name of vm-1',
      host: 'host-1.example.org',
      state: 'running',
      resources: { vcpus: 2, memoryMb: 2048, diskGb: 0 },
      groups: [],
      requires: { cluster: 'cluster domain-1', 'datastore:LocalDS_0': 'mounted' },
    });
  });

  test('is none when it is a template', () => {
    assert.equal(of({ 'summary.config': { template: true } }), undefined);
  });

  for (const [state, more] of [
    ['stopped', { 'runtime.powerState': 'poweredOff' }],
    ['stopped', { 'runtime.powerState': 'suspended' }],
    ['error', { 'runtime.connectionState': 'inaccessible' }],
    ['moving', { recentTask: [ref('Task', 'task-1')] }],
  ] as const) {
    test(`is ${state}: ${JSON.stringify(more)}`, () => {
      const instance = of(more, task('task-1', {}));
      assert.equal(instance?.state, state);
      assert.equal(instance.stoppedBy, undefined);
    });
  }

  for (const [what, state, to, phase, powerState] of [
    ['is off on its way', 'moving', 'host-2', 'over', 'poweredOff'],
    ['is off where it was, since it does not start', 'moving', 'host-2', 'stuck', 'poweredOff'],
    ['is off at its target, since it does not start', 'error', 'host-1', 'stuck', 'poweredOff'],
    ['was started at its target by hand', 'running', 'host-1', 'stuck', 'poweredOn'],
  ] as const) {
    test(`that ${what} leaves its host still, and is ${state}`, () => {
      const text = `haulout cold-move from=host-1 to=${to} phase=${phase} task=task-9`;
      const { state: seen, leaving } = of({ 'runtime.powerState': powerState, ...marked(text) }) ?? {};
      assert.deepEqual([seen, leaving], [state, 'host-1.example.org']);
    });
  }

  test('carries the mark of who stopped it', () => {
    const mark = 'haulout session=s host=h';
    assert.equal(of({ 'runtime.powerState': 'poweredOff', ...marked(mark) })?.stoppedBy, mark);
  });
});

describe('the rules of a cluster', () => {
  const vms = (...ids: string[]) => ids.map((id) => ref('VirtualMachine', id));
  const config = {
    rule: [
      {
        _typeName: 'ClusterAntiAffinityRuleSpec',
        key: 1,
        name: 'apart',
        enabled: true,
        vm: vms('vm-1', 'vm-2'),
      },
      {
        _typeName: 'ClusterAffinityRuleSpec',
        key: 2,
        name: 'together',
        enabled: true,
        vm: vms('vm-2', 'vm-3'),
      },
      { _typeName: 'ClusterAffinityRuleSpec', key: 3, name: 'off', enabled: false, vm: vms('vm-1', 'vm-3') },
      {
        _typeName: 'ClusterVmHostRuleInfo',
        key: 4,
        name: 'licensed',
        enabled: true,
        mandatory: true,
        vmGroupName: 'databases',
        affineHostGroupName: 'licensed hosts',
      },
      {
        _typeName: 'ClusterVmHostRuleInfo',
        key: 5,
        name: 'rather not',
        enabled: true,
        mandatory: false,
        vmGroupName: 'databases',
        antiAffineHostGroupName: 'old hosts',
      },
    ],
    group: [
      { _typeName: 'ClusterVmGroup', name: 'databases', vm: vms('vm-3') },
      { _typeName: 'ClusterHostGroup', name: 'licensed hosts', host: [ref('HostSystem', 'host-1')] },
      { _typeName: 'ClusterHostGroup', name: 'old hosts', host: [] },
    ],
  };
  const inventory = toInventory(
    reading(cluster(config), host('host-1'), host('host-2'), vm('vm-1'), vm('vm-2'), vm('vm-3')),
  );

  test('that keep VMs together or apart are groups, unless they are switched off', () => {
    assert.deepEqual(inventory.groups, [
      { id: 'domain-1/1', name: 'apart', policy: 'anti-affinity' },
      { id: 'domain-1/2', name: 'together', policy: 'affinity' },
    ]);
    assert.deepEqual(
      inventory.instances.map(({ groups }) => groups),
      [['domain-1/1'], ['domain-1/1', 'domain-1/2'], ['domain-1/2']],
    );
  });

  test('that bind VMs to hosts are labels, required only where they must be kept', () => {
    assert.deepEqual(
      inventory.hosts.map(({ labels }) => [
        labels['host-group:licensed hosts'],
        labels['host-group:old hosts'],
      ]),
      [
        ['in', 'out'],
        ['out', 'out'],
      ],
    );
    const database = inventory.instances.find(({ id }) => id === 'vm-3');
    assert.equal(database?.requires['host-group:licensed hosts'], 'in');
    assert.equal(database.requires['host-group:old hosts'], undefined);
  });
});

test('a property that may not be read is named', () => {
  assert.throws(
    () => toWorld([{ ref: ref('HostSystem', 'host-1'), props: { name: 'esx' } }], new Map()),
    (error) => {
      assert.ok(error instanceof MaintenanceError);
      assert.equal(error.code, 'PlatformGarbled');
      assert.match(error.message, /^HostSystem host-1: parent: .*System\.Read/);
      return true;
    },
  );
});
