import type { Host, Instance } from '../inventory.ts';
import type { HostIndex } from './snapshot.ts';

export type PoolIndex = number;
type Labels = Readonly<Record<string, string>>;

export const carries = (labels: Labels, requires: Labels): boolean => {
  for (const key in requires) if (labels[key] !== requires[key]) return false;
  return true;
};

/**
 * Hosts by the labels that instances require: hosts of one pool are interchangeable for every instance of the site.
 * A fleet whose instances are pinned to zones has a pool per zone; one without pins is a single pool.
 */
export class Pools {
  /** Pool of each host. */
  readonly of: Int32Array;
  /** Hosts of each pool. */
  readonly hosts: readonly (readonly HostIndex[])[];
  readonly #all: readonly PoolIndex[];
  /** Pools by required label: `zone` → `az1` → pools. */
  readonly #byLabel: ReadonlyMap<string, ReadonlyMap<string, readonly PoolIndex[]>>;
  readonly #satisfying = new WeakMap<Labels, readonly PoolIndex[]>();

  constructor(hosts: readonly Host[], instances: readonly Instance[]) {
    const keys = requiredKeys(instances);
    const members: HostIndex[][] = [];
    const poolByLabels = new Map<string, PoolIndex>();
    this.of = new Int32Array(hosts.length);
    hosts.forEach((host, index) => {
      const labels = JSON.stringify(keys.map((key) => host.labels[key]));
      const pool = poolByLabels.get(labels) ?? members.push([]) - 1;
      poolByLabels.set(labels, pool);
      members[pool]?.push(index);
      this.of[index] = pool;
    });
    this.hosts = members;
    this.#all = members.map((_, pool) => pool);
    this.#byLabel = indexByLabel(keys, hosts, members);
  }

  /** Pools whose hosts carry the labels. A label that no instance of the snapshot required does not narrow them. */
  satisfying(requires: Labels): readonly PoolIndex[] {
    let pools = this.#satisfying.get(requires);
    if (pools === undefined) {
      pools = this.#intersect(requires);
      this.#satisfying.set(requires, pools);
    }
    return pools;
  }

  #intersect(requires: Labels): readonly PoolIndex[] {
    let pools = this.#all;
    for (const [key, value] of Object.entries(requires)) {
      const byValue = this.#byLabel.get(key);
      if (byValue === undefined) continue;
      const matching = byValue.get(value) ?? [];
      pools = pools === this.#all ? matching : pools.filter((pool) => matching.includes(pool));
    }
    return pools;
  }
}

function requiredKeys(instances: readonly Instance[]): string[] {
  const keys = new Set<string>();
  for (const instance of instances) for (const key in instance.requires) keys.add(key);
  return [...keys].sort();
}

function indexByLabel(
  keys: readonly string[],
  hosts: readonly Host[],
  pools: readonly (readonly HostIndex[])[],
): Map<string, Map<string, PoolIndex[]>> {
  const index = new Map<string, Map<string, PoolIndex[]>>();
  for (const key of keys) {
    const byValue = new Map<string, PoolIndex[]>();
    pools.forEach(([first], pool) => {
      const value = first === undefined ? undefined : hosts[first]?.labels[key];
      if (value === undefined) return;
      const list = byValue.get(value);
      if (list) list.push(pool);
      else byValue.set(value, [pool]);
    });
    index.set(key, byValue);
  }
  return index;
}
