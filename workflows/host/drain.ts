import { condition, sleep } from '@temporalio/workflow';
import type { DrainPlan, FailedMove } from '../../activities/contract.ts';
import { MaintenanceError, type ErrorCode } from '../../src/core/errors.ts';
import type { InstanceDecision } from '../../src/core/host-run.ts';
import { listed } from '../../src/core/listed.ts';
import { viewFailure, wasCancelled } from '../failures.ts';
import type { HostRun } from './host-run.ts';
import { restForRoom } from './rests.ts';

/** An instance whose move failed is tried again so often, each time on another target where there is one. */
const TRIES = 3;

/** Named in a message; the rest is counted. */
const NAMES_SHOWN = 10;
const REASONS_SHOWN = 3;

interface Failure {
  name: string;
  code: ErrorCode;
  message: string;
}

interface Tries {
  /** How often moving or stopping it has failed, by instance id. */
  counts: Map<string, number>;
  /** Moves that failed, by instance id: where not to go again. */
  failed: Map<string, FailedMove>;
  /** Why instances are still here, by id. */
  failures: Map<string, Failure>;
  /** Those whose move the platform did not even begin for want of room, by id: it may see room that we see a little later. */
  refused: Set<string>;
}

/**
 * Empties the host: one activity an instance, at most `moveSlots` at a time, and never more members of a group than the
 * host's share. One that cannot leave does not keep the others; what is left in the end holds the host, by name.
 *
 * @param plan what the precheck decided; later rounds ask again, on fresh data.
 */
export async function drainHost(run: HostRun, plan: DrainPlan): Promise<void> {
  const tries: Tries = { counts: new Map(), failed: new Map(), failures: new Map(), refused: new Set() };
  const { counts, failures } = tries;
  const shares = new GroupShares(run.input.groupShares);
  let rests = 0;
  for (;;) {
    run.noteLeft(
      [...plan.decisions, ...plan.blocked].filter((one) => !('action' in one) || one.action !== 'stay'),
    );
    for (const one of plan.blocked)
      failures.set(one.id, { name: one.name, code: one.code, message: one.reason });
    for (const one of plan.decisions) failures.delete(one.id);

    const tried = await moveAll(run, plan.decisions, shares, tries);

    if (failures.size === 0) return;
    const hopeless = [...failures].filter(
      ([id, failure]) => !worthWaiting(failure) || ((counts.get(id) ?? 0) >= TRIES && !tries.refused.has(id)),
    );
    if (hopeless.length > 0) throw holdFor(run, failures);
    if (tried === 0 || nothingButRefused(tries)) {
      const rest = restForRoom(rests++);
      if (rest === undefined || !run.hasTimeFor(rest)) throw holdFor(run, failures);
      run.setWaitsFor(describe(failures));
      await sleep(rest, { summary: 'wait for room elsewhere' });
      run.setWaitsFor(undefined);
      forgetRefusals(tries);
    }
    plan = await planAgain(run, tries);
    // What the fresh plan does not name any more has gone by itself.
    const known = new Set([...plan.decisions, ...plan.blocked].map(({ id }) => id));
    for (const [id, failure] of failures) {
      if (known.has(id)) continue;
      failures.delete(id);
      run.noteGone({ id, name: failure.name });
    }
  }
}

/** On fresh data, with what was tried in mind. */
async function planAgain(run: HostRun, { failed, failures }: Tries): Promise<DrainPlan> {
  const { host, placement, spec } = run.input;
  const request = { ...run.ref, wishes: spec.instances, placement, failed: [...failed.values()] };
  try {
    return await run.call('planDrain', request, `plan what is left on ${host}`);
  } catch (error) {
    if (wasCancelled(error) || viewFailure(error).code !== 'DeadlineExceeded') throw error;
    throw outOfTime(run, failures);
  }
}

const worthWaiting = (failure: Failure): boolean =>
  failure.code === 'NoTarget' || failure.code === 'MoveFailed' || failure.code === 'MoveRefused';

/** Whatever is left was refused so often that to try it at once again is no use. */
const nothingButRefused = ({ counts, failures, refused }: Tries): boolean =>
  [...failures.keys()].every((id) => refused.has(id) && (counts.get(id) ?? 0) >= TRIES);

/** After a rest the platform may well take what it has refused. */
function forgetRefusals({ counts, failed, refused }: Tries): void {
  for (const id of refused) {
    counts.delete(id);
    failed.delete(id);
  }
  refused.clear();
}

