/** The plan of a whole session: what would happen, how long it would take, and what would be in the way. */
import { durationMs } from '../duration.ts';
import type { HostLimit } from '../host-limits.ts';
import type { Plan, PlannedHost } from '../progress.ts';
import type { SessionSpec } from '../session-spec.ts';
import { boundsOf } from './bounds.ts';
import { resolveBudget } from './budget.ts';
import { workSeconds } from './estimate.ts';
import { sortedByName } from './natural-order.ts';
import { simulateSession, type SimulatedHost } from './simulate-session.ts';
import type { Snapshot } from './snapshot.ts';

export { workSeconds } from './estimate.ts';

const HOSTS_LISTED = 500;
const BLOCKERS_LISTED = 100;

export interface PlanRequest {
  /** The site as it is now. It is left as it was. */
  snapshot: Snapshot;
  /** Names of the hosts to take out. */
  scope: readonly string[];
  spec: Pick<SessionSpec, 'budget' | 'order' | 'instances' | 'actions' | 'pauseBetweenHosts'>;
  capabilities: { moveMbPerSecond: number; limits?: readonly HostLimit[] };
}

/** Yields after each step, so that a caller with other duties can attend to them; returns the plan. */
export function* planSession({
  snapshot,
  scope,
  spec,
  capabilities,
}: PlanRequest): Generator<undefined, Plan> {
  const terms = {
    snapshot,
    budget: spec.budget,
    ...(capabilities.limits === undefined ? {} : { limits: capabilities.limits }),
    ...(spec.order === undefined ? {} : { order: spec.order }),
    maxConcurrentHosts: resolveBudget(spec.budget, scope.length).maxConcurrentHosts,
    wishes: spec.instances,
    moveMbPerSecond: capabilities.moveMbPerSecond,
    workSeconds: workSeconds(spec.actions),
    pauseSeconds: spec.pauseBetweenHosts === undefined ? 0 : durationMs(spec.pauseBetweenHosts) / 1000,
  };
  const hosts = yield* simulateSession({ ...terms, scope });
  const emptied = hosts.filter(({ blockers }) => blockers.length === 0);
  const bounds = boundsOf({ ...terms, hosts: emptied.map(({ host }) => host) });
  const moves = emptied.reduce((sum, { placement }) => sum + placement.length, 0);
  return {
    hosts: hosts.slice(0, HOSTS_LISTED).map(describeHost),
    hostCount: hosts.length,
    moves: spec.instances.return ? 2 * moves : moves,
    movesBound: bounds.moves,
    makespan: rounded(emptied.reduce((latest, { endsAfter }) => Math.max(latest, endsAfter), 0)),
    makespanBound: rounded(bounds.makespan),
    blockers: hosts.flatMap(({ blockers }) => blockers).slice(0, BLOCKERS_LISTED),
  };
}

function describeHost({
  host,
  moves,
  stops,
  placement,
  startsAfter,
  endsAfter,
  blockers,
}: SimulatedHost): PlannedHost {
  const targets = sortedByName([...new Set(placement.map(({ target }) => target))], (name) => name);
  return {
    host,
    moves,
    stops,
    targets,
    startsAfter: rounded(startsAfter),
    seconds: rounded(rounded(endsAfter) - rounded(startsAfter)),
    blockers,
  };
}

/** To the millisecond, for people; what ends when another starts still does so. */
const rounded = (seconds: number): number => Math.round(seconds * 1000) / 1000;
