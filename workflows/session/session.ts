import {
  CancellationScope,
  CancelledFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { ChosenHost, SessionActivities, SiteActivities } from '../../activities/contract.ts';
import { renderSession } from '../../src/core/details.ts';
import { durationMs } from '../../src/core/duration.ts';
import type { HostMaintenanceInput, ResolvedAction } from '../../src/core/host-run.ts';
import { HostTable, type HostTableState } from '../../src/core/host-table.ts';
import { resolveBudget } from '../../src/core/planning/budget.ts';
import type { Plan, Progress, Report } from '../../src/core/progress.ts';
import {
  approveMessage,
  describeIssues,
  type Budget,
  type CancelMessage,
  type ContinueMessage,
  type SessionSpec,
} from '../../src/core/session-spec.ts';
import { mayGo, type SessionState } from '../../src/core/session-state.ts';
import { describeProgress, describeReport, type SessionFacts } from '../../src/core/session-view.ts';
import type { Legacy, Standing } from '../../src/core/standing.ts';
import { hostWorkflowId } from '../../src/names.ts';
import { actionsFor, runAction, type ApprovalDesk } from '../actions.ts';
import { callSession, callSite } from '../activity-calls.ts';
import { failWith, viewFailure, type FailureView } from '../failures.ts';
import {
  approveSignal,
  cancelSignal,
  cancelUpdate,
  continueSignal,
  continueUpdate,
  hostReportSignal,
  pauseSignal,
  pauseUpdate,
  planQuery,
  progressQuery,
  reportQuery,
  setBudgetUpdate,
  standingQuery,
} from '../messages.ts';
import { sessionAttributes, stateAttribute } from '../search-attributes.ts';
import {
  readBudget,
  readCancel,
  readContinue,
  readPause,
  type Command,
  type CommandContext,
} from './commands.ts';
import { failureDetails, runHost } from './run-host.ts';

/** A run of the session is continued as new after so many events; Temporal ends one at 51,200. */
const HISTORY_LIMIT = 8_000;

/** Small sessions are watched live; in large ones the reports of hosts would fill the history. */
const REPORT_EVERY_MS = (hosts: number): number => (hosts <= 100 ? 2_000 : hosts <= 1_000 ? 60_000 : 0);

/** A larger session makes its plan only when asked to, by a dry run: it takes long, and is out of date soon. */
const PLANNED_AHEAD = 1_000;

/** Activities of the session itself: looking up, choosing, planning. */
const OWN_ACTIVITY_MS = 10 * 60_000;

/** With nothing in flight and nothing to start, the site is looked at again after this long. */
const LOOK_AGAIN_MS = 60_000;

/** What one run of the session hands to the next. */
export interface Carried {
  table: HostTableState;
  state: SessionState;
  startedAt: number;
  firstHostAt?: number;
  actions: ResolvedAction[];
  actionsDone: number[];
  actionFailures: number;
  adopts: string[];
  budget: Budget;
  maintenanceUntil?: string;
  paused?: string;
  plan?: Plan;
  historyLimit: number;
}

type Phase = 'preparing' | 'waiting' | 'hosts' | 'post' | 'ended';

/**
 * One session: what it knows, what operators may ask of it, and the order of things. Which host comes next is decided
 * by an activity over fresh data; what is decided here follows from the hosts' outcomes and the operators' commands.
 */
export class Session {
  private readonly spec: SessionSpec;
  private readonly id = workflowInfo().workflowId;
  private readonly chain = workflowInfo().firstExecutionRunId;
  private readonly startedAt: number;
  private readonly historyLimit: number;
  private readonly adopts: string[];
  private readonly actionsDone: Set<number>;
  private readonly desk: ApprovalDesk;

  private table: HostTable;
  private actions: ResolvedAction[];
  private budget: Budget;
  private maintenanceUntil: string | undefined;
  private phase: Phase;
  private state: SessionState;
  private plan: Plan | undefined;
  private firstHostAt: number | undefined;
  private endedAt: number | undefined;

  private cancel: CancelMessage | undefined;
  private cancelledFromOutside = false;
  private paused: string | undefined;
  private windowClosed = false;
  /** Why the session itself, not a host, cannot go on. */
  private problem: FailureView | undefined;
  /** Hosts that failed and were rolled back since an operator last said to go on. */
  private failedAndRolledBack = 0;
  private waitFor: string | undefined;
  private approvalAsked: string | undefined;
  private refused: string | undefined;
  /** How often an action of type pre or post has reported failure. */
  private actionFailures: number;
  private notBefore = 0;
  /** Where an action of type pre or post runs now. */
  private actionScope: CancellationScope | undefined;
  /** Counts what may change what to do next; the main loop waits for it. */
  private version = 0;

  private readonly scopes = new Map<string, CancellationScope>();
  /** Hosts being put back without their maintenance, and as what they will count. */
  private readonly puttingBack = new Map<string, 'rolled-back' | 'skipped'>();
  /** Hosts that could not be put back; not tried again before an operator says so. */
  private readonly stuck = new Set<string>();

  constructor(spec: SessionSpec, carried?: Carried) {
    this.spec = spec;
    this.startedAt = carried?.startedAt ?? Date.now();
    this.historyLimit = carried?.historyLimit ?? HISTORY_LIMIT;
    this.table = carried ? new HostTable(carried.table) : HostTable.of([], 0);
    this.adopts = carried?.adopts ?? [];
    this.actions = carried?.actions ?? [];
    this.actionsDone = new Set(carried?.actionsDone);
    this.actionFailures = carried?.actionFailures ?? 0;
    this.budget = carried?.budget ?? spec.budget;
    this.maintenanceUntil = carried?.maintenanceUntil ?? spec.maintenanceUntil;
    this.paused = carried?.paused;
    this.plan = carried?.plan;
    this.firstHostAt = carried?.firstHostAt;
    this.state = carried?.state ?? 'MAINTENANCE';
    this.phase = carried ? 'hosts' : 'preparing';
    this.desk = { answers: [], ask: (question) => this.askApproval(question) };
  }

  /** Registers what operators and activities may send; call before anything is awaited. */
  listen(): void {
    setHandler(
      cancelSignal,
      (raw) => this.obey('cancel', this.readCancel(raw), (message) => this.applyCancel(message)),
      {
        description:
          'End the session early: {"mode": "rollback"|"finish", "reason": "…"}; by default hosts in flight are rolled back',
      },
    );
    setHandler(
      continueSignal,
      (raw) => this.obey('continue', this.readContinue(raw), (message) => this.applyContinue(message)),
      {
        description:
          'Go on after a hold or a pause: no input retries every held host; or {"retry": […], "skip": […], "rollback": […], "maintenanceUntil": "…"}',
      },
    );
    setHandler(
      pauseSignal,
      (raw) => this.obey('pause', readPause(raw, this.context()), ({ reason }) => this.applyPause(reason)),
      {
        description: 'Start no more hosts until continue; hosts in flight go on: {"reason": "…"}',
      },
    );
    setHandler(approveSignal, (raw) => this.applyApproval(raw), {
      description: 'Answer an approval action: {"host": "…", "approved": true, "by": "…", "reason": "…"}',
    });
    setHandler(hostReportSignal, (report) => {
      this.table.report(report);
      if (report.drained === true) this.version += 1;
      this.show();
    });
    setHandler(
      cancelUpdate,
      (raw) => this.comply(this.readCancel(raw), (message) => this.applyCancel(message)),
      {
        validator: (raw) => refuseProblems(this.readCancel(raw)),
        description: 'As the signal cancel, answered with the progress or refused with a reason',
      },
    );
    setHandler(
      continueUpdate,
      (raw) => this.comply(this.readContinue(raw), (message) => this.applyContinue(message)),
      {
        validator: (raw) => refuseProblems(this.readContinue(raw)),
        description: 'As the signal continue, answered with the progress or refused with a reason',
      },
    );
    setHandler(
      pauseUpdate,
      (raw) => this.comply(readPause(raw, this.context()), ({ reason }) => this.applyPause(reason)),
      {
        validator: (raw) => refuseProblems(readPause(raw, this.context())),
        description: 'As the signal pause, answered with the progress or refused with a reason',
      },
    );
    setHandler(
      setBudgetUpdate,
      (raw) => this.comply(readBudget(raw, this.context()), (budget) => this.applyBudget(budget)),
      {
        validator: (raw) => refuseProblems(readBudget(raw, this.context())),
        description: 'Change fields of the budget while the session runs: {"maxConcurrentHosts": 4, …}',
      },
    );
    setHandler(progressQuery, () => this.progress(), {
      description: 'State, counts, hosts in flight and held, what blocks, and when it will be done',
    });
    setHandler(planQuery, () => this.plan, {
      description: 'The plan made at the start: order, targets, moves, duration',
    });
    setHandler(reportQuery, () => this.report(), {
      description: 'The report so far; the final one when the session has ended',
    });
    setHandler(standingQuery, ({ names }) => this.standing(names), { description: 'For the engine itself' });
  }

  /** `temporal workflow cancel`: the same as the signal, but the workflow ends as cancelled. */
  cancelFromOutside(): void {
    this.cancelledFromOutside = true;
    this.applyCancel({ mode: 'rollback', reason: 'the workflow was cancelled' });
  }

  /** Runs the session to its end. Throws InvalidSession before anything is touched, and a cancellation after all is put back. */
  async run(): Promise<Report> {
    if (this.phase === 'preparing') {
      upsertSearchAttributes(sessionAttributes(this.id, this.spec.site, this.state));
      await this.prepare();
      if (this.spec.dryRun && !this.cancel) return this.dryRun();
      await this.planAhead();
      await this.awaitStart();
      await this.runActions('pre');
    }
    this.phase = 'hosts';
    if (!this.cancel) this.enter('START_MAINTENANCE');
    await this.takeHosts();
    this.phase = 'post';
    this.settle();
    await this.runActions('post');
    return this.end();
  }

  // --- the course of a session ---

  private async prepare(): Promise<void> {
    const { site, resumeFrom } = this.spec;
    await this.persist(async () => {
      await this.callSession('lookUpSite', { site }, `look up site ${site}`);
      const legacy =
        resumeFrom === undefined
          ? undefined
          : await this.callSession('readLegacy', { session: resumeFrom }, `read session ${resumeFrom}`);
      const { hosts, instances, actions } = this.spec;
      const resolved = await this.callSite(
        'resolveSession',
        { site, hosts, instances, actions },
        'resolve hosts and actions',
      );
      this.actions = resolved.actions;
      this.table = HostTable.of(resolved.hosts, resolved.instances);
      if (legacy) this.inherit(legacy);
    });
    this.phase = 'waiting';
    this.show();
  }

  private inherit(legacy: Legacy): void {
    this.table.inherit(legacy.hosts, legacy.statuses, legacy.checkpoints);
    this.adopts.push(...legacy.sessions);
  }

  private async dryRun(): Promise<Report> {
    this.plan = await this.makePlan();
    this.phase = 'ended';
    this.endedAt = Date.now();
    this.show();
    return this.report();
  }

  /** The plan is for people to look at, and the first guess at an end; without one the session runs all the same. */
  private async planAhead(): Promise<void> {
    if (this.cancel || this.table.hosts.length > PLANNED_AHEAD) return;
    this.plan = await this.makePlan().catch((error: unknown) => {
      log.warn('no plan could be made', { ...viewFailure(error) });
      return undefined;
    });
  }

  private makePlan(): Promise<Plan> {
    return this.callSite('planSession', { site: this.spec.site, session: this.id }, 'plan the session');
  }

  private async awaitStart(): Promise<void> {
    const { maintenanceAt } = this.spec;
    const wait = maintenanceAt === undefined ? 0 : Date.parse(maintenanceAt) - Date.now();
    if (wait > 0)
      await condition(() => this.cancel !== undefined, wait, {
        summary: `until maintenanceAt ${maintenanceAt ?? ''}`,
      });
    await this.awaitOrders();
  }

  /** Waits while the session is paused or in trouble; a cancellation ends the wait. */
  private async awaitOrders(): Promise<void> {
    this.settle();
    await condition(
      () => this.cancel !== undefined || (this.paused === undefined && this.problem === undefined),
    );
    this.settle();
  }

  private async runActions(type: 'pre' | 'post'): Promise<void> {
    for (const { index, action } of actionsFor(this.actions, [type])) {
      if (this.cancel || this.actionsDone.has(index)) continue;
      await this.persist(async () => {
        this.actionScope = new CancellationScope();
        await this.actionScope.run(() =>
          runAction(action, index, {
            session: this.id,
            site: this.spec.site,
            sessionMetadata: this.spec.metadata,
            chain: this.chain,
            failures: this.actionFailures,
            deadline: Date.now() + durationMs(this.spec.timeouts.work),
            desk: this.desk,
          }),
        );
      });
      this.actionsDone.add(index);
    }
  }

  /** Does it until it succeeds: a failure is shown and waits for `continue`. Gives up when the session is cancelled. */
  private async persist(work: () => Promise<void>): Promise<void> {
    while (!this.cancel) {
      try {
        await work();
        return;
      } catch (error) {
        if (isCancellation(error)) return;
        const found = viewFailure(error);
        if (found.code === 'InvalidSession') throw failWith(found.code, found.message);
        if (this.spec.dryRun) throw failWith(found.code, found.message);
        if (found.code === 'ActionFailed') this.actionFailures += 1;
        this.problem = found;
        await this.awaitOrders();
      }
    }
  }

  private async takeHosts(): Promise<void> {
    for (;;) {
      const seen = this.version;
      if (this.cancel) this.windDown(this.cancel);
      else await this.startHosts();
      this.settle();
      if (this.allSettled()) return;
      if (this.mustContinueAsNew() && this.nothingRuns()) await this.continueAsNew();
      const rest = this.rest();
      if (rest === undefined) await condition(() => this.version !== seen);
      else await condition(() => this.version !== seen, rest.ms, { summary: rest.why });
    }
  }

  private async startHosts(): Promise<void> {
    const slots = this.freeSlots();
    if (slots <= 0 || this.table.count('pending') === 0 || !this.mayStart()) return;
    await this.chooseAndLaunch(slots);
  }

  private async chooseAndLaunch(slots: number): Promise<void> {
    try {
      const { site } = this.spec;
      const choice = await this.callSite(
        'chooseHosts',
        { site, session: this.id, slots },
        'choose the next hosts',
      );
      this.waitFor = choice.waitFor;
      for (const outcome of choice.alreadyDone) this.finished(outcome.host, () => this.table.finish(outcome));
      for (const chosen of choice.start) {
        if (this.cancel || !this.mayStart() || this.table.status(chosen.host) !== 'pending') continue;
        if (this.fitsWindow(chosen.estimateMs)) this.launch(chosen);
        else this.windowClosed = true;
      }
    } catch (error) {
      this.problem = viewFailure(error);
      this.version += 1;
    }
  }

  private mayStart(): boolean {
    return (
      this.paused === undefined &&
      this.problem === undefined &&
      !this.windowClosed &&
      this.failures() <= this.budget.maxFailedHosts &&
      Date.now() >= this.notBefore &&
      !this.mustContinueAsNew()
    );
  }

  private fitsWindow(estimateMs: number): boolean {
    if (this.maintenanceUntil === undefined) return true;
    const expected = Math.max(estimateMs, this.table.meanDurationMs ?? 0);
    return Date.now() + expected <= Date.parse(this.maintenanceUntil);
  }

  private freeSlots(): number {
    return resolveBudget(this.budget, this.table.hosts.length).maxConcurrentHosts - this.table.out.size;
  }

  private failures(): number {
    return this.table.held.size + this.failedAndRolledBack;
  }

  private nothingRuns(): boolean {
    return this.table.out.size === 0 && this.puttingBack.size === 0;
  }

  private allSettled(): boolean {
    if (!this.nothingRuns() || this.table.held.size > 0) return false;
    return this.cancel !== undefined || this.table.count('pending') === 0;
  }

  /** Until when to wait at most for something to change. */
  private rest(): { ms: number; why: string } | undefined {
    if (this.cancel || this.table.count('pending') === 0) return undefined;
    const pause = this.notBefore - Date.now();
    if (pause > 0) return { ms: pause, why: 'pause between hosts' };
    if (this.mayStart() && this.table.out.size === 0)
      return { ms: LOOK_AGAIN_MS, why: 'look again for a host to take' };
    return undefined;
  }

  // --- hosts ---

  private launch(chosen: ChosenHost): void {
    const { host, placement, moveSlots, groupShares } = chosen;
    this.firstHostAt ??= Date.now();
    this.table.start({ host, placement, moveSlots, groupShares, drained: false }, Date.now());
    if (placement.length > 0 && this.state === 'START_MAINTENANCE') this.enter('PLANNED_MAINTENANCE');
    this.watch(this.hostInput(chosen, 'maintain'));
  }

  private putBack(host: string, as: 'rolled-back' | 'skipped'): void {
    if (this.puttingBack.has(host)) return;
    this.puttingBack.set(host, as);
    const chosen = {
      host,
      role: 'other',
      placement: [],
      moveSlots: 1,
      groupShares: {},
      estimateMs: 0,
      overrides: {},
    } as const;
    this.watch(this.hostInput({ ...chosen, placement: [] }, 'restore'));
  }

  /** Runs a host's workflow in a scope of its own, so that one host can be cancelled alone. */
  private watch(input: HostMaintenanceInput): void {
    const { host } = input;
    const scope = new CancellationScope();
    this.scopes.set(host, scope);
    const running = scope.run(() =>
      runHost(input, (what) => {
        this.table.noteWait(host, what);
        this.show();
      }),
    );
    void running.then(
      (outcome) => {
        this.finished(host, () => {
          const as = this.puttingBack.get(host);
          if (as === undefined) this.table.finish(outcome);
          else this.table.giveUp(host, as);
        });
      },
      (error: unknown) => {
        this.finished(host, () => this.noteFailure(host, error));
      },
    );
  }

  private finished(host: string, note: () => void): void {
    note();
    this.scopes.delete(host);
    this.puttingBack.delete(host);
    if (this.spec.pauseBetweenHosts !== undefined)
      this.notBefore = Date.now() + durationMs(this.spec.pauseBetweenHosts);
    this.version += 1;
    this.show();
  }

  private noteFailure(host: string, error: unknown): void {
    if (isCancellation(error)) {
      const asked = this.cancel ?? this.puttingBack.get(host);
      this.table.giveUp(
        host,
        'rolled-back',
        asked === undefined ? `${host}: its workflow was cancelled from outside` : undefined,
      );
      return;
    }
    const found = viewFailure(error);
    const details = failureDetails(error);
    if (details?.checkpoint.rolledBack === true) {
      this.failedAndRolledBack += 1;
      this.table.giveUp(host, 'rolled-back', found.message);
      return;
    }
    if (found.code === 'RollbackFailed') this.stuck.add(host);
    log.warn('host held', { host, code: found.code, message: found.message });
    const hold = {
      host,
      step: details?.checkpoint.step ?? this.table.out.get(host)?.step ?? 'precheck',
      ...found,
    };
    this.table.hold({ ...hold, since: new Date(Date.now()).toISOString() }, details?.checkpoint);
  }

  private hostInput(chosen: ChosenHost, purpose: HostMaintenanceInput['purpose']): HostMaintenanceInput {
    const { spec, table } = this;
    const checkpoint = table.checkpoints.get(chosen.host);
    const limitedMoves =
      this.budget.maxConcurrentMoves !== undefined || Object.keys(chosen.groupShares).length > 0;
    return {
      session: this.id,
      chain: this.chain,
      site: spec.site,
      host: chosen.host,
      role: chosen.role,
      spec: {
        actions: this.actions,
        instances: {
          mode: spec.instances.mode,
          stopped: spec.instances.stopped,
          return: spec.instances.return,
          overrides: chosen.overrides,
        },
        timeouts: spec.timeouts,
        onFailure: spec.onFailure,
        onBusyHost: spec.onBusyHost,
        metadata: spec.metadata,
      },
      placement: chosen.placement,
      moveSlots: chosen.moveSlots,
      groupShares: chosen.groupShares,
      ...(checkpoint === undefined ? {} : { checkpoint }),
      purpose,
      adopts: this.adopts,
      reportEveryMs: REPORT_EVERY_MS(table.hosts.length),
      reportDrained: limitedMoves,
    };
  }

  // --- ending ---

  /** Idempotent: called again whenever something changes while the session is being cancelled. */
  private windDown(cancel: CancelMessage): void {
    if (cancel.mode === 'rollback') {
      for (const host of this.table.out.keys()) this.scopes.get(host)?.cancel();
    }
    for (const host of this.table.held.keys()) {
      if (!this.stuck.has(host)) this.putBack(host, 'rolled-back');
    }
  }

  private async end(): Promise<Report> {
    this.phase = 'ended';
    this.endedAt = Date.now();
    this.settle();
    await condition(allHandlersFinished);
    if (this.cancelledFromOutside) throw new CancelledFailure(this.reason());
    return this.report();
  }

  private mustContinueAsNew(): boolean {
    return workflowInfo().historyLength >= this.historyLimit;
  }

  private async continueAsNew(): Promise<never> {
    await condition(allHandlersFinished);
    const carried: Carried = {
      table: this.table.toState(),
      state: this.state,
      startedAt: this.startedAt,
      ...(this.firstHostAt === undefined ? {} : { firstHostAt: this.firstHostAt }),
      actions: this.actions,
      actionsDone: [...this.actionsDone],
      actionFailures: this.actionFailures,
      adopts: this.adopts,
      budget: this.budget,
      ...(this.maintenanceUntil === undefined ? {} : { maintenanceUntil: this.maintenanceUntil }),
      ...(this.paused === undefined ? {} : { paused: this.paused }),
      ...(this.plan === undefined ? {} : { plan: this.plan }),
      historyLimit: this.historyLimit,
    };
    return continueAsNew<(input: unknown, carried: Carried) => Promise<Report>>(this.spec, carried);
  }

  // --- commands ---

  private context(): CommandContext {
    return {
      table: this.table,
      budget: this.budget,
      closed: this.phase === 'ended' ? 'the session has ended' : undefined,
      cancelling: this.cancel !== undefined,
      windowClosed: this.windowClosed,
      nowMs: Date.now(),
    };
  }

  private readCancel(raw: unknown): Command<CancelMessage> {
    return readCancel(raw, this.context());
  }

  private readContinue(raw: unknown): Command<ContinueMessage> {
    return readContinue(raw, this.context());
  }

  /** A signal cannot be refused: what is wrong with it is shown instead. */
  private obey<Message>(name: string, command: Command<Message>, apply: (message: Message) => void): void {
    if ('problems' in command) {
      this.refused = `signal ${name} changed nothing: ${command.problems.join('; ')}`;
      this.show();
    } else {
      this.comply(command, apply);
    }
  }

  private comply<Message>(command: Command<Message>, apply: (message: Message) => void): Progress {
    refuseProblems(command);
    if ('message' in command) apply(command.message);
    this.refused = undefined;
    this.version += 1;
    this.settle();
    return this.progress();
  }

  private applyCancel(message: CancelMessage): void {
    this.cancel = message;
    this.actionScope?.cancel();
    this.version += 1;
  }

  private applyPause(reason: string | undefined): void {
    this.paused = reason ?? 'paused by an operator';
  }

  private applyBudget(budget: Budget): void {
    this.budget = budget;
  }

  private applyContinue({ retry, skip, rollback, maintenanceUntil }: ContinueMessage): void {
    this.paused = undefined;
    this.problem = undefined;
    this.failedAndRolledBack = 0;
    this.stuck.clear();
    if (maintenanceUntil !== undefined) {
      this.maintenanceUntil = maintenanceUntil;
      this.windowClosed = false;
    }
    if (this.cancel) return;
    const everyHeld = retry === undefined && skip === undefined && rollback === undefined;
    for (const host of everyHeld ? [...this.table.held.keys()] : (retry ?? [])) {
      if (!this.puttingBack.has(host)) this.table.retryHeld(host);
    }
    for (const host of skip ?? []) {
      if (this.table.status(host) === 'held') this.putBack(host, 'skipped');
      else this.table.giveUp(host, 'skipped');
    }
    for (const host of rollback ?? []) {
      if (this.table.status(host) === 'held') this.putBack(host, 'rolled-back');
      else {
        this.puttingBack.set(host, 'rolled-back');
        this.scopes.get(host)?.cancel();
      }
    }
  }

  private askApproval(question: string | undefined): void {
    this.approvalAsked = question;
    this.show();
  }

  private applyApproval(raw: unknown): void {
    const parsed = approveMessage.safeParse(raw ?? {});
    if (!parsed.success) {
      this.refused = `signal approve changed nothing: ${describeIssues(parsed.error).join('; ')}`;
      this.show();
      return;
    }
    const { host } = parsed.data;
    if (host === undefined && this.approvalAsked !== undefined) {
      this.desk.answers.push(parsed.data);
      return;
    }
    const waiting = [...this.table.out.values()].filter((out) => out.waitsFor?.startsWith('approval'));
    for (const out of waiting) {
      if (host !== undefined && out.host !== host) continue;
      const handle = getExternalWorkflowHandle(hostWorkflowId(this.spec.site, out.host));
      handle.signal(approveSignal, parsed.data).catch(() => undefined);
    }
  }

  // --- what it shows ---

  /** Brings state and view in line with the facts. */
  private settle(): void {
    this.enter(this.dueState());
    this.show();
  }

  private dueState(): SessionState {
    if (this.phase === 'ended') return this.cancel ? 'MAINTENANCE_CANCELLED' : 'MAINTENANCE_DONE';
    if (this.cancel) return this.stuck.size > 0 && this.nothingRuns() ? 'MAINTENANCE_FAILED' : this.state;
    if (this.problem !== undefined) return 'MAINTENANCE_FAILED';
    if (this.phase === 'post') return 'MAINTENANCE_COMPLETE';
    if (this.failures() > this.budget.maxFailedHosts || this.onlyHeldLeft()) return 'MAINTENANCE_FAILED';
    if (this.paused !== undefined || this.windowClosed) return 'MAINTENANCE_PAUSED';
    if (this.phase !== 'hosts') return 'MAINTENANCE';
    const running = this.state === 'START_MAINTENANCE' || this.state === 'PLANNED_MAINTENANCE';
    return running ? this.state : 'PLANNED_MAINTENANCE';
  }

  private onlyHeldLeft(): boolean {
    return (
      this.phase === 'hosts' &&
      this.table.held.size > 0 &&
      this.table.count('pending') === 0 &&
      this.nothingRuns()
    );
  }

  private enter(state: SessionState): void {
    if (state === this.state) return;
    if (!mayGo(this.state, state)) throw new Error(`a session may not go from ${this.state} to ${state}`);
    log.info('session state', { from: this.state, to: state });
    this.state = state;
    upsertSearchAttributes(stateAttribute(state));
  }

  private show(): void {
    setCurrentDetails(renderSession(this.progress()));
  }

  private reason(): string {
    if (this.refused !== undefined) return this.refused;
    if (this.cancel)
      return `${this.phase === 'ended' ? 'cancelled' : 'being cancelled'} (${this.cancel.mode}): ${this.cancel.reason ?? 'no reason given'}`;
    if (this.problem !== undefined)
      return `${this.problem.code}: ${this.problem.message}; signal continue to try again`;
    if (this.state === 'MAINTENANCE_FAILED')
      return `${this.table.held.size} held: signal continue to retry, skip or roll back`;
    if (this.windowClosed)
      return `WindowClosed: the rest does not fit before ${this.maintenanceUntil ?? ''}; continue with a new maintenanceUntil, or cancel`;
    if (this.paused !== undefined) return `paused: ${this.paused}; signal continue to go on`;
    if (this.phase === 'waiting' && this.spec.maintenanceAt !== undefined)
      return `waits for maintenanceAt ${this.spec.maintenanceAt}`;
    if (this.spec.dryRun && this.phase === 'ended') return 'dry run: nothing was touched';
    return '';
  }

  private facts(): SessionFacts {
    return {
      session: this.id,
      site: this.spec.site,
      state: this.state,
      reason: this.reason(),
      table: this.table,
      blockedBy: [this.approvalAsked, this.waitFor].filter((what) => what !== undefined),
      next: this.next(),
      startedAt: this.startedAt,
      ...(this.firstHostAt === undefined ? {} : { firstHostAt: this.firstHostAt }),
      ...(this.endedAt === undefined ? {} : { endedAt: this.endedAt }),
      now: Date.now(),
      concurrency: resolveBudget(this.budget, this.table.hosts.length).maxConcurrentHosts,
      ...(this.plan === undefined ? {} : { plannedMs: this.plan.makespan * 1000 }),
      moving: this.state === 'START_MAINTENANCE' || this.state === 'PLANNED_MAINTENANCE',
    };
  }

  /** Those taken up again, then the others in the order of the plan. */
  private next(): string[] {
    const planned = this.plan?.hosts.map(({ host }) => host) ?? [];
    const pending = planned.filter(
      (host) => this.table.status(host) === 'pending' && !this.table.retry.has(host),
    );
    return [...this.table.retry, ...pending];
  }

  private progress(): Progress {
    return describeProgress(this.facts());
  }

  private report(): Report {
    return describeReport(this.facts(), this.spec.dryRun ? this.plan : undefined);
  }

  private standing(names: boolean): Standing {
    return {
      chain: this.chain,
      site: this.spec.site,
      statuses: this.table.encodedStatuses(),
      out: [...this.table.out.values()].map(({ host, placement, moveSlots, groupShares, drained }) => ({
        host,
        placement,
        moveSlots,
        groupShares,
        drained,
      })),
      retry: [...this.table.retry],
      ...(this.table.lastReturned === undefined ? {} : { lastReturned: this.table.lastReturned }),
      budget: this.budget,
      instances: this.spec.instances,
      actions: this.spec.actions,
      held: [...this.table.held.values()],
      checkpoints: Object.fromEntries(this.table.checkpoints),
      sessions: [this.id, ...this.adopts],
      ...(names ? { hosts: [...this.table.hosts] } : {}),
    };
  }

  private callSite<Name extends keyof SiteActivities>(
    name: Name,
    request: Parameters<SiteActivities[Name]>[0],
    summary: string,
  ): Promise<Awaited<ReturnType<SiteActivities[Name]>>> {
    return callSite(this.spec.site, name, request, { summary, deadline: Date.now() + OWN_ACTIVITY_MS });
  }

  private callSession<Name extends keyof SessionActivities>(
    name: Name,
    request: Parameters<SessionActivities[Name]>[0],
    summary: string,
  ): Promise<Awaited<ReturnType<SessionActivities[Name]>>> {
    return callSession(name, request, { summary, deadline: Date.now() + OWN_ACTIVITY_MS });
  }
}

/** Refuses an update in words an operator can act on. */
function refuseProblems(command: Command<unknown>): void {
  if ('problems' in command) throw failWith('InvalidMessage', command.problems.join('; '));
}
