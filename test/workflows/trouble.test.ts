/**
 * What becomes of a session when the platform, or somebody at it, makes trouble. Each test has a rack of its own, whose
 * instances can go nowhere else: so many sessions run beside each other on one platform.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { ErrorCode } from '../../src/core/errors.ts';
import type { Hold, Step } from '../../src/core/host-run.ts';
import type { Report } from '../../src/core/progress.ts';
import type { SessionInput } from '../../src/core/session-spec.ts';
import { checkJournal, type Expectations } from '../../src/simulator/checker.ts';
import type { Effect, Operation } from '../../src/simulator/faults.ts';
import type { FleetInput } from '../../src/simulator/fleet.ts';
import type { JournalEntry } from '../../src/simulator/journal.ts';
import { reportOf, startEngine, type Engine } from '../support/engine.ts';
import { WORK } from '../support/fleets.ts';

const RACKS = 60;
const SIZE = { vcpus: 2, memoryMb: 4_096, diskGb: 20 };
const ROOMY = { vcpus: 16, memoryMb: 32_768, diskGb: 200 };
const FULL = { vcpus: 0, memoryMb: 0, diskGb: 0 };
/** Time for a session to get through its trouble; the machine may be busy. */
const PATIENCE_MS = 60_000;

const rackName = (index: number): string => `r${String(index).padStart(2, '0')}`;
const rackNames = Array.from({ length: RACKS }, (_, index) => rackName(index));

/** In each rack: a and b with two instances each, which are taken out; c and d to take them. */
const FLEET: FleetInput = {
  hosts: rackNames.flatMap((rack) =>
    ['a', 'b', 'c', 'd'].map((letter) => ({
      name: `${rack}-${letter}`,
      labels: { rack },
      capacity: ROOMY,
    })),
  ),
  instances: rackNames.flatMap((rack) =>
    ['a-1', 'a-2', 'b-1', 'b-2'].map((name) => ({
      name: `${rack}-${name}`,
      host: `${rack}-${name.slice(0, 1)}`,
      resources: SIZE,
      requires: { rack },
    })),
  ),
  migration: { baseMs: 20, mbPerSecond: 0 },
  durations: { stopMs: 10, startMs: 10, enterMs: 10, exitMs: 10, workMs: 10 },
};

/** The platform as one test sees it: its own rack. */
class Rack {
  readonly name: string;
  private readonly engine: Engine;

  constructor(engine: Engine, name: string) {
    this.engine = engine;
    this.name = name;
  }

  host(letter: string): string {
    return `${this.name}-${letter}`;
  }

  /** Id of an instance. */
  id(name: string): string {
    const found = this.engine.simulator.datacentre.instances().find((one) => one.name === this.host(name));
    assert.ok(found, `there is no instance ${name}`);
    return found.id;
  }

  /** Two hosts, one after the other, each with work to be done on it, unless said otherwise. */
  start(input: Omit<SessionInput, 'site'> = {}): Promise<WorkflowHandle> {
    return this.engine.start(
      { hosts: [this.host('a'), this.host('b')], actions: [WORK], ...input },
      `session-${this.name}`,
    );
  }

  /** Strikes requests about host a, or about one of the rack's instances. */
  fault(
    effect: Effect,
    operation: Operation,
    options: { instance?: string; times?: number; letter?: string } = {},
  ): Promise<void> {
    const { instance, times, letter = 'a' } = options;
    const match = {
      operation,
      ...(instance === undefined ? { host: this.host(letter) } : { instance: this.host(instance) }),
      ...(times === undefined ? {} : { times }),
    };
    return this.engine.fault({ match, effect });
  }

  /** How often the faults of this rack have struck, by operation. */
  struck(): Record<string, number> {
    return Object.fromEntries(this.faults().map(({ match, struck }) => [match.operation, struck]));
  }

  /** No fault of this rack strikes any more. */
  lift(): void {
    for (const fault of this.faults()) fault.match.times = fault.struck;
  }

  /** Something an operator does to one of the hosts by hand. */
  async byHand(letter: string, what: string, body: unknown = {}): Promise<void> {
    const answer = await this.engine.simulate('POST', `/v1/hosts/${this.host(letter)}/${what}`, body);
    assert.ok(answer.ok, await answer.text());
  }

