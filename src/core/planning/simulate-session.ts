/** Plays a whole session through on a copy of the site, choosing hosts as the session itself will choose them. */
import type { HostStatus, OutHost } from '../standing.ts';
import type { ChosenHost, NextHostsRequest } from './choice.ts';
import { departuresOf, NO_DEPARTURES } from './departures.ts';
import { drainSeconds, recoverySeconds } from './estimate.ts';
import { hostsBeyondHelp, nextHosts } from './next-hosts.ts';
import type { Snapshot } from './snapshot.ts';

/** So many hosts that cannot be emptied are looked into; to say why takes much longer than to plan. */
const HOSTS_EXPLAINED = 20;

/** What stays the same from one choice to the next. */
type Terms = Pick<
  NextHostsRequest,
  'budget' | 'limits' | 'order' | 'wishes' | 'moveMbPerSecond' | 'workSeconds'
>;

export interface SimulationRequest extends Terms {
  snapshot: Snapshot;
  /** Names of the hosts to take out. */
  scope: readonly string[];
  maxConcurrentHosts: number;
  /** How long a slot rests after a host. */
  pauseSeconds: number;
}

/** A host as the session will come to it; seconds from the start of the session. */
export interface SimulatedHost extends ChosenHost {
  startsAfter: number;
  emptyAfter: number;
  /** Then it gives its group shares back. */
  recoveredAfter: number;
  endsAfter: number;
}

/**
 * The hosts in the order they are started, each of the scope once; those that cannot be emptied come last, with their
 * blockers. Yields after each choice, so that a caller with other duties can attend to them.
 */
export function* simulateSession(request: SimulationRequest): Generator<undefined, SimulatedHost[]> {
  const session = new SimulatedSession(request);
  do {
    session.startHosts();
    yield;
  } while (session.advance());
  session.listTheRest();
  return session.hosts;
}

class SimulatedSession {
  readonly hosts: SimulatedHost[] = [];
  readonly #request: SimulationRequest;
  readonly #snapshot: Snapshot;
  readonly #scope: Map<string, HostStatus>;
  readonly #flights = new Map<SimulatedHost, OutHost>();
  /** When each slot that rests is free again. */
  #resting: number[] = [];
  #now = 0;

  constructor(request: SimulationRequest) {
    this.#request = request;
    this.#snapshot = request.snapshot.copy();
    this.#scope = new Map(request.scope.map((host) => [host, 'pending']));
  }

  startHosts(): void {
    const freeSlots = this.#request.maxConcurrentHosts - this.#flights.size - this.#resting.length;
    if (freeSlots <= 0) return;
    for (const chosen of nextHosts(this.#standing(freeSlots)).start) {
      // From here on nothing can be emptied: `listTheRest` says why.
      if (chosen.blockers.length > 0) return;
      this.#start(chosen);
    }
  }

  /** Goes on to the next time at which something happens; false when nothing will. */
  advance(): boolean {
    const times = [...this.#flights].map(([host, out]) => nextChange(host, out));
    const next = Math.min(...times, ...this.#resting);
    if (next === Infinity) return false;
    this.#now = next;
    this.#resting = this.#resting.filter((until) => until > next);
    for (const [host, out] of this.#flights) {
      if (!out.drained && host.emptyAfter <= next) this.#empty(host, out);
      if (host.recoveredAfter <= next) delete out.recovering;
      if (out.drained && host.endsAfter <= next) this.#end(host, out);
    }
    return true;
  }

  listTheRest(): void {
    const now = this.#now;
    for (const chosen of hostsBeyondHelp(this.#standing(0), HOSTS_EXPLAINED)) {
      this.hosts.push({
        ...chosen,
        ...{ startsAfter: now, emptyAfter: now, recoveredAfter: now, endsAfter: now },
      });
    }
  }

  #standing(freeSlots: number): NextHostsRequest {
    return {
      ...this.#request,
      snapshot: this.#snapshot,
      scope: this.#scope,
      inFlight: [...this.#flights.values()],
      freeSlots,
    };
  }

  #start(chosen: ChosenHost): void {
    const { wishes, moveMbPerSecond } = this.#request;
    const index = this.#snapshot.indexOf(chosen.host);
    const departures = index === undefined ? NO_DEPARTURES : departuresOf(this.#snapshot, index, wishes);
    const emptyAfter = this.#now + drainSeconds(departures, chosen, moveMbPerSecond, this.#snapshot);
    const host = {
      ...chosen,
      startsAfter: this.#now,
      emptyAfter,
      recoveredAfter: emptyAfter + recoverySeconds(chosen, this.#snapshot),
      endsAfter: this.#now + chosen.estimateMs / 1000,
    };
    this.hosts.push(host);
    this.#scope.set(chosen.host, 'out');
    this.#flights.set(host, { ...chosen, drained: false });
  }

  #empty(host: SimulatedHost, out: OutHost): void {
    out.drained = true;
    out.recovering = true;
    for (const { instance, target } of host.placement) this.#snapshot.moveInstance(instance, target);
  }

  #end(host: SimulatedHost, out: OutHost): void {
    const { wishes, pauseSeconds } = this.#request;
    this.#flights.delete(host);
    this.#scope.set(host.host, 'done');
    if (pauseSeconds > 0) this.#resting.push(this.#now + pauseSeconds);
    if (wishes.return)
      for (const { instance } of out.placement) this.#snapshot.moveInstance(instance, host.host);
  }
}

function nextChange(host: SimulatedHost, { drained, recovering = false }: OutHost): number {
  if (!drained) return host.emptyAfter;
  return recovering ? host.recoveredAfter : host.endsAfter;
}
