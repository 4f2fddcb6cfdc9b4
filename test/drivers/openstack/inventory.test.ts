import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Instance } from '../../../src/core/inventory.ts';
import {
  hostServices,
  type ServerContext,
  shapesOf,
  toGroup,
  toHost,
  toInstance,
} from '../../../src/drivers/openstack/inventory.ts';
import { markText, readReason, reasonOf } from '../../../src/drivers/openstack/reason.ts';
import {
  aggregateList,
  groupPage,
  hypervisorPage,
  serverPage,
  serviceList,
  type WireServer,
  type WireService,
} from '../../../src/drivers/openstack/wire.ts';
import { type Json, serverJson, serviceJson } from './fake-nova.ts';

const MARK = { session: 'rack 12', host: 'compute-1' };
const OURS = 'haulout session=rack%2012 host=compute-1';

const service = (over: Json = {}): WireService => {
  const [found] = serviceList.parse({ services: [serviceJson(over)] }).services;
  assert.ok(found);
  return found;
};

const server = (over: Json = {}): WireServer => {
  const [found] = serverPage.parse({ servers: [serverJson(over)] }).servers;
  assert.ok(found?.placed);
  return found.placed;
};

const instance = (over: Json = {}, about: Partial<ServerContext> = {}): Instance =>
  toInstance(server(over), { groups: [], labels: {}, ...about });

const state = (vm: string, task: string | null = null, status = 'ACTIVE', power = 4): string =>
  instance({
    status,
    'OS-EXT-STS:vm_state': vm,
    'OS-EXT-STS:task_state': task,
    'OS-EXT-STS:power_state': power,
  }).state;

const flavor = (extra: Record<string, string>): Json => ({
  flavor: { vcpus: 2, ram: 4096, disk: 20, ephemeral: 0, swap: 0, extra_specs: extra },
});

