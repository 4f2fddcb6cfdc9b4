/** What becomes of a session when the platform, or somebody at it, makes trouble. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ErrorCode } from '../../src/core/errors.ts';
import type { Step } from '../../src/core/host-run.ts';
import type { Effect, Operation } from '../../src/simulator/faults.ts';
import { reportOf } from '../support/engine.ts';
import {
  FULL,
  PATIENCE_MS,
  Racks,
  REQUEST_TIMEOUT_MS,
  ROOMY,
  SIZE,
  type Rack,
  type RackInput,
} from '../support/racks.ts';

/** Sessions at one time. They mostly wait, but each costs processor time that the others then lack. */
const SIDE_BY_SIDE = { concurrency: 6 };

/**
 * A deadline that a test waits out: long enough for what the step has to do once the trouble is over, on a machine that
 * is busy with other things.
 */
const DEADLINE = '15s';

/** So that something can happen while a request is under way. */
const slowly: Effect = { kind: 'slow', ms: REQUEST_TIMEOUT_MS / 2 };
const failing: Effect = { kind: 'failTask', code: 'Qemu', message: 'the monitor went away' };
const neverEnding: Effect = { kind: 'neverEnds' };
const STOP: RackInput = { instances: { mode: 'stop' } };

describe('trouble', () => {
  let racks: Racks;
  before(async () => {
    racks = await Racks.start(90);
  });
  after(() => racks.engine.stop());

  describe('that passes is got over, and nothing is done twice:', SIDE_BY_SIDE, () => {
    const effects: Record<string, Effect> = {
      'no answer in time, although it was done': { kind: 'hang' },
      'an answer of 429 with Retry-After': { kind: 'retryAfter', seconds: 1 },
      'an answer of 500': { kind: 'fail', status: 500, code: 'Boom', message: 'a bad day' },
      'an answer of 503': { kind: 'fail', status: 503, code: 'Busy', message: 'a bad minute' },
      'a dropped connection': { kind: 'dropConnection' },
      'a page of a proxy': { kind: 'garbage' },
      'a slow answer': { kind: 'slow', ms: 300 },
      'an answer that is lost after it was done': { kind: 'loseAnswer' },
    };
    const places: Record<string, { operations: Operation[]; input?: RackInput }> = {
      'what is read': {
        operations: ['inventory', 'tasks', 'task:migrate', 'task:enter', 'task:work', 'task:exit'],
      },
      'what is asked of a host': { operations: ['cordon', 'migrate', 'enter', 'work', 'exit', 'uncordon'] },
      'stopping and starting': { operations: ['stop', 'task:stop', 'start', 'task:start'], input: STOP },
    };

    /** Without what a test cannot wait for: webhooks take half a minute to give up. */
    const patient = ({ kind }: Effect, operation: Operation): boolean =>
      !(kind === 'hang' && operation.endsWith('work'));
    /** What was begun may be over before anybody reads how it goes, if nobody has heard that it was begun. */
    const isRead = ({ kind }: Effect, operation: Operation, among: readonly Operation[]): boolean =>
      !((kind === 'hang' || kind === 'loseAnswer') && among.some((other) => operation === `task:${other}`));

    for (const [trouble, effect] of Object.entries(effects)) {
      for (const [place, { operations: all, input = {} }] of Object.entries(places)) {
        test(`${trouble}, once for each request of ${place}`, async () => {
          const rack = racks.next();
          const operations = all.filter((one) => patient(effect, one) && isRead(effect, one, all));
          for (const operation of operations) {
            // By the time that somebody reads how a move goes, the instance may be on another host.
            const instance = operation === 'task:migrate' ? 'a-1' : undefined;
            await rack.fault(effect, operation, { instance, times: 1 });
          }
          const stops = input === STOP;
          const report = await rack.done(await rack.start(input), { maxMovesPerInstance: stops ? 0 : 1 });

          assert.deepEqual(rack.struck(), Object.fromEntries(operations.map((one) => [one, 1])));
          assert.deepEqual(report.instances, { total: 2, moved: stops ? 0 : 2, stopped: stops ? 2 : 0 });
          assert.deepEqual(report.warnings, []);
          assert.deepEqual(begun(rack), {
            'host.cordoned': 1,
            ...(stops ? { 'instance.stopped': 2 } : { 'instance.migration.started': 2 }),
            'host.entering': 1,
            'work.started': 1,
            'host.exiting': 1,
            'host.uncordoned': 1,
            ...(stops ? { 'instance.started': 2 } : {}),
          });
        });
      }

      test(`${trouble}, once for each request of putting a host back`, async () => {
        const rack = racks.next();
        await rack.fault(neverEnding, 'migrate', { instance: 'a-2' });
        const operations: Operation[] = ['abort', 'uncordon'];
        for (const operation of operations) await rack.fault(effect, operation, { times: 1 });
        const session = await rack.start();
        await rack.seen('instance.migration.started', 'a-2');
        await session.signal('cancel', {});
        const report = await reportOf(session);

        assert.equal(report.state, 'MAINTENANCE_CANCELLED');
        assert.equal(report.hosts.rolledBack, 1);
        assert.deepEqual(rack.struck(), {
          migrate: 1,
          ...Object.fromEntries(operations.map((one) => [one, 1])),
        });
        assert.equal(rack.entries('host.uncordoned').length, 1);
        rack.clean({ worked: [] });
      });
    }

    test('answers that are all lost, although everything was done', async () => {
      const rack = racks.next();
      const operations: Operation[] = ['cordon', 'stop', 'enter', 'exit', 'uncordon', 'start'];
      for (const operation of operations) await rack.fault({ kind: 'loseAnswer' }, operation);
      const report = await rack.done(await rack.start(STOP), { maxMovesPerInstance: 0 });
      assert.equal(report.instances.stopped, 2);
      assert.deepEqual(rack.struck(), {
        ...Object.fromEntries(operations.map((one) => [one, 1])),
        stop: 2,
        start: 2,
      });
    });

    test('a move that fails goes to another host', async () => {
      const rack = racks.next();
      await rack.fault(failing, 'migrate', { instance: 'a-1', times: 1 });
      const report = await rack.done(await rack.start());
      assert.equal(report.instances.moved, 2);
      assert.equal(rack.entries('instance.migration.started').length, 3);
    });
  });

  /** A fault that stays until it is repaired, and what an operator sees of it. */
  interface Lasting {
    effect: Effect;
    operation: Operation;
    /** Absent: what concerns the host. */
    instance?: string;
    input?: RackInput;
    step: Step;
    code: ErrorCode;
    /** What has to be named beside the host. */
    message: RegExp;
  }
  const within = (step: Step): RackInput => ({ timeouts: { [step]: DEADLINE } });
  const boom = (message: string): Effect => ({ kind: 'fail', status: 500, code: 'Boom', message });

  const lasting: Record<string, Lasting> = {
    'a platform that never answers': {
      ...{ effect: { kind: 'hang' }, operation: 'inventory' },
      // Time runs out in the middle of a try: what the one before came to counts all the same.
      input: { timeouts: { precheck: `${2.5 * REQUEST_TIMEOUT_MS}ms` } },
      ...{ step: 'precheck', code: 'PlatformUnreachable', message: /GET .*: no answer within \d+ ms/ },
    },
    'a platform that fails': {
      ...{ effect: boom('disk full'), operation: 'cordon', input: within('cordon') },
      ...{ step: 'cordon', code: 'PlatformError', message: /POST .*\/cordon: answered 500 .*disk full/ },
    },
    'a platform that hangs up': {
      ...{ effect: { kind: 'dropConnection' }, operation: 'enter', input: within('enter') },
      ...{ step: 'enter', code: 'PlatformUnreachable', message: /POST .*\/enter: / },
    },
    'a proxy in the way': {
      ...{ effect: { kind: 'garbage' }, operation: 'exit', input: within('exit') },
      ...{
        step: 'exit',
        code: 'PlatformGarbled',
        message: /\/exit: the answer is not JSON .*Welcome to the proxy/,
      },
    },
    'a platform that asks to wait longer than there is time': {
      ...{ effect: { kind: 'retryAfter', seconds: 3_600 }, operation: 'uncordon', input: within('restore') },
      ...{ step: 'restore', code: 'PlatformBusy', message: /\/uncordon: answered 429 .*slow down/ },
    },
    'credentials that lack a permission': {
      effect: { kind: 'fail', status: 403, code: 'Forbidden', message: 'role reader may not migrate' },
      ...{ operation: 'migrate', instance: 'a-1' },
      ...{ step: 'drain', code: 'NotAuthorized', message: /a-1 .*role reader may not migrate/ },
    },
    'an instance that cannot be moved': {
      ...{ effect: failing, operation: 'migrate', instance: 'a-1' },
      ...{ step: 'drain', code: 'MoveFailed', message: /a-1 is still on .*the monitor went away/ },
    },
    'an instance that cannot be stopped': {
      ...{ effect: failing, operation: 'stop', instance: 'a-1', input: STOP },
      ...{ step: 'drain', code: 'MoveFailed', message: /a-1 still runs .*the monitor went away/ },
    },
    'an instance that does not start again': {
      ...{ effect: failing, operation: 'start', instance: 'a-1', input: STOP },
      ...{ step: 'restore', code: 'InstanceFailed', message: /a-1 does not start.*the monitor went away/ },
    },
    'a host that cannot be taken into maintenance': {
      ...{ effect: failing, operation: 'enter' },
      ...{
        step: 'enter',
        code: 'EnterFailed',
        message: /did not enter maintenance, and is "cordoned" .*the monitor went away/,
      },
    },
    'a host that cannot be taken out of maintenance': {
      ...{ effect: failing, operation: 'exit' },
      ...{
        step: 'exit',
        code: 'ExitFailed',
        message: /did not leave maintenance, and is "maintenance" .*the monitor went away/,
      },
    },
    'work that fails': {
      ...{ effect: failing, operation: 'work' },
      ...{ step: 'work', code: 'ActionFailed', message: /webhook "work": the monitor went away/ },
    },
    'a move that never ends': {
      ...{ effect: neverEnding, operation: 'migrate', instance: 'a-1', input: within('drain') },
      ...{
        step: 'drain',
        code: 'DeadlineExceeded',
        message: /still to go: \S+-a-1 \(.*task-\d+.*\), \S+-a-2$/,
      },
    },
    'a stop that never ends': {
      ...{ effect: neverEnding, operation: 'stop', instance: 'a-1' },
      input: { ...STOP, ...within('drain') },
      ...{
        step: 'drain',
        code: 'DeadlineExceeded',
        message: /still to go: \S+-a-1 \(.*task-\d+.*\), \S+-a-2$/,
      },
    },
    'a start that never ends': {
      ...{ effect: neverEnding, operation: 'start', instance: 'a-1' },
      input: { ...STOP, ...within('restore') },
      ...{ step: 'restore', code: 'DeadlineExceeded', message: /"start \S+-a-1" .*task-\d+/ },
    },
    'an enter that never ends': {
      ...{ effect: neverEnding, operation: 'enter', input: within('enter') },
      ...{ step: 'enter', code: 'DeadlineExceeded', message: /"enter maintenance: .*task-\d+/ },
    },
    'an exit that never ends': {
      ...{ effect: neverEnding, operation: 'exit', input: within('exit') },
      ...{ step: 'exit', code: 'DeadlineExceeded', message: /"exit maintenance: .*task-\d+/ },
    },
  };

  describe('that lasts holds the host until it is repaired:', SIDE_BY_SIDE, () => {
    for (const [name, { effect, operation, instance, input, step, code, message }] of Object.entries(
      lasting,
    )) {
      test(name, async () => {
        const rack = racks.next();
        await rack.fault(effect, operation, { instance });
        const session = await rack.start(input);
        const hold = await rack.held(session);
        const expected = { host: rack.called('a'), step, code };
        assert.deepEqual({ host: hold.host, step: hold.step, code: hold.code }, expected, hold.message);
        assert.match(hold.message, message);
        rack.repair();
        rack.clean({ held: [rack.called('a')] });

        await rack.goOn(session);
        await rack.done(session);
      });
    }

    test('work that never ends, until somebody resets the host', async () => {
      const rack = racks.next();
      await rack.fault(neverEnding, 'work', { times: 1 });
      const session = await rack.start({ ...within('work') });
      const { step, code, message } = await rack.held(session);
      assert.deepEqual({ step, code }, { step: 'work', code: 'DeadlineExceeded' });
      assert.match(message, /"action webhook on \S+-a" .*\/v1\/work\/work-\d+/);

      await rack.byHand('die');
      await rack.byHand('revive');
      await rack.goOn(session);
      const again = await rack.held(session);
      assert.equal(again.code, 'ActionFailed');
      assert.match(again.message, /webhook "work": \S+-a went down/);

      await rack.goOn(session);
      await rack.done(session);
    });

    test('a host whose failure is tolerated keeps no other, and is put back when it is skipped', async () => {
      const rack = racks.next();
      await rack.fault(failing, 'enter');
      const hosts = [rack.called('a'), rack.called('b')];
      const session = await rack.start({ hosts, budget: { maxFailedHosts: 1 } });
      const hold = await rack.held(session);
      assert.equal(hold.host, rack.called('a'));
      rack.clean({ worked: [rack.called('b')], held: [rack.called('a')], maxConcurrentHosts: 2 });

      await session.signal('continue', { skip: [rack.called('a')] });
      const { state, hosts: counts } = await reportOf(session);
      assert.deepEqual([state, counts.done, counts.skipped], ['MAINTENANCE_DONE', 1, 1]);
      rack.clean({ worked: [rack.called('b')], maxConcurrentHosts: 2, maxMovesPerInstance: 2 });
    });
  });

  describe('made by somebody else, or by nobody:', SIDE_BY_SIDE, () => {
    /** Until the first move from host a is asked for, and waits. */
    const startDraining = async (rack: Rack, input?: RackInput) => {
      await rack.fault(slowly, 'migrate', { times: 1 });
      const session = await rack.start(input);
      await rack.strikes('migrate');
      return session;
    };
    /** Until the work on host a is over, and somebody has to approve of it. */
    const startWork = async (rack: Rack) => {
      const session = await rack.start({ actions: [{ plugin: 'approval', type: 'host' }] });
      await rack.blocked(session, /approval of \S+-a: signal approve/);
      return session;
    };

    test('a host that dies in the drain is held, and taken up again when it is back', async () => {
      const rack = racks.next();
      await rack.fault(neverEnding, 'migrate', { instance: 'a-1', times: 1 });
      const session = await rack.start();
      await rack.seen('instance.migration.started');
      await rack.byHand('die');
      const { step, code, message } = await rack.held(session);
      assert.deepEqual({ step, code }, { step: 'drain', code: 'InstanceFailed' }, message);
      assert.match(message, /\S+-a-1 is in an error state .*HostDown: \S+-a went down.*; \S+-a-2 /);

      await rack.goOn(session);
      const again = await rack.held(session);
      assert.deepEqual([again.step, again.code], ['precheck', 'HostBlocked']);
      assert.match(again.message, /\S+-a is down/);
      rack.clean({ worked: [], held: [rack.called('a')] });

      await rack.byHand('revive');
      await rack.goOn(session);
      await rack.done(session);
    });

    test('a host that dies in the drain for good is not entered, and can be skipped', async () => {
      const rack = racks.next();
      rack.datacentre.deleteInstance(rack.id('a-2'));
      await rack.fault(neverEnding, 'migrate', { instance: 'a-1', times: 1 });
      const session = await rack.start();
      await rack.seen('instance.migration.started');
      await rack.byHand('die');
      const { step, code, message } = await rack.held(session);
      assert.deepEqual({ step, code }, { step: 'drain', code: 'InstanceFailed' }, message);
      assert.match(message, /\S+-a went down/);
      await session.signal('continue', { skip: [rack.called('a')] });
      const { hosts } = await reportOf(session);
      assert.equal(hosts.skipped, 1);
      assert.equal(rack.datacentre.viewHost(rack.called('a')).cordonReason, undefined);
      rack.clean({ worked: [], held: [rack.called('a')] });
    });

    test('a host that comes back late from its work is waited for', async () => {
      const rack = racks.next();
      const session = await startWork(rack);
      await rack.byHand('die');
      await session.signal('approve');
      await rack.blocked(session, /\S+-a is down/);
      assert.equal(rack.entries('host.uncordoned').length, 0);
      await rack.byHand('revive');
      const report = await rack.done(session, { worked: [] });
      assert.deepEqual(report.warnings, []);
    });

    test('a host that does not come back from its work is held', async () => {
      const rack = racks.next();
      const input: RackInput = { actions: [{ plugin: 'approval', type: 'host' }], ...within('exit') };
      const session = await rack.start(input);
      await rack.blocked(session, /signal approve/);
      await rack.byHand('die');
      await session.signal('approve');
      const { step, code, message } = await rack.held(session);
      assert.deepEqual({ step, code }, { step: 'exit', code: 'DeadlineExceeded' });
      assert.match(message, /\S+-a is down/);
      rack.clean({ worked: [], held: [rack.called('a')] });
      await rack.byHand('revive');
      await rack.goOn(session);
      await rack.done(session, { worked: [] });
    });

    test('a move that outlasts the drain goes on while the host is held, and is followed again', async () => {
      const rack = racks.next();
      await rack.fault(neverEnding, 'migrate', { instance: 'a-1', times: 1 });
      const session = await rack.start(within('drain'));
      const { code, message } = await rack.held(session);
      assert.equal(code, 'DeadlineExceeded', message);
      await rack.fault(slowly, 'tasks', { instance: 'a-1', times: 1 });
      await rack.goOn(session);
      await rack.strikes('tasks');
      assert.deepEqual(rack.entries('instance.migration.ended'), []);
      rack.abortTasks();
      await rack.done(session);
      assert.deepEqual(modes(rack, 'a-1'), ['live', 'live']);
    });

    test('an instance that somebody moves away while its host is held counts, and comes back', async () => {
      const rack = racks.next();
      await rack.fault(failing, 'migrate', { instance: 'a-1' });
      const session = await rack.start({ instances: { return: true } });
      await rack.held(session);
      rack.repair();
      const request = { mode: 'cold', target: rack.called('c') } as const;
      const { id } = rack.datacentre.migrate(rack.id('a-1'), request, { kind: 'ends' });
      await racks.engine.seen((entry) => entry.type === 'instance.migration.ended' && entry.task === id);
      await rack.goOn(session);
      const report = await rack.done(session, { returned: true, maxMovesPerInstance: 2 });
      assert.deepEqual(report.instances, { total: 2, moved: 2, stopped: 0 });
    });

    test('an instance that vanishes in the drain is not missed', async () => {
      const rack = racks.next();
      const session = await startDraining(rack);
      rack.datacentre.deleteInstance(rack.id('a-1'));
      rack.datacentre.deleteInstance(rack.id('a-2'));
      const report = await rack.done(session);
      assert.deepEqual([report.instances.moved, report.warnings], [0, []]);
    });

    test('an instance that vanishes while it moves is not missed', async () => {
      const rack = racks.next();
      await rack.fault(neverEnding, 'migrate', { instance: 'a-1' });
      const session = await rack.start();
      await rack.seen('instance.migration.started');
      rack.datacentre.deleteInstance(rack.id('a-1'));
      const report = await rack.done(session);
      assert.equal(report.instances.moved, 1);
    });

    test('an instance that vanishes while its host is worked on is mentioned, not missed', async () => {
      const rack = racks.next();
      const session = await startWork(rack);
      rack.datacentre.deleteInstance(rack.id('a-1'));
      await session.signal('approve');
      const report = await rack.done(session, { worked: [] });
      assert.deepEqual(report.warnings, [`${rack.called('a-1')} was deleted meanwhile`]);
    });

    const LATE = { project: undefined, state: 'running', resources: SIZE, groups: [], force: true } as const;
    test('an instance that appears in the drain is moved too', async () => {
      const rack = racks.next();
      const session = await startDraining(rack);
      const { name } = rack;
      const host = rack.called('a');
      rack.datacentre.createInstance({ ...LATE, name: rack.called('a-3'), host, requires: { rack: name } });
      const report = await rack.done(session);
      assert.equal(report.instances.moved, 3);
      const [warning, ...others] = report.warnings;
      assert.match(warning ?? '', /^\S+-a: drained again: /);
      assert.deepEqual(others, []);
    });

    test('an instance that appears after the drain, and has no place, holds the host', async () => {
      const rack = racks.next();
      await rack.fault(slowly, 'enter', { times: 1 });
      const session = await rack.start(within('drain'));
      await rack.strikes('enter');
      const host = rack.called('a');
      rack.datacentre.createInstance({ ...LATE, name: rack.called('a-3'), host, requires: { rack: 'none' } });
      const { step, code, message } = await rack.held(session);
      assert.deepEqual({ step, code }, { step: 'drain', code: 'NoTarget' });
      assert.match(message, /\S+-a-3 \(/);
      rack.clean({ worked: [], held: [host] });
      rack.datacentre.deleteInstance(rack.id('a-3'));
      await rack.goOn(session);
      await rack.done(session);
    });

    test('a host that somebody uncordons in the drain is held before it is entered', async () => {
      const rack = racks.next();
      const session = await startDraining(rack);
      rack.datacentre.uncordon(rack.called('a'));
      const { step, code, message } = await rack.held(session);
      assert.deepEqual({ step, code }, { step: 'enter', code: 'OperatorInterfered' });
      assert.match(message, /\S+-a is in-service, but was cordoned as "haulout session=/);
      assert.equal(rack.entries('host.entering').length, 0);
      await rack.goOn(session);
      await rack.done(session);
    });

    test('a host that somebody else takes into maintenance in the drain is theirs', async () => {
      const rack = racks.next();
      const session = await startDraining(rack);
      rack.datacentre.enter(rack.called('a'), 'Jo changes a disk', { kind: 'neverEnds' });
      const { step, code, message } = await rack.held(session);
      assert.deepEqual({ step, code }, { step: 'enter', code: 'OperatorInterfered' }, message);
      assert.match(message, /\S+-a is entering \(Jo changes a disk\)/);
      assert.equal(rack.datacentre.viewHost(rack.called('a')).standing, 'entering');
      rack.abortTasks();
      await rack.goOn(session);
      await rack.done(session);
    });

    test('a host that somebody else is taking into maintenance is left to them when it is skipped', async () => {
      const rack = racks.next();
      const session = await startDraining(rack);
      rack.datacentre.enter(rack.called('a'), 'Jo changes a disk', { kind: 'neverEnds' });
      await rack.held(session);
      await session.signal('continue', { skip: [rack.called('a')] });
      const { hosts } = await reportOf(session);
      assert.equal(hosts.skipped, 1);
      const { standing, cordonReason } = rack.datacentre.viewHost(rack.called('a'));
      assert.deepEqual([standing, cordonReason], ['entering', undefined]);
      rack.clean({ worked: [] });
    });

    test('a host that somebody takes out of maintenance while it is worked on is put back', async () => {
      const rack = racks.next();
      const session = await startWork(rack);
      await rack.byHand('exit');
      await rack.seen('host.exited');
      await session.signal('approve');
      await rack.done(session, { worked: [] });
      assert.equal(rack.entries('host.exiting').length, 1);
    });

    test('a host that was cordoned before stays cordoned afterwards', async () => {
      const rack = racks.next();
      await rack.byHand('cordon', 'Jo tries a new kernel');
      const report = await rack.done(await rack.start());
      const { standing, cordonReason } = rack.datacentre.viewHost(rack.called('a'));
      assert.deepEqual([standing, cordonReason], ['cordoned', 'Jo tries a new kernel']);
      assert.ok(report.warnings.length > 0);
      for (const warning of report.warnings) assert.match(warning, /\S+-a .*Jo tries a new kernel/);
    });

    test("a host in somebody else's maintenance is held, untouched", async () => {
      const rack = racks.next();
      for (const name of ['a-1', 'a-2']) rack.datacentre.deleteInstance(rack.id(name));
      await rack.byHand('enter', 'Jo changes a disk');
      await rack.seen('host.entered');
      const session = await rack.start();
      const { step, code, message } = await rack.held(session);
      assert.deepEqual({ step, code }, { step: 'precheck', code: 'HostBlocked' });
      assert.match(message, /\S+-a is in somebody else's maintenance: Jo changes a disk/);
      assert.equal(rack.entries('host.cordoned').length, 0);
      await rack.byHand('exit');
      await rack.seen('host.exited');
      await rack.goOn(session);
      await rack.done(session);
    });

    test('an instance that somebody is moving is waited for', async () => {
      const rack = racks.next();
      const request = { mode: 'live', target: rack.called('c') } as const;
      rack.datacentre.migrate(rack.id('a-1'), request, { kind: 'neverEnds' });
      const session = await rack.start();
      await rack.seen('host.cordoned');
      rack.abortTasks();
      await rack.done(session);
    });

    const setCapacity = (rack: Rack, capacity: typeof ROOMY): void => {
      for (const letter of ['b', 'c', 'd']) rack.datacentre.setCapacity(rack.called(letter), capacity);
    };
    test('room that vanishes before a host is touched is waited for by the name of what has no place', async () => {
      const rack = racks.next();
      setCapacity(rack, FULL);
      const session = await rack.start();
      await rack.blocked(session, /\S+-a-[12], \S+-a-[12]: .*no host/);
      assert.equal(rack.entries('host.cordoned').length, 0);
      setCapacity(rack, ROOMY);
      await rack.done(session);
    });

    test('room that vanishes in the drain is waited for by the name of what has no place', async () => {
      const rack = racks.next();
      const session = await startDraining(rack);
      setCapacity(rack, FULL);
      await rack.blocked(session, /\S+-a-1 \(/);
      setCapacity(rack, ROOMY);
      const report = await rack.done(session);
      assert.equal(report.instances.moved, 2);
    });

    test('room that does not come back holds the host, and what is left goes when there is room', async () => {
      const rack = racks.next();
      const session = await startDraining(rack, within('drain'));
      setCapacity(rack, FULL);
      const { step, code, message } = await rack.held(session);
      assert.deepEqual({ step, code }, { step: 'drain', code: 'NoTarget' });
      assert.match(message, /2 of the instances on \S+-a cannot leave: \S+-a-[12] \(.*; \S+-a-[12] \(/);
      rack.clean({ worked: [], held: [rack.called('a')] });
      setCapacity(rack, ROOMY);
      await rack.goOn(session);
      await rack.done(session);
    });

    test('members of a group that may not be stopped together hold the host, which can be skipped', async () => {
      const rack = racks.ofPair();
      const session = await rack.start({ ...STOP, ...within('drain') });
      const { step, code, message } = await rack.held(session);
      assert.deepEqual({ step, code }, { step: 'drain', code: 'MoveRefused' });
      assert.match(message, /\S+-a-[12] \(.*group pair/);
      rack.clean({ worked: [], held: [rack.called('a')] });
      await session.signal('continue', { skip: [rack.called('a')] });
      const { hosts } = await reportOf(session);
      assert.equal(hosts.skipped, 1);
      rack.clean({ worked: [], maxMovesPerInstance: 0 });
    });
  });

  describe('that a session is prepared for:', SIDE_BY_SIDE, () => {
    test('what cannot be moved live is moved cold where that is allowed', async () => {
      const rack = racks.next();
      await rack.fault(failing, 'migrate', { instance: 'a-1', times: 2 });
      const report = await rack.done(await rack.start({ instances: { mode: 'live-then-cold' } }));
      assert.deepEqual(report.instances, { total: 2, moved: 2, stopped: 0 });
      assert.deepEqual(modes(rack, 'a-1'), ['live', 'live', 'cold']);
      assert.deepEqual(modes(rack, 'a-2'), ['live']);
    });

    test('what can be moved neither live nor cold holds the host', async () => {
      const rack = racks.next();
      await rack.fault(failing, 'migrate', { instance: 'a-1', times: 3 });
      const session = await rack.start({ instances: { mode: 'live-then-cold' } });
      const { step, code, message } = await rack.held(session);
      assert.deepEqual({ step, code }, { step: 'drain', code: 'MoveFailed' });
      assert.match(message, /\S+-a-1 .*the monitor went away/);
      assert.deepEqual(modes(rack, 'a-1'), ['live', 'live', 'cold']);
      await rack.goOn(session);
      await rack.done(session);
    });

    for (const mode of ['live', 'cold'] as const) {
      test(`instances that were moved ${mode} come back to where they were`, async () => {
        const rack = racks.next();
        const session = await rack.start({ instances: { mode, return: true } });
        await rack.done(session, { returned: true, maxMovesPerInstance: 2 });
        assert.deepEqual(modes(rack, 'a-1'), [mode, mode]);
      });
    }

    test('an instance that cannot come back holds the host, which is in service by then', async () => {
      const rack = racks.next();
      await rack.fault(failing, 'migrate', { instance: 'a-1', after: 1 });
      const session = await rack.start({ instances: { return: true } });
      const { step, code, message } = await rack.held(session);
      assert.deepEqual({ step, code }, { step: 'restore', code: 'MoveFailed' });
      assert.match(message, /\S+-a-1 is still on \S+, not on \S+-a .*the monitor went away/);
      rack.clean({ maxMovesPerInstance: 2 });
      rack.repair();
      await rack.goOn(session);
      await rack.done(session, { returned: true, maxMovesPerInstance: 2 });
    });

    test('instances found stopped stay where they are, and stopped', async () => {
      const rack = racks.next();
      await stopByHand(rack);
      const report = await rack.done(await rack.start());
      assert.deepEqual([report.instances, report.warnings], [{ total: 1, moved: 1, stopped: 0 }, []]);
      const { host, state } = rack.datacentre.instance(rack.id('a-1'));
      assert.deepEqual({ host, state }, { host: rack.called('a'), state: 'stopped' });
    });

    test('instances found stopped are moved cold where that is asked for, and stay stopped', async () => {
      const rack = racks.next();
      await stopByHand(rack);
      const report = await rack.done(await rack.start({ instances: { stopped: 'move' } }));
      assert.deepEqual([report.instances, report.warnings], [{ total: 2, moved: 2, stopped: 0 }, []]);
      const { host, state } = rack.datacentre.instance(rack.id('a-1'));
      assert.notEqual(host, rack.called('a'));
      assert.equal(state, 'stopped');
      assert.deepEqual(modes(rack, 'a-1'), ['cold']);
    });

    test('instances found stopped and moved come back, and stay stopped', async () => {
      const rack = racks.next();
      await stopByHand(rack);
      const session = await rack.start({ instances: { stopped: 'move', return: true } });
      const report = await rack.done(session, { returned: true, maxMovesPerInstance: 2 });
      assert.deepEqual([report.instances, report.warnings], [{ total: 2, moved: 2, stopped: 0 }, []]);
      assert.equal(rack.datacentre.instance(rack.id('a-1')).state, 'stopped');
    });

    test('an instance with a mode of its own is stopped while the others move', async () => {
      const rack = racks.next();
      const overrides = { [rack.called('a-1')]: 'stop' } as const;
      const report = await rack.done(await rack.start({ instances: { overrides } }));
      assert.deepEqual(report.instances, { total: 2, moved: 1, stopped: 1 });
      assert.deepEqual(modes(rack, 'a-1'), []);
    });
  });

  test('over the whole platform stops the session, and it goes on when the platform is repaired', async () => {
    const rack = racks.next();
    const refused: Effect = { kind: 'fail', status: 401, code: 'Expired', message: 'the token has expired' };
    await racks.engine.fault({ match: { operation: 'inventory' }, effect: refused });
    const session = await rack.start();
    const { reason, held } = await racks.engine.until(
      session,
      ({ state }) => state === 'MAINTENANCE_FAILED',
      PATIENCE_MS,
    );
    assert.match(reason, /^NotAuthorized: .*the token has expired.*; signal continue to try again$/);
    assert.deepEqual(held, []);
    await racks.engine.clearFaults();
    await session.signal('continue');
    await rack.done(session);
  });
});

const CHANGES = [
  'host.cordoned',
  'instance.stopped',
  'instance.migration.started',
  'host.entering',
  'work.started',
  'host.exiting',
  'host.uncordoned',
  'instance.started',
] as const;

/** How often each change was begun; those that never were are left out. */
const begun = (rack: Rack): Record<string, number> =>
  Object.fromEntries(
    CHANGES.map((type) => [type, rack.entries(type).length] as const).filter(([, count]) => count > 0),
  );

/** How an instance was moved, or was to be, each time. */
const modes = (rack: Rack, name: string): string[] =>
  rack
    .entries('instance.migration.started')
    .filter(({ instance }) => instance === rack.id(name))
    .map(({ mode }) => mode);

/** Its owner stops the first instance on host a. */
async function stopByHand(rack: Rack): Promise<void> {
  rack.datacentre.stop(rack.id('a-1'), undefined, { kind: 'ends' });
  await rack.seen('instance.stopped');
}
