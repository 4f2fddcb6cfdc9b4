/** Arithmetic that benchmarks on real servers share. */

/** How often each occurs. */
export function countsOf(ids: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

/** Least time for hosts that take so many seconds each, of which so many may be out at once: all ways are tried. */
export function leastSeconds(perHost: ReadonlyMap<string, number>, hostsAtOnce: number): number {
  const [longest = 0, ...others] = [...perHost.values()].sort((a, b) => b - a);
  const end = (lanes: readonly number[], [next, ...later]: readonly number[]): number =>
    next === undefined
      ? Math.max(...lanes)
      : Math.min(...lanes.map((_, lane) => end(lanes.with(lane, (lanes[lane] ?? 0) + next), later)));
  return end([longest, ...Array.from({ length: hostsAtOnce - 1 }, () => 0)], others);
}

/** How much of the time at least one of these was under way, in seconds. */
export function secondsCovered(spans: readonly { from: Date; to: Date }[]): number {
  let covered = 0;
  let until = -Infinity;
  for (const { from, to } of [...spans].sort((a, b) => a.from.getTime() - b.from.getTime())) {
    covered += Math.max(0, to.getTime() - Math.max(from.getTime(), until));
    until = Math.max(until, to.getTime());
  }
  return covered / 1000;
}
