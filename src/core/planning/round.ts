import type { Placement } from '../host-run.ts';
import { namesByReason } from '../listed.ts';
import type { OutHost } from '../standing.ts';
import { HostSlots } from './budget.ts';
import type { ChosenHost, NextHostsRequest } from './choice.ts';
import { DepartureLoads, departuresOf, NO_DEPARTURES } from './departures.ts';
import type { Departures } from './departures.ts';
import { drainSeconds, hostSeconds, recoverySeconds } from './estimate.ts';
import { listNames, sortedByName } from './natural-order.ts';
import { placeAll, placeInstances } from './place-instances.ts';
import type { PlacementRequest } from './placement-rules.ts';
import type { PoolIndex } from './pools.ts';
import { Queue } from './queue.ts';
import type { Room } from './room.ts';
import { ShareLedger } from './shares.ts';
import type { HostIndex, Load, Snapshot } from './snapshot.ts';
import { Targets } from './targets.ts';
import { Turns } from './turns.ts';

/** Failure domains to spread over where the budget names none. */
const DEFAULT_DOMAIN = 'zone';

/** What stands between a host and its start. */
export interface Obstacle {
  /** What it waits for, or what forbids it, by name. */
  reason: string;
  /** Nothing that happens in the session will help. */
  forGood: boolean;
}

/** A host that is to be started. */
export interface Choice {
  host: string;
  placement: Placement[];
  /** Why it cannot be emptied all the same. */
  blockers: string[];
}

/** One decision in the making: where the session stands, less what the hosts chosen so far take. */
export class Round {
  readonly snapshot: Snapshot;
  /** Instances go home when their host is back, so that a host still to be taken out is as good a target as any. */
  readonly returns: boolean;
  readonly started: ChosenHost[] = [];
  /** Hosts that are out and come back by themselves. */
  readonly inFlight: HostIndex[] = [];
  /** Hosts that are still to be started but are not in the inventory, by name. */
  readonly missing: readonly string[];
  readonly #asked: NextHostsRequest;
  readonly #room: Room;
  readonly #targets: Targets;
  readonly #loads: DepartureLoads;
  readonly #ledger: ShareLedger;
  readonly #slots: HostSlots;
  readonly #turns: Turns | undefined;
  readonly #queue: Queue;
  /** Hosts that instances are on their way to, with the host that they leave. */
  readonly #awaiting = new Map<HostIndex, string>();
  /** What was found out in this round holds to its end: room, slots and shares only get scarcer. */
  readonly #obstacles = new Map<HostIndex, Obstacle>();
  readonly #attempts = { safe: new Attempts(), any: new Attempts() };
  #safeRoom: { memoryMb: number; largestMb: number } | undefined;

