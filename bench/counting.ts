/** Arithmetic that benchmarks on real servers share. */

/** How often each occurs. */
export function countsOf(ids: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

/** Least time for hosts that take so many seconds each, of which so many may be out at once. */
export function leastSeconds(perHost: ReadonlyMap<string, number>, hostsAtOnce: number): number {
  const all = [...perHost.values()];
  return Math.max(...all, all.reduce((sum, seconds) => sum + seconds, 0) / hostsAtOnce);
}
