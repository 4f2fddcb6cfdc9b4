/** Answer of the query `progress`: a stable shape, documented in docs/session.md. */
import type { Hold, Step } from './host-run.ts';
import type { SessionState } from './session-state.ts';

export interface HostInFlight {
  host: string;
  step: Step;
  /** Instances moved or stopped of those that have to leave, as last reported by the host. */
  moved: number;
  total: number;
  /** RFC 3339. */
  since: string;
  /** What it waits for, by name. */
  waitsFor?: string;
}

export interface Progress {
  session: string;
  site: string;
  state: SessionState;
  /** Why it stands where it stands, for people; empty while it simply runs. */
  reason: string;
  hosts: {
    total: number;
    pending: number;
    inFlight: number;
    done: number;
    held: number;
    skipped: number;
    rolledBack: number;
  };
  instances: {
    /** Instances that had to leave their host, as counted at the start. */
    total: number;
    moved: number;
    stopped: number;
  };
  inFlight: HostInFlight[];
  held: Hold[];
  /** Hosts that will be taken next, at most 20. */
  next: string[];
  /** What blocks, by name, worst first; empty while nothing does. */
  blockedBy: string[];
  /** How many things went otherwise than wished without holding a host; the report has them in words. */
  warnings: number;
  /** Share of hosts that are finished, 0 to 100. */
  percent: number;
  startedAt: string;
  /** RFC 3339; absent until it can be estimated, and while nothing moves on. */
  eta?: string;
}

/** Result of a session, and answer of the query `report`. Its size does not grow with the number of hosts. */
export interface Report {
  session: string;
  site: string;
  state: SessionState;
  reason: string;
  startedAt: string;
  endedAt?: string;
  hosts: Progress['hosts'];
  instances: Progress['instances'];
  /** At most 100; `hosts.held` counts all. */
  held: Hold[];
  /** The ten that took longest. */
  slowest: { host: string; durationMs: number }[];
  /** At most 100, the first that came. */
  warnings: string[];
  /** Present for a dry run. */
  plan?: Plan;
}

/** What `plan` shows, before or during a session. */
export interface PlannedHost {
  host: string;
  /** Instances that leave it. */
  moves: number;
  /** Instances that are stopped on it. */
  stops: number;
  targets: string[];
  /** Seconds from the start of the session. */
  startsAfter: number;
  seconds: number;
  blockers: string[];
}

export interface Plan {
  /** In the order they are taken; at most 500, `hostCount` counts all. */
  hosts: PlannedHost[];
  hostCount: number;
  /** Instance moves in all, and the least possible: one for each instance that must stay up. */
  moves: number;
  movesBound: number;
  /** Seconds from start to end, and the least possible for this budget. */
  makespan: number;
  makespanBound: number;
  /** What would hold a host or the session, by name; at most 100. */
  blockers: string[];
}
