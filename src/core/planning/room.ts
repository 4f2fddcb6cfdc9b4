import type { Instance, Resources } from '../inventory.ts';
import type { FreeTable, HostIndex, Snapshot } from './snapshot.ts';

interface Claim {
  instance: Instance;
  host: HostIndex;
  /** What was free before, so that undoing a claim restores it to the bit. */
  before: Resources;
}

/**
 * What a snapshot has room for, less what is claimed. Claims can be undone back to a mark, so that a placement can be
 * tried and dropped without a copy.
 */
export class Room {
  readonly snapshot: Snapshot;
  readonly #free: FreeTable;
  readonly #claims: Claim[] = [];
  /** Members of each group that are on their way to each host. */
  readonly #arriving = new Map<string, Map<HostIndex, number>>();

  constructor(snapshot: Snapshot) {
    this.snapshot = snapshot;
    this.#free = snapshot.copyFree();
  }

  free(host: HostIndex): Resources {
    return {
      vcpus: this.#free.vcpus[host] ?? 0,
      memoryMb: this.#free.memoryMb[host] ?? 0,
      diskGb: this.#free.diskGb[host] ?? 0,
    };
  }

  freeMemoryMb(host: HostIndex): number {
    return this.#free.memoryMb[host] ?? 0;
  }

  /** What is not needed need not be free: a full host takes more of an instance without a disk. */
  fits(host: HostIndex, need: Resources): boolean {
    return (
      (need.memoryMb === 0 || (this.#free.memoryMb[host] ?? 0) >= need.memoryMb) &&
      (need.vcpus === 0 || (this.#free.vcpus[host] ?? 0) >= need.vcpus) &&
      (need.diskGb === 0 || (this.#free.diskGb[host] ?? 0) >= need.diskGb)
    );
  }

  /** How much is free on the host, as a share of the fleet in each resource, summed: the best fit has the least. */
  slack(host: HostIndex): number {
    const { vcpus, memoryMb, diskGb } = this.#free;
    const { capacity } = this.snapshot;
    return (
      share(memoryMb[host] ?? 0, capacity.memoryMb) +
      share(vcpus[host] ?? 0, capacity.vcpus) +
      share(diskGb[host] ?? 0, capacity.diskGb)
    );
  }

  /** A size in the measure of `slack`. */
  size(resources: Resources): number {
    const { capacity } = this.snapshot;
    return (
      share(resources.memoryMb, capacity.memoryMb) +
      share(resources.vcpus, capacity.vcpus) +
      share(resources.diskGb, capacity.diskGb)
    );
  }

  /** Members of the group that are on the host or on their way to it. */
  membersOn(group: string, host: HostIndex): number {
    return (this.snapshot.members(group).get(host) ?? 0) + (this.#arriving.get(group)?.get(host) ?? 0);
  }

  /** Hosts with members of the group on them or on their way. */
  hostsOf(group: string): Set<HostIndex> {
    return new Set([...this.snapshot.members(group).keys(), ...(this.#arriving.get(group)?.keys() ?? [])]);
  }

  claim(instance: Instance, host: HostIndex): void {
    const before = this.free(host);
    this.#claims.push({ instance, host, before });
    this.#setFree(host, {
      vcpus: before.vcpus - instance.resources.vcpus,
      memoryMb: before.memoryMb - instance.resources.memoryMb,
      diskGb: before.diskGb - instance.resources.diskGb,
    });
    this.#countArriving(instance, host, 1);
  }

  /** To be handed to `rollback`. */
  mark(): number {
    return this.#claims.length;
  }

  /** Undoes every claim made since the mark. */
  rollback(mark: number): void {
    while (this.#claims.length > mark) {
      const claim = this.#claims.pop();
      if (claim === undefined) return;
      this.#setFree(claim.host, claim.before);
      this.#countArriving(claim.instance, claim.host, -1);
    }
  }

  #setFree(host: HostIndex, free: Resources): void {
    this.#free.vcpus[host] = free.vcpus;
    this.#free.memoryMb[host] = free.memoryMb;
    this.#free.diskGb[host] = free.diskGb;
  }

  #countArriving(instance: Instance, host: HostIndex, by: 1 | -1): void {
    for (const group of instance.groups) {
      const arriving = this.#arriving.get(group) ?? new Map<HostIndex, number>();
      const count = (arriving.get(host) ?? 0) + by;
      if (count > 0) arriving.set(host, count);
      else arriving.delete(host);
      this.#arriving.set(group, arriving);
    }
  }
}

const share = (amount: number, whole: number): number => (whole > 0 ? amount / whole : 0);
