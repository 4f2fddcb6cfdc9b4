/** One run of a contender, measured from outside. */
import type { Bed } from './bed.ts';
import type { Contender } from './contenders.ts';
import { countActivities, historySize, type HistorySize } from './histories.ts';
import { activitiesPerHost, type SessionShape } from './shape.ts';
import { cpuSecondsOf, peakRssMbOf } from './usage.ts';

/** By process, from the start of the session to its end; the server only if it is one of ours. */
type CpuSeconds = Partial<Record<'worker' | 'simulator' | 'server', number>>;

export interface RunFigures {
  seconds: number;
  hostsPerSecond: number;
  activitiesPerSecond: number;
  /** Activities of the session itself. */
  sessionActivities: number;
  cpuSeconds: CpuSeconds;
  workerPeakRssMb?: number;
  session: HistorySize;
  hosts: HistorySize;
}

/** Runs a session in a namespace and processes of its own. Throws when it does not end as it should. */
export async function measureRun(bed: Bed, contender: Contender, shape: SessionShape): Promise<RunFigures> {
  const namespace = await bed.openNamespace();
  const { client } = namespace;
  const { worker, simulator } = await contender.start(bed, namespace, shape);
  const pids = { worker: worker.pid, simulator: simulator?.pid, server: bed.server.own?.pid };
  const cpuBefore = await cpuOf(pids);
  const startedAt = performance.now();
  const result: unknown = await client.workflow.execute(contender.sessionType, {
    taskQueue: contender.taskQueue,
    workflowId: 'bench',
    args: [contender.input(shape)],
  });
  const seconds = (performance.now() - startedAt) / 1000;
  await contender.settle?.();
  const cpuAfter = await cpuOf(pids);
  const workerPeakRssMb = await peakRssMbOf(worker.pid);
  await worker.stop();
  await simulator?.stop();
  contender.check(result, shape);
  const sessionActivities = await countActivities(client, contender.sessionType, 1);
  return {
    seconds,
    hostsPerSecond: shape.hosts / seconds,
    activitiesPerSecond: (shape.hosts * activitiesPerHost(shape) + sessionActivities) / seconds,
    sessionActivities,
    cpuSeconds: difference(cpuAfter, cpuBefore),
    ...(workerPeakRssMb === undefined ? {} : { workerPeakRssMb }),
    session: await historySize(client, contender.sessionType, 1),
    hosts: await historySize(client, contender.hostType, shape.hosts),
  };
}

async function cpuOf(pids: Record<keyof CpuSeconds, number | undefined>): Promise<CpuSeconds> {
  const measured = await Promise.all(
    Object.entries(pids).map(async ([name, pid]) => [name, pid && (await cpuSecondsOf(pid))] as const),
  );
  return Object.fromEntries(measured.filter(([, seconds]) => seconds !== undefined));
}

const difference = (after: CpuSeconds, before: CpuSeconds): CpuSeconds =>
  Object.fromEntries(
    Object.entries(after).map(([name, seconds]) => [name, seconds - (before[name as keyof CpuSeconds] ?? 0)]),
  );
