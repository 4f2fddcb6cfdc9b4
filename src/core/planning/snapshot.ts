/** What is where: an indexed view over one inventory, built once and read by every decision of the planner. */
import { isRunning } from '../inventory.ts';
import type { Group, Host, HostStanding, Instance, Inventory, Resources } from '../inventory.ts';
import type { Placement } from '../host-run.ts';
import { parseMark } from '../mark.ts';
import { sortedByName } from './natural-order.ts';
import { Pools } from './pools.ts';
import type { PoolIndex } from './pools.ts';
import { Room } from './room.ts';

/** Position of a host in `Snapshot.hosts`: the key of every table of the planner. */
export type HostIndex = number;

/** Instances taken together. */
export interface Load extends Resources {
  count: number;
  /** Memory of the largest of them. */
  largestMb: number;
  /** For each distinct set of labels that some of them require: the pools that meet it. */
  pins: readonly (readonly PoolIndex[])[];
}

export const NO_LOAD: Load = { count: 0, vcpus: 0, memoryMb: 0, diskGb: 0, largestMb: 0, pins: [] };

/** One table of free resources, by host. */
export interface FreeTable {
  vcpus: Float64Array;
  memoryMb: Float64Array;
  diskGb: Float64Array;
}

export class Snapshot {
  readonly pools: Pools;
  /** Capacity of all hosts together. */
  readonly capacity: Readonly<Resources>;
  readonly #hosts: Host[];
  readonly #indexByName = new Map<string, HostIndex>();
  readonly #instances = new Map<string, Instance>();
  readonly #idsByName = new Map<string, string[]>();
  readonly #residents: Instance[][];
  readonly #groups: ReadonlyMap<string, Group>;
  /** Members of each group, by host. */
  readonly #members = new Map<string, Map<HostIndex, number>>();
  readonly #running: Load[];
  readonly #stopped: Load[];
  readonly #free: FreeTable;
  readonly #domains = new Map<string, readonly string[]>();
  readonly #withOwnerWishes = new Set<HostIndex>();

