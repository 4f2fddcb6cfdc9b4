/** A small vCenter inventory, as the property collector would tell it. */
import type { Seen } from '../../../src/drivers/vsphere/collector.ts';
import { toReading, type Reading } from '../../../src/drivers/vsphere/inventory.ts';
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

export const cluster = (configurationEx: object, id = 'domain-1'): Seen => ({
  ref: ref('ClusterComputeResource', id),
  props: { name: `cluster ${id}`, parent: ref('Folder', 'group-h1'), configurationEx },
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
  ['datastore-1', { name: 'LocalDS_0', parent: undefined }],
]);

export const reading = (...seen: Seen[]): Reading =>
  toReading(toWorld(seen, FRAME), { attribute: ATTRIBUTE_KEY, vcpusPerCore: 8 });

export const marked = (value: string): object => ({ customValue: [{ key: ATTRIBUTE_KEY, value }] });

export { ref };
