import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { abilityOf, obstaclesOf } from '../../../src/drivers/openstack/abilities.ts';
import { toHost, toInstance } from '../../../src/drivers/openstack/inventory.ts';
import { migrationList, serverPage, serviceList } from '../../../src/drivers/openstack/wire.ts';
import { type Json, migrationJson, serverJson, serviceJson } from './fake-nova.ts';

const servers = (...all: Json[]) =>
  serverPage.parse({ servers: all.map(serverJson) }).servers.flatMap(({ placed }) => placed ?? []);

/** Why a server cannot leave, way by way. */
function reasons(over: Json): { live?: string; cold?: string; stop?: string } {
  const [server] = servers(over);
  assert.ok(server);
  const instance = toInstance(server, { groups: [], labels: {} });
  const { instance: judged, ...rest } = abilityOf(server, instance);
  assert.equal(judged, instance);
  return rest;
}

const vm = (state: string, status: string, task: string | null = null): Json => ({
  status,
  'OS-EXT-STS:vm_state': state,
  'OS-EXT-STS:task_state': task,
});
const specs = (extra_specs: Record<string, string>): Json => ({
  flavor: { vcpus: 1, ram: 512, disk: 1, extra_specs },
});
const all = (reason: string) => ({ live: reason, cold: reason, stop: reason });

describe('a server that', () => {
  for (const [what, over, expected] of [
    ['runs can leave in every way', {}, {}],
    ['is locked can: the lock is a wish', { locked: true }, {}],
    ['is busy can, as soon as it is not', vm('active', 'REBOOT', 'rebooting'), {}],
    ['is SHUTOFF cannot go live', vm('stopped', 'SHUTOFF'), { live: 'is SHUTOFF' }],
    ['is PAUSED can only go live', vm('paused', 'PAUSED'), { cold: 'is PAUSED', stop: 'is PAUSED' }],
    ['is SUSPENDED cannot go', vm('suspended', 'SUSPENDED'), all('is SUSPENDED')],
    ['is in RESCUE cannot go', vm('rescued', 'RESCUE'), all('is RESCUE')],
    [
      'waits for its owner cannot go',
      vm('resized', 'VERIFY_RESIZE'),
      all('is in VERIFY_RESIZE: its owner has to confirm or revert the resize'),
    ],
    [
      'is in ERROR cannot go',
      { ...vm('error', 'ERROR'), fault: { message: 'No disk' } },
      all('is in ERROR: No disk'),
    ],
    ['migrates is busy', vm('active', 'MIGRATING', 'migrating'), all('is busy: task_state migrating')],
  ] as const) {
    test(what, () => {
      assert.deepEqual(reasons(over), expected);
    });
  }

  for (const [key, value, reason] of [
    ['pci_passthrough:alias', 'gpu:1', 'has a PCI device of its host'],
    ['resources:VGPU', '1', 'has a virtual GPU'],
    ['resources2:VGPU', '1', 'has a virtual GPU'],
    ['accel:device_profile', 'fpga', 'has an accelerator'],
    ['hw:tpm_version', '2.0', 'has a virtual TPM'],
    ['hw:mem_encryption', 'True', 'has encrypted memory'],
    ['hw:pmem', '6GB', 'has persistent memory of its host'],
  ] as const) {
    test(`${reason} cannot go live, by ${key}`, () => {
      assert.deepEqual(reasons(specs({ [key]: value })), { live: `${reason} (${key}=${value})` });
    });
  }

  test('could have a hindrance and has none can go live', () => {
    assert.deepEqual(
      reasons(specs({ 'hw:mem_encryption': 'False', 'resources:VGPU': '0', 'hw:cpu_policy': 'dedicated' })),
      {},
    );
  });
});

describe('a host', () => {
  function obstacles(about: {
    service?: Json;
    servers?: Json[];
    migrations?: Json[];
    hasHypervisor?: boolean;
  }): { blockers: string[]; warnings: string[] } {
    const [service] = serviceList.parse({ services: [serviceJson(about.service)] }).services;
    assert.ok(service);
    return obstaclesOf({
      service,
      host: toHost(service, undefined),
      servers: servers(...(about.servers ?? [])),
      hasHypervisor: about.hasHypervisor ?? true,
      migrations: migrationList.parse({ migrations: (about.migrations ?? []).map(migrationJson) }).migrations,
    });
  }

  test('in service has none', () => {
    assert.deepEqual(obstacles({ servers: [{}], migrations: [{ status: 'completed' }] }), {
      blockers: [],
      warnings: [],
    });
  });

  for (const [what, service, blocker] of [
    ['is down', { state: 'down' }, 'nova-compute on compute-1 is down'],
    ['is forced down', { forced_down: true }, 'nova-compute on compute-1 is forced down'],
    [
      'is in a cell that does not answer',
      { status: 'UNKNOWN', state: 'down' },
      'the cell of compute-1 does not answer',
    ],
    [
      'is a controller and down',
      { binary: 'nova-conductor', state: 'down' },
      'nova-conductor on compute-1 is down',
    ],
  ] as const) {
    test(`that ${what} is not taken out`, () => {
      assert.deepEqual(obstacles({ service }).blockers, [blocker]);
    });
  }

  test('without a hypervisor is not taken out, unless it is a controller', () => {
    assert.match(
      obstacles({ hasHypervisor: false }).blockers.join(),
      /^Nova lists no hypervisor of compute-1/,
    );
    assert.deepEqual(obstacles({ hasHypervisor: false, service: { binary: 'nova-conductor' } }).blockers, []);
  });

  test('that somebody else disabled stays so, for their reason', () => {
    const warnings = (disabled_reason: string | null): string[] =>
      obstacles({ service: { status: 'disabled', disabled_reason } }).warnings;
    assert.deepEqual(warnings('bad fan'), [
      'compute-1 was disabled by somebody else and will stay so: bad fan',
    ]);
    assert.deepEqual(warnings(null), [
      'compute-1 was disabled by somebody else and will stay so: they gave no reason',
    ]);
    assert.deepEqual(warnings('haulout session=s host=compute-1'), []);
  });

  test('with servers that are busy is told with their names', () => {
    const { blockers, warnings } = obstacles({
      servers: [{ 'OS-EXT-STS:task_state': 'rebooting' }, { 'OS-EXT-STS:task_state': 'migrating' }],
    });
    assert.deepEqual(blockers, []);
    assert.deepEqual(warnings, [
      'busy on compute-1, and moved when they are not: web-1 (task_state rebooting)',
    ]);
  });

  test('with migrations of others is told with the servers', () => {
    const { warnings } = obstacles({
      migrations: [
        { instance_uuid: 'in', status: 'running', source_compute: 'compute-2', dest_compute: 'compute-1' },
        {
          instance_uuid: 'came',
          status: 'completed',
          source_compute: 'compute-2',
          dest_compute: 'compute-1',
        },
        { instance_uuid: 'out', status: 'queued', dest_compute: null },
        { instance_uuid: 'resized', status: 'finished' },
      ],
    });
    assert.deepEqual(warnings, [
      'on their way to compute-1 already: in',
      'resized away from compute-1, and may be reverted to it: resized',
      'queued for a live migration off compute-1 already: out',
    ]);
  });
});
