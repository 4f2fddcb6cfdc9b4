import { sleep } from '@temporalio/workflow';
import type { DrainPlan, FailedMove } from '../../activities/contract.ts';
import { MaintenanceError, type ErrorCode } from '../../src/core/errors.ts';
import type { InstanceDecision } from '../../src/core/host-run.ts';
import { listed } from '../../src/core/listed.ts';
import { announceDone } from './announcements.ts';
import { viewFailure, wasCancelled } from '../failures.ts';
import type { Impact } from './group-shares.ts';
import type { HostRun } from './host-run.ts';
import { restForRoom } from './rests.ts';

/** An instance whose move failed is tried again so often, each time on another target where there is one. */
const TRIES = 3;

/** What projects act on themselves is looked at again after this long. */
const OWNERS_REST_MS = 10_000;

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
 * host's share. One that cannot leave does not keep the others; what is left in the end holds the host, by name. Resolves
 * to the plan of the last round, which is what is left to the platform.
 *
 * @param plan what the precheck decided; later rounds ask again, on fresh data.
 */
export async function drainHost(run: HostRun, plan: DrainPlan): Promise<DrainPlan> {
  const tries: Tries = { counts: new Map(), failed: new Map(), failures: new Map(), refused: new Set() };
  const { counts, failures } = tries;
  let rests = 0;
  for (;;) {
    run.noteLeft(
      [...plan.decisions, ...plan.blocked].filter((one) => !('action' in one) || one.action !== 'stay'),
    );
    for (const one of plan.blocked)
      failures.set(one.id, { name: one.name, code: one.code, message: one.reason });
    for (const one of plan.decisions) failures.delete(one.id);

    const tried = await moveAll(run, plan.decisions, tries);

    const awaited = plan.decisions.filter(({ action }) => action === 'own');
    if (failures.size === 0 && awaited.length === 0) return plan;
    const hopeless = [...failures].filter(
      ([id, failure]) => !worthWaiting(failure) || ((counts.get(id) ?? 0) >= TRIES && !tries.refused.has(id)),
    );
    if (hopeless.length > 0) throw holdFor(run, failures);
    if (awaited.length > 0) await restForOwners(run, awaited, failures);
    else if (tried === 0 || nothingButRefused(tries)) {
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
    for (const one of awaited) {
      if (known.has(one.id)) continue;
      run.noteGone(one);
      await announceDone(run, one);
    }
  }
}

/** Projects act on their instances when they see fit: they have until the drain has to be over. */
async function restForOwners(
  run: HostRun,
  awaited: readonly InstanceDecision[],
  failures: Map<string, Failure>,
): Promise<void> {
  if (!run.hasTimeFor(OWNERS_REST_MS)) throw outOfTime(run, failures);
  const names = awaited.map(({ name }) => name);
  run.setWaitsFor(`their projects to act on ${listed(names, NAMES_SHOWN)}`);
  await sleep(OWNERS_REST_MS, { summary: 'projects act on their instances' });
  run.setWaitsFor(undefined);
}

/** On fresh data, with what was tried in mind. */
async function planAgain(run: HostRun, { failed, failures }: Tries): Promise<DrainPlan> {
  const { host, placement } = run.input;
  const request = { ...run.ref, wishes: run.wishes, placement, failed: [...failed.values()] };
  try {
    const plan = await run.call('planDrain', request, `plan what is left on ${host}`);
    run.warn(...plan.warnings);
    return plan;
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
async function moveAll(run: HostRun, decisions: readonly InstanceDecision[], tries: Tries): Promise<number> {
  const queue = decisions.filter(({ action }) => action === 'live' || action === 'cold' || action === 'stop');
  const wanted = queue.length;
  const lane = (): Promise<void> =>
    run.shares.workOff(queue, (decision) => leave(run, decision, tries), { deadline: run.deadline });
  const lanes = Array.from({ length: Math.min(run.input.moveSlots, queue.length) }, lane);
  const results = await Promise.allSettled(lanes);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  for (const { id, name, groups = [] } of queue) {
    const message = `no more members of group ${groups.join(', ')} may be moving, stopped or recovering now`;
    tries.failures.set(id, { name, code: 'MoveRefused', message });
  }
  return wanted - queue.length;
}

/** Moves or stops one instance, and says what that did to it; a failure is noted, a cancellation thrown on. */
async function leave(
  run: HostRun,
  decision: InstanceDecision,
  { counts, failed, failures, refused }: Tries,
): Promise<Impact> {
  const { id, name, action, target } = decision;
  const instance = { id, name };
  let impact: Impact = 'none';
  try {
    if (action === 'stop') {
      const { result } = await run.call('stopInstance', { ...run.ref, instance }, `stop ${name}`);
      if (result === 'stopped') {
        run.noteStopped(decision);
        impact = 'lasting';
      } else run.noteGone(instance);
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
      if (result === 'moved' && to !== undefined) {
        run.noteMoved(decision, { to, how: action, foundStopped });
        impact = 'over';
      } else run.noteGone(instance);
    }
    failures.delete(id);
    failed.delete(id);
    refused.delete(id);
    await announceDone(run, instance);
    return impact;
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
    return code === 'NoTarget' ? 'none' : 'over';
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
    all.map(({ name, message }) => (message.includes(name) ? message : `${name} (${message})`)),
    REASONS_SHOWN,
    '; ',
  );
}
