/**
 * Plays a session move by move, in any order that things may happen in, and checks every rule at every step. It keeps
 * its own books and knows the planner only by what it is asked and answers.
 */
import assert from 'node:assert/strict';
import type { Group, Host, Instance, Inventory, Resources } from '../../../src/core/inventory.ts';
import { nextHosts } from '../../../src/core/planning/next-hosts.ts';
import type { ChosenHost, NextHosts } from '../../../src/core/planning/next-hosts.ts';
import { Snapshot } from '../../../src/core/planning/snapshot.ts';
import type { Budget, InstanceMode, InstanceWishes } from '../../../src/core/session-spec.ts';
import type { HostStatus } from '../../../src/core/standing.ts';
import { randomNumbers } from './fleet.ts';

export interface Terms {
  inventory: Inventory;
  scope: readonly string[];
  budget: Omit<Budget, 'maxConcurrentHosts'> & { maxConcurrentHosts: number };
  wishes: InstanceWishes;
  /** Decides what happens first. */
  seed: number;
}

/** A host that is out. */
interface Flight {
  chosen: ChosenHost;
  /** Moves still to start: off the host, and back to it where instances return. */
  moves: { instance: string; target: string }[];
  stops: string[];
  drained: boolean;
  returned: boolean;
}

export class PlayedSession {
  /** In the order they were chosen. */
  readonly chosen: ChosenHost[] = [];
  moves = 0;
  readonly #terms: Terms;
  readonly #next: () => number;
  readonly #hosts: Map<string, Host>;
  readonly #instances: Map<string, Instance>;
  readonly #status: Map<string, HostStatus>;
  readonly #flights = new Map<string, Flight>();
  /** Where instances that move are going, and on behalf of which host. */
  readonly #moving = new Map<string, { target: string; flight: Flight }>();
  /** Instances that the session has stopped. */
  readonly #stopped = new Map<string, Flight>();
  /** Groups whose members were on one host at the start, as affinity demands. */
  readonly #together: Group[];
  /** Kept from one choice to the next, and told of every move. */
  readonly #kept: Snapshot;

  constructor(terms: Terms) {
    this.#terms = terms;
    this.#next = randomNumbers(terms.seed);
    this.#hosts = new Map(terms.inventory.hosts.map((host) => [host.name, host]));
    this.#instances = new Map(terms.inventory.instances.map((instance) => [instance.id, instance]));
    this.#status = new Map(terms.scope.map((host) => [host, 'pending']));
    this.#together = terms.inventory.groups.filter(({ policy }) => policy === 'affinity');
    this.#kept = new Snapshot(terms.inventory);
  }