  async abortTasks(): Promise<void> {
    const { tasks } = this.engine.simulator.datacentre;
    for (const { id, subject } of tasks.list({ state: 'running' })) {
      if (this.owns(subject)) tasks.abort(id);
    }
  }

  /** Waits until the journal has an entry about this rack. */
  seen(wish: (entry: JournalEntry) => boolean): Promise<JournalEntry> {
    return this.engine.seen((entry) => this.isAbout(entry) && wish(entry), PATIENCE_MS);
  }

  count(wish: (entry: JournalEntry) => boolean): number {
    return this.journal().filter(wish).length;
  }

  countOf(type: JournalEntry['type']): number {
    return this.count((entry) => entry.type === type);
  }

  /** The host that the session holds now. */
  async held(session: WorkflowHandle): Promise<Hold> {
    const { held } = await this.engine.until(
      session,
      ({ state, hosts }) => state === 'MAINTENANCE_FAILED' && hosts.inFlight === 0,
      PATIENCE_MS,
    );
    const [hold, ...others] = held;
    assert.ok(hold, 'the session has failed, and holds no host');
    assert.deepEqual(others, []);
    return hold;
  }

  /** Nothing was done that may never be done. */
  clean(expectations: Expectations = {}): void {
    assert.deepEqual(checkJournal(this.journal(), { maxConcurrentHosts: 1, ...expectations }), []);
  }

  /** The journal of this rack alone, as if there were no other. */
  private journal(): JournalEntry[] {
    return this.engine.simulator.journal.entries
      .filter((entry) => this.isAbout(entry))
      .map((entry, index) => ({ ...this.narrow(entry), seq: index + 1 }));
  }

