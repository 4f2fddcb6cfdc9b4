/** One run of a contender, measured from outside. */
import type { Bed } from './bed.ts';
import type { Contender } from './contenders.ts';
import { countActivities, historySize, type HistorySize } from './histories.ts';
import { activitiesPerHost, type SessionShape } from './shape.ts';
import { usageOf, type Usage } from './usage.ts';

export interface RunFigures {
  seconds: number;
  hostsPerSecond: number;
  activitiesPerSecond: number;
  /** Activities of the session itself. */
  sessionActivities: number;
  /** From the first poll to the end of the session; absent where the system does not tell. */
  worker?: Usage;
  /** Absent also where there is none. */
  simulator?: Usage;
  session: HistorySize;
  hosts: HistorySize;
}

/** Runs a session in a namespace and processes of its own. Throws when it does not end as it should. */
export async function measureRun(bed: Bed, contender: Contender, shape: SessionShape): Promise<RunFigures> {
  const { client, env } = await bed.openNamespace();
  const { worker, simulator } = await contender.start(bed, env, shape);
  const before = await usageOf(worker.pid);
  const simulatorBefore = simulator && (await usageOf(simulator.pid));
  const startedAt = performance.now();
  const result: unknown = await client.workflow.execute(contender.sessionType, {
    taskQueue: contender.taskQueue,
    workflowId: 'bench',
    args: [contender.input(shape)],
  });
  const seconds = (performance.now() - startedAt) / 1000;
  const after = await usageOf(worker.pid);
  const simulatorAfter = simulator && (await usageOf(simulator.pid));
  await worker.stop();
  await simulator?.stop();
  contender.check(result, shape);
  const sessionActivities = await countActivities(client, contender.sessionType, 1);
  const activities = shape.hosts * activitiesPerHost(shape) + sessionActivities;
  return {
    seconds,
    hostsPerSecond: shape.hosts / seconds,
    activitiesPerSecond: activities / seconds,
    sessionActivities,
    ...since('worker', before, after),
    ...since('simulator', simulatorBefore, simulatorAfter),
    session: await historySize(client, contender.sessionType, 1),
    hosts: await historySize(client, contender.hostType, shape.hosts),
  };
}

function since<Name extends string>(
  name: Name,
  before: Usage | undefined,
  after: Usage | undefined,
): { [key in Name]?: Usage } {
  if (!before || !after) return {};
  const usage = { cpuSeconds: after.cpuSeconds - before.cpuSeconds, peakRssMb: after.peakRssMb };
  return { [name]: usage } as { [key in Name]?: Usage };
}
