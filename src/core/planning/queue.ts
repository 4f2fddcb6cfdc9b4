import type { DepartureLoads } from './departures.ts';
import type { HostIndex } from './snapshot.ts';

/** Hosts of one failure domain that are still to be taken out. */
interface Lane {
  /** Those with least memory to move first, then fewest instances to move or stop, then by name. */
  hosts: HostIndex[];
  /** How many of the domain are out. */
  out: number;
}

/** The hosts that are still to be taken out, in the order they are considered. */
export class Queue {
  readonly #domains: readonly string[];
  readonly #lanes = new Map<string, Lane>();
  #order: readonly HostIndex[] | undefined;

  /** `domains`: the failure domain of each host. `out`: hosts that are out already. */
  constructor(
    domains: readonly string[],
    pending: readonly HostIndex[],
    out: readonly HostIndex[],
    loads: DepartureLoads,
  ) {
    this.#domains = domains;
    for (const host of lightestFirst(pending, loads)) this.#lane(host).hosts.push(host);
    for (const host of out) this.#lane(host).out += 1;
  }

  /** Domain by domain, first the one with most hosts left for each that is out: so they are all through together. */
  inOrder(): readonly HostIndex[] {
    this.#order ??= [...this.#lanes.values()].sort(byWeight).reduce<HostIndex[]>(appendHosts, []);
    return this.#order;
  }

  /** The host goes out. */
  take(host: HostIndex): void {
    const lane = this.#lane(host);
    lane.hosts.splice(lane.hosts.indexOf(host), 1);
    lane.out += 1;
    this.#order = undefined;
  }

  #lane(host: HostIndex): Lane {
    const domain = this.#domains[host] ?? '';
    let lane = this.#lanes.get(domain);
    if (lane === undefined) {
      lane = { hosts: [], out: 0 };
      this.#lanes.set(domain, lane);
    }
    return lane;
  }
}

const byWeight = (a: Lane, b: Lane): number =>
  b.hosts.length / (b.out + 1) - a.hosts.length / (a.out + 1) || (a.hosts[0] ?? 0) - (b.hosts[0] ?? 0);

function appendHosts(order: HostIndex[], { hosts }: Lane): HostIndex[] {
  for (const host of hosts) order.push(host);
  return order;
}

/** More hosts than a site has, more departures than are worth telling apart, and more memory than a host has. */
const HOSTS = 2 ** 20;
const DEPARTURES = 2 ** 8;
const MEMORY_MB = 2 ** 25;

/** Sorts plain numbers, many times faster than with a comparison: ten thousand hosts are sorted for every choice. */
function lightestFirst(hosts: readonly HostIndex[], loads: DepartureLoads): Float64Array {
  const keys = new Float64Array(hosts.length);
  hosts.forEach((host, position) => {
    const moves = loads.moves(host);
    const departures = Math.min(moves.count + loads.stops(host).count, DEPARTURES - 1);
    keys[position] = (Math.min(moves.memoryMb, MEMORY_MB - 1) * DEPARTURES + departures) * HOSTS + host;
  });
  return keys.sort().map((key) => key % HOSTS);
}
