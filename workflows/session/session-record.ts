import { log, setCurrentDetails, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { renderSession } from '../../src/core/details.ts';
import type { Member, ResolvedAction } from '../../src/core/host-run.ts';
import { HostTable, type HostTableState } from '../../src/core/host-table.ts';
import { resolveBudget } from '../../src/core/planning/budget.ts';
import type { Plan, Progress, Report } from '../../src/core/progress.ts';
import type { Budget, CancelMessage, SessionSpec } from '../../src/core/session-spec.ts';
import { mayGo, type SessionState } from '../../src/core/session-state.ts';
import { describeProgress, describeReport, type SessionFacts } from '../../src/core/session-view.ts';
import type { OutHost, Standing } from '../../src/core/standing.ts';
import type { EventType, SessionEvent } from '../../src/core/notice.ts';
import type { MaintenanceRequest } from '../../src/core/platform-options.ts';
import type { ApprovalDesk } from '../actions.ts';
import type { FailureView } from '../failures.ts';
import { announce, newEvent } from '../notifications.ts';
import { stateAttribute } from '../search-attributes.ts';

/** A run of the session is continued as new after so many events; Temporal ends one at 51,200. */
const HISTORY_LIMIT = 8_000;

/** What one run of the session hands to the next. */
export interface Carried {
  table: HostTableState;
  state: SessionState;
  startedAt: number;
  firstHostAt?: number;
  actions: ResolvedAction[];
  maintenance?: MaintenanceRequest;
  windowOpen?: true;
  projects?: string[];
  scaleIns?: number;
  announces?: EventType[];
  actionsDone: number[];
  actionFailures: number;
  failedAndRolledBack: number;
  adopts: string[];
  budget: Budget;
  maintenanceUntil?: string;
  paused?: string;
  notBefore?: number;
  plan?: Plan;
  historyLimit: number;
}

/** Where the course of a session is; its state follows from this and from what stands in its way. */
export type Phase = 'preparing' | 'waiting' | 'hosts' | 'post' | 'ended';

/** What a session knows of itself, and what it shows of that. Whoever changes it calls `settle` or `show` afterwards. */
export class SessionRecord {
  readonly spec: SessionSpec;
  readonly id = workflowInfo().workflowId;
  /** Stays the same over resets and continue-as-new. */
  readonly chain = workflowInfo().firstExecutionRunId;
  readonly startedAt: number;
  readonly historyLimit: number;
  /** Sessions whose marks count as ours. */
  readonly adopts: string[];
  readonly actionsDone: Set<number>;
  readonly desk: ApprovalDesk;

  table: HostTable;
  actions: ResolvedAction[];
  maintenance: MaintenanceRequest | undefined;
  /** The platform was told of the session, and is yet to be told that it is over. */
  windowOpen: boolean;
  /** Why that cannot be said. */
  windowProblem: FailureView | undefined;
  /** Those that are asked. */
  projects: string[];
  /** Whether they were told of the session, and not yet that it is over. */
  projectsKnow: boolean;
  /** How often they were asked to make room. */
  scaleIns: number;
  /** Why no host can be emptied, while projects are asked to make room. */
  lacksRoom: string | undefined;
  /** Hosts whose projects are asked before any host was emptied. */
  readonly preparing = new Set<string>();
  /** Events that somebody wants to know of. */
  announces: EventType[];
  budget: Budget;
  maintenanceUntil: string | undefined;
  phase: Phase;
  plan: Plan | undefined;
  firstHostAt: number | undefined;
  endedAt: number | undefined;

  cancel: CancelMessage | undefined;
  cancelledFromOutside = false;
  paused: string | undefined;
  windowClosed = false;
  /** Why the session itself, not a host, cannot go on. */
  problem: FailureView | undefined;
  /** How often an action of type pre or post has reported failure. */
  actionFailures: number;
  /** Hosts that failed and were rolled back since an operator last said to go on. */
  failedAndRolledBack: number;
  /** Hosts being put back without their maintenance, and as what they will count. */
  readonly puttingBack = new Map<string, 'rolled-back' | 'skipped'>();
  /** Hosts that could not be put back; not tried again before an operator says so. */
  readonly stuck = new Set<string>();
  /** Why no more hosts are started now, by name. */
  waitFor: string | undefined;
  /** A message that changed nothing, and why. */
  refused: string | undefined;
  /** No host starts before: epoch milliseconds. */
  notBefore: number;
  /** What the session itself waits for an approval of. */
  approvalAsked: string | undefined;
  /** Counts what may change what to do next; the course of the session waits for it. */
  version = 0;

  private state: SessionState;
  private readonly announcements = new Set<Promise<void>>();

  constructor(spec: SessionSpec, carried?: Carried) {
    this.spec = spec;
    this.startedAt = carried?.startedAt ?? Date.now();
    this.historyLimit = carried?.historyLimit ?? HISTORY_LIMIT;
    this.table = carried ? new HostTable(carried.table) : HostTable.of([], 0);
    this.adopts = carried?.adopts ?? [];
    this.actions = carried?.actions ?? [];
    this.maintenance = carried?.maintenance;
    this.windowOpen = carried?.windowOpen ?? false;
    this.projects = carried?.projects ?? [];
    this.projectsKnow = carried !== undefined;
    this.scaleIns = carried?.scaleIns ?? 0;
    this.announces = carried?.announces ?? [];
    this.actionsDone = new Set(carried?.actionsDone);
    this.actionFailures = carried?.actionFailures ?? 0;
    this.failedAndRolledBack = carried?.failedAndRolledBack ?? 0;
    this.budget = carried?.budget ?? spec.budget;
    this.maintenanceUntil = carried?.maintenanceUntil ?? spec.maintenanceUntil;
    this.paused = carried?.paused;
    this.notBefore = carried?.notBefore ?? 0;
    this.plan = carried?.plan;
    this.firstHostAt = carried?.firstHostAt;
    this.state = carried?.state ?? 'MAINTENANCE';
    this.phase = carried ? 'hosts' : 'preparing';
    this.desk = { answers: [], ask: (question) => this.askApproval(question) };
  }

  carry(): Carried {
    return {
      table: this.table.toState(),
      state: this.state,
      startedAt: this.startedAt,
      ...(this.firstHostAt === undefined ? {} : { firstHostAt: this.firstHostAt }),
      actions: this.actions,
      ...(this.maintenance === undefined ? {} : { maintenance: this.maintenance }),
      ...(this.windowOpen ? { windowOpen: true } : {}),
      ...(this.projects.length === 0 ? {} : { projects: this.projects }),
      ...(this.scaleIns === 0 ? {} : { scaleIns: this.scaleIns }),
      ...(this.announces.length === 0 ? {} : { announces: this.announces }),
      actionsDone: [...this.actionsDone],
      actionFailures: this.actionFailures,
      failedAndRolledBack: this.failedAndRolledBack,
      adopts: this.adopts,
      budget: this.budget,
      ...(this.maintenanceUntil === undefined ? {} : { maintenanceUntil: this.maintenanceUntil }),
      ...(this.paused === undefined ? {} : { paused: this.paused }),
      ...(this.notBefore === 0 ? {} : { notBefore: this.notBefore }),
      ...(this.plan === undefined ? {} : { plan: this.plan }),
      historyLimit: this.historyLimit,
    };
  }

  // --- what follows from it ---

  get concurrency(): number {
    return resolveBudget(this.budget, this.table.hosts.length).maxConcurrentHosts;
  }

  /** Hosts that failed and that no operator has answered for yet. */
  get failures(): number {
    return this.table.held.size + this.failedAndRolledBack;
  }

  get nothingRuns(): boolean {
    return this.table.out.size === 0 && this.puttingBack.size === 0;
  }

  mayStartHosts(): boolean {
    return (
      this.cancel === undefined &&
      this.paused === undefined &&
      this.problem === undefined &&
      !this.windowClosed &&
      this.failures <= this.budget.maxFailedHosts &&
      Date.now() >= this.notBefore &&
      !this.mustContinueAsNew
    );
  }

  get mustContinueAsNew(): boolean {
    return workflowInfo().historyLength >= this.historyLimit;
  }

  /** Whether a host that takes so long, or as long as hosts took so far, would be done before the window ends. */
  fitsWindow(estimateMs: number): boolean {
    if (this.maintenanceUntil === undefined) return true;
    const expected = Math.max(estimateMs, this.table.meanDurationMs ?? 0);
    return Date.now() + expected <= Date.parse(this.maintenanceUntil);
  }

  // --- what it shows ---

  /** Says that something has changed that may change what to do next. */
  touch(): void {
    this.version += 1;
    this.show();
  }

  /** Brings the state in line with everything else. */
  settle(): void {
    this.enter(this.dueState());
    this.show();
  }

  enter(state: SessionState): void {
    if (state === this.state) return;
    if (!mayGo(this.state, state)) throw new Error(`a session may not go from ${this.state} to ${state}`);
    log.info('session state', { from: this.state, to: state });
    this.state = state;
    upsertSearchAttributes(stateAttribute(state));
    this.announceState(state);
  }

  /** Instances are about to move: from now on it is more than taking out empty hosts. */
  noteMoves(): void {
    if (this.state === 'START_MAINTENANCE') this.enter('PLANNED_MAINTENANCE');
  }

  /**
   * A host is about to be taken out. Where its projects are asked first and no host is empty yet, that is what the session
   * is doing.
   */
  noteLaunch(host: string, moves: boolean): void {
    if (this.spec.projects !== undefined && !this.hasStarted) {
      if (moves) this.preparing.add(host);
      else this.enter('START_MAINTENANCE');
    } else if (moves) this.noteMoves();
  }

  /** The host is further than asking projects, or has ended. */
  notePrepared(host: string): void {
    if (!this.preparing.delete(host) || this.hasStarted) return;
    this.enter('START_MAINTENANCE');
    this.noteMoves();
  }

  /** Waits until everything is on its way that was to be announced. */
  async untilAnnounced(): Promise<void> {
    await Promise.all(this.announcements);
  }

  /** One after the other, and nobody waits for them. */
  private announceState(state: SessionState): void {
    if (!this.announces.includes('maintenance.session')) return;
    const event: SessionEvent = {
      type: 'maintenance.session',
      ...newEvent({ site: this.spec.site, session: this.id }),
      state,
      percentDone: this.progress().percent,
    };
    const done = announce(event).then(() => {
      this.announcements.delete(done);
    });
    this.announcements.add(done);
  }

  private get hasStarted(): boolean {
    return this.state === 'START_MAINTENANCE' || this.state === 'PLANNED_MAINTENANCE';
  }

  show(): void {
    setCurrentDetails(renderSession(this.progress()));
  }

  progress(): Progress {
    return describeProgress(this.facts());
  }

  report(): Report {
    return describeReport(this.facts(), this.spec.dryRun ? this.plan : undefined);
  }

  standing(names: boolean): Standing {
    return {
      run: workflowInfo().runId,
      chain: this.chain,
      site: this.spec.site,
      statuses: this.table.encodedStatuses(),
      out: [...this.table.out.values(), ...this.heldToBePutBack()].map(
        ({ host, placement, moveSlots, groupShares, drained, recovering }) => ({
          host,
          placement,
          moveSlots,
          groupShares,
          drained,
          ...(recovering === true ? { recovering } : {}),
        }),
      ),
      retry: [...this.table.retry],
      budget: this.budget,
      ...(this.spec.order === undefined ? {} : { order: this.spec.order }),
      instances: this.spec.instances,
      actions: this.spec.actions,
      onBusyHost: this.spec.onBusyHost,
      held: [...this.table.held.values()],
      checkpoints: Object.fromEntries(this.table.checkpoints),
      sessions: [this.id, ...this.adopts],
      ...(names ? { hosts: [...this.table.hosts] } : {}),
    };
  }

  /** What was stopped on them is started, and recovers. */
  private heldToBePutBack(): OutHost[] {
    const { held, checkpoints } = this.table;
    return [...this.puttingBack.keys()].flatMap((host) => {
      const groupShares = countByGroup(held.has(host) ? (checkpoints.get(host)?.stopped ?? []) : []);
      if (Object.keys(groupShares).length === 0) return [];
      return [{ host, placement: [], moveSlots: 0, groupShares, drained: true, recovering: true }];
    });
  }

  reason(): string {
    const why = this.whyItStands();
    if (this.refused === undefined || this.phase === 'ended') return why;
    return why === '' ? this.refused : `${this.refused}; ${why}`;
  }

  private whyItStands(): string {
    if (this.windowProblem !== undefined) {
      const { code, message } = this.windowProblem;
      return `${code}: the maintenance of the platform stays open: ${message}; signal continue to try again`;
    }
    if (this.cancel) {
      const { mode, reason = 'no reason given' } = this.cancel;
      return `${this.phase === 'ended' ? 'cancelled' : 'being cancelled'} (${mode}): ${reason}`;
    }
    if (this.problem !== undefined) {
      return `${this.problem.code}: ${this.problem.message}; signal continue to try again`;
    }
    if (this.state === 'MAINTENANCE_FAILED') {
      if (this.table.held.size > 0)
        return `${this.table.held.size} held: signal continue to retry, skip or roll back`;
      const goOn = this.table.count('pending') > 0 ? 'go on with the rest' : 'end the session without them';
      return `${this.failedAndRolledBack} failed and were rolled back: signal continue to ${goOn}`;
    }
    if (this.windowClosed) {
      return `WindowClosed: the rest does not fit before ${this.maintenanceUntil ?? ''}; continue with a new maintenanceUntil, or cancel`;
    }
    if (this.paused !== undefined) return `paused: ${this.paused}; signal continue to go on`;
    if (this.phase === 'waiting' && this.spec.maintenanceAt !== undefined) {
      return `waits for maintenanceAt ${this.spec.maintenanceAt}`;
    }
    if (this.spec.dryRun && this.phase === 'ended') return 'dry run: nothing was touched';
    return '';
  }

  private dueState(): SessionState {
    if (this.phase === 'ended') return this.cancel ? 'MAINTENANCE_CANCELLED' : 'MAINTENANCE_DONE';
    if (this.windowProblem !== undefined) return 'MAINTENANCE_FAILED';
    if (this.cancel) return this.stuck.size > 0 && this.nothingRuns ? 'MAINTENANCE_FAILED' : this.state;
    if (this.problem !== undefined) return 'MAINTENANCE_FAILED';
    if (this.phase === 'post') return 'MAINTENANCE_COMPLETE';
    if (this.failures > this.budget.maxFailedHosts || this.onlyHeldLeft()) return 'MAINTENANCE_FAILED';
    if (this.paused !== undefined || this.windowClosed) return 'MAINTENANCE_PAUSED';
    if (this.phase !== 'hosts') return 'MAINTENANCE';
    if (this.lacksRoom !== undefined) return 'SCALE_IN';
    if (this.hasStarted) return this.state;
    if (this.preparing.size > 0) return 'PREPARE_MAINTENANCE';
    // Where projects are asked, the first host is yet to be launched.
    return this.state === 'MAINTENANCE' || this.state === 'SCALE_IN' ? this.state : 'PLANNED_MAINTENANCE';
  }

  private onlyHeldLeft(): boolean {
    const { table } = this;
    return this.phase === 'hosts' && table.held.size > 0 && table.count('pending') === 0 && this.nothingRuns;
  }

  private askApproval(question: string | undefined): void {
    this.approvalAsked = question;
    this.show();
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
      concurrency: this.concurrency,
      ...(this.plan === undefined ? {} : { plannedMs: this.plan.makespan * 1000 }),
      moving: this.state === 'START_MAINTENANCE' || this.state === 'PLANNED_MAINTENANCE',
    };
  }

  /** Those taken up again, then the others in the order of the plan. */
  private next(): string[] {
    if (this.cancel || this.phase === 'ended') return [];
    const { retry } = this.table;
    const planned = this.plan?.hosts.map(({ host }) => host) ?? [];
    const pending = planned.filter((host) => this.table.status(host) === 'pending' && !retry.has(host));
    return [...retry, ...pending];
  }
}

function countByGroup(members: readonly Member[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const group of members.flatMap(({ groups = [] }) => groups)) counts[group] = (counts[group] ?? 0) + 1;
  return counts;
}
