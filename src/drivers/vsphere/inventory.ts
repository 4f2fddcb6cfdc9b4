/** What vCenter says, as hosts, instances and groups. Pure. */
import type { Host, HostStanding, Instance, InstanceState, Inventory } from '../../core/inventory.ts';
import { attributeOf } from './attribute.ts';
import { bondsOf, hostGroupLabels, type Bonds } from './rules.ts';
import { parseTicket, type Ticket } from './ticket.ts';
import type { HostProps, Ref, TaskInfo, VmProps } from './wire.ts';
import type { World } from './world.ts';

/** Disks are on datastores, which several hosts share: nothing of a host runs short. */
const UNLIMITED_GB = 1e9;

const MIB = 1024 * 1024;

export interface Reading {
  world: World;
  /** Key of the custom attribute; undefined as long as nobody has made it. */
  attribute: number | undefined;
  vcpusPerCore: number;
  /** By id, so that what has the same name is told apart. */
  names: ReadonlyMap<string, string>;
  /** By id of the cluster. */
  bonds: ReadonlyMap<string, Bonds>;
}

/** @param names those of the whole site: the world may hold only some of it */
export function toReading(
  world: World,
  names: ReadonlyMap<string, string>,
  settings: Pick<Reading, 'attribute' | 'vcpusPerCore'>,
): Reading {
  const bonds = new Map([...world.clusters].map(([id, cluster]) => [id, bondsOf(id, cluster)]));
  return { world, names, ...settings, bonds };
}

export function toInventory(reading: Reading): Inventory {
  const { hosts } = reading.world;
  return {
    hosts: [...hosts.keys()].map((id) => toHost(id, reading)),
    instances: instancesOf(reading),
    groups: [...reading.bonds.values()].flatMap(({ groups }) => groups),
  };
}

type Names = Reading['names'];

interface Placed {
  name: string;
  parent?: Ref | undefined;
}

/** What paths are made of, by id. */
export interface Places {
  hosts: ReadonlyMap<string, Placed>;
  clusters: ReadonlyMap<string, Placed>;
  others: ReadonlyMap<string, Placed>;
}

/** By id: the name of each, where it has that for itself among its kind, and else its path. */
export function namesOf(places: Places): Map<string, string> {
  const names = new Map<string, string>();
  for (const kind of [places.hosts, places.clusters, places.others]) {
    const counts = new Map<string, number>();
    for (const { name } of kind.values()) counts.set(name, (counts.get(name) ?? 0) + 1);
    for (const [id, { name }] of kind) names.set(id, counts.get(name) === 1 ? name : pathOf(id, places));
  }
  return names;
}

/** As govc writes it: `/DC0/host/DC0_C0/DC0_C0_H0`. The folder at the root is left out. */
export function pathOf(id: string, { hosts, clusters, others }: Places): string {
  const names: string[] = [];
  for (let at = id; ;) {
    const one: Placed | undefined = hosts.get(at) ?? clusters.get(at) ?? others.get(at);
    if (one?.parent === undefined) break;
    names.unshift(one.name);
    at = one.parent.value;
  }
  return `/${names.join('/')}`;
}

export function toHost(id: string, { world, attribute, vcpusPerCore, names }: Reading): Host {
  const props = world.hosts.get(id);
  if (!props) throw new Error(`${id} was not read`);
  const hardware = props['summary.hardware'];
  const reason = attributeOf(props, attribute);
  return {
    name: names.get(id) ?? props.name,
    aliases: [pathOf(id, world), id],
    role: 'compute',
    labels: labelsOf(id, props, world, names),
    capacity: {
      vcpus: Math.floor((hardware?.numCpuCores ?? 0) * vcpusPerCore),
      memoryMb: Math.floor((hardware?.memorySize ?? 0) / MIB),
      diskGb: UNLIMITED_GB,
    },
    standing: standingOf(props, world, reason),
    ...(reason === undefined ? {} : { cordonReason: reason }),
  };
}

function standingOf(props: HostProps, world: World, reason: string | undefined): HostStanding {
  if (props['runtime.connectionState'] !== 'connected' || props['runtime.powerState'] !== 'poweredOn') {
    return 'down';
  }
  const running = runningTasks(props, world);
  if (running.some(({ descriptionId }) => descriptionId === HOST_TASKS.exit)) return 'exiting';
  if (props['runtime.inMaintenanceMode']) return 'maintenance';
  if (running.some(({ descriptionId }) => descriptionId === HOST_TASKS.enter)) return 'entering';
  return reason === undefined ? 'in-service' : 'cordoned';
}

