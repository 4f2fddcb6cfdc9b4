import { patched, sleep } from '@temporalio/workflow';
import { MaintenanceError } from '../../src/core/errors.ts';
import type { ExitPlan } from '../../src/core/exit-plan.ts';
import type { Member, MovedInstance } from '../../src/core/host-run.ts';
import { viewFailure } from '../failures.ts';
import type { Impact } from './group-shares.ts';
import type { HostRun } from './host-run.ts';

/** A host that is down is looked at again after this long, and later after a twentieth of the time it has taken. */
const SHORTEST_REST_MS = 5_000;
const REST_SHARE = 1 / 20;

/** Takes the host out of the platform's maintenance mode. One that still restarts after its work is waited for. */
export async function exitHost(run: HostRun): Promise<void> {
  run.enterStep('exit');
  const { host } = run.input;
  const startedAt = Date.now();
  for (;;) {
    // While it is down nobody can say what there is to give back.
    const request = { ...run.ref, unlessDown: true, ...(await planExit(run)) };
    const answer = await run.call('exitMaintenance', request, `exit maintenance: ${host}`);
    if (answer?.isDown !== true) break;
    const rest = Math.max(SHORTEST_REST_MS, (Date.now() - startedAt) * REST_SHARE);
    if (!run.hasTimeFor(rest)) {
      throw new MaintenanceError('DeadlineExceeded', `${host} is down, and does not come back in time`);
    }
    run.setWaitsFor(`${host} is down: it is waited for`);
    await sleep(rest, { summary: `wait for ${host} to come back` });
  }
  run.setWaitsFor(undefined);
}

/**
 * What the platform is to give back when the host leaves, where only it knows, and only until then: it is asked once, and
 * kept with the host until it is through. What was shut down is started, whoever else has to see to it.
 */
async function planExit(run: HostRun): Promise<{ gives?: Pick<ExitPlan, 'start' | 'back'> }> {
  const { host, spec } = run.input;
  if (spec.maintenance?.plansExit !== true) return {};
  run.exitPlan ??= await run.call('planExit', run.ref, `what can be given back to ${host}?`);
  if (run.exitPlan === undefined) return {};
  const { start, back, changed } = run.exitPlan;
  run.warn(...changed.map(({ name, reason }) => `${name} is left as it is: ${reason}`));
  const known = new Set(run.stopped.map(({ id }) => id));
  for (const one of start) if (!known.has(one.id)) run.noteStopped(one);
  return { gives: { start, back: spec.instances.return ? back : [] } };
}

/** Lets instances on again, starts what was stopped, and moves back what is to come back. */
export async function restoreHost(run: HostRun): Promise<void> {
  run.enterStep('restore');
  await giveBack(run);
}

/** Looks whether everything is as it was promised. */
export async function verifyHost(run: HostRun): Promise<void> {
  run.enterStep('verify');
  const { warnings } = await run.call(
    'verifyHost',
    { ...run.ref, moved: run.moved, started: run.started },
    `verify ${run.input.host}`,
  );
  run.warn(...warnings);
}

/**
 * Puts the host back from wherever it stands: what still runs on the platform is ended, then it leaves maintenance and
 * takes instances again. Where there is nothing to undo, each of these finds so and does nothing.
 */
export async function rollBackHost(run: HostRun): Promise<void> {
  run.extendForPutBack();
  if (!(await settleHost(run))) return;
  const leaving = { ...run.ref, ...(await planExit(run)) };
  await run.call('exitMaintenance', leaving, `roll back: exit maintenance: ${run.input.host}`);
  await giveBack(run);
}

/** Ends what still runs there. Resolves to whether the host is there at all: one may break meanwhile, and be taken away. */
async function settleHost(run: HostRun): Promise<boolean> {
  const { host } = run.input;
  const instances = run.mayStillBeLeaving();
  // Not every platform can break off what empties a host: that may take hours yet.
  const isToBeTold = run.entered && patched('tells-what-ends');
  if (isToBeTold) run.setWaitsFor(`what still runs on ${host} to end`);
  try {
    await run.call('settleHost', { ...run.ref, instances }, `end what still runs on ${host}`);
    return true;
  } catch (error) {
    if (viewFailure(error).code !== 'UnknownHost' || !patched('hosts-gone')) throw error;
    run.warn(`${host} is not on the platform any more: there is nothing to put back`);
    return false;
  } finally {
    if (isToBeTold) run.setWaitsFor(undefined);
  }
}

async function giveBack(run: HostRun): Promise<void> {
  const { input } = run;
  const { stopped } = await run.call('uncordonHost', run.ref, `uncordon ${input.host}`);
  const toStart = new Map<string, Member>(run.stopped.map((one) => [one.id, one]));
  for (const one of stopped) if (!toStart.has(one.id)) toStart.set(one.id, one);
  // What is not any more as the platform has left it is somebody else's by now.
  const changed = new Set(run.exitPlan?.changed.map(({ id }) => id));
  for (const id of changed) toStart.delete(id);
  // One that is stopped has its place already.
  const starts = [...toStart.values()].map((one): Job => ({
    id: one.id,
    name: one.name,
    work: () => startAgain(run, one),
  }));
  const returns = run.moved.filter(({ id, from }) => from === input.host && !changed.has(id));
  const moves = returns.map((one): Job => ({ ...one, work: () => moveBack(run, one) }));
  await inLanes(run, input.spec.instances.return ? [...starts, ...moves] : starts);
}

async function startAgain(run: HostRun, one: Member): Promise<Impact> {
  const instance = { id: one.id, name: one.name };
  const { result } = await run.call('startInstance', { ...run.ref, instance }, `start ${one.name}`);
  if (result === 'started') {
    run.started.push(instance);
    run.shares.recover(one);
  } else run.shares.release(one);
  return 'none';
}

/** It comes back the way it went: one that is stopped, or was refused live, would be refused again. */
async function moveBack(run: HostRun, { id, name, from, to, how }: MovedInstance): Promise<Impact> {
  const request = { ...run.ref, instance: { id, name }, how, from: to, target: from } as const;
  const { result } = await run.call('moveInstance', request, `${how}-migrate ${name} back → ${from}`);
  return result === 'moved' ? 'over' : 'none';
}

interface Job extends Member {
  work: () => Promise<Impact>;
}

/**
 * Does all of it, as much at a time as may be; throws the first failure after all have ended. A host that has no share of
 * a group may put its members back one by one.
 */
async function inLanes(run: HostRun, jobs: readonly Job[]): Promise<void> {
  const queue = [...jobs];
  const failures: unknown[] = [];
  const work = (job: Job): Promise<Impact> =>
    job.work().catch((error: unknown) => {
      failures.push(error);
      return 'over';
    });
  const lane = (): Promise<void> => run.shares.workOff(queue, work, { deadline: run.deadline, atLeast: 1 });
  await Promise.all(Array.from({ length: Math.min(run.input.moveSlots, jobs.length) }, lane));
  const [waiting] = queue;
  if (waiting)
    failures.push(new MaintenanceError('MoveRefused', `${waiting.name} has to wait for others of its group`));
  if (failures.length > 0) throw failures[0];
}
