/** Makes fleets to plan for. The same seed makes the same fleet, and what it makes breaks no constraint. */
import type { Group, Host, Instance, Inventory, Resources } from '../../../src/core/inventory.ts';
import type { InstanceWishes, SessionSpec } from '../../../src/core/session-spec.ts';

export const GB = 1024;

/** Numbers from 0 to 1 (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const makeHost = (name: string, more: Partial<Host> = {}): Host => ({
  name,
  role: 'compute',
  labels: {},
  capacity: { vcpus: 64, memoryMb: 64 * GB, diskGb: 1000 },
  standing: 'in-service',
  ...more,
});

export const makeInstance = (
  name: string,
  host: string,
  memoryMb: number,
  more: Partial<Instance> = {},
): Instance => ({
  id: `id-${name}`,
  name,
  host,
  state: 'running',
  resources: { vcpus: 1, memoryMb, diskGb: 10 },
  groups: [],
  requires: {},
  ...more,
});

export const makeGroup = (name: string, policy: Group['policy'], more: Partial<Group> = {}): Group => ({
  id: name,
  name,
  policy,
  ...more,
});

export const WISHES: InstanceWishes = {
  mode: 'live',
  stopped: 'stay',
  return: false,
  overrides: {},
};

export const BUDGET: SessionSpec['budget'] = {
  maxConcurrentHosts: 1,
  maxFailedHosts: 0,
  maxConcurrentMovesPerHost: 1,
};

/** Hosts that are all alike, each with as many instances of one size; the first `empty` ones have none. */
export function uniformFleet(shape: {
  hosts: number;
  instancesPerHost: number;
  fill: number;
  zones?: number;
  empty?: number;
}): Inventory {
  const { zones = 1, empty = 0 } = shape;
  const hosts = Array.from({ length: shape.hosts }, (_, index) =>
    makeHost(`compute-${index + 1}`, {
      labels: { zone: `az${(index % zones) + 1}` },
      capacity: { vcpus: 256, memoryMb: 1024 * GB, diskGb: 10_000 },
    }),
  );
  const memoryMb = Math.floor((1024 * GB * shape.fill) / shape.instancesPerHost);
  const instances = hosts
    .slice(empty)
    .flatMap(({ name }) =>
      Array.from({ length: shape.instancesPerHost }, (_, index) =>
        makeInstance(`vm-${name.slice(8)}-${index + 1}`, name, memoryMb),
      ),
    );
  return { hosts, instances, groups: [] };
}

export interface FleetShape {
  seed: number;
  hosts: number;
  zones: number;
  /** Share of each resource of each host that is taken at most. */
  fill: number;
  /** Instances on a host, at most. */
  instancesPerHost: number;
  /** Share of instances that are pinned to the zone they are in. */
  pinned: number;
  /** Share of instances that belong to groups. */
  grouped: number;
  /** Share of instances that do not run. */
  stopped: number;
  /** Share of hosts that are not in service. */
  cordoned: number;
}

/** Hosts of two sizes in zones, with instances of many sizes, pins and groups of every policy. */
export function randomFleet(shape: FleetShape): Inventory {
  return new FleetMaker(shape).make();
}

class FleetMaker {
  readonly #shape: FleetShape;
  readonly #next: () => number;
  readonly #groups: Group[] = [];
  readonly #instances: Instance[] = [];

  constructor(shape: FleetShape) {
    this.#shape = shape;
    this.#next = randomNumbers(shape.seed);
  }

  make(): Inventory {
    const hosts = Array.from({ length: this.#shape.hosts }, (_, index) => this.#host(index));
    for (const host of hosts) this.#fill(host);
    return { hosts, instances: this.#instances, groups: this.#groups };
  }

  #host(index: number): Host {
    const size = this.#chance(0.3) ? 2 : 1;
    return makeHost(`compute-${index + 1}`, {
      role: this.#chance(0.1) ? 'controller' : 'compute',
      labels: { zone: `az${(index % this.#shape.zones) + 1}`, rack: `r${Math.floor(index / 4) + 1}` },
      capacity: { vcpus: 64 * size, memoryMb: 64 * GB * size, diskGb: 1000 * size },
      standing: this.#chance(this.#shape.cordoned) ? 'cordoned' : 'in-service',
    });
  }

  #fill(host: Host): void {
    const { fill, instancesPerHost } = this.#shape;
    const { vcpus, memoryMb, diskGb } = host.capacity;
    const left = { vcpus: vcpus * fill, memoryMb: memoryMb * fill, diskGb: diskGb * fill };
    const count = Math.floor(this.#next() * (instancesPerHost + 1));
    for (let index = 0; index < count; index += 1) {
      const part = (amount: number): number => Math.floor((this.#next() * amount) / (count - index));
      const resources = { vcpus: part(left.vcpus), memoryMb: part(left.memoryMb), diskGb: part(left.diskGb) };
      left.vcpus -= resources.vcpus;
      left.memoryMb -= resources.memoryMb;
      left.diskGb -= resources.diskGb;
      this.#instances.push(this.#instance(host, resources));
    }
  }

  #instance(host: Host, resources: Resources): Instance {
    const instance = makeInstance(`vm-${this.#instances.length + 1}`, host.name, resources.memoryMb, {
      resources,
      state: this.#chance(this.#shape.stopped) ? 'stopped' : this.#chance(0.05) ? 'paused' : 'running',
      requires: this.#chance(this.#shape.pinned) ? { zone: host.labels['zone'] ?? '' } : {},
    });
    return this.#chance(this.#shape.grouped)
      ? { ...instance, groups: [this.#groupFor(instance).id] }
      : instance;
  }

  /** One of the last groups that may have another member on this host, or a new one. */
  #groupFor({ host }: Instance): Group {
    const open = this.#groups.slice(-3).find((group) => this.#mayJoin(group, host));
    if (open !== undefined && this.#chance(0.8)) return open;
    const policy = (['affinity', 'anti-affinity', 'none'] as const)[Math.floor(this.#next() * 3)] ?? 'none';
    const group = makeGroup(`group-${this.#groups.length + 1}`, policy, {
      ...(policy !== 'affinity' && this.#chance(0.3) && { maxPerHost: 2 }),
      ...(this.#chance(0.5) && { maxImpacted: 1 + Math.floor(this.#next() * 2) }),
    });
    this.#groups.push(group);
    return group;
  }

  #mayJoin({ id, policy, maxPerHost }: Group, host: string): boolean {
    const members = this.#instances.filter(({ groups }) => groups.includes(id));
    const here = members.filter((member) => member.host === host).length;
    if (policy === 'affinity') return here === members.length && here < 3;
    return here < (maxPerHost ?? (policy === 'anti-affinity' ? 1 : Infinity)) && members.length < 6;
  }

  #chance(share: number): boolean {
    return this.#next() < share;
  }
}
