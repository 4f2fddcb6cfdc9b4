/** What is measured side by side: a session of Haulout, and a bare workflow of the same shape. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import type { ManagedProcess } from '../src/devstack/processes.ts';
import type { Report } from '../src/core/progress.ts';
import type { SessionInput } from '../src/core/session-spec.ts';
import { MAINTENANCE_QUEUE, WORKFLOWS } from '../src/names.ts';
import type { FleetInput } from '../src/simulator/fleet.ts';
import { BARE_QUEUE } from './bare/names.ts';
import type { Bed } from './bed.ts';
import type { SessionShape } from './shape.ts';

const SITE = 'bench';

export interface Contender {
  /** Types of the workflow of all hosts, and of the one of each host. */
  sessionType: string;
  hostType: string;
  taskQueue: string;
  input(shape: SessionShape): unknown;
  start(bed: Bed, env: NodeJS.ProcessEnv, shape: SessionShape): Promise<Running>;
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
  input: ({ hosts, window, movesAtOnce }) =>
    ({
      site: SITE,
      hosts: hostNames(hosts, window),
      budget: { maxConcurrentHosts: window, maxConcurrentMovesPerHost: movesAtOnce },
    }) satisfies SessionInput,
  start: async (bed, env, shape) => {
    const { process: simulator, control } = await bed.startSimulator(fleetOf(shape), env);
    const config = path.join(bed.directory, 'haulout.yaml');
    const site = { platform: 'simulator', url: control.url, reconcileEvery: 'off' };
    await writeFile(config, stringify({ sites: { [SITE]: site } }));
    return { simulator, worker: await bed.startWorker('src/worker.ts', { ...env, HAULOUT_CONFIG: config }) };
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
  start: async (bed, env) => ({ worker: await bed.startWorker('bench/bare/worker.ts', env) }),
  check: () => undefined,
};

/** A datacentre where nothing takes time, with as many empty hosts beside the session's as may be out at one time. */
const fleetOf = ({ hosts, instancesPerHost, window }: SessionShape): FleetInput => ({
  hosts: {
    count: hosts + window,
    capacity: {
      vcpus: 4 * instancesPerHost,
      memoryMb: 4 * instancesPerHost * 1024,
      diskGb: 40 * instancesPerHost,
    },
  },
  emptyHosts: window,
  instances: { perHost: instancesPerHost, sizes: [{ vcpus: 1, memoryMb: 1024, diskGb: 10 }] },
  migration: { baseMs: 0, mbPerSecond: 0 },
  durations: { stopMs: 0, startMs: 0, enterMs: 0, exitMs: 0, workMs: 0 },
});

/** Names of the hosts that are not empty. */
function hostNames(hosts: number, empty: number): string[] {
  const digits = Math.max(2, String(hosts + empty).length);
  return Array.from({ length: hosts }, (_, index) => `compute-${String(index + 1).padStart(digits, '0')}`);
}
