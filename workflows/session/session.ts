import {
  CancellationScope,
  CancelledFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  isCancellation,
  log,
  sleep,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { SessionActivities, SiteActivities } from '../../activities/contract.ts';
import { durationMs } from '../../src/core/duration.ts';
import { HostTable } from '../../src/core/host-table.ts';
import type { Plan, Report } from '../../src/core/progress.ts';
import type { CancelMessage, SessionSpec } from '../../src/core/session-spec.ts';
import { PLATFORM_OPTIONS, type Drain, type PlatformOptions } from '../../src/core/platform-options.ts';
import { actionsFor, runAction } from '../actions.ts';
import { callSession, callSite } from '../activity-calls.ts';
import { failWith, viewFailure } from '../failures.ts';
import { sessionAttributes } from '../search-attributes.ts';
import { HostRunner } from './host-runner.ts';
import { Operators } from './operators.ts';
import { askProjects, callOff, type SessionNotice } from './projects.ts';
import { SessionRecord, type Carried } from './session-record.ts';

/** A larger session makes its plan only when asked to, by a dry run: it takes long, and is out of date soon. */
const PLANNED_AHEAD = 1_000;

/** Activities of the session itself: looking up, choosing, planning. */
const OWN_ACTIVITY_MS = 10 * 60_000;

/** With nothing in flight and nothing to start, the site is looked at again after this long. */
const LOOK_AGAIN_MS = 15_000;

/**
 * The course of one session. Which host comes next is decided by an activity over fresh data; what is decided here
 * follows from the hosts' outcomes and the operators' commands.
 */
export class Session {
  private readonly record: SessionRecord;
  private readonly hosts: HostRunner;
  private readonly operators: Operators;
  /** Where something runs that the session itself waits for. */
  private scope: CancellationScope | undefined;

  constructor(spec: SessionSpec, carried?: Carried) {
    this.record = new SessionRecord(spec, carried);
    this.hosts = new HostRunner(this.record);
    this.operators = new Operators(this.record, this.hosts, () => this.scope?.cancel());
  }

  /** Registers what operators and activities may send; call before anything is awaited. */
  listen(): void {
    this.operators.listen();
  }

  /** `temporal workflow cancel`. */
  cancelFromOutside(): void {
    this.operators.cancelFromOutside();
  }

  /** Runs to the end. Throws InvalidSession before anything is touched, and a cancellation after all is put back. */
  async run(): Promise<Report> {
    const { record } = this;
    if (record.phase === 'preparing') {
      record.show();
      upsertSearchAttributes(sessionAttributes(record.id, record.spec.site, 'MAINTENANCE'));
      await this.prepare();
      if (record.spec.dryRun && !record.cancel) return this.dryRun();
      await this.planAhead();
      const { maintenanceAt } = record.spec;
      await this.askProjects(
        'MAINTENANCE',
        maintenanceAt === undefined ? undefined : Date.parse(maintenanceAt),
      );
      await this.awaitStart();
      await this.runActions('pre');
      await this.openWindow();
      record.phase = 'hosts';
      // Where projects are asked, the first host begins with that.
      if (!record.cancel && record.spec.projects === undefined) record.enter('START_MAINTENANCE');
    }
    await this.takeHosts();
    record.phase = 'post';
    record.settle();
    await this.closeWindow();
    await this.askProjects('MAINTENANCE_COMPLETE');
    await this.runActions('post');
    await this.callOff();
    return this.end();
  }

  private async prepare(): Promise<void> {
    const { record } = this;
    const { site, resumeFrom, hosts, instances, actions, projects, metadata } = record.spec;
    await this.persist(async () => {
      // Metadata is told to projects alone.
      const told = projects === undefined ? {} : { metadata };
      const found = await this.askTemporal('lookUpSite', { site, ...told }, `look up site ${site}`);
      record.announces = found?.announces ?? [];
      const legacy =
        resumeFrom === undefined
          ? undefined
          : await this.askTemporal('readLegacy', { session: resumeFrom, site }, `read session ${resumeFrom}`);
      const request = { site, hosts, instances, actions, ...asked(record.spec) };
      const resolved = await this.askSite('resolveSession', request, 'resolve hosts and actions');
      record.actions = resolved.actions;
      record.maintenance = resolved.maintenance;
      record.table = HostTable.of(resolved.hosts, resolved.instances);
      record.table.warn(...(found?.warnings ?? []));
      if (!legacy) return;
      record.table.inherit(legacy.hosts, legacy.statuses, legacy.checkpoints);
      record.adopts.push(...legacy.sessions);
    });
    await this.findProjects();
    record.phase = 'waiting';
    record.show();
  }

  private async findProjects(): Promise<void> {
    const { record } = this;
    const { site, projects } = record.spec;
    if (projects === undefined) return;
    await this.persist(async () => {
      const request = { site, session: record.id };
      const found = await this.askSite('listProjects', request, 'whose instances run on the hosts?');
      record.projects = found.projects;
    });
  }

  /** Asks all projects something, until it is done or the session is cancelled. */
  private async askProjects(state: SessionNotice, noLaterThan?: number): Promise<void> {
    const { projects } = this.record.spec;
    if (projects === undefined) return;
    await this.persist(() => {
      this.record.projectsKnow = state !== 'MAINTENANCE_COMPLETE';
      return askProjects(this.record, projects, state, noLaterThan);
    });
  }

  private async callOff(): Promise<void> {
    const { cancel, projectsKnow, spec } = this.record;
    if (cancel && projectsKnow && spec.projects !== undefined) await callOff(this.record, spec.projects);
  }

  /** Has projects make room where no host could be emptied, as often as the session allows. */
  private async makeRoom(): Promise<void> {
    const { record } = this;
    const { projects, site } = record.spec;
    while (projects !== undefined && record.scaleIns < projects.scaleInRounds && record.mayStartHosts()) {
      const request = { site, session: record.id };
      const { lacks } = await this.interruptible(() =>
        this.askSite('findRoom', request, 'is there room to empty a host?'),
      );
      record.lacksRoom = lacks;
      record.settle();
      if (lacks === undefined) return;
      record.scaleIns += 1;
      await this.askProjects('SCALE_IN');
    }
    record.lacksRoom = undefined;
    record.settle();
  }

  private async dryRun(): Promise<Report> {
    const { record } = this;
    await this.persist(async () => {
      record.plan = await this.makePlan();
    });
    record.phase = 'ended';
    record.endedAt = Date.now();
    record.show();
    return record.report();
  }

  /** The plan is for people to look at, and the first guess at an end; without one the session runs all the same. */
  private async planAhead(): Promise<void> {
    const { record } = this;
    if (record.cancel || record.table.hosts.length > PLANNED_AHEAD) return;
    record.plan = await this.makePlan().catch((error: unknown) => {
      log.warn('no plan could be made', { ...viewFailure(error) });
      return undefined;
    });
  }

  private makePlan(): Promise<Plan> {
    const { id, spec } = this.record;
    return this.askSite('planSession', { site: spec.site, session: id }, 'plan the session');
  }

  private async awaitStart(): Promise<void> {
    const { maintenanceAt } = this.record.spec;
    const wait = maintenanceAt === undefined ? 0 : Date.parse(maintenanceAt) - Date.now();
    if (wait > 0) {
      const summary = `until maintenanceAt ${maintenanceAt ?? ''}`;
      await condition(() => this.record.cancel !== undefined, wait, { summary });
    }
    await this.awaitOrders();
  }

  /** Waits while the session is paused or in trouble; a cancellation ends the wait. */
  private async awaitOrders(): Promise<void> {
    const { record } = this;
    const free = (): boolean => record.paused === undefined && record.problem === undefined;
    record.settle();
    await condition(() => record.cancel !== undefined || free());
    record.settle();
  }

  /** Where the platform wants to be told of the session before it gives any host. */
  private async openWindow(): Promise<void> {
    const { record } = this;
    if (record.maintenance?.window !== true) return;
    await this.persist(async () => {
      // From here on it may stand open, whatever is answered.
      record.windowOpen = true;
      await this.awaitWindow('openWindow', 'open the maintenance of the platform');
    });
  }

  /** What was said is taken back, also by a session that is cancelled; each order of an operator has it tried again. */
  private async closeWindow(): Promise<void> {
    const { record } = this;
    while (record.windowOpen) {
      record.windowProblem = undefined;
      try {
        await this.awaitWindow('closeWindow', 'close the maintenance of the platform');
        record.windowOpen = false;
      } catch (error) {
        record.windowProblem = viewFailure(error);
        record.settle();
        const seen = record.version;
        await condition(() => record.version !== seen);
      }
      record.settle();
    }
  }

  /** Waits as long as it takes: whoever keeps it waiting is shown by name. */
  private async awaitWindow(call: 'openWindow' | 'closeWindow', summary: string): Promise<void> {
    const { record } = this;
    const startedAt = Date.now();
    const { maintenance, adopts, id, spec } = record;
    const request = { site: spec.site, session: id, adopts, ...(maintenance && { maintenance }) };
    try {
      for (;;) {
        const lookMs = lookFor(Date.now() - startedAt);
        const waiting = await this.askSite(call, { ...request, lookMs }, summary).catch((error: unknown) =>
          this.unlessBusy(error),
        );
        if (waiting === undefined) return;
        record.waitFor = waiting.waitsFor;
        record.settle();
        if ('restMs' in waiting) await sleep(waiting.restMs, { summary: waiting.waitsFor });
      }
    } finally {
      record.waitFor = undefined;
    }
  }

  /** Another session is through with the platform some time. */
  private unlessBusy(error: unknown): { waitsFor: string; restMs: number } {
    if (isCancellation(error)) throw error;
    const { code, message } = viewFailure(error);
    if (code !== 'HostBusy' || this.record.spec.onBusyHost === 'fail') throw error;
    return { waitsFor: message, restMs: LOOK_AGAIN_MS };
  }

  private async runActions(type: 'pre' | 'post'): Promise<void> {
    const { record } = this;
    for (const { index, action } of actionsFor(record.actions, [type])) {
      if (record.cancel || record.actionsDone.has(index)) continue;
      await this.persist(() =>
        runAction(action, index, {
          session: record.id,
          site: record.spec.site,
          sessionMetadata: record.spec.metadata,
          chain: record.chain,
          failures: record.actionFailures,
          deadline: Date.now() + durationMs(record.spec.timeouts.work),
          desk: record.desk,
        }),
      );
      record.actionsDone.add(index);
    }
  }

  /**
   * Does it until it succeeds: a failure is shown and waits for `continue`. Gives up when the session is cancelled. A
   * dry run has touched nothing and simply fails.
   */
  private async persist(work: () => Promise<void>): Promise<void> {
    const { record } = this;
    while (!record.cancel) {
      try {
        await this.interruptible(work);
        return;
      } catch (error) {
        if (isCancellation(error) && this.isCancelled()) return;
        const found = viewFailure(error);
        if (found.code === 'InvalidSession' || record.spec.dryRun) throw failWith(found.code, found.message);
        if (found.code === 'ActionFailed') record.actionFailures += 1;
        record.problem = found;
        await this.awaitOrders();
      }
    }
  }

  private isCancelled(): boolean {
    return this.record.cancel !== undefined;
  }

  /** What the session itself waits for ends when it is cancelled. */
  private interruptible<T>(work: () => Promise<T>): Promise<T> {
    this.scope = new CancellationScope();
    return this.scope.run(work);
  }

  private async takeHosts(): Promise<void> {
    const { record } = this;
    for (;;) {
      const seen = record.version;
      if (record.cancel) this.windDown(record.cancel);
      else await this.startHosts();
      record.settle();
      if (this.allSettled()) return;
      const mayEndHere = record.nothingRuns && record.cancel === undefined && record.problem === undefined;
      if (record.mustContinueAsNew && mayEndHere) await this.continueAsNew();
      const rest = this.rest();
      const changed = (): boolean => record.version !== seen;
      if (rest === undefined) await condition(changed);
      else await condition(changed, rest.ms, { summary: rest.why });
    }
  }

  private async startHosts(): Promise<void> {
    const { record } = this;
    const slots = record.concurrency - record.table.out.size;
    if (slots <= 0 || record.table.count('pending') === 0 || !record.mayStartHosts()) return;
    try {
      if (record.table.out.size === 0) await this.makeRoom();
      if (!record.mayStartHosts()) return;
      const request = { site: record.spec.site, session: record.id, slots };
      const choice = await this.interruptible(() =>
        this.askSite('chooseHosts', request, 'choose the next hosts'),
      );
      record.waitFor = choice.waitFor;
      for (const outcome of choice.alreadyDone) {
        this.hosts.finished(outcome.host, () => record.table.finish(outcome));
      }
      for (const chosen of choice.start) {
        const isFree = record.table.status(chosen.host) === 'pending' && !record.puttingBack.has(chosen.host);
        if (!record.mayStartHosts() || !isFree) continue;
        if (record.fitsWindow(chosen.estimateMs)) this.hosts.launch(chosen);
        else record.windowClosed = true;
      }
    } catch (error) {
      if (isCancellation(error) && this.isCancelled()) return;
      record.problem = viewFailure(error);
      record.touch();
    }
  }

  private allSettled(): boolean {
    const { record } = this;
    const { held, retry } = record.table;
    if (!record.nothingRuns || held.size > 0 || retry.size > 0) return false;
    if (record.cancel) return true;
    // An operator has to know that a host failed, even if it was the last one, before the session counts as done.
    return record.table.count('pending') === 0 && record.failures <= record.budget.maxFailedHosts;
  }

  /** Until when to wait at most for something to change. */
  private rest(): { ms: number; why: string } | undefined {
    const { record } = this;
    if (record.cancel || record.table.count('pending') === 0) return undefined;
    const pause = record.notBefore - Date.now();
    if (pause > 0) return { ms: pause, why: 'pause between hosts' };
    const idle = record.mayStartHosts() && record.table.out.size === 0;
    return idle ? { ms: LOOK_AGAIN_MS, why: 'look again for a host to take' } : undefined;
  }

  /** Idempotent: called again whenever something changes while the session is being cancelled. */
  private windDown({ mode }: CancelMessage): void {
    const { table, stuck } = this.record;
    if (mode === 'rollback') this.hosts.cancelAll();
    // Hosts that were to be taken up again stand where they were held.
    for (const host of [...table.held.keys(), ...table.retry]) {
      if (!stuck.has(host)) this.hosts.putBack(host, 'rolled-back');
    }
  }

  private async end(): Promise<Report> {
    const { record } = this;
    record.phase = 'ended';
    record.endedAt = Date.now();
    record.waitFor = undefined;
    record.settle();
    await record.untilAnnounced();
    await condition(allHandlersFinished);
    if (record.cancelledFromOutside) throw new CancelledFailure(record.reason());
    return record.report();
  }

  private async continueAsNew(): Promise<never> {
    await this.record.untilAnnounced();
    await condition(allHandlersFinished);
    const { spec } = this.record;
    return continueAsNew<(input: unknown, carried: Carried) => Promise<Report>>(spec, this.record.carry());
  }

  private askSite<Name extends keyof SiteActivities>(
    name: Name,
    request: Parameters<SiteActivities[Name]>[0],
    summary: string,
  ): Promise<Awaited<ReturnType<SiteActivities[Name]>>> {
    const { site } = this.record.spec;
    return callSite(site, name, request, { summary, deadline: Date.now() + OWN_ACTIVITY_MS });
  }

  private askTemporal<Name extends keyof SessionActivities>(
    name: Name,
    request: Parameters<SessionActivities[Name]>[0],
    summary: string,
  ): Promise<Awaited<ReturnType<SessionActivities[Name]>>> {
    return callSession(name, request, { summary, deadline: Date.now() + OWN_ACTIVITY_MS });
  }
}

/** Each look is an activity in the history, so they become longer: a tenth of what was waited for, within bounds. */
const lookFor = (waitedMs: number): number => Math.min(5 * 60_000, Math.max(1_000, waitedMs / 10));

/** Nothing, where nothing is asked of the platform's own maintenance: it is kept in the history. */
function asked({ drain, ...spec }: SessionSpec): { drain?: Drain; options?: PlatformOptions } {
  const options = Object.fromEntries(
    PLATFORM_OPTIONS.flatMap((key) => (spec[key] === undefined ? [] : [[key, spec[key]]])),
  );
  return {
    ...(drain === undefined ? {} : { drain }),
    ...(Object.keys(options).length === 0 ? {} : { options }),
  };
}
