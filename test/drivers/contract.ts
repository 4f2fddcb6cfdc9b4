/** What every driver has to do, whatever its platform: run over each of them against a bed that plays the platform. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type ErrorCode, MaintenanceError } from '../../src/core/errors.ts';
import { formatMark, type Mark } from '../../src/core/mark.ts';
import { PLAIN_REQUEST } from '../../src/core/platform-options.ts';
import type {
  CallContext,
  Capabilities,
  Driver,
  PlatformTask,
  TaskStatus,
} from '../../src/drivers/driver.ts';

/** A platform in miniature, with a hand on its troubles. */
export interface DriverBed {
  driver: Driver;
  /** A driver for an address where nothing listens. */
  deafDriver: Driver;
  /** A host in service with at least one running instance that may move to `spareHost`, and no stopped one. */
  busyHost: string;
  /** Id of a running instance on `busyHost`. */
  instance: string;
  /** A host in service with nothing on it. */
  spareHost: string;
  /** What an operator of the platform does by hand. */
  operator: {
    cordon(host: string, reason: string): Promise<void>;
    deleteInstance(instance: string): Promise<void>;
  };
  /** Moves that start from now on run until they are cancelled. */
  keepMovesRunning(): Promise<void>;
  /** Moves are accepted from now on and then fail, until that is mended; resolves to words they fail with. */
  failMoves(): Promise<{ words: string; mend: () => Promise<void> }>;
  /** What the platform answers to every request from now on. */
  trouble(kind: 'hang' | 'busy' | 'error' | 'garbage'): Promise<void>;
  close(): Promise<void>;
}

/** Seconds that a platform in `busy` trouble asks for. */
export const RETRY_AFTER_SECONDS = 30;

/** Generous: it may be a real platform, on a machine that has other things to do. */
const DEADLINE_MS = 120_000;
const POLL_MS = 20;

