import type { DepartureLoads } from './departures.ts';
import type { HostIndex } from './snapshot.ts';

/** Hosts of one failure domain that are still to be taken. */
interface Lane {
  /** Those with fewest instances to move first, then fewest to stop, then by name. */
  hosts: HostIndex[];
  out: number;
}

/** The hosts that are still to be taken, in the order they are considered. */
export class Queue {
  readonly #lanes: Lane[] = [];
  readonly #laneOf = new Map<string, Lane>();
  readonly #domains: readonly string[];

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

  /** Domain by domain: first the one that has most hosts left for each that is out, so that they end together. */
  inOrder(): HostIndex[] {
    return this.#lanes
      .map((lane) => ({ lane, weight: lane.hosts.length / (lane.out + 1), first: lane.hosts[0] ?? 0 }))
      .sort((a, b) => b.weight - a.weight || a.first - b.first)
      .flatMap(({ lane }) => lane.hosts);
  }

  /** The host goes out. */
  take(host: HostIndex): void {
    const lane = this.#lane(host);
    lane.hosts.splice(lane.hosts.indexOf(host), 1);
    lane.out += 1;
  }

  #lane(host: HostIndex): Lane {
    const domain = this.#domains[host] ?? '';
    let lane = this.#laneOf.get(domain);
    if (lane === undefined) {
      lane = { hosts: [], out: 0 };
      this.#laneOf.set(domain, lane);
      this.#lanes.push(lane);
    }
    return lane;
  }
}

/** Sorts numbers, which is much faster than sorting with a comparison and matters for ten thousand hosts. */
function lightestFirst(hosts: readonly HostIndex[], loads: DepartureLoads): HostIndex[] {
  const keys = Float64Array.from(hosts, (host) => sortKey(loads.moves(host).count, loads.stops(host).count, host));
  return Array.from(keys.sort(), (key) => key % HOSTS);
}

/** More hosts than a site can have, and more stops than a host; the key stays an exact integer. */
const HOSTS = 2 ** 20;
const STOPS = 2 ** 14;
const sortKey = (moves: number, stops: number, host: HostIndex): number => (moves * STOPS + Math.min(stops, STOPS - 1)) * HOSTS + host;
