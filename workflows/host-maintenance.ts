import { CancellationScope, CancelledFailure, setHandler, sleep } from '@temporalio/workflow';
import type { DrainPlan } from '../activities/contract.ts';
import { hostWaits } from '../src/core/host-report.ts';
import type { HostFailureDetails, HostMaintenanceInput, HostOutcome, Step } from '../src/core/host-run.ts';
import { approveMessage } from '../src/core/session-spec.ts';
import { failWith, viewFailure, wasCancelled, type FailureView } from './failures.ts';
import { announceHost } from './host/announcements.ts';
import { askOwners } from './host/ask-owners.ts';
import { drainHost } from './host/drain.ts';
import { HostRun } from './host/host-run.ts';
import { exitHost, restoreHost, rollBackHost, verifyHost } from './host/put-back.ts';
import { restForRoom } from './host/rests.ts';
import { workOnHost } from './host/work.ts';
import { approveSignal, hostWaitsSignal } from './messages.ts';

/** Instances may land on a host between its cordon and its maintenance; so often it is drained again. */
const DRAIN_ROUNDS = 3;

/**
 * Takes one host through its steps: precheck, cordon, drain, enter, work, exit, restore, verify. Its workflow id is the
 * lock on the host.
 *
 * Every step looks at the platform first and does only what is missing, so a retry, a new worker, or a second run after
 * a hold repeats nothing. A host that cannot go on fails this workflow with a code of the catalogue and a checkpoint in
 * the failure's details; cancelled, it puts the host back into service first.
 *
 * @throws ApplicationFailure of the code's type, details {@link HostFailureDetails}
 */
export async function hostMaintenance(input: HostMaintenanceInput): Promise<HostOutcome> {
  const run = new HostRun(input);
  setHandler(
    approveSignal,
    (message) => {
      const parsed = approveMessage.safeParse(message ?? {});
      if (parsed.success) run.desk.answers.push(parsed.data);
    },
    { description: 'Answer an approval action: {"approved": true, "by": "…", "reason": "…"}' },
  );
  setHandler(
    hostWaitsSignal,
    (raw) => {
      const parsed = hostWaits.safeParse(raw);
      if (parsed.success) run.noteActivityWaits(parsed.data.waitsFor);
    },
    { description: 'From the activities of the host; not for operators' },
  );
  run.show();
  CancellationScope.current().cancelRequested.catch(() => {
    if (!isComingBack(run.step)) run.showCourse('being-put-back');
  });
  try {
    if (input.purpose === 'restore') await putBack(run);
    else {
      await maintain(run);
      run.showCourse('done');
    }
    return outcomeOf(run, input.purpose === 'maintain' ? 'done' : 'rolled-back');
  } catch (error) {
    if (wasCancelled(error)) {
      await rollBack(run);
      run.report({ now: true });
      // Not what was caught: an activity whose worker died while it was being cancelled ends as a timeout.
      throw new CancelledFailure(`${input.host} was put back`);
    }
    return await holdHost(run, error);
  } finally {
    await run.untilRecovered();
  }
}

async function maintain(run: HostRun): Promise<void> {
  const { checkpoint } = run.input;
  if (!checkpoint || !isComingBack(checkpoint.step)) {
    await emptyHost(run);
    run.enterStep('work');
    await announceHost(run, 'IN_MAINTENANCE');
    await workOnHost(run);
  }
  // From here on the host is being put back, which is all that a cancellation could ask for.
  await CancellationScope.nonCancellable(async () => {
    await exitHost(run);
    await restoreHost(run);
    await verifyHost(run);
    await announceHost(run, 'MAINTENANCE_COMPLETE');
  });
}

/** Such a step goes to its end, whoever cancels it. */
const isComingBack = (step: Step): boolean => ['exit', 'restore', 'verify'].includes(step);

/** Everything up to a host that is in maintenance, ours, and proven to be empty. */
async function emptyHost(run: HostRun): Promise<void> {
  const { input } = run;
  run.exitPlan = undefined;
  let plan = await precheck(run);
  // It is planned anew with what they have chosen.
  if (input.projects !== undefined && (await askOwners(run, input.projects))) plan = await precheck(run);
  run.enterStep('cordon');
  await run.call('cordonHost', run.ref, `cordon ${input.host}`);
  for (let round = 1; ; round++) {
    run.enterStep('drain');
    plan = await drainHost(run, plan);
    try {
      if (input.spec.maintenance?.drain === 'platform') await letPlatformDrain(run, plan);
      run.reportDrained();
      run.enterStep('enter');
      run.entered = true;
      await run.call('enterMaintenance', run.ref, `enter maintenance: ${input.host}`);
      await run.call('proveEmpty', run.ref, `prove ${input.host} empty`);
      return;
    } catch (error) {
      const found = viewUnlessCancelled(error);
      if (found.code !== 'HostNotEmpty' || round === DRAIN_ROUNDS) throw error;
      run.warn(`${input.host}: drained again: ${found.message}`);
      const request = { ...run.ref, wishes: run.wishes, placement: input.placement, failed: [] };
      plan = await run.call('planDrain', request, `plan what is left on ${input.host}`);
    }
  }
}