describe('hosts', () => {
  const SHAPE = { capacity: { vcpus: 8, memoryMb: 1024, diskGb: 10 }, labels: { rack: 'r1' } };

  test('are compute services, with zone and labels', () => {
    assert.deepEqual(toHost(service(), SHAPE), {
      name: 'compute-1',
      role: 'compute',
      labels: { rack: 'r1', zone: 'az1' },
      capacity: SHAPE.capacity,
      standing: 'in-service',
    });
  });

  test('that Nova schedules nothing to are cordoned, for the reason that stands there', () => {
    const { standing, cordonReason } = toHost(
      service({ status: 'disabled', disabled_reason: 'bad fan' }),
      SHAPE,
    );
    assert.deepEqual([standing, cordonReason], ['cordoned', 'bad fan']);
    assert.equal('cordonReason' in toHost(service({ status: 'disabled' }), SHAPE), false);
    assert.equal('cordonReason' in toHost(service({ disabled_reason: 'left over' }), SHAPE), false);
  });

  for (const [what, over] of Object.entries({
    'does not report': { state: 'down' },
    'is forced down': { forced_down: true },
    'is disabled too': { state: 'down', status: 'disabled', disabled_reason: OURS },
  })) {
    test(`are down when nova-compute ${what}`, () => {
      assert.equal(toHost(service(over), SHAPE).standing, 'down');
    });
  }

  test('are down in a cell that does not answer, of which Nova says only the name', () => {
    const partial = serviceList.parse({
      services: [{ binary: 'nova-compute', host: 'compute-9', status: 'UNKNOWN' }],
    });
    assert.deepEqual(
      partial.services.map((one) => [toHost(one, undefined).name, toHost(one, undefined).standing]),
      [['compute-9', 'down']],
    );
  });

  test('with a conductor and no compute service are controllers, which no instance comes to', () => {
    const services = [
      { binary: 'nova-conductor', host: 'ctl-1', zone: 'internal' },
      { binary: 'nova-scheduler', host: 'ctl-1', zone: 'internal' },
      { binary: 'nova-scheduler', host: 'ctl-2', zone: 'internal' },
      { binary: 'nova-conductor', host: 'compute-1', zone: 'internal' },
      { binary: 'nova-compute', host: 'compute-1' },
    ];
    const hosts = [...hostServices(services.map(service)).values()].map((one) => toHost(one, undefined));
    assert.deepEqual(
      hosts.map(({ name, role, takesInstances }) => [name, role, takesInstances]),
      [
        ['ctl-1', 'controller', false],
        ['compute-1', 'compute', undefined],
      ],
    );
    assert.deepEqual(hosts[0]?.capacity, { vcpus: 0, memoryMb: 0, diskGb: 0 });
  });

  const hypervisors = (...hosts: [id: string, host: string][]) =>
    hypervisorPage.parse({
      hypervisors: hosts.map(([id, host]) => ({
        id,
        hypervisor_hostname: `${host}.example.org`,
        service: { host },
      })),
    }).hypervisors;
  const aggregates = (...all: [name: string, hosts: string[], metadata: Record<string, string>][]) =>
    aggregateList.parse({ aggregates: all.map(([name, hosts, metadata]) => ({ name, hosts, metadata })) })
      .aggregates;

  test('hold what Placement says, after ratio and reserve', () => {
    const providers = new Map([
      ['p1', { capacity: { VCPU: 64, PCPU: 16, MEMORY_MB: 262_144, DISK_GB: 900 }, traits: ['CUSTOM_FAST'] }],
      ['p2', { capacity: { VCPU: 8, MEMORY_MB: 1024 }, traits: ['COMPUTE_STATUS_DISABLED'] }],
    ]);
    const shapes = shapesOf(hypervisors(['p1', 'a'], ['p2', 'b'], ['p3', 'c']), [], providers);
    assert.deepEqual(shapes.get('a'), {
      capacity: { vcpus: 80, memoryMb: 262_144, diskGb: 900 },
      labels: { 'trait:CUSTOM_FAST': 'true' },
    });
    const shared = shapes.get('b');
    assert.ok(shared && shared.capacity.diskGb > 1e6, 'disks that are not on the host do not run short');
    assert.deepEqual(shared.labels, {}, 'what follows from being disabled is no label');
    assert.deepEqual(shapes.get('c')?.capacity, { vcpus: 0, memoryMb: 0, diskGb: 0 });
  });

  test('of several hypervisors hold what those have together', () => {
    const providers = new Map(
      ['n1', 'n2'].map((id) => [id, { capacity: { VCPU: 1, MEMORY_MB: 512, DISK_GB: 5 }, traits: [] }]),
    );
    const shapes = shapesOf(hypervisors(['n1', 'ironic'], ['n2', 'ironic']), [], providers);
    assert.deepEqual(shapes.get('ironic')?.capacity, { vcpus: 2, memoryMb: 1024, diskGb: 10 });
  });

  test('carry their aggregates, and the metadata in which these agree', () => {
    const shapes = shapesOf(
      hypervisors(['p1', 'a']),
      aggregates(
        ['az1', ['a'], { availability_zone: 'az1' }],
        ['ssd', ['a', 'b'], { rack: 'r7', tier: 'gold', zone: 'not ours' }],
        ['gold', ['a'], { tier: 'platinum' }],
        ['elsewhere', ['b'], { rack: 'r8' }],
      ),
      new Map(),
    );
    assert.deepEqual(shapes.get('a')?.labels, {
      'aggregate:az1': 'true',
      'aggregate:ssd': 'true',
      'aggregate:gold': 'true',
      'property:rack=r7': 'true',
      'property:tier=gold': 'true',
      'property:zone=not ours': 'true',
      'property:tier=platinum': 'true',
      rack: 'r7',
    });
  });
});