/** Returns how many instances it tried to move or stop. */
async function moveAll(
  run: HostRun,
  decisions: readonly InstanceDecision[],
  shares: GroupShares,
  tries: Tries,
): Promise<number> {
  const queue = decisions.filter(({ action }) => action !== 'stay' && action !== 'platform');
  const wanted = queue.length;
  let moving = 0;
  const lane = async (): Promise<void> => {
    for (;;) {
      await condition(() => moving === 0 || queue.length === 0 || queue.some((one) => shares.allow(one)));
      const next = queue.findIndex((one) => shares.allow(one));
      const decision = next < 0 ? undefined : queue.splice(next, 1)[0];
      if (!decision) return;
      moving += 1;
      try {
        await shares.hold(decision, () => leave(run, decision, tries));
      } finally {
        moving -= 1;
      }
    }
  };
  const lanes = Array.from({ length: Math.min(run.input.moveSlots, queue.length) }, lane);
  const results = await Promise.allSettled(lanes);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  for (const { id, name, groups = [] } of queue) {
    const message = `no more members of group ${groups.join(', ')} may be moving or stopped now`;
    tries.failures.set(id, { name, code: 'MoveRefused', message });
  }
  return wanted - queue.length;
}

/** Moves or stops one instance; a failure is noted, a cancellation thrown on. */
async function leave(
  run: HostRun,
  decision: InstanceDecision,
  { counts, failed, failures, refused }: Tries,
): Promise<void> {
  const { id, name, action, target } = decision;
  const instance = { id, name };
  try {
    if (action === 'stop') {
      const { result } = await run.call('stopInstance', { ...run.ref, instance }, `stop ${name}`);
      if (result === 'stopped') run.noteStopped(instance);
      else run.noteGone(instance);
    } else if (action === 'live' || action === 'cold') {
      const request = {
        ...run.ref,
        instance,
        how: action,
        from: run.input.host,
        ...(target === undefined ? {} : { target }),
      };
      const verb = action === 'live' ? 'live-migrate' : 'cold-migrate';
      const outcome = await run.call(
        'moveInstance',
        request,
        `${verb} ${name} → ${target ?? '(platform chooses)'}`,
      );
      const { result, to, foundStopped = false } = outcome;
      if (result === 'moved' && to !== undefined) run.noteMoved(instance, { to, how: action, foundStopped });
      else run.noteGone(instance);
    }
    failures.delete(id);
    failed.delete(id);
    refused.delete(id);
  } catch (error) {
    if (wasCancelled(error)) throw error;
    const { code, message } = viewFailure(error);
    failures.set(id, { name, code, message });
    if (code === 'DeadlineExceeded') throw outOfTime(run, failures);
    const count = (counts.get(id) ?? 0) + 1;
    counts.set(id, count);
    if (code === 'NoTarget') refused.add(id);
    else refused.delete(id);
    if (action === 'live' || action === 'cold') {
      const before = failed.get(id)?.targets ?? [];
      const targets = target === undefined ? before : [...before, target];
      failed.set(id, { instance: id, how: action, targets, tries: count });
    }
  }
}

/** Names what is left, each with why it is still there where that is known. */
function outOfTime(run: HostRun, failures: Map<string, Failure>): MaintenanceError {
  const left = [...run.left.values()].map(({ id, name }) => {
    const failure = failures.get(id);
    return failure ? `${name} (${failure.message})` : name;
  });
  return new MaintenanceError(
    'DeadlineExceeded',
    `the drain took longer than its timeout; still to go: ${listed(left, NAMES_SHOWN)}`,
  );
}

function holdFor(run: HostRun, failures: Map<string, Failure>): MaintenanceError {
  const [first] = failures.values();
  const code = first?.code ?? 'MoveFailed';
  return new MaintenanceError(
    code,
    `${failures.size} of the instances on ${run.input.host} cannot leave: ${describe(failures)}`,
  );
}

/** The first few by name: enough to act on, short enough to read. */
function describe(failures: Map<string, Failure>): string {
  const all = [...failures.values()];
  return listed(
    all.map(({ name, message }) => `${name} (${message})`),
    REASONS_SHOWN,
    '; ',
  );
}

/** How many members of each limited group this host may have moving or stopped; a stopped one keeps its place. */
class GroupShares {
  private readonly places: Map<string, number>;

  constructor(shares: Record<string, number>) {
    this.places = new Map(Object.entries(shares));
  }

  allow(decision: InstanceDecision): boolean {
    return (decision.groups ?? []).every((group) => (this.places.get(group) ?? 0) > 0);
  }

  async hold(decision: InstanceDecision, work: () => Promise<void>): Promise<void> {
    this.add(decision, -1);
    try {
      await work();
    } finally {
      if (decision.action !== 'stop') this.add(decision, 1);
    }
  }

  private add(decision: InstanceDecision, by: number): void {
    for (const group of decision.groups ?? []) this.places.set(group, (this.places.get(group) ?? 0) + by);
  }
}
