/** Activities that decide how a host is emptied: before anything is touched, and again on fresh data while it drains. */
import type { Client } from '@temporalio/client';
import { decideInstance, type Verdict } from '../src/core/decide-instances.ts';
import { MaintenanceError } from '../src/core/errors.ts';
import type { InstanceDecision, InstanceRef } from '../src/core/host-run.ts';
import type { Instance, InstanceAbility } from '../src/core/inventory.ts';
import { listed, namesByReason } from '../src/core/listed.ts';
import { parseMark } from '../src/core/mark.ts';
import { placeInstances } from '../src/core/planning/place-instances.ts';
import type { Snapshot } from '../src/core/planning/snapshot.ts';
import { Targets } from '../src/core/planning/targets.ts';
import type { Driver, HostCheck } from '../src/drivers/driver.ts';
import type { DrainPlan, DrainRequest, FailedMove, SiteActivities } from './contract.ts';
import { checkHost, ownMark, requestOf } from './host.ts';
import type { InventoryCache } from './inventory-cache.ts';
import { perform, type Io } from './io.ts';
import { locateSettled } from './platform-task.ts';
import { describe } from './session.ts';
import type { StandingReader } from './standing-reader.ts';

/** Names of instances, and reasons, shown in a message before the rest is only counted. */
const NAMES_SHOWN = 10;
const REASONS_SHOWN = 5;

export interface PlanningDeps {
  driver: Driver;
  client: Client;
  inventory: InventoryCache;
  reader: StandingReader;
}

export function createDrainActivities(
  deps: PlanningDeps,
): Pick<SiteActivities, 'precheckHost' | 'planDrain'> {
  const { driver, client } = deps;
  return {
    precheckHost: (request) =>
      perform(async (io) => {
        const { check, checkedAt } = await checkHost(driver, io, request);
        await refuseForeignHost(check, request);
        const blockers = [...check.blockers, ...foreignMaintenance(check, request)];
        if (blockers.length > 0) throw new MaintenanceError('HostBlocked', blockers.join('; '));
        const plan = await planInstances(deps, io, check, request, []);
        const [first] = plan.blocked;
        if (first) {
          throw new MaintenanceError(
            first.code === 'NoTarget' ? 'NoTarget' : 'HostBlocked',
            describeBlocked(plan.blocked),
          );
        }
        return withLeftMeanwhile({ ...plan, ...checkedAt }, request, check, io);
      }),

    planDrain: (request) =>
      perform(async (io) => {
        const { check, checkedAt } = await checkHost(driver, io, request);
        const plan = await planInstances(deps, io, check, request, request.failed);
        return withLeftMeanwhile({ ...plan, ...checkedAt }, request, check, io);
      }),
  };

  async function withLeftMeanwhile(
    plan: DrainPlan,
    request: DrainRequest,
    check: HostCheck,
    io: Io,
  ): Promise<DrainPlan> {
    const leftMeanwhile = await findLeftMeanwhile(request, check, io);
    return leftMeanwhile.length === 0 ? plan : { ...plan, leftMeanwhile };
  }

  /** What was begun may have ended, and what was stuck may have been moved by hand, while the host was held. */
  async function findLeftMeanwhile(
    { left = [], wishes }: DrainRequest,
    { instances }: HostCheck,
    io: Io,
  ): Promise<NonNullable<DrainPlan['leftMeanwhile']>> {
    const here = new Set(instances.map(({ instance }) => instance.id));
    const found: NonNullable<DrainPlan['leftMeanwhile']> = [];
    for (const { id, name } of left) {
      if (here.has(id)) continue;
      const instance = await locateSettled(driver, io, id);
      if (!instance) continue;
      const foundStopped = instance.state === 'stopped';
      const how = foundStopped || wishes.mode === 'cold' ? 'cold' : 'live';
      found.push({ id, name, to: instance.host, how, foundStopped });
    }
    return found;
  }

  /** A host that carries another session's mark is that session's. */
  async function refuseForeignHost({ host }: HostCheck, request: DrainRequest): Promise<void> {
    if (ownMark(host, request)) return;
    const mark = parseMark(host.cordonReason);
    if (!mark) return;
    const owner = await describe(client, mark.session);
    throw owner?.status.name === 'RUNNING'
      ? new MaintenanceError('HostBusy', `${host.name} is held by session ${mark.session}`)
      : new MaintenanceError(
          'HostBlocked',
          `${host.name} was left out of service by session ${mark.session}, which has ended; the reconcile workflow puts it back`,
        );
  }
}

function foreignMaintenance({ host }: HostCheck, request: DrainRequest): string[] {
  const isOut =
    host.standing === 'entering' || host.standing === 'maintenance' || host.standing === 'exiting';
  if (!isOut || request.entered || ownMark(host, request)) return [];
  return [
    `${host.name} is in maintenance already, not by this session${host.cordonReason ? ` (${host.cordonReason})` : ''}`,
  ];
}

