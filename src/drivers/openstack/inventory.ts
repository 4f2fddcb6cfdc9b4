/** What Nova and Placement say, as hosts, instances and groups. Pure. */
import type { Group, Host, HostStanding, Instance, InstanceState, Resources } from '../../core/inventory.ts';
import type { Provider } from './placement.ts';
import { readReason } from './reason.ts';
import type { WireAggregate, WireGroup, WireHypervisor, WireServer, WireService } from './wire.ts';

/** The metadata of a server that we stopped. */
export const STOP_MARK = 'haulout_stopped_by';

/** MOSK's tag by which the owner of a server says how it is to be treated. */
const WISH_TAG = 'openstack.lcm.mirantis.com:maintenance_action=';

/** Follows the service and not the host: it comes and goes with our own cordon. */
const PASSING_TRAITS = ['COMPUTE_STATUS_DISABLED'];

/** Where disks are not kept on the host, Placement has no amount of them, and nothing runs short. */
const UNLIMITED_GB = 1e9;

const NOTHING: Resources = { vcpus: 0, memoryMb: 0, diskGb: 0 };

/** What a host is apart from its services: what changes rarely. */
export interface Shape {
  capacity: Resources;
  labels: Readonly<Record<string, string>>;
}

/** The service that a host is known by: nova-compute, or nova-conductor where there is none. Others do not count. */
export function hostServices(services: readonly WireService[]): Map<string, WireService> {
  const byHost = new Map<string, WireService>();
  for (const service of services) {
    const isMain = isCompute(service) || (service.binary === 'nova-conductor' && !byHost.has(service.host));
    if (isMain) byHost.set(service.host, service);
  }
  return byHost;
}

export const isCompute = ({ binary }: Pick<WireService, 'binary'>): boolean => binary === 'nova-compute';

/** Shapes by name of the host; a host of several hypervisors (Ironic) has what they have together. */
export function shapesOf(
  hypervisors: readonly WireHypervisor[],
  aggregates: readonly WireAggregate[],
  providers: ReadonlyMap<string, Provider>,
): Map<string, Shape> {
  const shapes = new Map<string, { capacity: Resources; labels: Record<string, string> }>();
  for (const { id, service } of hypervisors) {
    const shape = shapes.get(service.host) ?? { capacity: NOTHING, labels: {} };
    const provider = providers.get(id);
    if (provider) {
      shape.capacity = sum(shape.capacity, capacityOf(provider));
      for (const trait of provider.traits) {
        if (!PASSING_TRAITS.includes(trait)) shape.labels[`trait:${trait}`] = 'true';
      }
    }
    shapes.set(service.host, shape);
  }
  for (const [host, shape] of shapes) {
    const own = aggregates.filter(({ hosts }) => hosts.includes(host));
    Object.assign(shape.labels, labelsOf(own));
  }
  return shapes;
}

function capacityOf({ capacity }: Provider): Resources {
  return {
    // Processors that instances share, and those that are given to one alone.
    vcpus: (capacity['VCPU'] ?? 0) + (capacity['PCPU'] ?? 0),
    memoryMb: capacity['MEMORY_MB'] ?? 0,
    diskGb: capacity['DISK_GB'] ?? UNLIMITED_GB,
  };
}

const sum = (a: Resources, b: Resources): Resources => ({
  vcpus: a.vcpus + b.vcpus,
  memoryMb: a.memoryMb + b.memoryMb,
  diskGb: a.diskGb + b.diskGb,
});

/** Aggregates by name, and what their metadata say: a key in which they disagree is no label. */
function labelsOf(aggregates: readonly WireAggregate[]): Record<string, string> {
  const labels: Record<string, string> = {};
  const values = new Map<string, Set<string>>();
  for (const { name, metadata } of aggregates) {
    labels[`aggregate:${name}`] = 'true';
    for (const [key, value] of Object.entries(metadata)) {
      if (key === 'availability_zone') continue;
      labels[propertyLabel(key, value)] = 'true';
      values.set(key, (values.get(key) ?? new Set()).add(value));
    }
  }
  for (const [key, [value, ...others]] of [...values].map(([key, set]) => [key, [...set]] as const)) {
    if (value !== undefined && others.length === 0 && key !== 'zone') labels[key] = value;
  }
  return labels;
}

/** One value of a key that aggregates may give several values. */
const propertyLabel = (key: string, value: string): string => `property:${key}=${value}`;

export function toHost(service: WireService, shape: Shape | undefined): Host {
  const compute = isCompute(service);
  const reason = service.status === 'disabled' ? service.reason : undefined;
  return {
    name: service.host,
    role: compute ? 'compute' : 'controller',
    labels: { ...shape?.labels, ...(service.zone === undefined ? {} : { zone: service.zone }) },
    capacity: shape?.capacity ?? NOTHING,
    standing: standingOf(service),
    ...(compute ? {} : { takesInstances: false }),
    ...(reason === undefined ? {} : { cordonReason: readReason(reason).cordonReason }),
  };
}

