import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { InstanceAbility } from '../../../src/core/inventory.ts';
import { abilityOf, obstaclesOf } from '../../../src/drivers/vsphere/abilities.ts';
import { toHost, toInstance } from '../../../src/drivers/vsphere/inventory.ts';
import { deviceList } from '../../../src/drivers/vsphere/wire.ts';
import { cluster, host, marked, reading, ref, vm } from './world.ts';

const AUTOMATED = { drsConfig: { enabled: true, defaultVmBehavior: 'fullyAutomated' } };

function judge(
  more: object,
  config: object = AUTOMATED,
  devices: object[] = [],
): Omit<InstanceAbility, 'instance'> {
  const seen = reading(cluster(config), host('host-1'), vm('vm-1', more));
  const instance = toInstance('vm-1', seen);
  const props = seen.world.vms.get('vm-1');
  assert.ok(instance && props);
  const ability = abilityOf(instance, props, deviceList.parse(devices), seen.world.clusters.get('domain-1'));
  const { instance: _, ...reasons } = ability;
  return reasons;
}

describe('a VM', () => {
  test("whose attribute is somebody else's is not stopped, since our mark would have no place", () => {
    const reason = 'its attribute haulout says "ask Bob", which is not ours to write over; empty it';
    assert.deepEqual(judge(marked('ask Bob')), { cold: reason, stop: reason });
    assert.deepEqual(judge(marked('haulout session=s host=h')), {});
  });

  test('that runs leaves in every way', () => {
    assert.deepEqual(judge({}), {});
  });

  for (const [device, reason] of [
    [
      {
        _typeName: 'VirtualPCIPassthrough',
        deviceInfo: { label: 'PCI device 0' },
        backing: { _typeName: 'VirtualPCIPassthroughDynamicBackingInfo' },
      },
      'has a PCI device of its host (PCI device 0)',
    ],
    [
      {
        _typeName: 'VirtualPCIPassthrough',
        deviceInfo: { label: 'PCI device 1' },
        backing: { _typeName: 'VirtualPCIPassthroughVmiopBackingInfo' },
      },
      'has a virtual GPU (PCI device 1)',
    ],
    [
      { _typeName: 'VirtualSriovEthernetCard' },
      'has an SR-IOV network card of its host (VirtualSriovEthernetCard)',
    ],
    [
      {
        _typeName: 'VirtualCdrom',
        deviceInfo: { label: 'CD/DVD drive 1' },
        backing: { _typeName: 'VirtualCdromAtapiBackingInfo' },
        connectable: { connected: true },
      },
      'has a device of its host (CD/DVD drive 1)',
    ],
  ] as const) {
    test(`that ${reason} cannot move live, whoever drains`, () => {
      assert.deepEqual(judge({}, AUTOMATED, [device]), { live: reason, byPlatform: reason });
    });
  }

  test('is not bound by what is not connected, nor by an ISO file', () => {
    const idle = {
      _typeName: 'VirtualCdrom',
      backing: { _typeName: 'VirtualCdromAtapiBackingInfo' },
      connectable: { connected: false },
    };
    const iso = {
      _typeName: 'VirtualCdrom',
      backing: { _typeName: 'VirtualCdromIsoBackingInfo' },
      connectable: { connected: true },
    };
    assert.deepEqual(judge({}, AUTOMATED, [idle, iso]), {});
  });

  test('under Fault Tolerance cannot move live', () => {
    assert.equal(
      judge({ 'runtime.faultToleranceState': 'running' }).live,
      'is protected by Fault Tolerance (running)',
    );
    assert.deepEqual(judge({ 'runtime.faultToleranceState': 'notConfigured' }), {});
  });

  for (const [config, reason] of [
    [{}, 'DRS is off'],
    [{ drsConfig: { enabled: false, defaultVmBehavior: 'fullyAutomated' } }, 'DRS is off'],
    [{ drsConfig: { enabled: true, defaultVmBehavior: 'manual' } }, 'DRS is manual for this VM'],
    [
      { ...AUTOMATED, drsVmConfig: [{ key: ref('VirtualMachine', 'vm-1'), behavior: 'partiallyAutomated' }] },
      'DRS is partiallyAutomated for this VM',
    ],
    [
      { ...AUTOMATED, drsVmConfig: [{ key: ref('VirtualMachine', 'vm-1'), enabled: false }] },
      'DRS is off for this VM',
    ],
  ] as const) {
    test(`is left by DRS, and by nobody else: ${reason}`, () => {
      assert.deepEqual(judge({}, config), { byPlatform: reason });
    });
  }

  test('that is off does not move live', () => {
    assert.deepEqual(judge({ 'runtime.powerState': 'poweredOff' }), { live: 'is powered off' });
    assert.deepEqual(judge({ 'runtime.powerState': 'suspended' }), { live: 'is suspended' });
  });

  test('that cannot be reached does not leave at all', () => {
    const reason = 'is orphaned';
    assert.deepEqual(judge({ 'runtime.connectionState': 'orphaned' }), {
      live: reason,
      cold: reason,
      stop: reason,
      byPlatform: reason,
    });
  });
});

describe('against taking a host out stands', () => {
  const look = (more: object, config: object = {}, vsanMode?: string) => {
    const seen = reading(cluster(config), host('host-1', more));
    const props = seen.world.hosts.get('host-1');
    assert.ok(props);
    return obstaclesOf(toHost('host-1', seen), props, seen.world.clusters.get('domain-1'), vsanMode);
  };

  test('nothing, usually', () => {
    assert.deepEqual(look({}), { blockers: [], warnings: [] });
  });

  test('that it is not there', () => {
    assert.deepEqual(look({ 'runtime.connectionState': 'notResponding' }).blockers, [
      'host-1.example.org is notResponding',
    ]);
  });

  test('a vSAN mode on a cluster without vSAN', () => {
    assert.deepEqual(look({}, {}, 'evacuateAllData').blockers, [
      'vsphere.vsanMode is evacuateAllData, but vSAN is not enabled on cluster domain-1',
    ]);
    assert.deepEqual(look({}, { vsanConfigInfo: { enabled: true } }, 'evacuateAllData').blockers, []);
  });

  test('no mark of somebody else: that is only odd', () => {
    assert.deepEqual(look(marked('bad fan, ask Ada')), {
      blockers: [],
      warnings: ['host-1.example.org was marked by somebody else and will stay so: bad fan, ask Ada'],
    });
  });
});
