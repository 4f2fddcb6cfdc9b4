/** Fleets for tests: small, and quick enough that a session takes seconds. */
import type { FleetInput } from '../../src/simulator/fleet.ts';

const CAPACITY = { vcpus: 48, memoryMb: 98_304, diskGb: 1_200 };
const SMALL = { vcpus: 2, memoryMb: 4_096, diskGb: 20 };

/** Everything takes a few milliseconds. */
const QUICK: Pick<FleetInput, 'migration' | 'durations'> = {
  migration: { baseMs: 20, mbPerSecond: 0 },
  durations: { stopMs: 10, startMs: 10, enterMs: 10, exitMs: 10, workMs: 20 },
};

/** `hosts` hosts, the last of them empty, with `perHost` instances on each of the others. */
export const fleetOf = (hosts: number, perHost: number, more: Partial<FleetInput> = {}): FleetInput => ({
  hosts: { count: hosts, zones: 1, capacity: CAPACITY },
  emptyHosts: 1,
  instances: { perHost, sizes: [SMALL] },
  ...QUICK,
  ...more,
});

/** Names of the compute hosts of such a fleet. */
export const hostNames = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `compute-${String(index + 1).padStart(2, '0')}`);

/** The action that the simulator's journal records as work. */
export const WORK = { plugin: 'webhook', type: 'host', metadata: { endpoint: 'work' } } as const;
