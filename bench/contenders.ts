/** What is measured side by side: a session of Haulout, and a bare workflow of the same shape. */
import type { ManagedProcess } from '../src/devstack/processes.ts';
import type { Report } from '../src/core/progress.ts';
import type { SessionInput } from '../src/core/session-spec.ts';
import { MAINTENANCE_QUEUE, WORKFLOWS } from '../src/names.ts';
import { BARE_QUEUE } from './bare/names.ts';
import type { Bed, Namespace } from './bed.ts';
import type { SessionShape } from './shape.ts';
import { fleetOf, hostNames, SITE, startSite } from './site.ts';

export interface Contender {
  /** Types of the workflow of all hosts, and of the one of each host. */
  sessionType: string;
  hostType: string;
  taskQueue: string;
  input(shape: SessionShape): unknown;
  start(bed: Bed, namespace: Namespace, shape: SessionShape): Promise<Running>;
  /** Waits for what a session leaves to others to end; absent: nothing. */
  settle?(): Promise<void>;
  /** Throws unless the result of the session says that all went well. */
  check(result: unknown, shape: SessionShape): void;
}

/** The processes of a contender. */
export interface Running {
  worker: ManagedProcess;
  simulator?: ManagedProcess;
}

export const haulout: Contender = {
  sessionType: WORKFLOWS.maintenanceSession,
  hostType: WORKFLOWS.hostMaintenance,
  taskQueue: MAINTENANCE_QUEUE,
  input: (shape) => sessionInput(shape),
  start: async (bed, { env }, shape) => {
    const site = await startSite(bed, fleetOf(shape), env);
    return { simulator: site.simulator, worker: await bed.startWorker('src/worker.ts', site.env) };
  },
  check: (result, { hosts, instancesPerHost }) => {
    const report = result as Report;
    if (report.hosts.done !== hosts || report.instances.moved !== hosts * instancesPerHost) {
      throw new Error(`the session did not go as it should: ${JSON.stringify(report)}`);
    }
  },
};

export const bare: Contender = {
  sessionType: 'bareSession',
  hostType: 'bareHost',
  taskQueue: BARE_QUEUE,
  input: (shape) => shape,
  start: async (bed, { env }) => ({ worker: await bed.startWorker('bench/bare/worker.ts', env) }),
  check: () => undefined,
};

export const sessionInput = (shape: SessionShape): SessionInput => ({
  site: SITE,
  hosts: hostNames(shape),
  budget: { maxConcurrentHosts: shape.window, maxConcurrentMovesPerHost: shape.movesAtOnce },
});
