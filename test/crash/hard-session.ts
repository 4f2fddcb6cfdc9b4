/** A session with something of everything that a crash could upset, for tests that crash at random. */
import type { SessionInput } from '../../src/core/session-spec.ts';
import type { Expectations } from '../../src/simulator/checker.ts';
import type { FleetInput } from '../../src/simulator/fleet.ts';
import { seededRandom, shuffled } from '../../src/simulator/random.ts';
import type { Simulator } from '../../src/simulator/server.ts';
import { hostNames } from '../support/fleets.ts';
import { untilJournal, workAt } from '../support/rig.ts';

/** Changes that a host and an instance bring into the journal when each goes out and back once. */
const CHANGES = { host: 8, instance: 2 };
const PER_HOST = 3;

export interface HardSession {
  fleet: FleetInput;
  session: Omit<SessionInput, 'site'>;
  expectations: Expectations;
  /** Changes in the journal when it is done. */
  changes: number;
}

/**
 * A session over `hosts` hosts, three out at one time, whose instances move, or are stopped, or belong to groups that
 * allow one or two of their members to be away.
 */
export function hardSession(site: string, hosts: number): HardSession {
  const names = hostNames(hosts);
  const budget = { maxConcurrentHosts: 3, maxConcurrentMoves: 4, maxConcurrentMovesPerHost: 2 };
  return {
    fleet: {
      hosts: { count: hosts + 3, zones: 1, capacity: { vcpus: 48, memoryMb: 98_304, diskGb: 1_200 } },
      emptyHosts: 3,
      instances: { perHost: PER_HOST, sizes: [{ vcpus: 2, memoryMb: 4_096, diskGb: 20 }] },
      groups: [
        { name: 'quorum', policy: 'anti-affinity', maxImpacted: 1, members: hosts - 1 },
        { name: 'pool', maxImpacted: 2, members: hosts },
      ],
      migration: { baseMs: 500, mbPerSecond: 0 },
      durations: { stopMs: 300, startMs: 300, enterMs: 700, exitMs: 700, workMs: 1_000 },
    },
    session: {
      hosts: names,
      actions: [workAt(site)],
      budget,
      instances: { overrides: { 'pool-1': 'stop', 'vm-1': 'stop', 'vm-2': 'stop' } },
    },
    expectations: { ...budget, worked: names },
    changes: hosts * (CHANGES.host + PER_HOST * CHANGES.instance),
  };
}

/** `times` numbers of changes, spread over the session at random but for its first and last, the least first. */
export function randomMoments({ changes }: HardSession, times: number, seed: number): number[] {
  const inside = Array.from({ length: changes - 2 }, (_, index) => index + 1);
  return shuffled(inside, seededRandom(seed))
    .slice(0, times)
    .sort((a, b) => a - b);
}

/** Waits until the site has seen so many changes. */
export async function untilChanged(simulator: Simulator, changes: number): Promise<void> {
  let seen = 0;
  const counts = (type: string): boolean =>
    type !== 'request' && type !== 'fault.injected' && type !== 'datacentre.created';
  await untilJournal(
    simulator,
    ({ type }) => counts(type) && ++seen >= changes,
    `change ${changes}, only ${seen}`,
  );
}