describe('instances', () => {
  test('are servers, with their project and what they take of their host', () => {
    assert.deepEqual(instance({}, { groups: ['g1'] }), {
      id: 'server-1',
      name: 'web-1',
      host: 'compute-1',
      project: 'shop',
      state: 'running',
      resources: { vcpus: 2, memoryMb: 4096, diskGb: 20 },
      groups: ['g1'],
      requires: { zone: 'az1' },
    });
  });

  test('take no root disk of their host when that is a volume', () => {
    const sizes = { vcpus: 1, ram: 512, disk: 20, ephemeral: 5, swap: 1500 };
    assert.equal(instance({ flavor: sizes }).resources.diskGb, 27);
    assert.equal(instance({ flavor: sizes, image: '' }).resources.diskGb, 7);
  });

  test('that are on no host are none', () => {
    const { servers } = serverPage.parse({
      servers: [
        serverJson({ id: 'server-2', status: 'SHELVED_OFFLOADED', 'OS-EXT-SRV-ATTR:host': null }),
        { id: 'server-3', status: 'UNKNOWN', tenant_id: 'shop', created: 'x', links: [] },
      ],
    });
    assert.deepEqual(servers, [
      { id: 'server-2', hidesHost: false },
      { id: 'server-3', hidesHost: false },
    ]);
  });

  test('that are only half told, and on a host, are garbled', () => {
    const { flavor: _, ...half } = serverJson();
    const { error } = serverPage.safeParse({ servers: [half] });
    assert.deepEqual(error?.issues[0]?.path, ['servers', 0, 'flavor']);
  });

  for (const [expected, all] of Object.entries({
    running: [
      ['active', null, 'ACTIVE'],
      ['active', 'rebooting', 'REBOOT'],
      ['active', 'image_snapshot', 'ACTIVE'],
      ['active', 'powering-off', 'ACTIVE'],
      ['rescued', null, 'RESCUE'],
      ['resized', null, 'VERIFY_RESIZE'],
    ],
    moving: [
      ['active', 'migrating', 'MIGRATING'],
      ['active', 'resize_prep', 'RESIZE'],
      ['stopped', 'resize_migrating', 'RESIZE'],
      ['resized', 'resize_reverting', 'REVERT_RESIZE'],
      ['active', 'rebuild_spawning', 'REBUILD'],
      ['building', 'spawning', 'BUILD'],
    ],
    paused: [['paused', null, 'PAUSED']],
    stopped: [
      ['stopped', null, 'SHUTOFF'],
      ['stopped', 'powering-on', 'SHUTOFF'],
      ['suspended', null, 'SUSPENDED'],
      ['shelved', null, 'SHELVED'],
      ['soft-delete', null, 'SOFT_DELETED'],
    ],
    error: [['error', null, 'ERROR']],
  } as const)) {
    for (const [vm, task, status] of all) {
      test(`in ${vm}${task === null ? '' : ` while ${task}`} are ${expected}`, () => {
        assert.equal(state(vm, task, status), expected);
      });
    }
  }

  test('that we have to confirm are still moving', () => {
    const resized = { status: 'VERIFY_RESIZE', 'OS-EXT-STS:vm_state': 'resized' };
    const { state: seen, leaving } = instance(resized, { leaving: 'compute-1' });
    assert.deepEqual([seen, leaving], ['moving', 'compute-1']);
  });

  test('whose guest runs although Nova has given them up hold their host', () => {
    assert.deepEqual(
      [state('error', null, 'ERROR', 1), state('error', null, 'ERROR', 4)],
      ['running', 'error'],
    );
  });

  test('say by whom they were stopped, also those that somebody has started since', () => {
    const metadata = { haulout_stopped_by: OURS };
    assert.equal(instance({ metadata, 'OS-EXT-STS:vm_state': 'stopped' }).stoppedBy, OURS);
    assert.equal(instance({ metadata }).stoppedBy, OURS);
    assert.equal('stoppedBy' in instance(), false);
  });

  describe('require', () => {
    const labels = {
      'trait:CUSTOM_FAST': 'true',
      'trait:HW_CPU_X86_AVX2': 'true',
      'property:ssd=true': 'true',
    };
    const requires = (over: Json): unknown => instance(over, { labels }).requires;

    test('their zone, where Nova does not say whether it was asked for', () => {
      assert.deepEqual(requires({}), { zone: 'az1' });
    });

    test('the zone that was asked for, and none where none was', () => {
      assert.deepEqual(requires({ pinned_availability_zone: 'az1' }), { zone: 'az1' });
      assert.deepEqual(requires({ pinned_availability_zone: null }), {});
    });

    test('traits and properties of aggregates that their flavor asks for', () => {
      assert.deepEqual(
        requires({
          pinned_availability_zone: null,
          ...flavor({
            'trait:CUSTOM_FAST': 'required',
            'trait:HW_CPU_X86_AVX2': 'required',
            'trait:CUSTOM_SLOW': 'forbidden',
            'aggregate_instance_extra_specs:ssd': 'true',
          }),
        }),
        { 'trait:CUSTOM_FAST': 'true', 'trait:HW_CPU_X86_AVX2': 'true', 'property:ssd=true': 'true' },
      );
    });

    test('nothing that their present host does without', () => {
      const unmet = { 'trait:CUSTOM_GONE': 'required', 'aggregate_instance_extra_specs:ssd': 's== false' };
      assert.deepEqual(requires({ pinned_availability_zone: null, ...flavor(unmet) }), {});
    });
  });

  describe('are treated as their owner wishes', () => {
    const TAG = 'openstack.lcm.mirantis.com:maintenance_action=';
    for (const [value, mode] of [
      ['poweroff', 'stop'],
      ['live_migrate', 'live'],
      ['notify', 'ask'],
    ] as const) {
      test(`${value} by tag: ${mode}`, () => {
        const { wish } = instance({ tags: ['blue', `${TAG}${value}`] });
        assert.deepEqual(wish, { mode, saidBy: `its tag ${TAG}${value}` });
      });
    }

    test('not by several tags, nor by one that means nothing', () => {
      assert.equal(instance({ tags: [`${TAG}notify`, `${TAG}poweroff`] }).wish, undefined);
      assert.equal(instance({ tags: [`${TAG}dance`] }).wish, undefined);
    });

    test('by a lock, which a tag outranks', () => {
      assert.deepEqual(instance({ locked: true, locked_reason: 'month end' }).wish, {
        mode: 'ask',
        saidBy: 'its lock (month end)',
      });
      assert.deepEqual(instance({ locked: true }).wish, { mode: 'ask', saidBy: 'its lock' });
      assert.equal(instance({ locked: true, tags: [`${TAG}live_migrate`] }).wish?.mode, 'live');
    });
  });
});

