/** Activities that change where a host stands. Each looks first and does only what is missing. */
import { MaintenanceError } from '../src/core/errors.ts';
import type { InstanceRef } from '../src/core/host-run.ts';
import { isRunning, type Host, type HostStanding, type Instance } from '../src/core/inventory.ts';
import { listed } from '../src/core/listed.ts';
import { formatMark, parseMark, type Mark } from '../src/core/mark.ts';
import { PLAIN_REQUEST, type MaintenanceRequest } from '../src/core/platform-options.ts';
import type { Driver, HostCheck, PlatformTask } from '../src/drivers/driver.ts';
import type { HostRef, SiteActivities } from './contract.ts';
import type { InventoryCache } from './inventory-cache.ts';
import { perform, type Io } from './io.ts';
import {
  driveTask,
  followTask,
  locateSettled,
  resumedTask,
  throwIfOff,
  type TaskEnd,
} from './platform-task.ts';

/** Names shown in a message before the rest is only counted. */
const NAMES_SHOWN = 10;

/** What the platform's own check has said is asked again before it is acted on after this long. */
const CHECK_HOLDS_MS = 60_000;

/** In the platform's own terms; a host that is down has left it, or was never in. */
const OUT_OF_MAINTENANCE: readonly HostStanding[] = ['in-service', 'cordoned', 'down'];

type HostActivities = Pick<
  SiteActivities,
  | 'cordonHost'
  | 'enterMaintenance'
  | 'proveEmpty'
  | 'planExit'
  | 'exitMaintenance'
  | 'uncordonHost'
  | 'settleHost'
  | 'verifyHost'
>;

