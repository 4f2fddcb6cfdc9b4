/** How good plans are, and what making them takes: moves and duration against what no plan could beat. */
import { planSession } from '../src/core/planning/plan-session.ts';
import { Snapshot } from '../src/core/planning/snapshot.ts';
import type { Plan } from '../src/core/progress.ts';
import { table } from '../src/cli/table.ts';
import { generateFleet } from '../src/simulator/fleet.ts';
import { inService, viewHost, viewInstance, type Fleet } from '../src/simulator/model.ts';
import { plannedFleets, type PlannedFleet } from './fleets.ts';
import { rounded, type Section } from './section.ts';

/** What the driver of the simulator promises of its platform. */
const MOVE_MB_PER_SECOND = 8000;

interface PlanningFigures {
  fleet: string;
  hosts: number;
  instances: number;
  moves: number;
  /** 1 is the least possible. */
  movesPerInstance: number;
  makespanSeconds: number;
  /** Over the least possible for the budget. */
  makespanRatio: number;
  planningMs: number;
  /** Hosts or instances that the plan could not provide for. */
  blockers: number;
}

export function planFleets(): Section {
  const figures = plannedFleets().map(planFleet);
  const rows = figures.map((one) => [
    one.fleet,
    String(one.instances),
    String(one.moves),
    rounded(one.movesPerInstance, 3),
    rounded(one.makespanRatio, 3),
    rounded(one.planningMs, 0),
    String(one.blockers),
  ]);
  const heads = [
    'fleet',
    'instances',
    'moves',
    'moves / instance',
    'makespan / bound',
    'planning ms',
    'blocked',
  ];
  return { figures, lines: table(heads, rows, heads.slice(1)) };
}

function planFleet({ name, fleet, spec }: PlannedFleet): PlanningFigures {
  const generated = generateFleet(fleet);
  const snapshot = new Snapshot(inventoryOf(generated));
  const scope = snapshot.hosts.map((host) => host.name);
  const capabilities = { moveMbPerSecond: MOVE_MB_PER_SECOND };
  const startedAt = performance.now();
  const plan = finish(planSession({ snapshot, scope, spec, capabilities }));
  return {
    fleet: name,
    hosts: plan.hostCount,
    instances: generated.instances.length,
    moves: plan.moves,
    movesPerInstance: plan.moves / plan.movesBound,
    makespanSeconds: plan.makespan,
    makespanRatio: plan.makespan / plan.makespanBound,
    planningMs: performance.now() - startedAt,
    blockers: plan.blockers.length,
  };
}

const inventoryOf = ({ hosts, instances, groups }: Fleet): ConstructorParameters<typeof Snapshot>[0] => ({
  hosts: hosts.map((host) => viewHost(inService(host))),
  instances: instances.map((instance) =>
    viewInstance({ ...instance, movingTo: undefined, stoppedBy: undefined }, false),
  ),
  groups,
});

function finish(steps: Generator<undefined, Plan>): Plan {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
