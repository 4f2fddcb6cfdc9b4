/** The least that a session can cost, however well it is planned. */
import type { HostLimit } from '../host-limits.ts';
import type { Budget, InstanceWishes } from '../session-spec.ts';
import { groupLimitsOf, type DomainBudget } from './budget.ts';
import { departuresOf } from './departures.ts';
import { drainSeconds, hostSeconds, type WorkSeconds } from './estimate.ts';
import type { HostIndex, Snapshot } from './snapshot.ts';

export interface BoundsRequest {
  /** The site before the session. */
  snapshot: Snapshot;
  /** Hosts that are taken out, by name. */
  hosts: readonly string[];
  budget: DomainBudget & Pick<Budget, 'maxConcurrentMoves' | 'maxConcurrentMovesPerHost'>;
  limits?: readonly HostLimit[];
  maxConcurrentHosts: number;
  wishes: InstanceWishes;
  moveMbPerSecond: number;
  workSeconds: WorkSeconds;
  pauseSeconds: number;
}

export interface Bounds {
  moves: number;
  /** In seconds. */
  makespan: number;
}

/**
 * Moves: one for each instance that has to leave, and another if it returns. Makespan: no less than the longest host,
 * and than all hosts together over as many as may be out at once, in the whole session and in each group that is limited.
 */
export function boundsOf(request: BoundsRequest): Bounds {
  const { snapshot, budget, wishes, maxConcurrentHosts } = request;
  const hosts = request.hosts.flatMap((name) => snapshot.indexOf(name) ?? []);
  const durations = new Map(hosts.map((host) => [host, leastSeconds(request, host)]));
  const moves = hosts.reduce((sum, host) => sum + departuresOf(snapshot, host, wishes).moves.length, 0);
  const lanes = [{ members: hosts, abreast: maxConcurrentHosts }];
  for (const { label, value, maxHosts } of groupLimitsOf(budget, request.limits)) {
    const groups = snapshot.domains(label);
    for (const group of value === undefined ? new Set(groups) : [value]) {
      lanes.push({ members: hosts.filter((host) => groups[host] === group), abreast: maxHosts });
    }
  }
  const spans = lanes.map(({ members, abreast }) => {
    const total = members.reduce((sum, host) => sum + (durations.get(host) ?? 0), 0);
    const pauses = Math.max(0, members.length - abreast) * request.pauseSeconds;
    return (total + pauses) / abreast;
  });
  return { moves: wishes.return ? 2 * moves : moves, makespan: Math.max(0, ...durations.values(), ...spans) };
}

/** How long a host takes that has the whole move budget to itself. */
function leastSeconds(
  { snapshot, budget, wishes, moveMbPerSecond, workSeconds }: BoundsRequest,
  host: HostIndex,
): number {
  const moveSlots = Math.min(budget.maxConcurrentMovesPerHost, budget.maxConcurrentMoves ?? Infinity);
  const departures = departuresOf(snapshot, host, wishes);
  const drain = drainSeconds(departures, { moveSlots, groupShares: {} }, moveMbPerSecond, snapshot);
  return hostSeconds(drain, workSeconds[snapshot.host(host).role], wishes.return);
}
