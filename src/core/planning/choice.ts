/** What goes into the choice of the next hosts, and what comes out of it. */
import type { HostRole } from '../inventory.ts';
import type { Placement } from '../host-run.ts';
import type { HostLimit } from '../host-limits.ts';
import type { Budget, HostOrder, InstanceWishes } from '../session-spec.ts';
import type { HostStatus, OutHost } from '../standing.ts';
import type { DomainBudget } from './budget.ts';
import type { WorkSeconds } from './estimate.ts';
import type { Shares } from './shares.ts';
import type { Snapshot } from './snapshot.ts';

/** Where a session stands when a slot is free. */
export interface NextHostsRequest {
  /** The site as it is now. It is left as it was. */
  snapshot: Snapshot;
  /** How the hosts of the session stand, by name. */
  scope: ReadonlyMap<string, HostStatus>;
  /** Hosts that are out now. */
  inFlight: readonly OutHost[];
  /** How many hosts may be started now. */
  freeSlots: number;
  budget: DomainBudget & Pick<Budget, 'maxConcurrentMoves' | 'maxConcurrentMovesPerHost'>;
  /** What the platform bears to have out at one time; absent: anything. */
  limits?: readonly HostLimit[];
  /** Hosts that other sessions have out, by name: they count for the limits too. */
  outElsewhere?: ReadonlySet<string>;
  /** Absent: whatever ends the session soonest. */
  order?: HostOrder;
  wishes: InstanceWishes;
  moveMbPerSecond: number;
  workSeconds: WorkSeconds;
  /** Pending hosts that were taken out before and are to be taken up again, before any new one. */
  first?: ReadonlySet<string>;
}

/** A host to start now. */
export interface ChosenHost extends Shares {
  host: string;
  role: HostRole;
  placement: Placement[];
  /** Instances that have to move off it. */
  moves: number;
  /** Instances that are stopped on it. */
  stops: number;
  /** Why it cannot be emptied, by name. It is started all the same, as the last resort, to be held before it is touched. */
  blockers: string[];
  estimateMs: number;
}

export interface NextHosts {
  start: ChosenHost[];
  /** While slots are free and hosts are left but none may start: what has to happen first, by name. */
  waitFor?: string;
}