/** `descriptionId` of the tasks of a host. */
export const HOST_TASKS = {
  enter: 'HostSystem.enterMaintenanceMode',
  exit: 'HostSystem.exitMaintenanceMode',
} as const;

/** Tasks that take an instance from one host to another: DRS has its own. */
export const isMove = ({ descriptionId }: TaskInfo): boolean =>
  /^(VirtualMachine\.(relocate|migrate)|Drm\.ExecuteVMotionLRO$)/.test(descriptionId);

const isRunningTask = ({ state }: TaskInfo): boolean => state === 'queued' || state === 'running';

/** The tasks of the last minutes that have to do with a host or an instance. */
export const recentTasks = ({ recentTask }: { recentTask: readonly Ref[] }, { tasks }: World): TaskInfo[] =>
  recentTask.flatMap(({ value }) => tasks.get(value) ?? []);

/** Those that work on it now. */
export const runningTasks = (of: { recentTask: readonly Ref[] }, world: World): TaskInfo[] =>
  recentTasks(of, world).filter(isRunningTask);

function labelsOf(
  id: string,
  { parent, datastore }: HostProps,
  world: World,
  names: Names,
): Record<string, string> {
  const cluster = world.clusters.get(parent.value);
  const labels = cluster ? hostGroupLabels(id, cluster) : {};
  if (cluster) labels['cluster'] = names.get(parent.value) ?? cluster.name;
  const datacenter = datacenterOf(parent, world);
  if (datacenter !== undefined) labels['datacenter'] = datacenter;
  for (const { value } of datastore) labels[datastoreLabel(value, names)] = 'mounted';
  return labels;
}

function datacenterOf(parent: Ref, { clusters, others }: World): string | undefined {
  for (let at: Ref | undefined = parent; at; at = (clusters.get(at.value) ?? others.get(at.value))?.parent) {
    if (at.type === 'Datacenter') return others.get(at.value)?.name;
  }
  return undefined;
}

const datastoreLabel = (id: string, names: Names): string => `datastore:${names.get(id) ?? id}`;

export const instancesOf = (reading: Reading): Instance[] =>
  [...reading.world.vms.keys()].flatMap((id) => toInstance(id, reading) ?? []);

/** Undefined for a template, which never runs. */
export function toInstance(id: string, { world, attribute, names, bonds }: Reading): Instance | undefined {
  const props = world.vms.get(id);
  const host = props?.['runtime.host'];
  if (!props || !host || props['summary.config'].template) return undefined;
  const { memorySizeMB: memoryMb = 0, numCpu: vcpus = 0 } = props['summary.config'];
  const clusterId = world.hosts.get(host.value)?.parent.value ?? '';
  const cluster = world.clusters.get(clusterId);
  const bound = bonds.get(clusterId);
  const mark = attributeOf(props, attribute);
  const ticket = parseTicket(mark);
  return {
    id,
    name: props.name,
    host: names.get(host.value) ?? host.value,
    state: stateOf(props, world, ticket),
    resources: { vcpus, memoryMb, diskGb: 0 },
    groups: bound?.groupsOf.get(id) ?? [],
    requires: {
      ...(cluster ? { cluster: names.get(clusterId) ?? cluster.name } : {}),
      ...Object.fromEntries(props.datastore.map(({ value }) => [datastoreLabel(value, names), 'mounted'])),
      ...bound?.requires.get(id),
    },
    ...(mark === undefined || ticket ? {} : { stoppedBy: mark }),
    ...(ticket ? { leaving: names.get(ticket.from) ?? ticket.from } : {}),
  };
}

function stateOf(props: VmProps, world: World, ticket: Ticket | undefined): InstanceState {
  const hasMoved = ticket?.phase === 'stuck' && ticket.to === props['runtime.host']?.value;
  if (hasMoved) return isPoweredOn(props) ? 'running' : 'error';
  if (ticket || runningTasks(props, world).some(isMove)) return 'moving';
  if (props['runtime.connectionState'] !== 'connected') return 'error';
  return isPoweredOn(props) ? 'running' : 'stopped';
}

export const isPoweredOn = (props: VmProps): boolean => props['runtime.powerState'] === 'poweredOn';