describe('groups', () => {
  for (const [policy, rules, expected] of [
    ['affinity', {}, { policy: 'affinity' }],
    ['anti-affinity', {}, { policy: 'anti-affinity' }],
    ['anti-affinity', { max_server_per_host: 3 }, { policy: 'anti-affinity', maxPerHost: 3 }],
    ['soft-affinity', {}, { policy: 'none' }],
    ['soft-anti-affinity', {}, { policy: 'none' }],
  ] as const) {
    test(`of policy ${policy} ${JSON.stringify(rules)}`, () => {
      const page = groupPage.parse({ server_groups: [{ id: 'g', name: 'web', policy, rules, members: [] }] });
      assert.deepEqual(page.server_groups.map(toGroup), [{ id: 'g', name: 'web', ...expected }]);
    });
  }
});

describe('the reason of a cordon', () => {
  test('is our mark, and what was before is kept beside it', () => {
    assert.equal(reasonOf(MARK, false), OURS);
    assert.deepEqual(readReason(reasonOf(MARK, false)), { cordonReason: OURS, wasOnMaintenance: false });
    assert.deepEqual(readReason(reasonOf(MARK, true)), { cordonReason: OURS, wasOnMaintenance: true });
  });

  test('of somebody else is left as it is', () => {
    const theirs = 'bad fan (on_maintenance before)';
    assert.deepEqual(readReason(theirs), { cordonReason: theirs, wasOnMaintenance: false });
  });

  test('that Nova would cut off is refused: nobody would know it again', () => {
    const mark = (chars: number) => ({ session: 's'.repeat(chars), host: 'h' });
    assert.equal(reasonOf(mark(232), false).length, 255);
    assert.throws(() => reasonOf(mark(233), false), /255 characters.*has 256: give the session a shorter id/);
    assert.throws(() => markText(mark(233)), /shorter id/);
  });
});
