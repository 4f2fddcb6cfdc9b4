/**
 * Many sessions side by side on one platform: each has a rack of its own, whose instances can go nowhere else, and is
 * judged by that rack's part of the journal.
 */
import assert from 'node:assert/strict';
import type { WorkflowHandle } from '@temporalio/client';
import type { Hold } from '../../src/core/host-run.ts';
import type { Report } from '../../src/core/progress.ts';
import type { SessionInput } from '../../src/core/session-spec.ts';
import { QUERIES } from '../../src/names.ts';
import { checkJournal, type Expectations } from '../../src/simulator/checker.ts';
import type { Effect, Fault, Operation } from '../../src/simulator/faults.ts';
import type { FleetInput } from '../../src/simulator/fleet.ts';
import type { JournalEntry } from '../../src/simulator/journal.ts';
import { reportOf, startEngine, type Engine } from './engine.ts';
import { WORK } from './fleets.ts';

export type RackInput = Omit<SessionInput, 'site'>;
type EntryType = JournalEntry['type'];

export const SIZE = { vcpus: 2, memoryMb: 4_096, diskGb: 20 };
export const ROOMY = { vcpus: 16, memoryMb: 32_768, diskGb: 200 };
export const FULL = { vcpus: 0, memoryMb: 0, diskGb: 0 };

const isOfType = <Type extends EntryType>(
  entry: JournalEntry,
  type: Type,
): entry is Extract<JournalEntry, { type: Type }> => entry.type === type;

/** Time for a session to get where it is expected; the machine may have much else to do. */
export const PATIENCE_MS = 240_000;

/** Time for one request to the platform. Longer than an answer takes on a busy machine, as short as a test can wait for. */
export const REQUEST_TIMEOUT_MS = 3_000;

/** The last rack: only one of the two instances on its host a may be moving or stopped at a time. */
const PAIR = 'pair';

/** In each rack: hosts a and b with two instances each, c and d to take them. */
const fleetOfRacks = (racks: readonly string[]): FleetInput => ({
  hosts: racks.flatMap((rack) =>
    ['a', 'b', 'c', 'd'].map((letter) => ({ name: `${rack}-${letter}`, labels: { rack }, capacity: ROOMY })),
  ),
  instances: racks.flatMap((rack) =>
    ['a-1', 'a-2', 'b-1', 'b-2'].map((name) => ({
      name: `${rack}-${name}`,
      host: `${rack}-${name.slice(0, 1)}`,
      resources: SIZE,
      requires: { rack },
      groups: rack === PAIR && name.startsWith('a') ? [PAIR] : [],
    })),
  ),
  groups: [{ name: PAIR, maxImpacted: 1 }],
  migration: { baseMs: 20, mbPerSecond: 0 },
  durations: { stopMs: 10, startMs: 10, enterMs: 10, exitMs: 10, workMs: 10 },
});

/** Racks on one engine, handed out one by one. */
export class Racks {
  readonly engine: Engine;
  private readonly free: string[];

  private constructor(engine: Engine, free: string[]) {
    this.engine = engine;
    this.free = free;
  }

  static async start(count: number): Promise<Racks> {
    const names = Array.from({ length: count }, (_, index) => `r${String(index).padStart(2, '0')}`);
    const engine = await startEngine(fleetOfRacks([...names, PAIR]), (config) => {
      for (const site of Object.values(config.sites)) site.options['timeout'] = `${REQUEST_TIMEOUT_MS}ms`;
      return config;
    });
    return new Racks(engine, names);
  }

  next(): Rack {
    const name = this.free.shift();
    assert.ok(name, 'there are more tests than racks');
    return new Rack(this.engine, name);
  }

  /** The one with a group whose members may not be out together. */
  ofPair(): Rack {
    return new Rack(this.engine, PAIR);
  }
}

/** The platform as one test sees it, the session on it, and the operator beside it. */
export class Rack {
  readonly name: string;
  private readonly engine: Engine;

  constructor(engine: Engine, name: string) {
    this.engine = engine;
    this.name = name;
  }

  /** Name of a host: `a`; or of an instance: `a-1`. */
  called(short: string): string {
    return `${this.name}-${short}`;
  }

  /** Id of an instance. */
  id(short: string): string {
    const found = this.datacentre.instances().find(({ name }) => name === this.called(short));
    assert.ok(found, `there is no instance ${short}`);
    return found.id;
  }

  /** The datacentre itself, for an operator who is quicker than any request. */
  get datacentre(): Engine['simulator']['datacentre'] {
    return this.engine.simulator.datacentre;
  }

  /** Takes host a out, to be worked on, unless said otherwise. */
  start(input: RackInput = {}): Promise<WorkflowHandle> {
    return this.engine.start(
      { hosts: [this.called('a')], actions: [WORK], ...input },
      `session-${this.name}`,
    );
  }

  /** Strikes requests about host a, or about one of the instances. */
  fault(
    effect: Effect,
    operation: Operation,
    { instance, ...when }: { instance?: string | undefined; times?: number; after?: number } = {},
  ): Promise<void> {
    const subject = instance === undefined ? { host: this.called('a') } : { instance: this.called(instance) };
    return this.engine.fault({ match: { operation, ...subject, ...when }, effect });
  }

  /** Something an operator does to host a by hand. */
  async byHand(what: 'cordon' | 'enter' | 'exit' | 'die' | 'revive', reason?: string): Promise<void> {
    const body = reason === undefined ? {} : { reason };
    const answer = await this.engine.simulate('POST', `/v1/hosts/${this.called('a')}/${what}`, body);
    assert.ok(answer.ok, await answer.text());
  }

