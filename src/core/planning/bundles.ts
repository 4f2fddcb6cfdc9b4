/** Instances that move as one, and in which order they choose their targets. */
import type { Group, Instance, Resources } from '../inventory.ts';
import { compareText, naturalKey } from './natural-order.ts';
import type { PoolIndex } from './pools.ts';
import type { Room } from './room.ts';
import type { HostIndex, Snapshot } from './snapshot.ts';

/** Instances that go to one target together: one alone, or those that affinity groups tie. */
export interface Bundle {
  instances: readonly Instance[];
  need: Resources;
  /** Affinity groups with a member in the bundle. */
  affinities: readonly Group[];
  /** Groups that limit how many members share a host, with how many of the bundle are in each. */
  limits: readonly { group: Group; members: number }[];
}

/**
 * In the order they choose targets: those pinned to labels first, or the others fill up the few hosts that the pinned
 * can go to; then those in groups; then the largest.
 */
export function bundlesOf(room: Room, instances: readonly Instance[]): Bundle[] {
  return tied(room.snapshot, instances)
    .map((members) => toBundle(room.snapshot, members))
    .map((bundle) => ({ bundle, rank: rankOf(bundle), size: room.size(bundle.need) }))
    .sort((a, b) => a.rank - b.rank || b.size - a.size || compareFirst(a.bundle, b.bundle))
    .map(({ bundle }) => bundle);
}

/** At most so many members of the group on one host. */
export const maxPerHost = (group: Group): number =>
  group.maxPerHost ?? (group.policy === 'anti-affinity' ? 1 : Infinity);

/** Pools whose hosts carry every label that the bundle requires. */
export function allowedPools(snapshot: Snapshot, { instances }: Bundle): readonly PoolIndex[] {
  return instances
    .map(({ requires }) => snapshot.pools.satisfying(requires))
    .reduce((allowed, pools) =>
      allowed === pools ? allowed : allowed.filter((pool) => pools.includes(pool)),
    );
}

/**
 * Hosts with other members of the bundle's affinity groups, on them or on their way; undefined when there are none, and
 * it may go anywhere. The source is among them while a member stays on it.
 */
export function affineHosts(
  room: Room,
  bundle: Bundle,
  source: HostIndex,
): ReadonlySet<HostIndex> | undefined {
  let hosts: Set<HostIndex> | undefined;
  for (const { id } of bundle.affinities) {
    const others = room.hostsOf(id);
    const leaving = bundle.instances.filter(({ groups }) => groups.includes(id)).length;
    if (room.membersOn(id, source) === leaving) others.delete(source);
    if (others.size === 0) continue;
    hosts = hosts === undefined ? others : new Set([...hosts].filter((host) => others.has(host)));
  }
  return hosts;
}

/** Parts the instances into sets that share affinity groups, directly or through others. */
function tied(snapshot: Snapshot, instances: readonly Instance[]): Instance[][] {
  const sets: Instance[][] = [];
  const setOf = new Map<string, Instance[]>();
  for (const instance of instances) {
    let own = [instance];
    sets.push(own);
    for (const id of instance.groups) {
      if (snapshot.group(id)?.policy !== 'affinity') continue;
      const other = setOf.get(id);
      if (other !== undefined && other !== own) own = merge(other, own, setOf);
      setOf.set(id, own);
    }
  }
  return sets.filter((members) => members.length > 0);
}

/** Empties `from` into `into`. */
function merge(into: Instance[], from: Instance[], setOf: Map<string, Instance[]>): Instance[] {
  into.push(...from.splice(0));
  for (const [group, members] of setOf) if (members === from) setOf.set(group, into);
  return into;
}

function toBundle(snapshot: Snapshot, instances: Instance[]): Bundle {
  const need = { vcpus: 0, memoryMb: 0, diskGb: 0 };
  const members = new Map<Group, number>();
  for (const { resources, groups } of instances) {
    need.vcpus += resources.vcpus;
    need.memoryMb += resources.memoryMb;
    need.diskGb += resources.diskGb;
    for (const id of groups) {
      const group = snapshot.group(id);
      if (group !== undefined) members.set(group, (members.get(group) ?? 0) + 1);
    }
  }
  const groups = [...members.keys()];
  return {
    instances: [...instances].sort(byName),
    need,
    affinities: groups.filter((group) => group.policy === 'affinity'),
    limits: groups
      .filter((group) => maxPerHost(group) < Infinity)
      .map((group) => ({ group, members: members.get(group) ?? 0 })),
  };
}

function rankOf({ instances, affinities, limits }: Bundle): number {
  if (instances.some(({ requires }) => Object.keys(requires).length > 0)) return 0;
  return affinities.length > 0 || limits.length > 0 ? 1 : 2;
}

const byName = (a: Instance, b: Instance): number =>
  compareText(naturalKey(a.name), naturalKey(b.name)) || compareText(a.id, b.id);

function compareFirst({ instances: [a] }: Bundle, { instances: [b] }: Bundle): number {
  return a === undefined || b === undefined ? 0 : byName(a, b);
}