  constructor(request: NextHostsRequest) {
    const { snapshot, scope, inFlight, budget, wishes } = request;
    this.snapshot = snapshot;
    this.returns = wishes.return;
    this.#asked = request;
    this.#room = snapshot.withReservations(inFlight.flatMap((out) => stillToMove(snapshot, out)));
    this.#targets = new Targets(snapshot, scope);
    this.#loads = new DepartureLoads(snapshot, wishes);
    this.#ledger = new ShareLedger(snapshot, budget);
    this.#slots = new HostSlots(snapshot, budget, request.limits, request.outElsewhere);
    this.#turns = request.order && new Turns(snapshot, request.order, scope);
    this.missing = missingHosts(request);
    const pending: HostIndex[] = [];
    const out: HostIndex[] = [];
    snapshot.hosts.forEach(({ name }, host) => {
      const status = scope.get(name);
      if (status === 'pending') pending.push(host);
      if (status === 'out') this.inFlight.push(host);
      if (status === 'out' || status === 'held') out.push(host);
      if (status === 'pending' || status === 'held') this.#countDown(host);
    });
    for (const host of out) this.#slots.take(host);
    for (const one of inFlight) this.#takeUp(one);
    this.#queue = new Queue(
      snapshot.domains(budget.perDomain?.label ?? DEFAULT_DOMAIN),
      pending,
      out,
      this.#loads,
    );
  }

  /** Nothing is out that could make room when it comes back. */
  isIdle(): boolean {
    return this.inFlight.length + this.#asked.inFlight.length + this.started.length === 0;
  }

  /** Hosts that are out, those started in this round among them. */
  namesInFlight(): string[] {
    const names = new Set([...this.#asked.inFlight, ...this.started].map(({ host }) => host));
    for (const host of this.inFlight) names.add(this.nameOf(host));
    return sortedByName([...names], (name) => name);
  }

  nameOf(host: HostIndex): string {
    return this.snapshot.host(host).name;
  }

  /** Hosts that are still to be started, in the order they should be considered. */
  inOrder(): readonly HostIndex[] {
    return this.#queue.inOrder();
  }

  /** Instances that have to move off the host, taken together. */
  moves(host: HostIndex): Load {
    return this.#loads.moves(host);
  }

  departures(host: HostIndex): Departures {
    return departuresOf(this.snapshot, host, this.#asked.wishes);
  }

  /** What keeps the host from being started now, apart from room for its instances. */
  obstacle(host: HostIndex): Obstacle | undefined {
    const obstacle = this.#obstacles.get(host) ?? this.#findObstacle(host);
    if (obstacle !== undefined) this.#obstacles.set(host, obstacle);
    return obstacle;
  }

  /**
   * A target for each instance of the host; undefined when an instance has none, when the host may not start, or when
   * so many hosts of its pool were tried in vain.
   */
  place(host: HostIndex, onto: 'safe' | 'any', triesPerPool: number): Placement[] | undefined {
    const { failed, tries } = this.#attempts[onto];
    const pool = this.snapshot.pools.of[host] ?? 0;
    const tried = tries.get(pool) ?? 0;
    if (failed.has(host) || (onto === 'safe' && !this.#mayFitSafely(host))) return undefined;
    if (tried >= triesPerPool || this.obstacle(host) !== undefined) return undefined;
    const placement = placeAll(this.#request(host, onto === 'any'));
    if (placement === undefined) {
      failed.add(host);
      tries.set(pool, tried + 1);
    }
    return placement;
  }

  /** Targets as far as there are any, and a sentence for each reason why there are no more. */
  placeSome(host: HostIndex): { placement: Placement[]; blockers: string[] } {
    const { placements, unplaced } = placeInstances(this.#request(host, true));
    const kept = unplaced.map(({ instance: { name }, reason }) => ({ name, reason }));
    const from = this.nameOf(host);
    const blockers = [...namesByReason(kept)].map(
      ([reason, names]) => `${listNames(names)} cannot leave ${from}: ${reason}`,
    );
    return { placement: placements, blockers };
  }

  /** How many of the instances would have to move a second time. */
  secondMoves(placement: readonly Placement[]): number {
    return placement.filter(({ target }) => this.#isUnsafe(target)).length;
  }

  /** The choice as the session gets it. */
  describe({ host, placement, blockers }: Choice): ChosenHost {
    const { wishes, moveMbPerSecond, workSeconds } = this.#asked;
    const index = this.snapshot.indexOf(host);
    const role = index === undefined ? 'other' : this.snapshot.host(index).role;
    const departures = index === undefined ? NO_DEPARTURES : this.departures(index);
    const { shares } = this.#ledger.offer(host, departures);
    const seconds = hostSeconds(
      drainSeconds(departures, shares, moveMbPerSecond, this.snapshot),
      workSeconds[role],
      wishes.return,
      recoverySeconds(shares, this.snapshot),
    );
    return {
      host,
      role,
      placement,
      moves: departures.moves.length,
      stops: departures.stops.length,
      ...shares,
      blockers,
      estimateMs: Math.ceil(seconds * 1000),
    };
  }

  /** The host goes out, and all that is decided after it respects that. */
  take(choice: Choice): void {
    const chosen = this.describe(choice);
    this.started.push(chosen);
    this.#ledger.hold(choice.host, chosen);
    const index = this.snapshot.indexOf(choice.host);
    if (index === undefined) return;
    this.inFlight.push(index);
    this.#queue.take(index);
    this.#targets.forbid(index);
    this.#slots.take(index);
    for (const { instance: id, target } of choice.placement) this.#claim(id, target);
    this.#await(choice.host, choice.placement);
  }

  #claim(id: string, target: string): void {
    const instance = this.snapshot.instance(id);
    const index = this.snapshot.indexOf(target);
    if (instance !== undefined && index !== undefined) this.#room.claim(instance, index);
  }

  #findObstacle(host: HostIndex): Obstacle | undefined {
    const { name, standing } = this.snapshot.host(host);
    if (standing === 'down') return { reason: `${name} is down`, forGood: true };
    const reason = this.#turns?.whyNot(host) ?? this.#slots.whyNot(host);
    if (reason !== undefined) return { reason, forGood: false };
    const source = this.#awaiting.get(host);
    if (source !== undefined) {
      return {
        reason: `${source} to be through: instances of it are on their way to ${name}`,
        forGood: false,
      };
    }
    return this.#ledger.offer(name, this.departures(host)).lack;
  }

  #request(host: HostIndex, allowUnsafe: boolean): PlacementRequest {
    return {
      room: this.#room,
      host: this.nameOf(host),
      instances: this.departures(host).moves,
      targets: this.#targets,
      allowUnsafe,
    };
  }

  /**
   * A host in flight holds its shares until it is empty and all that left have recovered, or to its end where its
   * instances return to it.
   */
  #takeUp(out: OutHost): void {
    const { wishes } = this.#asked;
    const index = this.snapshot.indexOf(out.host);
    if (!out.drained || wishes.return) this.#ledger.hold(out.host, out);
    else if (out.recovering === true) this.#ledger.hold(out.host, { ...out, moveSlots: 0 });
    else if (index !== undefined)
      this.#ledger.holdStopped(out.host, { ...this.departures(index), moves: [] });
    this.#await(out.host, wishes.return ? out.placement : stillToMove(this.snapshot, out));
  }

  /** Members that one of us stopped on an earlier run are out of action until their host is taken up again. */
  #countDown(host: HostIndex): void {
    const known = this.snapshot.running(host).count + this.snapshot.stopped(host).count;
    if (this.snapshot.instancesOn(host).length === known) return;
    const { down } = this.departures(host);
    this.#ledger.holdStopped(this.nameOf(host), { ...NO_DEPARTURES, down });
  }

  #await(source: string, placement: readonly Placement[]): void {
    for (const { target } of placement) {
      const index = this.snapshot.indexOf(target);
      if (index !== undefined) this.#awaiting.set(index, source);
    }
  }

  #isUnsafe(target: string): boolean {
    const index = this.snapshot.indexOf(target);
    return index !== undefined && this.#targets.kind(index) === 'unsafe';
  }

  /** Says no, at little cost, where safe targets have too little room in all. */
  #mayFitSafely(host: HostIndex): boolean {
    const moves = this.#loads.moves(host);
    this.#safeRoom ??= this.#measureSafeRoom();
    return moves.memoryMb <= this.#safeRoom.memoryMb && moves.largestMb <= this.#safeRoom.largestMb;
  }

  #measureSafeRoom(): { memoryMb: number; largestMb: number } {
    const room = { memoryMb: 0, largestMb: 0 };
    for (const host of this.snapshot.hosts.keys()) {
      if (this.#targets.kind(host) !== 'safe') continue;
      const free = Math.max(0, this.#room.freeMemoryMb(host));
      room.memoryMb += free;
      room.largestMb = Math.max(room.largestMb, free);
    }
    return room;
  }
}

/** Hosts that could not be emptied, and how many of each pool were tried. */
class Attempts {
  readonly failed = new Set<HostIndex>();
  readonly tries = new Map<PoolIndex, number>();
}

const missingHosts = ({ snapshot, scope }: NextHostsRequest): string[] => {
  const missing = [...scope].filter(
    ([host, status]) => status === 'pending' && snapshot.indexOf(host) === undefined,
  );
  return sortedByName(
    missing.map(([host]) => host),
    (host) => host,
  );
};

/** Placements of instances that are still on the host they have to leave. */
const stillToMove = (snapshot: Snapshot, { host, placement }: OutHost): Placement[] =>
  placement.filter(({ instance }) => snapshot.instance(instance)?.host === host);
