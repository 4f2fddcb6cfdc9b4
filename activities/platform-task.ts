/** Drives one long-running operation of a platform to its end, whoever started it. */
import type { Instance } from '../src/core/inventory.ts';
import type { CallContext, Driver, PlatformTask, TaskKind, TaskStatus } from '../src/drivers/driver.ts';
import type { Io } from './io.ts';

/** Between two looks at a task passes a twentieth of what it has taken so far: so much is lost at its end at most. */
const POLL_SHARE = 1 / 20;
const LONGEST_POLL_MS = 2_000;

/** An abort that the platform does not carry out is given up after this long; the next look decides by what is there. */
const ABORT_MS = 60_000;

/** How a task ended; `vanished`: look at the subject itself. */
export type TaskEnd = Exclude<TaskStatus, { state: 'running' }>;

type Running = Extract<TaskStatus, { state: 'running' }>;

type Tell = (status: Running) => void;

/**
 * Finds the task that runs for the subject, or starts it, and follows it to its end. The task's id is kept in the
 * heartbeat at once, so that a new attempt follows it instead of starting another.
 *
 * When the activity is cancelled and `abort` is set, the task is cancelled on the platform and followed to its end all
 * the same, so that what came of it is known.
 */
export async function driveTask(
  driver: Driver,
  io: Io,
  work: { kind: TaskKind; subject: string; abort: boolean; start: () => Promise<PlatformTask | undefined> },
): Promise<TaskEnd> {
  const { kind, subject, abort, start } = work;
  const kept = resumedTask(io, kind, subject);
  const task = kept ?? (await driver.findTask(kind, subject, io)) ?? (await start());
  if (!task) return { state: 'done' };
  io.keep({ task });
  try {
    return await followTask(driver, io, task);
  } catch (error) {
    if (!io.cancelRequested() || !abort) throw error;
    return await abortTask(driver, task);
  }
}

/**
 * Follows a task to its end, until the activity is cancelled.
 *
 * @param tell told what is seen meanwhile; by default it is shown, in the Web UI with the activity
 */
export function followTask(
  driver: Driver,
  io: Io,
  task: PlatformTask,
  tell: Tell = (status) => {
    io.keep(seenOf(task, status));
    io.tellWait(status.waitsFor);
  },
): Promise<TaskEnd> {
  // A look may begin the next step of a task of several.
  return follow(
    driver,
    task,
    () => io.uncut,
    (milliseconds) => io.sleep(milliseconds),
    tell,
  );
}

/** Follows a task for so long; what was last seen of it when it has not ended by then. */
export async function watchTask(
  driver: Driver,
  io: Io,
  task: PlatformTask,
  forMs: number,
): Promise<TaskStatus> {
  const startedAt = Date.now();
  for (;;) {
    const status = await driver.pollTask(task, io.uncut);
    if (status.state !== 'running' || Date.now() - startedAt >= forMs) return status;
    io.keep(seenOf(task, status));
    await io.sleep(pauseAfter(startedAt, status, driver));
  }
}

/**
 * Where an instance is, after a move that was begun and left has been seen to its end; undefined when it is gone. Throws
 * InstanceFailed when it was switched off to be moved, and does not start.
 */
export async function locateSettled(driver: Driver, io: Io, id: string): Promise<Instance | undefined> {
  const instance = await driver.locate(id, io);
  if (!instance || (instance.leaving === undefined && instance.state !== 'moving')) return instance;
  const task = await driver.findTask('move', id, io);
  if (task) throwIfOff(await followTask(driver, io, task));
  return driver.locate(id, io);
}

/** Throws what an instance failed with that was running before. Whatever else a task failed with, where things are counts. */
export function throwIfOff(end: TaskEnd): void {
  if (end.state === 'failed' && end.error.code === 'InstanceFailed') throw end.error;
}

/** Asks the platform to end the task, and sees it to its end. */
async function abortTask(driver: Driver, task: PlatformTask): Promise<TaskEnd> {
  const signal = AbortSignal.timeout(ABORT_MS);
  await driver.cancelTask(task, { signal });
  return follow(
    driver,
    task,
    () => ({ signal }),
    (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  );
}

/** Polls until the task is over, ever more slowly, and never faster than the platform bears; tells what is seen meanwhile. */
async function follow(
  driver: Driver,
  task: PlatformTask,
  contextOf: () => CallContext,
  sleep: (milliseconds: number) => Promise<void>,
  tell: Tell = () => undefined,
): Promise<TaskEnd> {
  const startedAt = Date.now();
  for (;;) {
    const status = await driver.pollTask(task, contextOf());
    if (status.state !== 'running') return status;
    tell(status);
    await sleep(pauseAfter(startedAt, status, driver));
  }
}

function pauseAfter(startedAt: number, { waited }: Running, { capabilities }: Driver): number {
  const pause = (Date.now() - startedAt) * POLL_SHARE;
  return waited ? 0 : Math.min(LONGEST_POLL_MS, Math.max(capabilities.shortestPollMs, pause));
}

/** As it goes into a heartbeat. */
const seenOf = (
  task: PlatformTask,
  { progress, detail, waitsFor }: Running,
): { task: PlatformTask; progress?: number; detail?: string; waitsFor?: string } => ({
  task,
  ...(progress === undefined ? {} : { progress }),
  ...(detail === undefined ? {} : { detail }),
  ...(waitsFor === undefined ? {} : { waitsFor }),
});

/** The task that an earlier attempt of the activity has started, if it is for the same thing. */
export function resumedTask({ resumed }: Io, kind: TaskKind, subject: string): PlatformTask | undefined {
  if (typeof resumed !== 'object' || resumed === null || !('task' in resumed)) return undefined;
  const task = resumed.task as Partial<PlatformTask>;
  return task.kind === kind && task.subject === subject && typeof task.id === 'string'
    ? { id: task.id, kind, subject }
    : undefined;
}
