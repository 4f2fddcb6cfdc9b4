/** What a walk has found, by id, each object checked for what is read of it. */
import { z } from 'zod';
import { MaintenanceError } from '../../core/errors.ts';
import type { PropertySet, Seen, Step } from './collector.ts';
import {
  clusterProps,
  hostProps,
  taskInfo,
  vmProps,
  type ClusterProps,
  type HostProps,
  type NamedProps,
  type TaskInfo,
  type VmProps,
} from './wire.ts';

const keysOf = (schema: z.ZodObject): string[] => Object.keys(schema.shape);

/** What is read of hosts and instances, and of what they are in and what works on them. */
export const PROPERTIES: PropertySet = {
  HostSystem: keysOf(hostProps),
  VirtualMachine: keysOf(vmProps),
  ComputeResource: keysOf(clusterProps),
  Task: ['info'],
};

/** From hosts and instances to what works on them. */
export const TO_TASKS: readonly Step[] = [
  { type: 'HostSystem', path: 'recentTask' },
  { type: 'VirtualMachine', path: 'recentTask' },
];

/** By id of the object. */
export interface World {
  hosts: ReadonlyMap<string, HostProps>;
  vms: ReadonlyMap<string, VmProps>;
  /** Clusters, and what stands for a host outside of any. */
  clusters: ReadonlyMap<string, ClusterProps>;
  /** Folders, datacenters and datastores. */
  others: ReadonlyMap<string, NamedProps>;
  tasks: ReadonlyMap<string, TaskInfo>;
}

/**
 * Throws PlatformGarbled when an object is not what the API promises.
 *
 * @param others folders, datacenters and datastores, which rarely change
 */
export function toWorld(seen: readonly Seen[], others: World['others']): World {
  const hosts = new Map<string, HostProps>();
  const vms = new Map<string, VmProps>();
  const clusters = new Map<string, ClusterProps>();
  const tasks = new Map<string, TaskInfo>();
  for (const one of seen) {
    const { type, value: id } = one.ref;
    if (type === 'HostSystem') hosts.set(id, checked(one, hostProps));
    else if (type === 'VirtualMachine') vms.set(id, checked(one, vmProps));
    else if (type === 'Task') tasks.set(id, checked(one, z.object({ info: taskInfo })).info);
    else if (type.endsWith('ComputeResource')) clusters.set(id, checked(one, clusterProps));
  }
  return { hosts, vms, clusters, others, tasks };
}

/** Throws PlatformGarbled when an object is not what the API promises. */
export function checked<T>({ ref, props }: Seen, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(props);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const problem = issue ? `${issue.path.map(String).join('.')}: ${issue.message}` : 'unreadable';
  throw new MaintenanceError(
    'PlatformGarbled',
    `${ref.type} ${ref.value}: ${problem}; a property that the user may not read (System.View, System.Read) is missing too`,
  );
}
