/** How long things will take, before anything was measured. All in seconds. */
import type { HostRole, Instance } from '../inventory.ts';
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
 * From the first departure to the last, with the shares the host has. No less than the longest move, and than what the
 * moves take together over the slots for them.
 */
export function drainSeconds(departures: Departures, shares: Shares, moveMbPerSecond: number): number {
  let longest = 0;
  let total = 0;
  const byGroup = new Map<string, number>();
  const count = (instance: Instance, seconds: number): void => {
    longest = Math.max(longest, seconds);
    total += seconds;
    for (const group of instance.groups) byGroup.set(group, (byGroup.get(group) ?? 0) + seconds);
  };
  for (const instance of departures.moves) {
    count(instance, DEPARTURE_SECONDS + instance.resources.memoryMb / moveMbPerSecond);
  }
  for (const instance of departures.stops) count(instance, DEPARTURE_SECONDS);
  const inGroups = [...byGroup].map(([group, seconds]) => seconds / Math.max(1, shares.groupShares[group] ?? Infinity));
  return Math.max(longest, total / Math.max(1, shares.moveSlots), ...inGroups);
}

/** From the start of a host to its end. Instances that return do so as they left. */
export const hostSeconds = (drain: number, work: number, returns: boolean): number =>
  STEPS_SECONDS + drain + work + (returns ? drain : 0);
