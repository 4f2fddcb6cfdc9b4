import { sleep } from '@temporalio/workflow';
import { MaintenanceError } from '../../src/core/errors.ts';
import type { InstanceRef, MovedInstance } from '../../src/core/host-run.ts';
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
    const request = { ...run.ref, unlessDown: true };
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
  run.warnings.push(...warnings);
}

/**
 * Puts the host back from wherever it stands: what still runs on the platform is ended, then it leaves maintenance and
 * takes instances again. Where there is nothing to undo, each of these finds so and does nothing.
 */
export async function rollBackHost(run: HostRun): Promise<void> {
  run.extendForPutBack();
  const instances = run.mayStillBeLeaving();
  await run.call('settleHost', { ...run.ref, instances }, `end what still runs on ${run.input.host}`);
  await run.call('exitMaintenance', run.ref, `roll back: exit maintenance: ${run.input.host}`);
  await giveBack(run);
}

async function giveBack(run: HostRun): Promise<void> {
  const { input } = run;
  const { stopped } = await run.call('uncordonHost', run.ref, `uncordon ${input.host}`);
  const toStart = new Map<string, InstanceRef>([...run.stopped, ...stopped].map((one) => [one.id, one]));
  const jobs: (() => Promise<unknown>)[] = [...toStart.values()].map((instance) => async () => {
    const { result } = await run.call('startInstance', { ...run.ref, instance }, `start ${instance.name}`);
    if (result === 'started') run.started.push(instance);
  });
  if (input.spec.instances.return)
    jobs.push(...run.moved.filter(cameFromHere(run)).map((one) => () => moveBack(run, one)));
  await inLanes(jobs, input.moveSlots);
}

const cameFromHere =
  (run: HostRun) =>
  ({ from }: MovedInstance): boolean =>
    from === run.input.host;

/** It comes back the way it went: one that is stopped, or was refused live, would be refused again. */
async function moveBack(run: HostRun, { id, name, from, to, how }: MovedInstance): Promise<void> {
  const request = { ...run.ref, instance: { id, name }, how, from: to, target: from } as const;
  await run.call('moveInstance', request, `${how}-migrate ${name} back → ${from}`);
}

/** Runs all jobs, at most `lanes` at a time; throws the first failure after all have ended. */
async function inLanes(jobs: (() => Promise<unknown>)[], lanes: number): Promise<void> {
  const queue = [...jobs];
  const failures: unknown[] = [];
  const lane = async (): Promise<void> => {
    for (let job = queue.shift(); job; job = queue.shift()) {
      await job().catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, jobs.length) }, lane));
  if (failures.length > 0) throw failures[0];
}
