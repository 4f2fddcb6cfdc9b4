/**
 * Chooses a target for each instance that has to leave a host. What it never breaks: capacity, the policies of groups,
 * the labels an instance requires, and that a target is in service and not out or held.
 */
import type { InstanceRef, Placement } from '../host-run.ts';
import { affineHosts, allowedPools, bundlesOf, type Bundle } from './bundles.ts';
import { failuresOf, HOPELESS, meetsLabels, withinLimit, type PlacementRequest } from './placement-rules.ts';
import type { PoolIndex } from './pools.ts';
import type { HostIndex } from './snapshot.ts';
import { whyNowhere } from './why-nowhere.ts';

export interface Unplaced {
  instance: InstanceRef;
  /** Which constraint or capacity is short, by name; without a full stop. */
  reason: string;
}

/** A target for each instance, as far as there is one, and why there is none for the others. */
export function placeInstances(request: PlacementRequest): {
  placements: Placement[];
  unplaced: Unplaced[];
} {
  const unplaced: Unplaced[] = [];
  const placements = place(request, (bundle) => {
    const reason = whyNowhere(request, bundle);
    for (const { id, name } of bundle.instances) unplaced.push({ instance: { id, name }, reason });
    return 'go on';
  });
  return { placements, unplaced };
}

/** A target for every instance, or undefined as soon as one has none: to try many hosts quickly. */
export function placeAll(request: PlacementRequest): Placement[] | undefined {
  const placements = place(request, () => 'give up');
  return placements.length === request.instances.length ? placements : undefined;
}

function place(request: PlacementRequest, onNowhere: (bundle: Bundle) => 'go on' | 'give up'): Placement[] {
  const { room } = request;
  const mark = room.mark();
  const placements: Placement[] = [];
  for (const bundle of bundlesOf(room, request.instances)) {
    const target = chooseTarget(request, bundle);
    if (target !== undefined) {
      for (const instance of bundle.instances) {
        room.claim(instance, target);
        placements.push({ instance: instance.id, target: room.snapshot.host(target).name });
      }
    } else if (onNowhere(bundle) === 'give up') {
      break;
    }
  }
  room.rollback(mark);
  return placements;
}

/**
 * Safe targets before unsafe ones, and those that have failed once after others of their kind. Among each, hosts of the
 * pool that the instances come from before others: so every pool keeps its load, and none is filled with instances that
 * could go anywhere while its own are pinned to it. For the same reason safe hosts of a pool that has no room to spare
 * come last of all.
 */
function chooseTarget(request: PlacementRequest, bundle: Bundle): HostIndex | undefined {
  const { room } = request;
  const { snapshot } = room;
  const untried = suitability(request, bundle, 1);
  const preferred = preferredTarget(request, bundle);
  if (preferred !== undefined && room.fits(preferred, bundle.need) && untried(preferred)) return preferred;
  const allowed = allowedPools(snapshot, bundle);
  const ownPool = snapshot.pools.of[snapshot.indexOf(request.host) ?? -1];
  const own = allowed.filter((pool) => pool === ownPool);
  const others = allowed.filter((pool) => pool !== ownPool);
  const withRoom = (): PoolIndex[] => others.filter((pool) => hasToSpare(request, bundle, pool));
  const safe = (suits: Suitability): HostIndex | undefined =>
    tightest(request, bundle, own, suits) ?? tightest(request, bundle, withRoom(), suits);
  const unsafe = (suits: Suitability): HostIndex | undefined =>
    takenLast(request, bundle, own, suits) ??
    takenLast(request, bundle, others, suits) ??
    tightest(request, bundle, others, suits);
  const kinds = request.allowUnsafe ? [safe, unsafe] : [safe];
  const again = request.failed ? [suitability(request, bundle, HOPELESS)] : [];
  for (const choose of kinds) {
    for (const suits of [untried, ...again]) {
      const target = choose(suits);
      if (target !== undefined) return target;
    }
  }
  return undefined;
}

/** Whether the pool can take the bundle and still empty its own hosts. */
function hasToSpare({ room, targets }: PlacementRequest, { need }: Bundle, pool: PoolIndex): boolean {
  const reserve = targets.reserveMb(pool);
  if (reserve === 0) return true;
  const free = targets.safe(pool).reduce((sum, host) => sum + Math.max(0, room.freeMemoryMb(host)), 0);
  return free - need.memoryMb >= reserve;
}

type Suitability = (host: HostIndex) => boolean;

/** Best fit: the safe host that has least left. */
function tightest(
  { room, targets }: PlacementRequest,
  { need }: Bundle,
  pools: readonly PoolIndex[],
  suits: Suitability,
): HostIndex | undefined {
  let best: HostIndex | undefined;
  let least = Infinity;
  for (const pool of pools) {
    for (const host of targets.safe(pool)) {
      if (!room.fits(host, need)) continue;
      const slack = room.slack(host);
      if (slack >= least || !suits(host)) continue;
      best = host;
      least = slack;
    }
  }
  return best;
}

/**
 * The unsafe host with most memory in use: it is taken last, when there is most room. The lighter ones stay light, so
 * that each can soon be emptied without second moves.
 */
function takenLast(
  { room, targets }: PlacementRequest,
  { need }: Bundle,
  pools: readonly PoolIndex[],
  suits: Suitability,
): HostIndex | undefined {
  let best: HostIndex | undefined;
  let most = -1;
  for (const pool of pools) {
    for (const host of targets.unsafe(pool)) {
      const { memoryMb } = room.snapshot.running(host);
      if (memoryMb < most || !room.fits(host, need) || !suits(host)) continue;
      best = host;
      most = memoryMb;
    }
  }
  return best;
}

/** The one target that all of the bundle have reserved, unless it is forbidden by now. */
function preferredTarget(
  { room, targets, preferred }: PlacementRequest,
  { instances }: Bundle,
): HostIndex | undefined {
  const names = new Set(instances.map(({ id }) => preferred?.get(id)));
  const [name] = names;
  const target = names.size === 1 && name !== undefined ? room.snapshot.indexOf(name) : undefined;
  return target !== undefined && targets.kind(target) !== 'forbidden' ? target : undefined;
}

/** Everything but capacity that decides whether a host may take the bundle; it has failed less often than `failures`. */
function suitability(request: PlacementRequest, bundle: Bundle, failures: number): Suitability {
  const { room, host: name } = request;
  const source = room.snapshot.indexOf(name) ?? -1;
  const affine = affineHosts(room, bundle, source);
  return (host) =>
    host !== source &&
    affine?.has(host) !== false &&
    bundle.limits.every(({ group, members }) => withinLimit(request, group, members, host)) &&
    meetsLabels(request, bundle, host) &&
    failuresOf(request, bundle, host) < failures;
}
