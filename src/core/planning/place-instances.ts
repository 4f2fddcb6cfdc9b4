/**
 * Chooses a target for each instance that has to leave a host. What it never breaks: capacity, the policies of groups,
 * the labels an instance requires, and that a target is in service and not out or held.
 */
import type { Instance } from '../inventory.ts';
import type { InstanceRef, Placement } from '../host-run.ts';
import { affineHosts, allowedPools, bundlesOf } from './bundles.ts';
import type { Bundle } from './bundles.ts';
import { carries } from './pools.ts';
import type { PoolIndex } from './pools.ts';
import { maxPerHost } from './room.ts';
import type { Room } from './room.ts';
import type { HostIndex } from './snapshot.ts';
import type { Targets } from './targets.ts';
import { whyNowhere } from './why-nowhere.ts';

export interface PlacementRequest {
  /** What there is room for, less what is reserved for hosts in flight. It is left as it was. */
  room: Room;
  /** The host that is emptied. */
  host: string;
  /** Those that have to leave it. Whatever else is on the host, and not reserved a target, counts as staying there. */
  instances: readonly Instance[];
  targets: Targets;
  /** Also onto hosts that are still to be taken out where nothing else will do; it costs a second move. */
  allowUnsafe: boolean;
  /** Targets to keep wherever they are still possible, by instance id: what was reserved when the host was chosen. */
  preferred?: ReadonlyMap<string, string>;
  /** Names of hosts that are out of the question for an instance, by its id: those that have just failed to take it. */
  avoid?: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface Unplaced {
  instance: InstanceRef;
  /** Which constraint or capacity is short, by name; without a full stop. */
  reason: string;
}

/** A target for each instance, as far as there is one, and why there is none for the others. */
export function placeInstances(request: PlacementRequest): { placements: Placement[]; unplaced: Unplaced[] } {
  const unplaced: Unplaced[] = [];
  const placements = place(request, (bundle) => {
    const reason = whyNowhere(request, bundle);
    unplaced.push(...bundle.instances.map(({ id, name }) => ({ instance: { id, name }, reason })));
    return 'go on';
  });
  return { placements, unplaced };
}

/** A target for every instance, or undefined as soon as one has none: to try many hosts quickly. */
export function placeAll(request: PlacementRequest): Placement[] | undefined {
  let complete = true;
  const placements = place(request, () => {
    complete = false;
    return 'give up';
  });
  return complete ? placements : undefined;
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
 * Safe targets before unsafe ones. Among each, hosts of the pool that the instances come from before others: so every
 * pool keeps its load, and none is filled with instances that could go anywhere while its own are pinned to it.
 */
function chooseTarget(request: PlacementRequest, bundle: Bundle): HostIndex | undefined {
  const { room } = request;
  const { snapshot } = room;
  const suits = suitability(request, bundle);
  const preferred = preferredTarget(request, bundle);
  if (preferred !== undefined && room.fits(preferred, bundle.need) && suits(preferred)) return preferred;
  const allowed = allowedPools(snapshot, bundle);
  const ownPool = snapshot.pools.of[snapshot.indexOf(request.host) ?? -1];
  const own = allowed.filter((pool) => pool === ownPool);
  const others = allowed.filter((pool) => pool !== ownPool);
  const safe = tightest(request, bundle, own, suits) ?? tightest(request, bundle, others, suits);
  if (safe !== undefined || !request.allowUnsafe) return safe;
  return takenLast(request, bundle, own, suits) ?? takenLast(request, bundle, others, suits);
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
 * The unsafe host with most instances: it is taken last, when there is most room. The lighter ones stay light, so each
 * can soon be emptied without second moves.
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
      const { count } = room.snapshot.running(host);
      if (count < most || !room.fits(host, need) || !suits(host)) continue;
      best = host;
      most = count;
    }
  }
  return best;
}

/** The one target that all of the bundle have reserved, unless it is forbidden by now. */
function preferredTarget({ room, targets, preferred }: PlacementRequest, { instances }: Bundle): HostIndex | undefined {
  const names = new Set(instances.map(({ id }) => preferred?.get(id)));
  const [name] = names;
  const target = names.size === 1 && name !== undefined ? room.snapshot.indexOf(name) : undefined;
  return target !== undefined && targets.kind(target) !== 'forbidden' ? target : undefined;
}

/** Whether one of the bundle has failed to get onto the host. */
export const isAvoided = ({ room, avoid }: PlacementRequest, { instances }: Bundle, host: HostIndex): boolean =>
  avoid !== undefined && instances.some(({ id }) => avoid.get(id)?.has(room.snapshot.host(host).name));

/** Everything but capacity that decides whether a host may take the bundle. */
function suitability(request: PlacementRequest, bundle: Bundle): Suitability {
  const { room, host: name } = request;
  const source = room.snapshot.indexOf(name) ?? -1;
  const affine = affineHosts(room, bundle, source);
  return (host) =>
    host !== source &&
    affine?.has(host) !== false &&
    bundle.limits.every(({ group, members }) => room.membersOn(group.id, host) + members <= maxPerHost(group)) &&
    bundle.instances.every(({ requires }) => carries(room.snapshot.host(host).labels, requires)) &&
    !isAvoided(request, bundle, host);
}
