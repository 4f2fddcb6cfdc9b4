/** How long a session stands still when its worker is killed and another one is started at once. */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { table } from '../src/cli/table.ts';
import type { ManagedProcess } from '../src/devstack/processes.ts';
import { hostWorkflowId, MAINTENANCE_QUEUE, WORKFLOWS } from '../src/names.ts';
import { seededRandom } from '../src/simulator/random.ts';
import type { Bed } from './bed.ts';
import { sessionInput } from './contenders.ts';
import { quantile, rounded, type Section } from './section.ts';
import { fleetOf, hostNames, SITE, startSite } from './site.ts';

/** Long enough that a kill mostly strikes a move under way, as it does in a real datacentre. */
const MOVE_MS = 1_000;
/** More than leave the host from one kill to the next. */
const INSTANCES_PER_KILL = 12;
/** A worker is killed when it has been at work for so long. */
const KILL_AFTER_MS = { least: 1_000, most: 4_000 };
const RECOVERED_WITHIN_MS = 60_000;
const POLL_MS = 50;

interface Recovery {
  /** From the kill until the next worker was ready. */
  readySeconds: number;
  /** From the kill to the end of the first activity on the next worker. */
  stepSeconds: number;
}

/** Kills the worker again and again while one host is drained, one instance after another. */
export async function measureRecovery(
  bed: Bed,
  kills: number,
  say: (line: string) => void,
): Promise<Section> {
  const shape = { hosts: 1, instancesPerHost: kills * INSTANCES_PER_KILL, window: 1, movesAtOnce: 1 };
  const { client, env } = await bed.openNamespace();
  const site = await startSite(bed, fleetOf(shape, MOVE_MS), env);
  const workerEnv = { ...site.env, HAULOUT_WORKFLOW_BUNDLE: await bed.bundleWorkflows() };
  const start = (): Promise<ManagedProcess> => bed.startWorker('src/worker.ts', workerEnv);
  const random = seededRandom(1);

  let worker = await start();
  const session = await client.workflow.start(WORKFLOWS.maintenanceSession, {
    taskQueue: MAINTENANCE_QUEUE,
    workflowId: 'bench',
    args: [sessionInput(shape)],
  });
  const [host = ''] = hostNames(shape);
  const drained = client.workflow.getHandle(hostWorkflowId(SITE, host));
  await firstStepOn(worker, drained);
  const recoveries: Recovery[] = [];
  for (let kill = 1; kill <= kills; kill += 1) {
    say(`recovery: kill ${kill} of ${kills}`);
    await sleep(KILL_AFTER_MS.least + random() * (KILL_AFTER_MS.most - KILL_AFTER_MS.least));
    const killedAt = Date.now();
    await worker.kill();
    worker = await start();
    const readySeconds = (Date.now() - killedAt) / 1000;
    const stepSeconds = ((await firstStepOn(worker, drained)) - killedAt) / 1000;
    recoveries.push({ readySeconds, stepSeconds });
  }
  await session.terminate('measured');
  await worker.stop();
  await site.simulator.stop();
  return present(recoveries);
}

/** When the worker brought its first activity of a host to an end, in epoch milliseconds by the server's clock. */
async function firstStepOn({ pid }: ManagedProcess, host: WorkflowHandle): Promise<number> {
  const identity = `${pid}@${hostname()}`;
  const deadline = Date.now() + RECOVERED_WITHIN_MS;
  for (;;) {
    const events = await host.fetchHistory().then(
      (history) => history.events ?? [],
      () => [],
    );
    const step = events.find((event) => event.activityTaskCompletedEventAttributes?.identity === identity);
    if (step?.eventTime) return Number(step.eventTime.seconds) * 1000 + (step.eventTime.nanos ?? 0) / 1e6;
    if (Date.now() > deadline) throw new Error('the new worker has completed no step');
    await sleep(POLL_MS);
  }
}

function present(recoveries: readonly Recovery[]): Section {
  const describe = (name: string, seconds: readonly number[]): string[] => [
    name,
    ...[0.5, 0.95, 1].map((share) => rounded(quantile(seconds, share))),
  ];
  const steps = recoveries.map(({ stepSeconds }) => stepSeconds);
  const rows = [
    describe(
      'new worker ready',
      recoveries.map(({ readySeconds }) => readySeconds),
    ),
    describe('next step completed', steps),
  ];
  const heads = ['seconds after SIGKILL', 'p50', 'p95', 'most'];
  return {
    figures: { recoveries, p50: quantile(steps, 0.5), p95: quantile(steps, 0.95) },
    lines: [
      `${recoveries.length} kills at random moments of a drain with moves of ${MOVE_MS} ms, one at a time`,
      ...table(heads, rows, heads.slice(1)),
      'aim: 8 s at p95',
    ],
  };
}
