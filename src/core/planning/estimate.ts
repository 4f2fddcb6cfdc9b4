/** How long things will take, before anything was measured. All in seconds. */
import type { HostRole } from '../inventory.ts';
import type { ActionSpec } from '../session-spec.ts';
import type { Departures } from './departures.ts';
import type { Shares } from './shares.ts';
import type { Snapshot } from './snapshot.ts';

/** All steps of a host but drain and work: precheck, cordon, enter, exit, restore, verify. */
const STEPS_SECONDS = 15;
/** What a move takes beside copying memory, and all that a stop takes. */
const DEPARTURE_SECONDS = 2;

type Recoveries = Pick<Snapshot, 'recoveryOf'>;

/** Estimated duration of the work on a host, by its role. */
export type WorkSeconds = Readonly<Record<HostRole, number>>;

/**
 * What is known of how long the actions on a host take: the built-in `wait` says so in `metadata.seconds`; nothing is
 * known of the others, and they count as none.
 */
export function workSeconds(actions: readonly ActionSpec[]): WorkSeconds {
  const seconds = { compute: 0, controller: 0, other: 0 };
  for (const { plugin, type, metadata } of actions) {
    const wait = plugin === 'wait' && typeof metadata?.seconds === 'number' ? metadata.seconds : 0;
    if (type === 'host' || type === 'compute') seconds.compute += wait;
    if (type === 'host' || type === 'controller') seconds.controller += wait;
    if (type === 'host') seconds.other += wait;
  }
  return seconds;
}

/**
 * From the first departure to the last, with the shares the host has: no less than the longest takes, than all of them
 * take over the move slots, and than those of each limited group, and the recovery of all but the last of them, take over
 * its share.
 */
export function drainSeconds(
  departures: Departures,
  shares: Shares,
  moveMbPerSecond: number,
  snapshot: Recoveries,
): number {
  const touched = [
    ...departures.moves.map(({ groups, resources }) => ({ groups, memoryMb: resources.memoryMb })),
    ...departures.stops.map(({ groups }) => ({ groups, memoryMb: 0 })),
  ];
  const seconds = (some: typeof touched): number =>
    some.length * DEPARTURE_SECONDS + some.reduce((sum, { memoryMb }) => sum + memoryMb, 0) / moveMbPerSecond;
  const inGroups = Object.entries(shares.groupShares).map(([group, share]) => {
    const members = touched.filter(({ groups }) => groups.includes(group));
    const waits = Math.max(0, members.length - share) * snapshot.recoveryOf(group);
    return (seconds(members) + waits) / Math.max(1, share);
  });
  const longest = touched.reduce((most, one) => Math.max(most, seconds([one])), 0);
  return Math.max(longest, seconds(touched) / Math.max(1, shares.moveSlots), ...inGroups);
}

/** How long those recover that were acted on last. */
export const recoverySeconds = ({ groupShares }: Shares, snapshot: Recoveries): number =>
  Object.keys(groupShares).reduce((most, group) => Math.max(most, snapshot.recoveryOf(group)), 0);

/** From the start of a host to its end. Instances that return do so as they left; it ends when all have recovered. */
export const hostSeconds = (drain: number, work: number, returns: boolean, recovery = 0): number =>
  STEPS_SECONDS + drain + Math.max(work, recovery) + (returns ? drain + recovery : 0);