  /** Instances on hosts that the inventory does not list are ignored. */
  constructor(inventory: Inventory) {
    this.#hosts = sortedByName(inventory.hosts, (host) => host.name);
    this.hosts.forEach((host, index) => this.#indexByName.set(host.name, index));
    this.pools = new Pools(this.hosts, inventory.instances);
    this.capacity = totalCapacity(this.hosts);
    this.#groups = new Map(inventory.groups.map((group) => [group.id, group]));
    this.#residents = this.hosts.map(() => []);
    this.#running = this.hosts.map(() => NO_LOAD);
    this.#stopped = this.hosts.map(() => NO_LOAD);
    this.#free = {
      vcpus: new Float64Array(this.hosts.length),
      memoryMb: new Float64Array(this.hosts.length),
      diskGb: new Float64Array(this.hosts.length),
    };
    for (const instance of inventory.instances) this.#add(instance);
    this.hosts.forEach((_, index) => this.#tally(index));
  }

  /** In natural order of their names. */
  get hosts(): readonly Host[] {
    return this.#hosts;
  }

  indexOf(host: string): HostIndex | undefined {
    return this.#indexByName.get(host);
  }

  host(index: HostIndex): Host {
    const host = this.hosts[index];
    if (host === undefined) throw new RangeError(`no host has index ${index}`);
    return host;
  }

  instance(id: string): Instance | undefined {
    return this.#instances.get(id);
  }

  /** Instances of this id or name. */
  instancesCalled(idOrName: string): readonly Instance[] {
    const ids = [idOrName, ...(this.#idsByName.get(idOrName) ?? [])];
    return ids.flatMap((id) => this.#instances.get(id) ?? []);
  }

  instancesOn(host: HostIndex): readonly Instance[] {
    return this.#residents[host] ?? [];
  }

  /** Instances that have begun to leave the host, wherever they are by now. */
  leaving(host: string): readonly Instance[] {
    return [...this.#instances.values()].filter(({ leaving }) => leaving === host);
  }

  /** Instances that carry a mark of having been stopped on the host, wherever they are by now. */
  stoppedFor(host: string): readonly Instance[] {
    return [...this.#instances.values()].filter(({ stoppedBy }) => parseMark(stoppedBy)?.host === host);
  }

  /** Instances that run on the host, taken together. */
  running(host: HostIndex): Load {
    return this.#running[host] ?? NO_LOAD;
  }

  /** Instances on the host that somebody else stopped, taken together. */
  stopped(host: HostIndex): Load {
    return this.#stopped[host] ?? NO_LOAD;
  }

  /** Hosts with instances whose owners wish something for them. */
  get hostsWithOwnerWishes(): ReadonlySet<HostIndex> {
    return this.#withOwnerWishes;
  }

  group(id: string): Group | undefined {
    return this.#groups.get(id);
  }

  /** In seconds; 0 for a group that is not known. */
  recoveryOf(group: string): number {
    return this.#groups.get(group)?.recoverySeconds ?? 0;
  }

  /** Members of the group that are on each host. */
  members(group: string): ReadonlyMap<HostIndex, number> {
    return this.#members.get(group) ?? NOBODY;
  }

  /** Value of the label on each host; hosts without it share the empty one. */
  domains(label: string): readonly string[] {
    let domains = this.#domains.get(label);
    if (domains === undefined) {
      domains = this.hosts.map((host) => host.labels[label] ?? '');
      this.#domains.set(label, domains);
    }
    return domains;
  }

  /** A copy of what is free on each host; negative where a host holds more than it should. */
  copyFree(): FreeTable {
    const { vcpus, memoryMb, diskGb } = this.#free;
    return { vcpus: vcpus.slice(), memoryMb: memoryMb.slice(), diskGb: diskGb.slice() };
  }

  /**
   * Room on the hosts with capacity set aside on the targets of moves that are planned or under way. The source keeps
   * its own until the instance has left; what has arrived, or is gone, reserves nothing.
   */
  withReservations(placements: Iterable<Placement>): Room {
    const room = new Room(this);
    for (const { instance: id, target } of placements) {
      const instance = this.#instances.get(id);
      const index = this.#indexByName.get(target);
      if (instance !== undefined && index !== undefined && instance.host !== target)
        room.claim(instance, index);
    }
    return room;
  }

  /**
   * Records that an instance has moved. For whoever keeps a snapshot between decisions; a `Room` made before does not
   * see it. An instance that is not known changes nothing; one that went to an unknown host is forgotten.
   */
  moveInstance(id: string, target: string): void {
    const instance = this.#instances.get(id);
    if (instance === undefined || instance.host === target) return;
    this.#remove(instance);
    this.#add({ ...instance, host: target });
    for (const name of [instance.host, target]) {
      const index = this.#indexByName.get(name);
      if (index !== undefined) this.#tally(index);
    }
  }

  /** Records where a host stands now; for whoever keeps a snapshot between decisions. */
  setStanding(name: string, standing: HostStanding): void {
    const index = this.#indexByName.get(name);
    const host = index === undefined ? undefined : this.#hosts[index];
    if (index !== undefined && host !== undefined) this.#hosts[index] = { ...host, standing };
  }

  /** A snapshot of its own, for whoever plays through what may come. */
  copy(): Snapshot {
    return new Snapshot({
      hosts: this.#hosts,
      instances: [...this.#instances.values()],
      groups: [...this.#groups.values()],
    });
  }

  #add(instance: Instance): void {
    const index = this.#indexByName.get(instance.host);
    if (index === undefined) return;
    this.#instances.set(instance.id, instance);
    this.#residents[index]?.push(instance);
    const ids = this.#idsByName.get(instance.name);
    if (ids === undefined) this.#idsByName.set(instance.name, [instance.id]);
    else ids.push(instance.id);
    for (const group of instance.groups) {
      const members = this.#members.get(group) ?? new Map<HostIndex, number>();
      members.set(index, (members.get(index) ?? 0) + 1);
      this.#members.set(group, members);
    }
  }

  #remove(instance: Instance): void {
    const index = this.#indexByName.get(instance.host);
    if (index === undefined) return;
    this.#instances.delete(instance.id);
    const residents = this.#residents[index] ?? [];
    residents.splice(residents.indexOf(instance), 1);
    const ids = this.#idsByName.get(instance.name) ?? [];
    ids.splice(ids.indexOf(instance.id), 1);
    for (const group of instance.groups) {
      const members = this.#members.get(group);
      const left = (members?.get(index) ?? 0) - 1;
      if (left > 0) members?.set(index, left);
      else members?.delete(index);
    }
  }

  /** Instances taken together. */
  loadOf(instances: Iterable<Instance>): Load {
    const load = { ...NO_LOAD };
    const pins = new Set<readonly PoolIndex[]>();
    for (const { resources, requires } of instances) {
      load.count += 1;
      load.vcpus += resources.vcpus;
      load.memoryMb += resources.memoryMb;
      load.diskGb += resources.diskGb;
      load.largestMb = Math.max(load.largestMb, resources.memoryMb);
      const pools = this.pools.satisfying(requires);
      if (pools.length < this.pools.hosts.length) pins.add(pools);
    }
    return pins.size === 0 ? load : { ...load, pins: [...pins] };
  }

  /** Sums up one host from its instances, so that no error of rounding can pile up. */
  #tally(index: HostIndex): void {
    const residents = this.instancesOn(index);
    const used = this.loadOf(residents);
    if (residents.some(({ wish }) => wish !== undefined)) this.#withOwnerWishes.add(index);
    else this.#withOwnerWishes.delete(index);
    this.#running[index] = this.loadOf(residents.filter(isRunning));
    this.#stopped[index] = this.loadOf(
      residents.filter((one) => one.state === 'stopped' && !wasStopped(one)),
    );
    const { capacity } = this.host(index);
    this.#free.vcpus[index] = capacity.vcpus - used.vcpus;
    this.#free.memoryMb[index] = capacity.memoryMb - used.memoryMb;
    this.#free.diskGb[index] = capacity.diskGb - used.diskGb;
  }
}

/** One of us stopped it, and will start it again. */
export const wasStopped = ({ state, stoppedBy }: Instance): boolean =>
  state === 'stopped' && stoppedBy !== undefined;

const NOBODY: ReadonlyMap<HostIndex, number> = new Map();

function totalCapacity(hosts: readonly Host[]): Resources {
  const total = { vcpus: 0, memoryMb: 0, diskGb: 0 };
  for (const { capacity } of hosts) {
    total.vcpus += capacity.vcpus;
    total.memoryMb += capacity.memoryMb;
    total.diskGb += capacity.diskGb;
  }
  return total;
}