export function createHostActivities(driver: Driver, inventory: InventoryCache): HostActivities {
  return {
    cordonHost: (ref) =>
      perform(async (io) => {
        const { host } = await driver.inspect(ref.host, io);
        const mark = ownMark(host, ref);
        const wasBegun = mark !== undefined && host.standing === 'cordoned';
        if (host.takesInstances === false || (host.standing !== 'in-service' && !wasBegun)) return;
        await seeThrough('cordon', ref.host, io, () =>
          driver.cordon(ref.host, mark ?? markOf(ref), requestOf(ref), io.uncut),
        );
        inventory.noteStanding(ref.host, 'cordoned');
      }),

    enterMaintenance: ({ stops, checkedAt, ...ref }) =>
      perform(async (io) => {
        const { host } = await driver.inspect(ref.host, io);
        const goal = standingAtWork(host);
        if (host.standing === 'down') throw new MaintenanceError('EnterFailed', `${ref.host} is down`);
        if (isTheirs(host, ref)) throw interfered(ref, host);
        if (host.standing === 'maintenance') return;
        if (host.standing === 'in-service' && goal !== 'in-service') throw interfered(ref, host);
        if (checkedAt !== undefined && !isFresh(checkedAt)) await expectStillSo(ref, stops ?? [], io);
        const mark = ownMark(host, ref) ?? markOf(ref);
        const end = await driveTask(driver, io, {
          kind: 'enter',
          subject: ref.host,
          abort: true,
          start: () => driver.enter(ref.host, mark, requestOf(ref), io.uncut, stops),
        });
        // Somebody has put an instance there: the drain takes it.
        if (end.state === 'failed' && end.error.code === 'HostNotEmpty') throw end.error;
        await expectStanding(ref, io, [goal], 'EnterFailed', end.state === 'failed' ? end.error : undefined);
      }),

    proveEmpty: (ref) =>
      perform(async (io) => {
        const { host, instances } = await driver.inspect(ref.host, io);
        const running = instances.filter(isRunning);
        if (running.length > 0) {
          throw new MaintenanceError('HostNotEmpty', `still running on ${ref.host}: ${names(running)}`);
        }
        if (host.standing !== standingAtWork(host) || isTheirs(host, ref)) throw interfered(ref, host);
      }),

    planExit: (ref) =>
      perform(async (io) => {
        const { host } = await driver.inspect(ref.host, io);
        return mayLeave(host, ref) ? driver.planExit?.(ref.host, io) : undefined;
      }),

    exitMaintenance: ({ unlessDown = false, gives, ...ref }) =>
      perform(async (io) => {
        const { host } = await driver.inspect(ref.host, io);
        if (unlessDown && host.standing === 'down') return { isDown: true };
        if (!mayLeave(host, ref)) return undefined;
        // It was down when its plan was asked for, and once it has left nobody knows the plan any more.
        if (unlessDown && driver.planExit && !gives) return { isDown: true };
        const end = await driveTask(driver, io, {
          kind: 'exit',
          subject: ref.host,
          abort: false,
          start: () => driver.exit(ref.host, ownMark(host, ref) ?? markOf(ref), io.uncut, gives),
        });
        const { standing } = await expectStanding(
          ref,
          io,
          OUT_OF_MAINTENANCE,
          'ExitFailed',
          end.state === 'failed' ? end.error : undefined,
        );
        return unlessDown && standing === 'down' ? { isDown: true } : undefined;
      }),

    uncordonHost: (ref) =>
      perform(async (io) => {
        const { host, instances } = await driver.inspect(ref.host, io);
        const mark = ownMark(host, ref);
        if (mark && host.standing !== 'in-service') {
          await seeThrough('uncordon', ref.host, io, () => driver.uncordon(ref.host, mark, io.uncut));
          await expectUncordoned(ref, io);
          inventory.noteStanding(ref.host, 'in-service');
        }
        // Somebody may have moved them away; and the mark comes off those that somebody has started, too.
        const elsewhere = (await inventory.snapshot(io)).stoppedFor(ref.host);
        const ours = [...instances, ...elsewhere].filter(({ stoppedBy }) =>
          isOurs(parseMark(stoppedBy), ref),
        );
        const stopped = new Map(ours.map(({ id, name }): [string, InstanceRef] => [id, { id, name }]));
        return { stopped: [...stopped.values()] };
      }),

    settleHost: (ref) =>
      perform(async (io) => {
        const { host } = await driver.inspect(ref.host, io);
        // Somebody else's maintenance is left to them.
        for (const kind of isOurMaintenance(host, ref) ? (['enter', 'exit'] as const) : []) {
          const task = await driver.findTask(kind, ref.host, io);
          if (task) await settle(task, io, kind === 'enter');
        }
        for (const { id } of [...ref.instances, ...(await leftOnTheWay(ref.host, io))]) {
          for (const kind of ['move', 'stop'] as const) {
            const task = await driver.findTask(kind, id, io);
            if (task) await settle(task, io, kind === 'move' && driver.capabilities.abortMove);
          }
        }
      }),

    verifyHost: (ref) =>
      perform(async (io) => {
        const warnings: string[] = [];
        const { host } = await driver.inspect(ref.host, io);
        if (host.standing !== 'in-service') {
          const foreign = host.standing === 'cordoned' && !ownMark(host, ref);
          const words = `${ref.host} is ${host.standing}${host.cordonReason ? ` (${host.cordonReason})` : ''}`;
          if (!foreign) throw new MaintenanceError('VerifyFailed', words);
          warnings.push(`${words}: cordoned by somebody else, left so`);
        }
        const wrong: string[] = [];
        for (const { id, name, to, foundStopped = false } of ref.moved) {
          const instance = await locateSettled(driver, io, id);
          if (!instance) warnings.push(`${name} was deleted meanwhile`);
          else if (instance.state === 'error') wrong.push(`${name} is in an error state on ${instance.host}`);
          else if (instance.state === 'stopped' && !foundStopped)
            warnings.push(`${name} is stopped on ${to}`);
        }
        for (const { id, name } of ref.started) {
          const instance = await driver.locate(id, io);
          if (!instance) warnings.push(`${name} was deleted meanwhile`);
          else if (!isRunning(instance))
            wrong.push(`${name} was stopped by us and is ${instance.state} on ${instance.host}`);
        }
        if (wrong.length > 0) throw new MaintenanceError('VerifyFailed', listed(wrong, NAMES_SHOWN, '; '));
        return { warnings };
      }),
  };

  /** Whether there is a maintenance to leave; somebody else's is not ours to end. */
  function mayLeave(host: Host, ref: HostRef): boolean {
    if (driver.capabilities.maintenanceMode && OUT_OF_MAINTENANCE.includes(host.standing)) return false;
    return isOurMaintenance(host, ref);
  }

  /** Asks the platform again: since it was planned a VM may have come that has to be shut down, or another host be lost. */
  async function expectStillSo(ref: HostRef, stops: readonly string[], io: Io): Promise<void> {
    const { check } = await checkHost(driver, io, ref);
    if (check.blockers.length > 0) throw new MaintenanceError('HostBlocked', check.blockers.join('; '));
    const more = check.instances.filter(
      ({ instance, platformStops }) => platformStops && isRunning(instance) && !stops.includes(instance.id),
    );
    if (more.length === 0) return;
    const named = names(more.map(({ instance }) => instance));
    throw new MaintenanceError('HostNotEmpty', `the platform would have to shut down more: ${named}`);
  }

  /** What answers in the platform's place may say yes to anything. */
  async function expectUncordoned(ref: HostRef, io: Io): Promise<void> {
    const { host } = await driver.inspect(ref.host, io);
    if (!ownMark(host, ref)) return;
    throw new MaintenanceError('PlatformError', `${ref.host} still carries our mark after it was uncordoned`);
  }

  /** How a host stands while it is worked on. */
  function standingAtWork({ takesInstances }: Host): HostStanding {
    if (driver.capabilities.maintenanceMode) return 'maintenance';
    return takesInstances === false ? 'in-service' : 'cordoned';
  }

  async function settle(task: PlatformTask, io: Io, abort: boolean): Promise<void> {
    // A move of several steps is not aborted, and one that is asked to end may yet come to its end.
    if (abort) await driver.cancelTask(task, io);
    throwIfOff(await followTask(driver, io, task));
  }

  /**
   * Instances that were switched off to leave the host, by somebody who does not see to them any more. That may have been
   * a moment ago, so what was read before does not do.
   */
  async function leftOnTheWay(host: string, io: Io): Promise<readonly Instance[]> {
    return (await inventory.snapshot(io, true)).leaving(host);
  }

  /**
   * Cordons, or takes a cordon off. Asking again does only what is missing, so a task that the platform has forgotten is
   * asked for again. Throws what it failed with.
   */
  async function seeThrough(
    kind: 'cordon' | 'uncordon',
    subject: string,
    io: Io,
    start: () => Promise<PlatformTask | undefined>,
  ): Promise<void> {
    let end: TaskEnd = await driveTask(driver, io, { kind, subject, abort: false, start });
    if (end.state === 'vanished') {
      const task = await start();
      if (!task) return;
      end = await followTask(driver, io, task);
    }
    if (end.state === 'failed') throw end.error;
    if (end.state === 'vanished') {
      throw new MaintenanceError('PlatformGarbled', `the platform forgets the ${kind} of ${subject}`);
    }
  }

  /** The platform's task may lie either way; where the host stands is what counts. */
  async function expectStanding(
    ref: HostRef,
    io: Io,
    expected: readonly HostStanding[],
    code: 'EnterFailed' | 'ExitFailed',
    cause: MaintenanceError | undefined,
  ): Promise<Host> {
    const { host, instances } = await driver.inspect(ref.host, io);
    if (expected.includes(host.standing)) return host;
    const vendor = cause?.vendor ?? cause?.message;
    const failed = code === 'EnterFailed' ? 'did not enter maintenance' : 'did not leave maintenance';
    // Until somebody continues or cancels they stay so.
    const off = instances.filter(({ state, stoppedBy }) => state === 'stopped' && stoppedBy !== undefined);
    const andOff = off.length === 0 ? '' : `; still shut down for it: ${names(off)}`;
    throw new MaintenanceError(code, `${ref.host} ${failed}, and is "${host.standing}"${andOff}`, {
      ...(vendor === undefined ? {} : { vendor }),
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** What the platform says about taking the host out; where that takes a check of its own, when it was over. */
export async function checkHost(
  driver: Driver,
  io: Io,
  ref: HostRef,
): Promise<{ check: HostCheck; checkedAt: { checkedAt?: number } }> {
  const request = requestOf(ref);
  if (!driver.check) return { check: await driver.precheck(ref.host, request, io), checkedAt: {} };
  const { host } = await driver.inspect(ref.host, io);
  // There is nothing to check of one that is on its way already.
  if (host.standing !== 'in-service' && host.standing !== 'cordoned') {
    return { check: await driver.precheck(ref.host, request, io), checkedAt: {} };
  }
  const { task, checkedAt } = await seeCheckThrough(driver, io, ref.host);
  return { check: await driver.precheck(ref.host, request, io, task), checkedAt: { checkedAt } };
}

/** A check of the platform's, and when it was last seen to run: what it says is no older. */
interface Check {
  task: PlatformTask;
  /** Epoch milliseconds. */
  checkedAt: number;
}

/** Goes on with the check of an earlier attempt, unless that has failed, was forgotten, or says what is old by now. */
async function seeCheckThrough(driver: Driver, io: Io, host: string): Promise<Check> {
  const begun = resumedCheck(io, host);
  if (begun) {
    const { end, check } = await followCheck(driver, io, begun);
    if (end.state === 'done' && isFresh(check.checkedAt)) return check;
  }
  const task = await driver.check?.(host, io.uncut);
  if (task) {
    const { end, check } = await followCheck(driver, io, { task, checkedAt: Date.now() });
    if (end.state === 'failed') throw end.error;
    if (end.state === 'done') return check;
  }
  throw new MaintenanceError('PlatformGarbled', `the platform forgets its check of ${host}`);
}

async function followCheck(driver: Driver, io: Io, begun: Check): Promise<{ end: TaskEnd; check: Check }> {
  let check = begun;
  io.keep(check);
  const end = await followTask(driver, io, begun.task, () => {
    check = { ...begun, checkedAt: Date.now() };
    io.keep(check);
  });
  return { end, check };
}

function resumedCheck(io: Io, host: string): Check | undefined {
  const task = resumedTask(io, 'check', host);
  const { checkedAt } = (io.resumed ?? {}) as Partial<Check>;
  return task && typeof checkedAt === 'number' ? { task, checkedAt } : undefined;
}

const isFresh = (checkedAt: number): boolean => Date.now() - checkedAt <= CHECK_HOLDS_MS;

export const markOf = ({ session, host }: HostRef): Mark => ({ session, host });

export const requestOf = ({ maintenance }: HostRef): MaintenanceRequest => maintenance ?? PLAIN_REQUEST;

/** Whether a mark is that of this session, or of one that it resumes. */
export function isOurs(mark: Mark | undefined, { session, adopts, host }: HostRef): mark is Mark {
  return mark?.host === host && (mark.session === session || adopts.includes(mark.session));
}

/** The mark on the host, if it counts as ours. */
export function ownMark(host: Host, ref: HostRef): Mark | undefined {
  const mark = parseMark(host.cordonReason);
  return isOurs(mark, ref) ? mark : undefined;
}

/** Somebody else has it in maintenance, or is taking it there, as far as the platform says who. */
const isTheirs = ({ maintenanceReason }: Host, ref: HostRef): boolean =>
  maintenanceReason !== undefined && !isOurs(parseMark(maintenanceReason), ref);

const isOurMaintenance = (host: Host, ref: HostRef): boolean =>
  !isTheirs(host, ref) && (ref.entered || ownMark(host, ref) !== undefined);

const names = (instances: readonly InstanceRef[]): string =>
  listed(
    instances.map(({ name }) => name),
    NAMES_SHOWN,
  );

function interfered(ref: HostRef, { standing, maintenanceReason, cordonReason }: Host): MaintenanceError {
  const reason = maintenanceReason ?? cordonReason;
  return new MaintenanceError(
    'OperatorInterfered',
    `${ref.host} is ${standing}${reason ? ` (${reason})` : ''}, but was cordoned as "${formatMark(markOf(ref))}"`,
  );
}
