/** How long things will take, before anything was measured. All in seconds. */
import type { HostRole } from '../inventory.ts';
import type { ActionSpec } from '../session-spec.ts';
import type { Departures } from './departures.ts';
import type { Shares } from './shares.ts';

/** All steps of a host but drain and work: precheck, cordon, enter, exit, restore, verify. */
const STEPS_SECONDS = 15;
/** What a move takes beside copying memory, and all that a stop takes. */
const DEPARTURE_SECONDS = 2;

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
 * take over the move slots, and than those of each limited group take over its share.
 */
export function drainSeconds(departures: Departures, shares: Shares, moveMbPerSecond: number): number {
  const touched = [
    ...departures.moves.map(({ groups, resources }) => ({ groups, memoryMb: resources.memoryMb })),
    ...departures.stops.map(({ groups }) => ({ groups, memoryMb: 0 })),
  ];
  const seconds = (some: typeof touched): number =>
    some.length * DEPARTURE_SECONDS + some.reduce((sum, { memoryMb }) => sum + memoryMb, 0) / moveMbPerSecond;
  const inGroups = Object.entries(shares.groupShares).map(
    ([group, share]) => seconds(touched.filter(({ groups }) => groups.includes(group))) / Math.max(1, share),
  );
  const longest = touched.reduce((most, one) => Math.max(most, seconds([one])), 0);
  return Math.max(longest, seconds(touched) / Math.max(1, shares.moveSlots), ...inGroups);
}

/** From the start of a host to its end. Instances that return do so as they left. */
export const hostSeconds = (drain: number, work: number, returns: boolean): number =>
  STEPS_SECONDS + drain + work + (returns ? drain : 0);