  /** How often the faults have struck, by operation. */
  struck(): Record<string, number> {
    return Object.fromEntries(this.faults().map(({ match, struck }) => [match.operation, struck]));
  }

  /** Repairs the platform: nothing strikes any more, and what never ends is ended. */
  repair(): void {
    for (const fault of this.faults()) fault.match.times = Math.max(1, fault.struck);
    this.abortTasks();
  }

  abortTasks(): void {
    const { tasks } = this.datacentre;
    for (const { id, subject } of tasks.list({ state: 'running' })) {
      if (this.owns(subject)) tasks.abort(id);
    }
  }

  /** Waits until the journal has such an entry about this rack, or about one of its instances. */
  async seen(type: EntryType, instance?: string): Promise<void> {
    await this.engine.seen(
      (entry) =>
        entry.type === type &&
        this.isAbout(entry) &&
        (instance === undefined || ('instance' in entry && entry.instance === this.id(instance))),
      PATIENCE_MS,
    );
  }

  /** Waits until a fault of this rack has struck such a request. */
  async strikes(operation: Operation): Promise<void> {
    await this.engine.seen(
      (entry) => entry.type === 'fault.injected' && entry.operation === operation && this.isAbout(entry),
      PATIENCE_MS,
    );
  }

  /** Entries of this type about this rack, oldest first. */
  entries<Type extends EntryType>(type: Type): Extract<JournalEntry, { type: Type }>[] {
    return this.journal().filter((entry) => isOfType(entry, type));
  }

  /** Waits until the session shows what blocks it, in the words of `what`. */
  async blocked(session: WorkflowHandle, what: RegExp): Promise<void> {
    await this.engine.until(
      session,
      ({ blockedBy }) => blockedBy.some((words) => what.test(words)),
      PATIENCE_MS,
    );
  }

  /** Waits until the session has failed over one host, shows so in every place, and has broken nothing. */
  async held(session: WorkflowHandle): Promise<Hold> {
    const progress = await this.engine.until(
      session,
      ({ state, hosts }) => state === 'MAINTENANCE_FAILED' && hosts.inFlight === 0,
      PATIENCE_MS,
    );
    const [hold, ...others] = progress.held;
    assert.ok(hold, `the session has failed, and holds no host: ${progress.reason}`);
    assert.deepEqual(others, []);
    assert.ok(hold.message.startsWith(`${hold.host}: ${hold.step}: `), hold.message);
    assert.equal(progress.reason, '1 held: signal continue to retry, skip or roll back');
    assert.deepEqual(progress.blockedBy, [hold.message]);
    const report = await session.query<Report>(QUERIES.report);
    assert.deepEqual(report.held, [hold]);
    return hold;
  }

  /** Lets a session that holds a host go on, and waits until it has taken up the host. */
  async goOn(session: WorkflowHandle): Promise<void> {
    await session.signal('continue');
    await this.engine.until(session, ({ hosts }) => hosts.held === 0, PATIENCE_MS);
  }

  /** Waits for the end of a session that does all its hosts, and has broken nothing. */
  async done(session: WorkflowHandle, expectations: Expectations = {}): Promise<Report> {
    const { state, held } = await this.engine.until(
      session,
      (now) =>
        now.state === 'MAINTENANCE_DONE' || (now.state === 'MAINTENANCE_FAILED' && !now.hosts.inFlight),
      PATIENCE_MS,
    );
    assert.equal(state, 'MAINTENANCE_DONE', JSON.stringify(held));
    const report = await reportOf(session);
    assert.equal(report.hosts.done, report.hosts.total);
    this.clean({ worked: [this.called('a')], ...expectations });
    return report;
  }

  /** Nothing was done that may never be done. */
  clean(expectations: Expectations = {}): void {
    const expected = { maxConcurrentHosts: 1, maxConcurrentMovesPerHost: 1, ...expectations };
    assert.deepEqual(checkJournal(this.journal(), expected), []);
  }

  /** The journal of this rack alone, as if there were no other. */
  private journal(): JournalEntry[] {
    return this.engine.simulator.journal.entries
      .filter((entry) => this.isAbout(entry))
      .map((entry, index) => ({ ...this.narrow(entry), seq: index + 1 }));
  }

  private narrow(entry: JournalEntry): JournalEntry {
    if (entry.type !== 'datacentre.created') return entry;
    return {
      ...entry,
      hosts: entry.hosts.filter(({ name }) => this.owns(name)),
      instances: entry.instances.filter(({ host }) => this.owns(host)),
    };
  }

  private isAbout(entry: JournalEntry): boolean {
    switch (entry.type) {
      case 'datacentre.created':
        return true;
      case 'request':
        return false;
      case 'instance.created':
        return this.owns(entry.instance.host);
      case 'instance.migration.started':
      case 'instance.migration.ended':
        return this.owns(entry.from);
      default:
        return entry.host !== undefined && this.owns(entry.host);
    }
  }

  /** Whether a host, by name, or an instance, by id, is in this rack. */
  private owns(subject: string): boolean {
    return (this.datacentre.find(subject)?.host ?? subject).startsWith(`${this.name}-`);
  }

  private faults(): Fault[] {
    return this.engine.simulator.faults
      .list()
      .filter(({ match: { host, instance } }) => (host ?? instance ?? '').startsWith(`${this.name}-`));
  }
}
