import { patched } from '@temporalio/workflow';

/** Capacity may come back with the next host that does. */
const RESTS_MS = [5_000, 15_000, 30_000];

/**
 * A scheduler may take its own view of the instances from a list that it renews every two minutes only (Nova's
 * `scheduler_instance_sync_interval`), and refuse until then what has long been possible.
 */
const FURTHER_RESTS_MS = [45_000, 60_000];

/** How long a host waits for room elsewhere, by how often it has done so; undefined: no more. */
export function restForRoom(rested: number): number | undefined {
  const rest = RESTS_MS[rested];
  if (rest !== undefined) return rest;
  const further = FURTHER_RESTS_MS[rested - RESTS_MS.length];
  return further !== undefined && patched('further-rests') ? further : undefined;
}