  /** To the end, at which every host of the scope was chosen once. */
  play(): void {
    this.#choose();
    for (let steps = this.#possibleSteps(); steps.length > 0; steps = this.#possibleSteps()) {
      steps[Math.floor(this.#next() * steps.length)]?.();
      if (this.#flights.size === 0 || this.#next() < 0.5) this.#choose();
      this.#checkBudgets();
    }
    assert.equal(this.#flights.size, 0, `${[...this.#flights.keys()].join(', ')} cannot go on`);
    const expected = [...this.#terms.scope].sort();
    assert.deepEqual(this.chosen.map(({ host }) => host).sort(), expected, 'each host is chosen once');
  }

  #choose(): void {
    for (;;) {
      const { start, waitFor } = this.#ask();
      for (const chosen of start) this.#start(chosen);
      this.#checkBudgets();
      const stuck = this.#flights.size === 0 && [...this.#status.values()].includes('pending');
      if (!stuck) return;
      assert.ok(start.length > 0, `nothing is in flight and nothing starts: ${waitFor ?? 'for no reason'}`);
    }
  }

  #ask(): NextHosts {
    const { budget, wishes, inventory } = this.#terms;
    const request = {
      scope: this.#status,
      inFlight: [...this.#flights.values()].map(({ chosen, drained }) => ({ ...chosen, drained })),
      freeSlots: budget.maxConcurrentHosts - this.#flights.size,
      budget,
      wishes,
      moveMbPerSecond: 1000,
      workSeconds: { compute: 600, controller: 600, other: 600 },
    };
    const now = {
      hosts: [...this.#hosts.values()],
      instances: [...this.#instances.values()],
      groups: inventory.groups,
    };
    const answer = nextHosts({ ...request, snapshot: new Snapshot(now) });
    if (this.#stopped.size === 0) {
      const kept = nextHosts({ ...request, snapshot: this.#kept });
      assert.deepEqual(kept, answer, 'a snapshot that was told of the moves is as good as a new one');
    }
    assert.ok(answer.start.length <= request.freeSlots, 'no more hosts than slots');
    return answer;
  }

  #start(chosen: ChosenHost): void {
    const { host: name, placement, blockers } = chosen;
    assert.equal(this.#status.get(name), 'pending', `${name} is chosen although it is not pending`);
    this.chosen.push(chosen);
    if (blockers.length > 0) {
      // Its precheck would hold it untouched, and the operator leave it out.
      assert.equal(this.#flights.size, 0, `${name} is given up while others are in flight`);
      assert.equal(this.#hostForAll(name), undefined, `${name} is given up: ${blockers.join('; ')}`);
      this.#status.set(name, 'skipped');
      return;
    }
    const guests = [...this.#flights.values()]
      .flatMap(({ moves }) => moves)
      .filter(({ target }) => target === name);
    assert.deepEqual(guests, [], `instances are on their way to ${name}`);
    const leaving = this.#on(name).filter((instance) => ['live', 'cold'].includes(this.#wayOut(instance)));
    const stops = this.#on(name).filter((instance) => this.#wayOut(instance) === 'stop');
    assert.deepEqual(placement.map(({ instance }) => instance).sort(), leaving.map(({ id }) => id).sort());
    assert.equal(chosen.moves, leaving.length);
    assert.equal(chosen.stops, stops.length);
    assert.ok(chosen.moveSlots >= 1, 'a host that drains has a move slot');
    this.#status.set(name, 'out');
    const standings = ['in-service', 'cordoned', 'entering', 'maintenance'] as const;
    this.#setStanding(name, standings[Math.floor(this.#next() * standings.length)] ?? 'maintenance');
    const flight = {
      chosen,
      moves: [...placement],
      stops: stops.map(({ id }) => id),
      drained: false,
      returned: false,
    };
    this.#flights.set(name, flight);
  }

  #possibleSteps(): (() => void)[] {
    const steps: (() => void)[] = [...this.#moving.keys()].map((id) => () => this.#arrive(id));
    for (const flight of this.#flights.values()) {
      const [move] = flight.moves;
      const [stop] = flight.stops;
      const moving = [...this.#moving.values()].filter((one) => one.flight === flight).length;
      if (move && moving < flight.chosen.moveSlots && this.#hasShare(flight, move.instance)) {
        steps.push(() => this.#depart(flight));
      }
      if (stop !== undefined && this.#hasShare(flight, stop)) steps.push(() => this.#stop(flight));
      if (!move && stop === undefined && moving === 0) steps.push(() => this.#goOn(flight));
    }
    return steps;
  }

  #hasShare(flight: Flight, id: string): boolean {
    return this.#limitedGroups(id).every((group) => {
      const touched = [...this.#moving].filter(
        ([one, { flight: by }]) => by === flight && this.#isIn(one, group),
      ).length;
      const down = [...this.#stopped].filter(([one, by]) => by === flight && this.#isIn(one, group)).length;
      return touched + down < (flight.chosen.groupShares[group.id] ?? 0);
    });
  }

  #depart(flight: Flight): void {
    const move = flight.moves.shift();
    assert.ok(move);
    const instance = this.#instance(move.instance);
    const target = this.#hosts.get(move.target);
    assert.ok(target, `${move.target} exists`);
    const home = target.name === flight.chosen.host;
    const status = this.#status.get(target.name);
    assert.ok(
      home || (status !== 'out' && status !== 'held'),
      `${target.name} is out, and gets ${instance.name}`,
    );
    assert.ok(
      home || target.standing === 'in-service',
      `${target.name} is not in service, and gets ${instance.name}`,
    );
    for (const [key, value] of Object.entries(instance.requires)) {
      assert.equal(target.labels[key], value, `${instance.name} requires ${key} ${value}`);
    }
    this.#moving.set(instance.id, { target: target.name, flight });
    this.moves += 1;
    this.#checkCapacity(target);
    this.#checkLimits(target, instance);
  }

  #arrive(id: string): void {
    const move = this.#moving.get(id);
    assert.ok(move);
    this.#moving.delete(id);
    this.#instances.set(id, { ...this.#instance(id), host: move.target });
    this.#kept.moveInstance(id, move.target);
  }

  #stop(flight: Flight): void {
    const id = flight.stops.shift();
    assert.ok(id !== undefined);
    this.#stopped.set(id, flight);
    this.#instances.set(id, { ...this.#instance(id), state: 'stopped', stoppedBy: 'mark' });
  }

  /** From drained to worked on, and from there to returned or to its end. */
  #goOn(flight: Flight): void {
    const { host, placement } = flight.chosen;
    if (!flight.drained) {
      flight.drained = true;
      const running = this.#on(host).filter(({ state }) => state === 'running' || state === 'paused');
      assert.deepEqual(running, [], `${host} is worked on while something runs on it`);
      this.#checkTogether();
    } else if (this.#terms.wishes.return && !flight.returned) {
      flight.returned = true;
      flight.moves.push(...placement.map(({ instance }) => ({ instance, target: host })));
    } else {
      this.#end(flight);
    }
  }

  #end(flight: Flight): void {
    const { host } = flight.chosen;
    for (const [id, by] of this.#stopped) {
      if (by !== flight) continue;
      this.#stopped.delete(id);
      const { stoppedBy: _, ...instance } = this.#instance(id);
      this.#instances.set(id, { ...instance, state: 'running' });
    }
    this.#flights.delete(host);
    this.#status.set(host, 'done');
    this.#setStanding(
      host,
      this.#terms.inventory.hosts.find(({ name }) => name === host)?.standing ?? 'down',
    );
    this.#checkTogether();
  }

  #checkBudgets(): void {
    const { budget } = this.#terms;
    const flights = [...this.#flights.values()];
    const most = (limit: number | undefined, amount: number, what: string): void => {
      assert.ok(amount <= (limit ?? Infinity), `${what}: ${amount} where ${limit} are allowed`);
    };
    most(budget.maxConcurrentHosts, flights.length, 'hosts out');
    most(budget.maxConcurrentMoves, this.#moving.size, 'moves');
    const draining = flights.filter(({ drained }) => !drained);
    most(
      budget.maxConcurrentMoves,
      sum(draining, ({ chosen }) => chosen.moveSlots),
      'move slots',
    );
    for (const { chosen } of flights)
      most(budget.maxConcurrentMovesPerHost, chosen.moveSlots, 'slots of a host');
    for (const group of this.#terms.inventory.groups) {
      const touched = [...this.#moving.keys(), ...this.#stopped.keys()].filter((id) => this.#isIn(id, group));
      most(group.maxImpacted, touched.length, `members of ${group.name} touched`);
      if (group.maxImpacted === undefined) continue;
      most(
        group.maxImpacted,
        sum(draining, ({ chosen }) => chosen.groupShares[group.id] ?? 0),
        `shares of ${group.name}`,
      );
    }
    if (budget.perDomain === undefined) return;
    const { label, max } = budget.perDomain;
    const domains = flights.map(({ chosen }) => this.#hosts.get(chosen.host)?.labels[label]);
    for (const domain of domains)
      most(max, domains.filter((one) => one === domain).length, `out in ${label} ${domain ?? ''}`);
  }

  /** Whoever moves takes its room on both sides. */
  #checkCapacity(target: Host): void {
    const holders = [...this.#on(target.name), ...this.#comingTo(target.name)];
    for (const key of ['vcpus', 'memoryMb', 'diskGb'] satisfies (keyof Resources)[]) {
      const used = sum(holders, ({ resources }) => resources[key]);
      assert.ok(
        used <= target.capacity[key],
        `${target.name} has ${target.capacity[key]} ${key}, and ${used} are used`,
      );
    }
  }

  #checkLimits(target: Host, instance: Instance): void {
    for (const group of this.#terms.inventory.groups.filter(({ id }) => instance.groups.includes(id))) {
      const limit = group.maxPerHost ?? (group.policy === 'anti-affinity' ? 1 : Infinity);
      const members = [...this.#on(target.name), ...this.#comingTo(target.name)].filter(({ id }) =>
        this.#isIn(id, group),
      );
      assert.ok(members.length <= limit, `${group.name} allows ${limit} members on ${target.name}`);
    }
  }

  #checkTogether(): void {
    const busy = new Set(
      [...this.#flights.values()].filter(({ drained, moves }) => !drained || moves.length > 0),
    );
    const atRest = ({ id, host }: Instance): boolean =>
      !this.#moving.has(id) &&
      ![...busy].some(
        ({ chosen, moves }) => chosen.host === host || moves.some((one) => one.instance === id),
      );
    for (const group of this.#together) {
      const members = [...this.#instances.values()].filter(({ id }) => this.#isIn(id, group));
      if (!members.every(atRest)) continue;
      assert.equal(new Set(members.map(({ host }) => host)).size, 1, `${group.name} is torn apart`);
    }
  }

  /** A host that could take all that has to leave, if the shares allow it to leave at all. */
  #hostForAll(name: string): string | undefined {
    const departing = this.#on(name).filter((instance) => this.#wayOut(instance) !== 'stay');
    const leaving = departing.filter((instance) => this.#wayOut(instance) !== 'stop');
    const { groups } = this.#terms.inventory;
    const mayLeave = groups.every((group) => {
      const members = departing.filter(({ id }) => this.#isIn(id, group));
      const stops = members.filter((instance) => !leaving.includes(instance)).length;
      return stops + Math.min(1, members.length - stops) <= (group.maxImpacted ?? Infinity);
    });
    const mayTake = (host: Host): boolean => {
      const after = [...this.#on(host.name), ...leaving];
      const amount = (key: keyof Resources): number => sum(after, ({ resources }) => resources[key]);
      return (
        host.name !== name &&
        host.standing === 'in-service' &&
        amount('vcpus') <= host.capacity.vcpus &&
        amount('memoryMb') <= host.capacity.memoryMb &&
        amount('diskGb') <= host.capacity.diskGb &&
        leaving.every(({ requires }) =>
          Object.entries(requires).every(([key, value]) => host.labels[key] === value),
        ) &&
        groups.every((group) => this.#mayHold(group, after, leaving))
      );
    };
    return mayLeave ? [...this.#hosts.values()].find(mayTake)?.name : undefined;
  }

  #mayHold(group: Group, after: readonly Instance[], leaving: readonly Instance[]): boolean {
    if (!leaving.some(({ id }) => this.#isIn(id, group))) return true;
    const here = after.filter(({ id }) => this.#isIn(id, group)).length;
    const all = [...this.#instances.values()].filter(({ id }) => this.#isIn(id, group)).length;
    const limit = group.maxPerHost ?? (group.policy === 'anti-affinity' ? 1 : Infinity);
    return here <= limit && (group.policy !== 'affinity' || here === all);
  }

  #wayOut(instance: Instance): InstanceMode | 'stay' {
    const { mode, overrides, stopped } = this.#terms.wishes;
    if (instance.state === 'stopped') return stopped === 'move' ? 'cold' : 'stay';
    if (instance.state === 'error') return 'stay';
    const wish = overrides[instance.id] ?? overrides[instance.name] ?? mode;
    return wish === 'live-then-cold' ? 'live' : wish;
  }

  #setStanding(name: string, standing: Host['standing']): void {
    const host = this.#hosts.get(name);
    assert.ok(host);
    this.#hosts.set(name, { ...host, standing });
    this.#kept.setStanding(name, standing);
  }

  #instance(id: string): Instance {
    const instance = this.#instances.get(id);
    assert.ok(instance, `instance ${id} exists`);
    return instance;
  }

  #on(host: string): Instance[] {
    return [...this.#instances.values()].filter((instance) => instance.host === host);
  }

  #comingTo(host: string): Instance[] {
    return [...this.#moving].filter(([, { target }]) => target === host).map(([id]) => this.#instance(id));
  }

  #isIn(id: string, { id: group }: Group): boolean {
    return this.#instance(id).groups.includes(group);
  }

  #limitedGroups(id: string): Group[] {
    return this.#terms.inventory.groups.filter(
      (group) => group.maxImpacted !== undefined && this.#isIn(id, group),
    );
  }
}

const sum = <T>(items: readonly T[], amount: (item: T) => number): number =>
  items.reduce((total, item) => total + amount(item), 0);
