/** Who sits where and who is on the way, and whether one more instance may come to a host. */
import type { Group, Resources } from '../core/inventory.ts';
import type { ApiError } from './refusal.ts';
import { type FleetInstance, type SimulatedHost, standingOf } from './model.ts';

type Resident = Pick<FleetInstance, 'id' | 'resources' | 'groups' | 'requires'>;

interface Whereabouts {
  host: string;
  movingTo?: string;
}

export class Occupancy {
  readonly #groups: ReadonlyMap<string, Group>;
  /** Residents and those on their way, who hold resources already. */
  readonly #claims = new Map<string, Map<string, Resident>>();
  /** By group and member: where it sits, and where it is going. */
  readonly #members = new Map<string, Map<string, Whereabouts>>();

  constructor(groups: readonly Group[]) {
    this.#groups = new Map(groups.map((group) => [group.id, group]));
  }

  settle(instance: Resident, host: string): void {
    this.#claimsOn(host).set(instance.id, instance);
    for (const group of instance.groups) this.#membersOf(group).set(instance.id, { host });
  }

  /** Claims room on the target; the instance keeps its room on the source. */
  depart(instance: Resident, from: string, to: string): void {
    this.#claimsOn(to).set(instance.id, instance);
    for (const group of instance.groups)
      this.#membersOf(group).set(instance.id, { host: from, movingTo: to });
  }

  /** Ends a move, well or badly: the instance sits on `host`, and its claim on `other` is gone. */
  arrive(instance: Resident, host: string, other: string): void {
    this.#claimsOn(other).delete(instance.id);
    this.settle(instance, host);
  }

  remove(instance: Resident, host: string): void {
    this.#claimsOn(host).delete(instance.id);
    for (const group of instance.groups) this.#membersOf(group).delete(instance.id);
  }

  /** Ids of the instances that sit on the host or are on their way to it. */
  on(host: string): string[] {
    return [...this.#claimsOn(host).keys()];
  }

  freeMemoryMb(host: SimulatedHost): number {
    return host.capacity.memoryMb - this.#used(host.name).memoryMb;
  }

  /** Why the host may not take the instance; undefined when it may. `from` is where the instance comes from. */
  whyNot(instance: Resident, host: SimulatedHost, from?: string): ApiError | undefined {
    return (
      this.#notAvailable(host) ??
      this.#lacksLabel(instance, host) ??
      this.#lacksRoom(instance, host) ??
      this.#breaksGroup(instance, host.name, from)
    );
  }

  #notAvailable(host: SimulatedHost): ApiError | undefined {
    const standing = standingOf(host);
    if (standing === 'in-service') return undefined;
    return { code: 'HostUnavailable', message: `${host.name} takes no instances: it is ${standing}` };
  }

  #lacksLabel(instance: Resident, host: SimulatedHost): ApiError | undefined {
    const missing = Object.entries(instance.requires).find(([label, value]) => host.labels[label] !== value);
    if (!missing) return undefined;
    const [label, value] = missing;
    return { code: 'RequirementUnmet', message: `${host.name} does not carry the label ${label}=${value}` };
  }

  #lacksRoom(instance: Resident, host: SimulatedHost): ApiError | undefined {
    const used = this.#used(host.name);
    const short = (['vcpus', 'memoryMb', 'diskGb'] as const).find(
      (kind) => used[kind] + instance.resources[kind] > host.capacity[kind],
    );
    if (!short) return undefined;
    const free = host.capacity[short] - used[short];
    return {
      code: 'CapacityExceeded',
      message: `${host.name} has ${free} ${short} free, ${instance.id} needs ${instance.resources[short]}`,
    };
  }

  #breaksGroup(instance: Resident, target: string, from: string | undefined): ApiError | undefined {
    for (const id of instance.groups) {
      const group = this.#groups.get(id);
      if (!group) continue;
      const others = [...this.#membersOf(id)]
        .filter(([member]) => member !== instance.id)
        .map(([, at]) => at);
      const error = spreads(group, others, target) ?? scatters(group, others, target, from);
      if (error) return error;
    }
    return undefined;
  }

  #used(host: string): Resources {
    const used = { vcpus: 0, memoryMb: 0, diskGb: 0 };
    for (const { resources } of this.#claimsOn(host).values()) {
      used.vcpus += resources.vcpus;
      used.memoryMb += resources.memoryMb;
      used.diskGb += resources.diskGb;
    }
    return used;
  }

  #claimsOn(host: string): Map<string, Resident> {
    return entry(this.#claims, host);
  }

  #membersOf(group: string): Map<string, Whereabouts> {
    return entry(this.#members, group);
  }
}

function spreads(group: Group, others: Whereabouts[], target: string): ApiError | undefined {
  const most = group.maxPerHost ?? (group.policy === 'anti-affinity' ? 1 : Infinity);
  const there = others.filter((at) => at.host === target || at.movingTo === target).length;
  if (there < most) return undefined;
  return {
    code: 'AntiAffinity',
    message: `${target} has ${there} of group ${group.name} already, at most ${most}`,
  };
}

/** Members of an affinity group leave one after another, so those who left lead and the others follow. */
function scatters(
  group: Group,
  others: Whereabouts[],
  target: string,
  from: string | undefined,
): ApiError | undefined {
  if (group.policy !== 'affinity') return undefined;
  const apart = others.map((at) => at.movingTo ?? at.host).find((host) => host !== from && host !== target);
  if (apart === undefined) return undefined;
  return {
    code: 'Affinity',
    message: `group ${group.name} has to stay together, and has members on ${apart}`,
  };
}

function entry<V>(map: Map<string, Map<string, V>>, key: string): Map<string, V> {
  const found = map.get(key);
  if (found) return found;
  const made = new Map<string, V>();
  map.set(key, made);
  return made;
}