  private narrow(entry: JournalEntry): JournalEntry {
    if (entry.type !== 'datacentre.created') return entry;
    const { hosts, instances } = entry;
    return {
      ...entry,
      hosts: hosts.filter(({ name }) => this.owns(name)),
      instances: instances.filter(({ host }) => this.owns(host)),
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

  private owns(name: string): boolean {
    const instance = this.engine.simulator.datacentre.find(name);
    return (instance?.host ?? name).startsWith(`${this.name}-`);
  }

  private faults(): { match: { operation: string; times?: number | undefined }; struck: number }[] {
    return this.engine.simulator.faults
      .list()
      .filter(({ match: { host, instance } }) => (host ?? instance ?? '').startsWith(`${this.name}-`));
  }
}

describe('trouble', () => {
  let engine: Engine;
  const free = [...rackNames];
  before(async () => {
    engine = await startEngine(FLEET);
  });
  after(() => engine.stop());

  const nextRack = (): Rack => {
    const name = free.shift();
    assert.ok(name, 'there are more tests than racks');
    return new Rack(engine, name);
  };
  const done = async (
    rack: Rack,
    session: WorkflowHandle,
    expectations: Expectations = {},
  ): Promise<Report> => {
    const { state, held } = await engine.until(
      session,
      (now) =>
        now.state === 'MAINTENANCE_DONE' || (now.state === 'MAINTENANCE_FAILED' && !now.hosts.inFlight),
      PATIENCE_MS,
    );
    assert.equal(state, 'MAINTENANCE_DONE', JSON.stringify(held));
    const report = await reportOf(session);
    assert.equal(report.hosts.done, report.hosts.total);
    rack.clean({ worked: [rack.host('a'), rack.host('b')], ...expectations });
    return report;
  };

  describe('that passes is got over, and nothing is done twice:', { concurrency: 8 }, () => {
    /** Nothing is answered although it is done: what was begun may be over before anybody reads how it goes. */
    const unanswered: Effect[] = [{ kind: 'loseAnswer' }, { kind: 'hang' }];
    const effects: Effect[] = [
      { kind: 'retryAfter', seconds: 1 },
      { kind: 'fail', status: 500, code: 'Boom', message: 'a bad day' },
      { kind: 'fail', status: 503, code: 'Starting', message: 'in a moment' },
      { kind: 'dropConnection' },
      { kind: 'garbage' },
      { kind: 'slow', ms: 300 },
      ...unanswered,
    ];
    const reads: Operation[] = ['inventory', 'task:migrate', 'task:enter', 'task:work', 'task:exit'];
    const writes: Operation[] = ['cordon', 'migrate', 'enter', 'work', 'exit', 'uncordon'];
    /** Requests of the webhook have a time limit of their own, longer than a test may take. */
    const isWork = (operation: Operation): boolean => operation.includes('work');
    const nameOf = (effect: Effect): string =>
      effect.kind === 'fail' ? `fail with ${effect.status}` : effect.kind;

    for (const effect of effects) {
      test(`${nameOf(effect)} on any request for a host`, async () => {
        const rack = nextRack();
        const operations = (unanswered.includes(effect) ? writes : [...reads, ...writes]).filter(
          (operation) => effect.kind !== 'hang' || !isWork(operation),
        );
        for (const operation of operations) await rack.fault(effect, operation, { times: 1 });
        const report = await done(rack, await rack.start());
        assert.equal(report.instances.moved, 4);
        assert.deepEqual(rack.struck(), Object.fromEntries(operations.map((operation) => [operation, 1])));
        assert.equal(rack.countOf('work.started'), 2);
        assert.equal(rack.countOf('host.entering'), 2);
      });

      test(`${nameOf(effect)} where instances are stopped and started`, async () => {
        const rack = nextRack();
        const operations: Operation[] = ['stop', 'start'];
        if (!unanswered.includes(effect)) operations.push('task:stop', 'task:start');
        for (const operation of operations) await rack.fault(effect, operation, { times: 1 });
        const session = await rack.start({ instances: { mode: 'stop' } });
        const report = await done(rack, session, { maxMovesPerInstance: 0 });
        assert.deepEqual(report.instances, { total: 4, moved: 0, stopped: 4 });
        assert.deepEqual(rack.struck(), Object.fromEntries(operations.map((operation) => [operation, 1])));
        assert.equal(rack.countOf('instance.stopped'), 4);
        assert.equal(rack.countOf('instance.started'), 4);
      });
    }

    for (const effect of unanswered) {
      test(`${nameOf(effect)} on reads of a task`, async () => {
        const rack = nextRack();
        const operations = reads.filter((operation) => effect.kind !== 'hang' || !isWork(operation));
        for (const operation of operations) await rack.fault(effect, operation, { times: 1 });
        const report = await done(rack, await rack.start());
        assert.equal(report.instances.moved, 4);
        assert.deepEqual(rack.struck(), Object.fromEntries(operations.map((operation) => [operation, 1])));
      });
    }
  });

  /** A hold that follows from a fault which stays until it is lifted. */
  interface Lasting {
    name: string;
    effect: Effect;
    operation: Operation;
    instance?: string;
    input?: Omit<SessionInput, 'site'>;
    step: Step;
    code: ErrorCode;
    /** What has to be named beside the host. */
    message: RegExp;
  }
  const failing: Effect = { kind: 'failTask', code: 'Qemu', message: 'the monitor went away' };
  const never: Effect = { kind: 'neverEnds' };
  const stop: Omit<SessionInput, 'site'> = { instances: { mode: 'stop' } };
  const broken: Effect = { kind: 'fail', status: 500, code: 'Boom', message: 'disk full' };

  const lasting: Lasting[] = [
    {
      name: 'an instance that cannot be moved',
      effect: failing,
      operation: 'migrate',
      instance: 'a-1',
      step: 'drain',
      code: 'MoveFailed',
      message: /a-1 .*the monitor went away/,
    },
    {
      name: 'an instance that cannot be stopped',
      effect: failing,
      operation: 'stop',
      instance: 'a-1',
      input: stop,
      step: 'drain',
      code: 'MoveFailed',
      message: /a-1 still runs .*the monitor went away/,
    },
    {
      name: 'an instance that does not start again',
      effect: failing,
      operation: 'start',
      instance: 'a-1',
      input: stop,
      step: 'restore',
      code: 'InstanceFailed',
      message: /a-1 does not start.*the monitor went away/,
    },
    {
      name: 'a host that cannot be taken into maintenance',
      effect: failing,
      operation: 'enter',
      step: 'enter',
      code: 'EnterFailed',
      message: /the monitor went away/,
    },
    {
      name: 'a host that cannot be taken out of maintenance',
      effect: failing,
      operation: 'exit',
      step: 'exit',
      code: 'ExitFailed',
      message: /the monitor went away/,
    },
    {
      name: 'work that fails',
      effect: failing,
      operation: 'work',
      step: 'work',
      code: 'ActionFailed',
      message: /webhook "work": the monitor went away/,
    },
    {
      name: 'a cordon that the platform keeps failing',
      effect: broken,
      operation: 'cordon',
      input: { timeouts: { cordon: '2s' } },
      step: 'cordon',
      code: 'PlatformError',
      message: /disk full/,
    },
    {
      name: 'an uncordon that the platform keeps failing',
      effect: broken,
      operation: 'uncordon',
      input: { timeouts: { restore: '2s' } },
      step: 'restore',
      code: 'PlatformError',
      message: /disk full/,
    },
    {
      name: 'a platform that hangs up',
      effect: { kind: 'dropConnection' },
      operation: 'enter',
      input: { timeouts: { enter: '2s' } },
      step: 'enter',
      code: 'PlatformUnreachable',
      message: /enter/,
    },
    {
      name: 'a proxy in the way',
      effect: { kind: 'garbage' },
      operation: 'cordon',
      input: { timeouts: { cordon: '2s' } },
      step: 'cordon',
      code: 'PlatformGarbled',
      message: /Welcome to the proxy/,
    },
    {
      name: 'credentials without the permission to move',
      effect: { kind: 'fail', status: 403, code: 'Forbidden', message: 'role reader may not migrate' },
      operation: 'migrate',
      instance: 'a-1',
      step: 'drain',
      code: 'NotAuthorized',
      message: /a-1 .*role reader may not migrate/,
    },
    {
      name: 'a move that never ends',
      effect: never,
      operation: 'migrate',
      instance: 'a-1',
      input: { timeouts: { drain: '2s' } },
      step: 'drain',
      code: 'DeadlineExceeded',
      message: /a-1/,
    },
    {
      name: 'a stop that never ends',
      effect: never,
      operation: 'stop',
      instance: 'a-1',
      input: { ...stop, timeouts: { drain: '2s' } },
      step: 'drain',
      code: 'DeadlineExceeded',
      message: /a-1/,
    },
    {
      name: 'an enter that never ends',
      effect: never,
      operation: 'enter',
      input: { timeouts: { enter: '2s' } },
      step: 'enter',
      code: 'DeadlineExceeded',
      message: /enter/,
    },
    {
      name: 'an exit that never ends',
      effect: never,
      operation: 'exit',
      input: { timeouts: { exit: '2s' } },
      step: 'exit',
      code: 'DeadlineExceeded',
      message: /exit/,
    },
    {
      name: 'a start that never ends',
      effect: never,
      operation: 'start',
      instance: 'a-1',
      input: { ...stop, timeouts: { restore: '2s' } },
      step: 'restore',
      code: 'DeadlineExceeded',
      message: /a-1/,
    },
  ];

  describe('that lasts holds the host until it is cleared:', { concurrency: 8 }, () => {
    for (const { name, effect, operation, instance, input = {}, step, code, message } of lasting) {
      test(name, async () => {
        const rack = nextRack();
        await rack.fault(effect, operation, instance === undefined ? {} : { instance });
        const session = await rack.start(input);
        const hold = await rack.held(session);
        assert.deepEqual(
          { host: hold.host, step: hold.step, code: hold.code },
          { host: rack.host('a'), step, code },
          hold.message,
        );
        assert.ok(hold.message.startsWith(`${rack.host('a')}: ${step}: `), hold.message);
        assert.match(hold.message, message);

        rack.lift();
        await rack.abortTasks();
        rack.clean({ held: [rack.host('a')] });
        await session.signal('continue');
        await done(rack, session);
      });
    }
  });

  /** Holds up the first move from host a for a while, so that something can happen meanwhile. */
  const inTheDrain = async (rack: Rack): Promise<void> => {
    await rack.seen((entry) => entry.type === 'fault.injected' && entry.operation === 'migrate');
  };
  const slowly: Effect = { kind: 'slow', ms: 1_200 };

  describe('made by somebody else:', { concurrency: 8 }, () => {
    test('a host that dies in the drain is held, and taken up again when it is back', async () => {
      const rack = nextRack();
      await rack.fault(never, 'migrate', { instance: 'a-1' });
      const session = await rack.start();
      await rack.seen((entry) => entry.type === 'instance.migration.started');
      await rack.byHand('a', 'die');
      const hold = await rack.held(session);
      assert.equal(hold.host, rack.host('a'));
      assert.match(hold.message, /r\d+-a .*down/);
      assert.equal(rack.countOf('work.started'), 0);

      await session.signal('continue');
      await engine.until(session, ({ hosts }) => hosts.held === 0, PATIENCE_MS);
      const again = await rack.held(session);
      assert.equal(again.code, 'HostBlocked');
      assert.match(again.message, /r\d+-a is down/);

      rack.lift();
      await rack.byHand('a', 'revive');
      await session.signal('continue');
      await done(rack, session);
    });

    test('an instance that vanishes in the drain is not missed', async () => {
      const rack = nextRack();
      await rack.fault(slowly, 'migrate', { times: 1 });
      const session = await rack.start();
      await inTheDrain(rack);
      await engine.simulate('DELETE', `/v1/instances/${rack.id('a-1')}`);
      await engine.simulate('DELETE', `/v1/instances/${rack.id('a-2')}`);
      const report = await done(rack, session);
      assert.equal(report.instances.moved, 2);
    });

    test('an instance that appears in the drain is moved too', async () => {
      const rack = nextRack();
      await rack.fault(slowly, 'migrate', { times: 1 });
      const session = await rack.start();
      await inTheDrain(rack);
      const late = {
        name: rack.host('a-late'),
        host: rack.host('a'),
        resources: SIZE,
        requires: { rack: rack.name },
        force: true,
      };
      assert.equal((await engine.simulate('POST', '/v1/instances', late)).status, 201);
      const report = await done(rack, session);
      assert.equal(report.instances.moved, 5);
      assert.ok(report.warnings.some((warning) => warning.includes(`${rack.host('a')}: drained again`)));
    });

    test('a host that somebody uncordons in the drain is held before it is entered', async () => {
      const rack = nextRack();
      await rack.fault(slowly, 'migrate', { times: 1 });
      const session = await rack.start();
      await inTheDrain(rack);
      await rack.byHand('a', 'uncordon');
      const hold = await rack.held(session);
      assert.equal(hold.code, 'OperatorInterfered');
      assert.match(hold.message, /r\d+-a is in-service, but was cordoned as/);
      assert.equal(rack.countOf('host.entering'), 0);
      await session.signal('continue');
      await done(rack, session);
    });

    test('a host that was cordoned before stays cordoned afterwards', async () => {
      const rack = nextRack();
      await rack.byHand('a', 'cordon', { reason: 'Jo tries a new kernel' });
      const session = await rack.start();
      const report = await done(rack, session);
      const { standing, cordonReason } = engine.simulator.datacentre.viewHost(rack.host('a'));
      assert.equal(standing, 'cordoned');
      assert.equal(cordonReason, 'Jo tries a new kernel');
      assert.ok(
        report.warnings.some((warning) => warning.includes('Jo tries a new kernel')),
        'the report says so',
      );
    });

    test("a host in somebody else's maintenance is held, untouched", async () => {
      const rack = nextRack();
      for (const name of ['a-1', 'a-2']) {
        await engine.simulate('DELETE', `/v1/instances/${rack.id(name)}`);
      }
      await rack.byHand('a', 'enter', { reason: 'Jo changes a disk' });
      const session = await rack.start();
      const hold = await rack.held(session);
      assert.equal(hold.code, 'HostBlocked');
      assert.match(hold.message, /r\d+-a is in somebody else's maintenance: Jo changes a disk/);
      assert.equal(rack.countOf('host.cordoned'), 0);
      await rack.byHand('a', 'exit');
      await rack.seen((entry) => entry.type === 'host.exited');
      await session.signal('continue');
      await done(rack, session);
    });

    test('an instance that somebody is moving is waited for', async () => {
      const rack = nextRack();
      const moving = { instance: 'a-1', times: 1 };
      await rack.fault(never, 'migrate', moving);
      const request = { mode: 'live', target: rack.host('c') };
      assert.ok((await engine.simulate('POST', `/v1/instances/${rack.id('a-1')}/migrate`, request)).ok);
      const session = await rack.start();
      await rack.seen((entry) => entry.type === 'host.cordoned');
      await rack.abortTasks();
      await done(rack, session);
    });

    test('a host that somebody takes out of maintenance by hand while it is worked on is put back', async () => {
      const rack = nextRack();
      const approval = { plugin: 'approval', type: 'host' } as const;
      const session = await rack.start({ hosts: [rack.host('a')], actions: [approval] });
      await engine.until(session, ({ blockedBy }) => blockedBy.length > 0, PATIENCE_MS);
      await rack.byHand('a', 'exit');
      await rack.seen((entry) => entry.type === 'host.exited');
      await session.signal('approve');
      await done(rack, session, { worked: [] });
    });

    test('room that vanishes holds the host by the name of what has no place', async () => {
      const rack = nextRack();
      for (const letter of ['b', 'c', 'd']) await rack.byHand(letter, 'capacity', FULL);
      const session = await rack.start({ hosts: [rack.host('a')], timeouts: { host: '3s' } });
      const hold = await rack.held(session);
      assert.equal(hold.code, 'NoTarget');
      assert.match(hold.message, /a-[12]/);
      assert.equal(rack.countOf('host.cordoned'), 0, 'nothing was touched');
      for (const letter of ['b', 'c', 'd']) await rack.byHand(letter, 'capacity', ROOMY);
      await session.signal('continue');
      await done(rack, session, { worked: [rack.host('a')] });
    });

    test('room that vanishes in the drain holds the host, and what is left goes when there is room', async () => {
      const rack = nextRack();
      await rack.fault(slowly, 'migrate', { times: 1 });
      const session = await rack.start({ hosts: [rack.host('a')], timeouts: { drain: '4s' } });
      await inTheDrain(rack);
      for (const letter of ['b', 'c', 'd']) await rack.byHand(letter, 'capacity', FULL);
      const hold = await rack.held(session);
      assert.equal(hold.code, 'NoTarget');
      assert.match(hold.message, /a-[12]/);
      for (const letter of ['b', 'c', 'd']) await rack.byHand(letter, 'capacity', ROOMY);
      await session.signal('continue');
      await done(rack, session, { worked: [rack.host('a')] });
    });
  });

  describe('that a session is prepared for:', { concurrency: 8 }, () => {
    test('what cannot be moved live is moved cold where that is allowed', async () => {
      const rack = nextRack();
      await rack.fault(failing, 'migrate', { instance: 'a-1', times: 2 });
      const session = await rack.start({ instances: { mode: 'live-then-cold' } });
      await done(rack, session);
      assert.equal(
        rack.count((entry) => entry.type === 'instance.migration.started' && entry.mode === 'cold'),
        1,
      );
    });

    test('instances come back to where they were', async () => {
      const rack = nextRack();
      const session = await rack.start({ instances: { mode: 'cold', return: true } });
      await done(rack, session, { returned: true, maxMovesPerInstance: 2 });
    });

    test('instances found stopped stay where they are, and stopped', async () => {
      const rack = nextRack();
      await engine.simulate('POST', `/v1/instances/${rack.id('a-1')}/stop`, {});
      await rack.seen((entry) => entry.type === 'instance.stopped');
      const report = await done(rack, await rack.start());
      assert.deepEqual(report.instances, { total: 3, moved: 3, stopped: 0 });
      const { host, state } = engine.simulator.datacentre.instance(rack.id('a-1'));
      assert.deepEqual({ host, state }, { host: rack.host('a'), state: 'stopped' });
    });

    test('instances found stopped are moved cold where that is asked for, and come back', async () => {
      const rack = nextRack();
      await engine.simulate('POST', `/v1/instances/${rack.id('a-1')}/stop`, {});
      await rack.seen((entry) => entry.type === 'instance.stopped');
      const session = await rack.start({ instances: { stopped: 'move', return: true } });
      const report = await done(rack, session, { returned: true, maxMovesPerInstance: 2 });
      assert.deepEqual(report.instances, { total: 4, moved: 4, stopped: 0 });
      assert.deepEqual(report.warnings, []);
      assert.equal(engine.simulator.datacentre.instance(rack.id('a-1')).state, 'stopped');
    });

    test('an instance with a mode of its own is stopped while the others move', async () => {
      const rack = nextRack();
      const overrides = { [rack.host('a-1')]: 'stop' } as const;
      const report = await done(rack, await rack.start({ instances: { overrides } }));
      assert.deepEqual(report.instances, { total: 4, moved: 3, stopped: 1 });
    });
  });
});
