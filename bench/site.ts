/** The simulated site that sessions are measured on. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import type { ManagedProcess } from '../src/devstack/processes.ts';
import type { FleetInput } from '../src/simulator/fleet.ts';
import type { Bed } from './bed.ts';
import type { SessionShape } from './shape.ts';

export const SITE = 'bench';

/** The hosts of a session, and beside them as many empty ones as may be out at one time. Nothing but moves takes time. */
export const fleetOf = ({ hosts, instancesPerHost, window }: SessionShape, moveMs = 0): FleetInput => ({
  hosts: {
    count: hosts + window,
    capacity: {
      vcpus: 4 * instancesPerHost,
      memoryMb: 4096 * instancesPerHost,
      diskGb: 40 * instancesPerHost,
    },
  },
  emptyHosts: window,
  instances: { perHost: instancesPerHost, sizes: [{ vcpus: 1, memoryMb: 1024, diskGb: 10 }] },
  migration: { baseMs: moveMs, mbPerSecond: 0 },
  durations: { stopMs: 0, startMs: 0, enterMs: 0, exitMs: 0, workMs: 0 },
});

/** Names of the hosts that are not empty. */
export function hostNames({ hosts, window }: SessionShape): string[] {
  const digits = Math.max(2, String(hosts + window).length);
  return Array.from({ length: hosts }, (_, index) => `compute-${String(index + 1).padStart(digits, '0')}`);
}

/**
 * Starts the simulator; `env` of the answer is for a worker that is to serve the site.
 *
 * @param more of the configuration of the worker
 */
export async function startSite(
  bed: Bed,
  fleet: FleetInput,
  env: NodeJS.ProcessEnv,
  more: Readonly<Record<string, unknown>> = {},
): Promise<{ simulator: ManagedProcess; env: NodeJS.ProcessEnv }> {
  const { process: simulator, url } = await bed.startSimulator(fleet, env);
  const config = path.join(bed.directory, 'haulout.yaml');
  const sites = { [SITE]: { platform: 'simulator', url, reconcileEvery: 'off' } };
  await writeFile(config, stringify({ sites, ...more }));
  return { simulator, env: { ...env, HAULOUT_CONFIG: config } };
}
