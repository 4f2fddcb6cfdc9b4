/** Activities that move, stop and start one instance. The verdict is where the instance is, not what a task says. */
import { CancelledFailure } from '@temporalio/activity';
import { MaintenanceError } from '../src/core/errors.ts';
import { isRunning, type Instance } from '../src/core/inventory.ts';
import { parseMark } from '../src/core/mark.ts';
import type { Driver } from '../src/drivers/driver.ts';
import type { HostRef, SiteActivities } from './contract.ts';
import { isOurs, markOf } from './host.ts';
import type { InventoryCache } from './inventory-cache.ts';
import { perform } from './io.ts';
import { driveTask, locateSettled, throwIfOff, type TaskEnd } from './platform-task.ts';

type InstanceActivities = Pick<SiteActivities, 'moveInstance' | 'stopInstance' | 'startInstance'>;

export function createInstanceActivities(driver: Driver, inventory: InventoryCache): InstanceActivities {
  return {
    moveInstance: ({ instance: { id, name }, how, from, target }) =>
      perform(async (io) => {
        const before = await driver.locate(id, io);
        if (!before) return { result: 'gone' };
        const foundStopped = before.state === 'stopped';
        const settled = before.state !== 'moving';
        if (settled && before.host !== from) return { result: 'moved', to: before.host, foundStopped };
        const end = await driveTask(driver, io, {
          kind: 'move',
          subject: id,
          abort: driver.capabilities.abortMove,
          start: () => driver.move(id, { how, ...(target === undefined ? {} : { target }) }, io.uncut),
        }).catch(unlessDeleted);
        // A cancelled activity still has to see where the instance ended up.
        const after = await driver.locate(
          id,
          io.signal.aborted ? { signal: AbortSignal.timeout(10_000) } : io,
        );
        if (!after) return { result: 'gone' };
        throwIfOff(end);
        // Whoever finds it broken does not see by whom: it is told of now, wherever it is.
        if (after.state === 'error') {
          throw new MaintenanceError(
            'InstanceFailed',
            `${name} is in an error state on ${after.host}`,
            vendorOf(end),
          );
        }
        if (after.host === from) throw notMoved(name, from, target, end, io.signal.aborted);
        inventory.noteMoved(id, after.host);
        return { result: 'moved', to: after.host, foundStopped };
      }),

    stopInstance: (ref) =>
      perform(async (io) => {
        const { id, name } = ref.instance;
        const before = await locateSettled(driver, io, id);
        if (before?.host !== ref.host) return { result: 'gone' };
        if (isRunning(before)) {
          const end = await driveTask(driver, io, {
            kind: 'stop',
            subject: id,
            abort: false,
            start: () => driver.stop(id, markOf(ref), io.uncut),
          }).catch(unlessDeleted);
          const after = await driver.locate(id, io);
          if (after && isRunning(after))
            throw notDone('MoveFailed', `${name} still runs on ${after.host}`, end);
          return { result: after ? 'stopped' : 'gone' };
        }
        // Found stopped: by an earlier attempt of ours, or by its owner, whose wish it then is.
        return { result: isOurs(parseMark(before.stoppedBy), ref) ? 'stopped' : 'gone' };
      }),

    startInstance: (ref) =>
      perform(async (io) => {
        const { id, name } = ref.instance;
        const before = await driver.locate(id, io);
        if (!before || isSomebodyElses(before, ref)) return { result: 'left' };
        const isMarked = isOurs(parseMark(before.stoppedBy), ref);
        if (isRunning(before) && !isMarked) return { result: 'started' };
        const end = await driveTask(driver, io, {
          kind: 'start',
          subject: id,
          abort: false,
          start: () => driver.start(id, parseMark(before.stoppedBy) ?? markOf(ref), io.uncut),
        })
          .catch(unlessDeleted)
          .catch(unlessSomebodyElses);
        if (!end) return { result: 'left' };
        const after = await driver.locate(id, io);
        if (after && !isRunning(after))
          throw notDone('InstanceFailed', `${name} does not start: it is ${after.state}`, end);
        return { result: after ? 'started' : 'left' };
      }),
  };
}

/** It may have been deleted since somebody looked: that is for the next look to find. */
function unlessDeleted(error: unknown): TaskEnd {
  if (error instanceof MaintenanceError && error.code === 'NotFound') return { state: 'failed', error };
  throw error;
}

/** It carries a mark, and the mark is not ours. On platforms that keep no marks, what the session remembers decides. */
const isSomebodyElses = ({ state, stoppedBy }: Instance, ref: HostRef): boolean =>
  state === 'stopped' && stoppedBy !== undefined && !isOurs(parseMark(stoppedBy), ref);

/** A driver refuses to start what it knows somebody else to have stopped; it then stays as its owner wants it. */
function unlessSomebodyElses(error: unknown): undefined {
  if (error instanceof MaintenanceError && error.code === 'OperatorInterfered') return undefined;
  throw error;
}

function notMoved(
  name: string,
  from: string,
  target: string | undefined,
  end: TaskEnd,
  aborted: boolean,
): Error {
  if (aborted) return new CancelledFailure(`moving ${name} was aborted; it is still on ${from}`);
  const refused = end.state === 'failed' && end.error.code === 'NoTarget';
  return notDone(
    refused ? 'NoTarget' : 'MoveFailed',
    `${name} is still on ${from}${target === undefined ? '' : `, not on ${target}`}`,
    end,
  );
}

const notDone = (
  code: 'NoTarget' | 'MoveFailed' | 'InstanceFailed',
  message: string,
  end: TaskEnd,
): MaintenanceError => new MaintenanceError(code, message, vendorOf(end));

function vendorOf(end: TaskEnd): { vendor?: string; cause?: unknown } {
  if (end.state !== 'failed') return {};
  return { vendor: end.error.vendor ?? end.error.message, cause: end.error };
}