async function planInstances(
  { driver, inventory, reader }: PlanningDeps,
  io: Io,
  check: HostCheck,
  request: DrainRequest,
  failed: readonly FailedMove[],
): Promise<DrainPlan> {
  const snapshot = await inventory.snapshot(io, failed.length > 0);
  const failures = new Map(failed.map((move) => [move.instance, move]));
  const plan: DrainPlan = { decisions: [], blocked: [], warnings: [...check.warnings] };
  const moving: { ability: InstanceAbility; action: 'live' | 'cold' }[] = [];
  for (const found of check.instances) {
    const instance = inventory.constrained(found.instance);
    const ability = { ...found, instance };
    const before = failures.get(instance.id);
    const verdict = decideInstance(ability, request.wishes, before?.how === 'live' ? before.tries : 0);
    if (verdict.action === 'blocked')
      plan.blocked.push({ ...refOf(instance), code: verdict.code, reason: verdict.reason });
    else if (isForPlatform(ability, verdict, request))
      plan.decisions.push(decisionOf(instance, 'platform', snapshot));
    else if (verdict.action === 'stop' && ability.platformStops)
      plan.decisions.push(decisionOf(instance, 'platform-stop', snapshot));
    else if (verdict.action === 'live' || verdict.action === 'cold')
      moving.push({ ability, action: verdict.action });
    else plan.decisions.push(decisionOf(instance, verdict.action, snapshot));
    if (instance.state === 'error')
      plan.warnings.push(`${instance.name} is in an error state and stays on ${request.host}`);
  }
  if (!driver.capabilities.chooseTarget) {
    plan.decisions.push(
      ...moving.map(({ ability, action }) => decisionOf(ability.instance, action, snapshot)),
    );
    return inOrder(plan);
  }
  const standing = await reader.read(request.session);
  const reserved = (standing?.out ?? [])
    .filter(({ host }) => host !== request.host)
    .flatMap(({ placement }) => placement);
  const targets = new Targets(snapshot, standing?.scope ?? new Map());
  const { placements, unplaced } = placeInstances({
    room: snapshot.withReservations(reserved),
    host: request.host,
    instances: moving.map(({ ability }) => ability.instance),
    targets,
    allowUnsafe: true,
    preferred: new Map(request.placement.map(({ instance, target }) => [instance, target])),
    // A host that it could not move to live may well take it cold.
    failed: new Map(
      moving.flatMap(({ ability: { instance }, action }) => {
        const before = failures.get(instance.id);
        return before?.how === action ? [[instance.id, before.targets]] : [];
      }),
    ),
  });
  const targetOf = new Map(placements.map(({ instance, target }) => [instance, target]));
  for (const { ability, action } of moving) {
    const target = targetOf.get(ability.instance.id);
    if (target !== undefined) plan.decisions.push(decisionOf(ability.instance, action, snapshot, target));
  }
  plan.blocked.push(
    ...unplaced.map(({ instance, reason }) => ({ ...instance, code: 'NoTarget' as const, reason })),
  );
  return inOrder(plan);
}

/** What the platform would leave where it is the engine takes, although the platform is to empty the host. */
const isForPlatform = (ability: InstanceAbility, { action }: Verdict, request: DrainRequest): boolean =>
  requestOf(request).drain === 'platform' && action === 'live' && ability.byPlatform === undefined;

function decisionOf(
  { id, name, groups, resources }: Instance,
  action: InstanceDecision['action'],
  snapshot: Snapshot,
  target?: string,
): InstanceDecision {
  const limited = groups.filter((group) => snapshot.group(group)?.maxImpacted !== undefined);
  const recoverySeconds = Math.max(0, ...limited.map((group) => snapshot.recoveryOf(group)));
  return {
    id,
    name,
    action,
    ...(target === undefined ? {} : { target }),
    ...(limited.length === 0 ? {} : { groups: limited }),
    ...(recoverySeconds === 0 ? {} : { recoverySeconds }),
    memoryMb: resources.memoryMb,
  };
}

/** The largest first: with several lanes that ends soonest. */
function inOrder(plan: DrainPlan): DrainPlan {
  plan.decisions.sort((a, b) => b.memoryMb - a.memoryMb || (a.name < b.name ? -1 : 1));
  return plan;
}

/** `web-1, web-2: why; db: why else`: each reason once, with those that it keeps. */
function describeBlocked(blocked: DrainPlan['blocked']): string {
  const sentences = [...namesByReason(blocked)].map(
    ([reason, names]) => `${listed(names, NAMES_SHOWN)}: ${reason}`,
  );
  return listed(sentences, REASONS_SHOWN, '; ');
}

const refOf = ({ id, name }: Instance): InstanceRef => ({ id, name });
