/** Which instances have to leave a host that is taken out, and how, by what the session wishes. */
import { wishedFor } from '../instance-mode.ts';
import { isRunning } from '../inventory.ts';
import type { Instance } from '../inventory.ts';
import type { InstanceWishes } from '../session-spec.ts';
import { NO_LOAD, wasStopped } from './snapshot.ts';
import type { HostIndex, Load, Snapshot } from './snapshot.ts';

/** Instances of one host that matter when it is taken out. What is in an error state cannot be moved, and stays. */
export interface Departures {
  /** They need a target. */
  moves: Instance[];
  /** They are stopped, and started again when the host is back. */
  stops: Instance[];
  /** One of us has stopped them already; they are started again, so they stay whatever is wished for stopped ones. */
  down: Instance[];
}

export const NO_DEPARTURES: Departures = { moves: [], stops: [], down: [] };

export function departuresOf(snapshot: Snapshot, host: HostIndex, wishes: InstanceWishes): Departures {
  const departures: Departures = { moves: [], stops: [], down: [] };
  for (const instance of snapshot.instancesOn(host)) {
    if (isRunning(instance)) {
      const stops = wishedFor(instance, wishes).mode === 'stop';
      (stops ? departures.stops : departures.moves).push(instance);
    } else if (wasStopped(instance)) {
      departures.down.push(instance);
    } else if (instance.state === 'stopped' && wishes.stopped === 'move') {
      departures.moves.push(instance);
    }
  }
  return departures;
}

/** Instances that move off each host, taken together, without a walk over them but where wishes single some out. */
export class DepartureLoads {
  readonly #snapshot: Snapshot;
  readonly #wishes: InstanceWishes;
  readonly #exact = new Map<HostIndex, { moves: Load; stops: Load }>();

  constructor(snapshot: Snapshot, wishes: InstanceWishes) {
    this.#snapshot = snapshot;
    this.#wishes = wishes;
    for (const idOrName of Object.keys(wishes.overrides)) {
      for (const { host } of snapshot.instancesCalled(idOrName)) this.#walk(snapshot.indexOf(host));
    }
    for (const host of snapshot.hostsWithOwnerWishes) this.#walk(host);
  }

  moves(host: HostIndex): Load {
    const exact = this.#exact.get(host);
    if (exact !== undefined) return exact.moves;
    const { mode, stopped } = this.#wishes;
    if (stopped === 'stay') return mode === 'stop' ? NO_LOAD : this.#snapshot.running(host);
    if (mode === 'stop') return this.#snapshot.stopped(host);
    return both(this.#snapshot.running(host), this.#snapshot.stopped(host));
  }

  stops(host: HostIndex): Load {
    const exact = this.#exact.get(host);
    if (exact !== undefined) return exact.stops;
    return this.#wishes.mode === 'stop' ? this.#snapshot.running(host) : NO_LOAD;
  }

  #walk(index: HostIndex | undefined): void {
    if (index === undefined || this.#exact.has(index)) return;
    const { moves, stops } = departuresOf(this.#snapshot, index, this.#wishes);
    this.#exact.set(index, { moves: this.#snapshot.loadOf(moves), stops: this.#snapshot.loadOf(stops) });
  }
}

const both = (a: Load, b: Load): Load => ({
  count: a.count + b.count,
  vcpus: a.vcpus + b.vcpus,
  memoryMb: a.memoryMb + b.memoryMb,
  diskGb: a.diskGb + b.diskGb,
  largestMb: Math.max(a.largestMb, b.largestMb),
  pins: [...a.pins, ...b.pins],
});