/** Registers the suite; what a platform cannot do by its capabilities is skipped by name. */
export function describeDriver(
  name: string,
  capabilities: Capabilities,
  setUp: () => Promise<DriverBed>,
): void {
  const lacks = (capability: keyof Capabilities): { skip: string | false } => ({
    skip: capabilities[capability] === false && `${name} has no ${capability}`,
  });
  const context: CallContext = { signal: new AbortController().signal };
  let bed: DriverBed;
  let mark: Mark;
  let stranger: Mark;

  const cordonReason = async (host: string): Promise<string | undefined> =>
    (await bed.driver.inspect(host, context)).host.cordonReason;
  const standing = async (host: string): Promise<string> =>
    (await bed.driver.inspect(host, context)).host.standing;
  const place = async (): Promise<string | undefined> =>
    (await bed.driver.locate(bed.instance, context))?.host;

  async function settled(task: PlatformTask): Promise<TaskStatus> {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      const status = await bed.driver.pollTask(task, context);
      if (status.state !== 'running') return status;
      assert.ok(Date.now() < deadline, `task ${task.id} does not end`);
      await delay(POLL_MS);
    }
  }

  async function finished(task: PlatformTask | undefined): Promise<void> {
    assert.ok(task, 'a task was started');
    assert.deepEqual(await settled(task), { state: 'done' });
  }

  /** Some platforms do it at once, some in a task. */
  const cordon = async (host: string, whose: Mark): Promise<void> =>
    ended(await bed.driver.cordon(host, whose, PLAIN_REQUEST, context));
  const uncordon = async (host: string, whose: Mark): Promise<void> =>
    ended(await bed.driver.uncordon(host, whose, context));

  async function ended(task: PlatformTask | undefined): Promise<void> {
    if (task) await finished(task);
  }

  /** Some platforms look before they accept a move, some after. */
  async function refused(task: Promise<PlatformTask>, code: ErrorCode): Promise<void> {
    try {
      const status = await settled(await task);
      assert.ok(status.state === 'failed', `the task is ${status.state}`);
      throw status.error;
    } catch (error) {
      withCode(code)(error);
    }
  }

  const move = (how: 'live' | 'cold'): Promise<PlatformTask> =>
    bed.driver.move(
      bed.instance,
      { how, ...(capabilities.chooseTarget ? { target: bed.spareHost } : {}) },
      context,
    );

  describe(`driver contract: ${name}`, () => {
    beforeEach(async () => {
      bed = await setUp();
      mark = { session: 'rack 12', host: bed.busyHost };
      stranger = { session: 'another', host: bed.busyHost };
    });
    afterEach(() => bed.close());

    test('says what it can do', () => {
      assert.deepEqual(bed.driver.capabilities, capabilities);
    });

    test('inventory and inspect agree', async () => {
      const { hosts, instances, groups } = await bed.driver.inventory(context);
      assert.ok(hosts.length > 1 && instances.length > 0);
      assert.equal(new Set(instances.map(({ id }) => id)).size, instances.length, 'ids are unique');
      const groupIds = new Set(groups.map(({ id }) => id));
      for (const host of hosts) {
        const seen = await bed.driver.inspect(host.name, context);
        assert.deepEqual(seen.host, host);
        const expected = instances.filter(({ host: on }) => on === host.name);
        const byId = (list: typeof expected): typeof expected =>
          [...list].sort((a, b) => a.id.localeCompare(b.id));
        assert.deepEqual(byId(seen.instances), byId(expected));
      }
      for (const instance of instances) {
        assert.deepEqual(await bed.driver.locate(instance.id, context), instance);
        assert.ok(
          instance.groups.every((id) => groupIds.has(id)),
          `groups of ${instance.name} are in the inventory`,
        );
      }
    });

    test('precheck has a verdict for every instance, and touches nothing', async () => {
      const before = await bed.driver.inspect(bed.busyHost, context);
      const check = await bed.driver.precheck(bed.busyHost, PLAIN_REQUEST, context);
      assert.deepEqual(check.blockers, []);
      assert.deepEqual(
        check.instances.map(({ instance }) => instance.id).sort(),
        before.instances.map(({ id }) => id).sort(),
      );
      const ability = check.instances.find(({ instance }) => instance.id === bed.instance);
      assert.ok(ability, 'the instance is judged');
      // Where only the platform makes instances leave, that is what there is to judge.
      const leaves = capabilities.liveMove || !capabilities.drains.includes('engine');
      assert.equal(ability.live === undefined, leaves);
      assert.equal(ability.cold === undefined, capabilities.coldMove);
      assert.equal(ability.stop === undefined, capabilities.stopStart);
      assert.deepEqual(await bed.driver.inspect(bed.busyHost, context), before);
    });

    test('an unknown host is UnknownHost', async () => {
      await assert.rejects(bed.driver.inspect('no-such-host', context), withCode('UnknownHost'));
      await assert.rejects(
        bed.driver.precheck('no-such-host', PLAIN_REQUEST, context),
        withCode('UnknownHost'),
      );
      await assert.rejects(cordon('no-such-host', mark), withCode('UnknownHost'));
    });

    test('cordons and uncordons, any number of times', async () => {
      await cordon(bed.busyHost, mark);
      await cordon(bed.busyHost, mark);
      assert.equal(await standing(bed.busyHost), 'cordoned');
      assert.equal(await cordonReason(bed.busyHost), formatMark(mark));
      await uncordon(bed.busyHost, mark);
      await uncordon(bed.busyHost, mark);
      assert.equal(await standing(bed.busyHost), 'in-service');
      assert.equal(await cordonReason(bed.busyHost), undefined);
    });

    test('leaves a cordon of somebody else as it is', async () => {
      await bed.operator.cordon(bed.busyHost, 'bad fan, ask Ada');
      await cordon(bed.busyHost, mark);
      await uncordon(bed.busyHost, mark);
      assert.equal(await cordonReason(bed.busyHost), 'bad fan, ask Ada');
      assert.equal(await standing(bed.busyHost), 'cordoned');
      const check = await bed.driver.precheck(bed.busyHost, PLAIN_REQUEST, context);
      assert.ok(
        check.warnings.some((warning) => warning.includes('bad fan, ask Ada')),
        'the precheck warns of it',
      );
    });

    test('leaves a cordon of another session as it is', async () => {
      await cordon(bed.busyHost, stranger);
      await uncordon(bed.busyHost, mark);
      assert.equal(await cordonReason(bed.busyHost), formatMark(stranger));
    });

    for (const how of ['live', 'cold'] as const) {
      test(`moves an instance ${how}`, lacks(how === 'live' ? 'liveMove' : 'coldMove'), async () => {
        const task = await move(how);
        assert.deepEqual({ kind: task.kind, subject: task.subject }, { kind: 'move', subject: bed.instance });
        await finished(task);
        const moved = await bed.driver.locate(bed.instance, context);
        if (capabilities.chooseTarget) assert.equal(moved?.host, bed.spareHost);
        assert.notEqual(moved?.host, bed.busyHost);
        assert.equal(moved?.state, 'running');
      });
    }

    test('moves an instance off a cordoned host, and none onto one', lacks('liveMove'), async () => {
      await cordon(bed.busyHost, mark);
      await finished(await move('live'));
      const back = { how: 'live', target: bed.busyHost } as const;
      if (capabilities.chooseTarget) {
        await refused(bed.driver.move(bed.instance, back, context), 'NoTarget');
      }
      assert.notEqual(await place(), bed.busyHost);
    });

    test('finds the move that runs, whoever asks', lacks('liveMove'), async () => {
      assert.equal(await bed.driver.findTask('move', bed.instance, context), undefined);
      await bed.keepMovesRunning();
      const task = await move('live');
      assert.deepEqual(await bed.driver.findTask('move', bed.instance, context), task);
      assert.equal((await bed.driver.pollTask(task, context)).state, 'running');
      assert.equal((await bed.driver.locate(bed.instance, context))?.state, 'moving');
      await assert.rejects(move('live'), withCode('PlatformBusy'), 'a second move is refused');
    });

    test('a cancelled move leaves the instance where it was', lacks('abortMove'), async () => {
      await bed.keepMovesRunning();
      const task = await move('live');
      await bed.driver.cancelTask(task, context);
      assert.equal((await settled(task)).state, 'failed');
      await bed.driver.cancelTask(task, context);
      const instance = await bed.driver.locate(bed.instance, context);
      assert.deepEqual([instance?.host, instance?.state], [bed.busyHost, 'running']);
      assert.equal(await bed.driver.findTask('move', bed.instance, context), undefined);
    });

    test('a move that fails says so in the words of the vendor', lacks('liveMove'), async () => {
      const { words, mend } = await bed.failMoves();
      const status = await settled(await move('live'));
      assert.ok(status.state === 'failed', `the task is ${status.state}`);
      assert.equal(status.error.code, 'MoveFailed');
      assert.ok(status.error.vendor?.includes(words), `${status.error.vendor} has "${words}" in it`);
      assert.equal(await place(), bed.busyHost);
      await mend();
      await finished(await move('live'));
    });

    test('a task the platform does not know has vanished', async () => {
      const task: PlatformTask = { id: 'no-such-task', kind: 'move', subject: bed.instance };
      assert.deepEqual(await bed.driver.pollTask(task, context), { state: 'vanished' });
      await bed.driver.cancelTask(task, context);
    });

    test('stops an instance under our mark, and starts it again', lacks('stopStart'), async () => {
      await finished(await bed.driver.stop(bed.instance, mark, context));
      await finished(await bed.driver.stop(bed.instance, mark, context));
      const stopped = await bed.driver.locate(bed.instance, context);
      assert.deepEqual([stopped?.state, stopped?.stoppedBy], ['stopped', formatMark(mark)]);
      await finished(await bed.driver.start(bed.instance, mark, context));
      await finished(await bed.driver.start(bed.instance, mark, context));
      const started = await bed.driver.locate(bed.instance, context);
      assert.deepEqual([started?.state, started?.stoppedBy], ['running', undefined]);
    });

    test('a stopped instance cannot move live', lacks('stopStart'), async () => {
      await finished(await bed.driver.stop(bed.instance, mark, context));
      const { instances } = await bed.driver.precheck(bed.busyHost, PLAIN_REQUEST, context);
      assert.ok(
        instances.find(({ instance }) => instance.id === bed.instance)?.live,
        'the precheck says why',
      );
      await assert.rejects(move('live'), withCode('MoveRefused'));
    });

    test('enters and leaves maintenance, any number of times', lacks('maintenanceMode'), async () => {
      const host = bed.spareHost;
      const own = { ...mark, host };
      await cordon(host, own);
      assert.equal(await bed.driver.exit(host, own, context), undefined);
      await finished(await bed.driver.enter(host, own, PLAIN_REQUEST, context));
      assert.equal(await standing(host), 'maintenance');
      assert.equal(await bed.driver.enter(host, own, PLAIN_REQUEST, context), undefined);
      await finished(await bed.driver.exit(host, own, context));
      assert.equal(await bed.driver.exit(host, own, context), undefined);
      await uncordon(host, own);
      assert.equal(await standing(host), 'in-service');
    });

    test(
      'entering and leaving changes nothing of where a host stands',
      { skip: capabilities.maintenanceMode && `${name} has a maintenanceMode` },
      async () => {
        const host = bed.spareHost;
        const own = { ...mark, host };
        await cordon(host, own);
        const enter = (): Promise<unknown> => bed.driver.enter(host, own, PLAIN_REQUEST, context);
        const exit = (): Promise<unknown> => bed.driver.exit(host, own, context);
        for (const step of [enter, enter, exit, exit]) {
          assert.equal(await step(), undefined);
          assert.equal(await standing(host), 'cordoned');
        }
        await uncordon(host, own);
        assert.equal(await standing(host), 'in-service');
      },
    );

    test('an instance that is gone is located as undefined', async () => {
      await bed.operator.deleteInstance(bed.instance);
      assert.equal(await bed.driver.locate(bed.instance, context), undefined);
      const { instances } = await bed.driver.inspect(bed.busyHost, context);
      assert.ok(!instances.some(({ id }) => id === bed.instance));
    });

    test('the signal of the caller ends a call that hangs', async () => {
      await bed.trouble('hang');
      const controller = new AbortController();
      const reason = new Error('the activity was cancelled');
      const call = bed.driver.inspect(bed.busyHost, { signal: controller.signal });
      setTimeout(() => controller.abort(reason), 50);
      await assert.rejects(call, reason);
    });

    test('a call that hangs ends by its timeout', async () => {
      await bed.trouble('hang');
      await assert.rejects(cordon(bed.busyHost, mark), withCode('PlatformUnreachable'));
    });

    test('429 is PlatformBusy, with the wait the platform asks for', async () => {
      await bed.trouble('busy');
      await assert.rejects(bed.driver.inspect(bed.busyHost, context), (error) => {
        assert.ok(error instanceof MaintenanceError);
        assert.equal(error.code, 'PlatformBusy');
        assert.equal(error.retryAfterMs, RETRY_AFTER_SECONDS * 1000);
        return true;
      });
    });

    test('500 is PlatformError, and can be tried again', async () => {
      await bed.trouble('error');
      await assert.rejects(bed.driver.inspect(bed.busyHost, context), (error) => {
        assert.ok(error instanceof MaintenanceError);
        assert.equal(error.code, 'PlatformError');
        assert.equal(error.retryable, true);
        return true;
      });
    });

    test('a page of HTML is PlatformGarbled', async () => {
      await bed.trouble('garbage');
      await assert.rejects(bed.driver.inspect(bed.busyHost, context), withCode('PlatformGarbled'));
    });

    test('an address where nothing listens is PlatformUnreachable', async () => {
      await assert.rejects(bed.deafDriver.inspect(bed.busyHost, context), withCode('PlatformUnreachable'));
    });
  });
}

const withCode =
  (code: ErrorCode) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof MaintenanceError, String(error));
    assert.equal(error.code, code);
    return true;
  };
