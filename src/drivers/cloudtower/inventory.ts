/** What CloudTower says, as hosts, instances and groups. Pure. */
import type {
  Group,
  GroupPolicy,
  Host,
  HostStanding,
  Instance,
  InstanceState,
} from '../../core/inventory.ts';
import { parseMark } from '../../core/mark.ts';
import type { HostInfo, Label, PlacementGroup, VmInfo } from './wire.ts';

/** Key of the label that holds our marks; people see it beside the host or the VM. */
export const LABEL_KEY = 'haulout';

/** Storage is the cluster's: nothing of a host runs short. */
const UNLIMITED_GB = 1e9;

/** Processors are shared out well beyond their number; what a host runs short of is memory. */
const VCPUS_PER_CORE = 8;

const MIB = 1024 * 1024;

/** Names that hosts go by, by id. */
export type Names = ReadonlyMap<string, string>;

/** The name of each host where it has that for itself; else with its cluster before it; and if two share that, the id. */
export function namesOf(hosts: readonly Pick<HostInfo, 'id' | 'name' | 'cluster'>[]): Map<string, string> {
  const counts = new Map<string, number>();
  for (const one of hosts.flatMap((host) => [host.name, pathOf(host)])) {
    counts.set(one, (counts.get(one) ?? 0) + 1);
  }
  return new Map(
    hosts.map((one) => [one.id, [one.name, pathOf(one)].find((name) => counts.get(name) === 1) ?? one.id]),
  );
}

const pathOf = ({ name, cluster }: Pick<HostInfo, 'name' | 'cluster'>): string => `${cluster.name}/${name}`;

export function toHost(info: HostInfo, names: Names): Host {
  const reason = markLabelOf(info)?.value;
  return {
    name: names.get(info.id) ?? info.name,
    aliases: [pathOf(info), info.id],
    role: 'compute',
    labels: { cluster: info.cluster.name },
    capacity: {
      vcpus: info.total_cpu_cores * VCPUS_PER_CORE,
      memoryMb: Math.floor((info.total_memory_bytes - info.os_memory_bytes) / MIB),
      diskGb: UNLIMITED_GB,
    },
    standing: standingOf(info),
    ...(reason === undefined ? {} : { cordonReason: reason }),
  };
}

function standingOf(info: HostInfo): HostStanding {
  if (whyNotConnected(info) !== undefined) return 'down';
  if (isEntering(info)) return 'entering';
  if (isInMaintenance(info)) return 'maintenance';
  return markLabelOf(info) === undefined ? 'in-service' : 'cordoned';
}

export const isEntering = ({ host_state }: HostInfo): boolean =>
  host_state?.state === 'ENTERING_MAINTENANCE_MODE';

export const isInMaintenance = ({ host_state }: HostInfo): boolean =>
  host_state?.state === 'MAINTENANCE_MODE';

/** What keeps CloudTower from doing anything with the host, in its own words. */
export function whyNotConnected(info: HostInfo): string | undefined {
  if (!info.status.startsWith('CONNECTED')) return info.status;
  const gone = [info.connect_status, info.merged_status].find((status) => status === 'DISCONNECTED');
  return gone ?? (info.host_state?.state === 'REMOVING' ? 'REMOVING' : undefined);
}

/** The label that stands for a cordon, whoever has put it there, a mark of ours before all others; undefined: none. */
export function markLabelOf({ labels }: { labels: readonly Label[] }): Label | undefined {
  const cordons = labels.filter(({ key }) => key === LABEL_KEY);
  return cordons.find(({ value }) => parseMark(value)) ?? cordons[0];
}

/** @param moving ids of VMs that a task takes elsewhere now */
export function toInstance(info: VmInfo, names: Names, moving: ReadonlySet<string>): Instance {
  const reason = markLabelOf(info)?.value;
  const mark = parseMark(reason);
  return {
    id: info.id,
    name: info.name,
    host: info.host === undefined ? (mark?.host ?? '') : (names.get(info.host.id) ?? info.host.name),
    state: stateOf(info, moving),
    resources: { vcpus: info.vcpu, memoryMb: Math.ceil(info.memory / MIB), diskGb: 0 },
    groups: info.vm_placement_group.map(({ id }) => id),
    requires: info.cluster === undefined ? {} : { cluster: info.cluster.name },
    ...(mark && reason !== undefined ? { stoppedBy: reason } : {}),
  };
}

const STATES: Readonly<Record<string, InstanceState>> = {
  RUNNING: 'running',
  STOPPED: 'stopped',
  // Its memory stays on the host.
  SUSPENDED: 'paused',
};

function stateOf({ id, status }: VmInfo, moving: ReadonlySet<string>): InstanceState {
  return moving.has(id) ? 'moving' : (STATES[status] ?? 'error');
}

/**
 * VMs that belong to a host. One that is off may have none: it takes nothing of any, but if we have stopped it, it is that
 * of its mark.
 */
export const isPlaced = (info: VmInfo): boolean =>
  info.host !== undefined || parseMark(markLabelOf(info)?.value) !== undefined;

const POLICIES: Readonly<Record<string, GroupPolicy>> = {
  MUST_DIFFERENT: 'anti-affinity',
  MUST_SAME: 'affinity',
};

/** What CloudTower only prefers, or does not enforce, binds nobody. */
export function toGroup({ id, name, enabled, vm_vm_policy_enabled, vm_vm_policy }: PlacementGroup): Group {
  const holds = enabled && vm_vm_policy_enabled;
  return { id, name, policy: (holds ? POLICIES[vm_vm_policy] : undefined) ?? 'none' };
}
