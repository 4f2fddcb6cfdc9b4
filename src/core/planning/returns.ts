import { parseMark } from '../mark.ts';
import type { Host } from '../inventory.ts';
import type { PoolIndex } from './pools.ts';
import type { HostIndex, Load, Snapshot } from './snapshot.ts';

/**
 * Those of the waiting hosts that can count on an empty host to come back for them: one that is in flight, or one that
 * is itself emptied onto such a host. For them it is better to wait than to move an instance twice. It looks at the
 * labels that instances require and not at sizes; where it hopes in vain, soon nothing is in flight any more.
 */
export function helpedByReturns(
  snapshot: Snapshot,
  inFlight: readonly HostIndex[],
  waiting: readonly HostIndex[],
  moves: (host: HostIndex) => Load,
): Set<HostIndex> {
  const poolOf = (host: HostIndex): PoolIndex => snapshot.pools.of[host] ?? 0;
  const reached = new Set(inFlight.filter((host) => comesBack(snapshot.host(host))).map(poolOf));
  const helped = new Set<HostIndex>();
  if (reached.size === 0) return helped;
  let before: number;
  do {
    before = helped.size;
    for (const host of waiting) {
      if (helped.has(host) || !moves(host).pins.every((pools) => pools.some((pool) => reached.has(pool))))
        continue;
      helped.add(host);
      reached.add(poolOf(host));
    }
  } while (helped.size > before);
  return helped;
}

/** A host that somebody else has cordoned stays so after its maintenance, and takes nothing. */
const comesBack = ({ standing, cordonReason }: Host): boolean =>
  standing !== 'cordoned' || cordonReason === undefined || parseMark(cordonReason) !== undefined;