/** The platform empties the host in its own maintenance task, and where it took the instances is found out afterwards. */
async function letPlatformDrain(run: HostRun, plan: DrainPlan): Promise<void> {
  const { input } = run;
  const stops = plan.decisions.filter(({ action }) => action === 'platform-stop');
  run.entered = true;
  // It may take hours, in which nothing else is told.
  run.report({ now: input.reportEveryMs > 0 });
  const entering = {
    ...run.ref,
    ...(stops.length === 0 ? {} : { stops: stops.map(({ id }) => id) }),
    ...(plan.checkedAt === undefined ? {} : { checkedAt: plan.checkedAt }),
  };
  await run.call('enterMaintenance', entering, `enter maintenance: ${input.host}, emptied by the platform`);
  for (const one of stops) run.noteStopped(one);
  const left = [...run.left.values()];
  const request = { ...run.ref, wishes: run.wishes, placement: [], failed: [], left };
  const found = await run.call('planDrain', request, `find what has left ${input.host}`);
  for (const one of found.leftMeanwhile ?? []) run.noteMoved(one, one);
  const here = new Set([...found.decisions, ...found.blocked].map(({ id }) => id));
  for (const one of [...run.left.values()]) if (!here.has(one.id)) run.noteEvicted(one);
}

/** Looks before anything is touched. */
async function precheck(run: HostRun): Promise<DrainPlan> {
  const { input } = run;
  run.enterStep('precheck');
  for (let look = 0; ; look++) {
    try {
      const request = {
        ...run.ref,
        wishes: run.wishes,
        placement: input.placement,
        left: run.leftBefore(),
      };
      const plan = await run.call('precheckHost', request, `precheck ${input.host}`);
      run.setWaitsFor(undefined);
      run.warn(...plan.warnings);
      for (const one of plan.leftMeanwhile ?? []) run.noteMoved(one, one);
      return plan;
    } catch (error) {
      const found = viewUnlessCancelled(error);
      const rest = found.code === 'NoTarget' ? restForRoom(look) : undefined;
      run.waitUntilHostDeadline();
      if (rest === undefined || !run.hasTimeFor(rest)) throw error;
      run.setWaitsFor(found.message);
      await sleep(rest, { summary: `look again: ${found.message}` });
    }
  }
}

function viewUnlessCancelled(error: unknown): FailureView {
  if (wasCancelled(error)) throw error;
  return viewFailure(error);
}

/** Ends the run with the host held where it stands, or put back first if that is the policy. */
async function holdHost(run: HostRun, error: unknown): Promise<never> {
  const found = viewFailure(error);
  const code = run.input.purpose === 'restore' ? 'RollbackFailed' : found.code;
  const failedStep = run.step;
  if (found.code === 'ActionFailed') run.actionFailures += 1;
  const rolledBack = run.input.purpose === 'maintain' && run.input.spec.onFailure === 'rollback';
  if (rolledBack) await rollBack(run);
  const details: HostFailureDetails = {
    checkpoint: { ...run.checkpoint(rolledBack), step: failedStep },
    retryable: found.retryable,
  };
  run.showFailure(`${code}: ${found.message}`);
  const what = run.input.purpose === 'restore' ? 'could not be put back' : failedStep;
  throw failWith(code, `${run.input.host}: ${what}: ${found.message}`, details);
}

async function putBack(run: HostRun): Promise<void> {
  run.showCourse('being-put-back');
  await rollBackHost(run);
  run.showCourse('put-back');
}

async function rollBack(run: HostRun): Promise<void> {
  try {
    await CancellationScope.nonCancellable(() => putBack(run));
  } catch (error) {
    const found = viewFailure(error);
    const details: HostFailureDetails = { checkpoint: run.checkpoint(false), retryable: found.retryable };
    run.showFailure(`RollbackFailed: ${found.message}`);
    throw failWith('RollbackFailed', `${run.input.host}: could not be put back: ${found.message}`, details);
  }
}

function outcomeOf(run: HostRun, outcome: HostOutcome['outcome']): HostOutcome {
  return {
    host: run.input.host,
    outcome,
    moved: run.movedCount,
    stopped: run.stopped.length,
    warnings: run.warnings.slice(0, 20),
    durationMs: Date.now() - run.startedAt,
  };
}
