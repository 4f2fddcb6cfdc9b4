/** Activities that tell the platform of a whole session, where it wants to know before any host is touched. */
import type { Client } from '@temporalio/client';
import { MaintenanceError } from '../src/core/errors.ts';
import { PLAIN_REQUEST } from '../src/core/platform-options.ts';
import type { SessionMark } from '../src/core/mark.ts';
import type { Driver, PlatformTask } from '../src/drivers/driver.ts';
import type { SiteActivities, WindowRef } from './contract.ts';
import { perform, type Io } from './io.ts';
import { watchTask } from './platform-task.ts';
import { describe } from './session.ts';

type WindowActivities = Pick<SiteActivities, 'openWindow' | 'closeWindow'>;

export function createWindowActivities(driver: Driver, client: Client): WindowActivities {
  return {
    openWindow: ({ lookMs, ...ref }) =>
      perform(async (io) => {
        const standing = await openWindows(io);
        await refuseOthers(standing, ref);
        const mark = standing.find((one) => isOurs(one, ref)) ?? { session: ref.session };
        const task = await driver.openWindow?.(mark, ref.maintenance ?? PLAIN_REQUEST, io.uncut);
        return task && lookAt(task, lookMs, io);
      }),

    closeWindow: ({ lookMs, ...ref }) =>
      perform(async (io) => {
        const standing = (await openWindows(io)).filter((mark) => isOurs(mark, ref));
        // One that was taken back a moment ago may not be through yet.
        for (const mark of standing.length > 0 ? standing : [{ session: ref.session }]) {
          const task = await driver.closeWindow?.(mark, io.uncut);
          const waiting = task && (await lookAt(task, lookMs, io));
          if (waiting) return waiting;
        }
        return undefined;
      }),
  };

  async function openWindows(io: Io): Promise<SessionMark[]> {
    return (await driver.openWindows?.(io)) ?? [];
  }

  /** The platform does not tell two sessions apart, and the first to end would close the window of the other. */
  async function refuseOthers(standing: readonly SessionMark[], ref: WindowRef): Promise<void> {
    for (const mark of standing) {
      if (isOurs(mark, ref)) continue;
      const isOpen = (await describe(client, mark.session))?.status.name === 'RUNNING';
      const ended = isOpen ? '' : ', which has ended; the reconcile workflow tells it so';
      const message = `the platform is in maintenance for session ${mark.session}${ended}`;
      throw new MaintenanceError('HostBusy', message);
    }
  }

  /** What it waits for when it is not over after so long. Throws what it failed with. */
  async function lookAt(
    task: PlatformTask,
    lookMs: number,
    io: Io,
  ): Promise<{ waitsFor: string } | undefined> {
    const status = await watchTask(driver, io, task, lookMs);
    if (status.state === 'failed') throw status.error;
    // Somebody has taken it back meanwhile: it is asked for again.
    if (status.state === 'vanished' && task.kind === 'open')
      return { waitsFor: 'the platform to be asked again' };
    return status.state === 'running'
      ? { waitsFor: status.waitsFor ?? status.detail ?? 'the platform' }
      : undefined;
  }
}

const isOurs = (mark: SessionMark, { session, adopts }: WindowRef): boolean =>
  mark.session === session || adopts.includes(mark.session);