export const isUp = ({ state, forcedDown }: WireService): boolean => state === 'up' && !forcedDown;

function standingOf(service: WireService): HostStanding {
  if (!isUp(service)) return 'down';
  return service.status === 'disabled' ? 'cordoned' : 'in-service';
}

/** What has to be known of a server beside what Nova says of it in a list. */
export interface ServerContext {
  groups: readonly string[];
  /** Labels of the host it is on. */
  labels: Readonly<Record<string, string>>;
  /** It waits for us to confirm that we have moved it cold, off this host. */
  leaving?: string | undefined;
}

export function toInstance(server: WireServer, { groups, labels, leaving }: ServerContext): Instance {
  const { flavor, metadata } = server;
  const state = leaving === undefined ? stateOf(server) : 'moving';
  const mark = metadata[STOP_MARK];
  const wish = wishOf(server);
  return {
    id: server.id,
    name: server.name,
    host: server.host,
    project: server.project,
    state,
    resources: {
      vcpus: flavor.vcpus,
      memoryMb: flavor.ram,
      diskGb: (server.fromVolume ? 0 : flavor.disk) + flavor.ephemeral + Math.ceil(flavor.swap / 1024),
    },
    groups,
    requires: requirementsOf(server, labels),
    ...(mark === undefined ? {} : { stoppedBy: mark }),
    ...(leaving === undefined ? {} : { leaving }),
    ...(wish === undefined ? {} : { wish }),
  };
}

function stateOf({ status, vmState, taskState, runs }: WireServer): InstanceState {
  // Its guest may go on running: then the host must not be worked on.
  if (vmState === 'error') return runs ? 'running' : 'error';
  // A server that is being built cannot be moved before it is there.
  if (vmState === 'building' || isBetweenHosts({ taskState })) return 'moving';
  switch (vmState) {
    case 'stopped':
    case 'shelved':
    case 'soft-delete':
    case 'suspended': // Its memory is on disk, and outlives a reboot of the host.
      return 'stopped';
    case 'paused':
      return 'paused';
    case 'resized':
      return status === 'SHUTOFF' ? 'stopped' : 'running';
    default:
      return 'running';
  }
}

/** On its way to another host, or to this one. */
export const isBetweenHosts = ({ taskState }: Pick<WireServer, 'taskState'>): boolean =>
  taskState !== undefined && /^(migrating|resize_|rebuild)/.test(taskState);

/**
 * What another host must carry to take it. Only what its present one carries: what that does without, the scheduler
 * does not ask for.
 */
function requirementsOf(
  server: WireServer,
  labels: Readonly<Record<string, string>>,
): Record<string, string> {
  const { flavor, zone, pinnedZone } = server;
  const requires: Record<string, string> = {};
  // Where Nova does not say whether the zone was asked for, it is taken to be.
  const pinned = pinnedZone === undefined ? zone : (pinnedZone ?? undefined);
  if (pinned !== undefined && pinned !== '') requires['zone'] = pinned;
  for (const [key, value] of Object.entries(flavor.extra_specs)) {
    const trait = /^trait[^:]*:(.+)$/.exec(key)?.[1];
    const property = /^aggregate_instance_extra_specs:(.+)$/.exec(key)?.[1];
    const label =
      trait !== undefined && value === 'required'
        ? `trait:${trait}`
        : property !== undefined && propertyLabel(property, value);
    if (label && label in labels) requires[label] = 'true';
  }
  return requires;
}

/** What the owner wishes: by tag, if there is exactly one; else a lock is a wish to be asked. */
function wishOf({ tags, locked, lockedReason }: WireServer): Instance['wish'] {
  const wishes = tags.filter((tag) => tag.startsWith(WISH_TAG));
  const [tag] = wishes;
  const mode = wishes.length === 1 && tag !== undefined ? MODES.get(tag.slice(WISH_TAG.length)) : undefined;
  if (mode !== undefined && tag !== undefined) return { mode, saidBy: `its tag ${tag}` };
  if (!locked) return undefined;
  return { mode: 'ask', saidBy: `its lock${lockedReason === undefined ? '' : ` (${lockedReason})`}` };
}

const MODES: ReadonlyMap<string, NonNullable<Instance['wish']>['mode']> = new Map([
  ['poweroff', 'stop'],
  ['live_migrate', 'live'],
  ['notify', 'ask'],
]);

export function toGroup({ id, name, policy, rules }: WireGroup): Group {
  const { max_server_per_host: max } = rules;
  // A soft policy forbids nothing.
  const hard = policy === 'affinity' || policy === 'anti-affinity' ? policy : 'none';
  return {
    id,
    name,
    policy: hard,
    ...(hard === 'anti-affinity' && max !== undefined ? { maxPerHost: max } : {}),
  };
}
