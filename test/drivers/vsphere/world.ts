/** A small vCenter inventory, as the property collector would tell it. */
import type { Seen } from '../../../src/drivers/vsphere/collector.ts';
import { namesOf, toReading, type Reading } from '../../../src/drivers/vsphere/inventory.ts';
import { toWorld } from '../../../src/drivers/vsphere/world.ts';

const ATTRIBUTE_KEY = 7;

const ref = (type: string, value: string) => ({ type, value });

export const host = (
  id: string,
  more: object = {},
  parent = ref('ClusterComputeResource', 'domain-1'),
): Seen => ({
  ref: ref('HostSystem', id),
  props: {
    name: `${id}.example.org`,
    parent,
    'runtime.connectionState': 'connected',
    'runtime.powerState': 'poweredOn',
    'runtime.inMaintenanceMode': false,
    'summary.hardware': { memorySize: 64 * 1024 ** 3, numCpuCores: 16 },
    datastore: [ref('Datastore', 'datastore-1')],
    ...more,
  },
});

export const vm = (id: string, more: object = {}): Seen => ({
  ref: ref('VirtualMachine', id),
  props: {
    name: `name of ${id}`,
    'runtime.host': ref('HostSystem', 'host-1'),
    'runtime.powerState': 'poweredOn',
    'runtime.connectionState': 'connected',
    'summary.config': { template: false, memorySizeMB: 2048, numCpu: 2 },
    datastore: [ref('Datastore', 'datastore-1')],
    ...more,
  },
});

export const cluster = (configurationEx: object, id = 'domain-1', more: object = {}): Seen => ({
  ref: ref('ClusterComputeResource', id),
  props: { name: `cluster ${id}`, parent: ref('Folder', 'group-h1'), configurationEx, ...more },
});

export const task = (id: string, info: object): Seen => ({
  ref: ref('Task', id),
  props: {
    info: {
      task: ref('Task', id),
      descriptionId: 'VirtualMachine.relocate',
      state: 'running',
      queueTime: '',
      ...info,
    },
  },
});

/** What every inventory has around its hosts. */
const FRAME = new Map([
  ['group-h1', { name: 'host', parent: ref('Datacenter', 'datacenter-1') }],
  ['datacenter-1', { name: 'DC0', parent: ref('Folder', 'group-d1') }],
  ['group-s1', { name: 'datastore', parent: ref('Datacenter', 'datacenter-1') }],
  ['datastore-1', { name: 'LocalDS_0', parent: ref('Folder', 'group-s1') }],
]);

/** A second datacenter, whose things are called as those of the first. */
const SECOND_FRAME = new Map([
  ['group-h2', { name: 'host', parent: ref('Datacenter', 'datacenter-2') }],
  ['datacenter-2', { name: 'DC1', parent: ref('Folder', 'group-d1') }],
  ['group-s2', { name: 'datastore', parent: ref('Datacenter', 'datacenter-2') }],
  ['datastore-2', { name: 'LocalDS_0', parent: ref('Folder', 'group-s2') }],
]);

export function reading(...seen: Seen[]): Reading {
  const isTwofold = seen.some(({ ref: { value } }) => value === 'domain-2');
  const world = toWorld(seen, isTwofold ? new Map([...FRAME, ...SECOND_FRAME]) : FRAME);
  return toReading(world, namesOf(world), { attribute: ATTRIBUTE_KEY, vcpusPerCore: 8 });
}

export const marked = (value: string): object => ({ customValue: [{ key: ATTRIBUTE_KEY, value }] });

export { ref };
