import {
  CancellationScope,
  getExternalWorkflowHandle,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { HostRef, SiteActivities } from '../../activities/contract.ts';
import { durationMs } from '../../src/core/duration.ts';
import { renderHost, type HostView } from '../../src/core/details.ts';
import type {
  Checkpoint,
  HostMaintenanceInput,
  InstanceRef,
  HostSpec,
  Member,
  MovedInstance,
  Step,
} from '../../src/core/host-run.ts';
import type { InstanceAction } from '../../src/core/notice.ts';
import type { ExitPlan } from '../../src/core/exit-plan.ts';
import type { HostReport } from '../../src/core/host-report.ts';
import type { ApproveMessage } from '../../src/core/session-spec.ts';
import type { ApprovalDesk } from '../actions.ts';
import { callSite } from '../activity-calls.ts';
import { hostReportSignal } from '../messages.ts';
import { GroupShares } from './group-shares.ts';

/**
 * What a run of one host knows: where it is, what it has moved and stopped, and until when it may go on. The steps read
 * and write it; `checkpoint()` is what is left of it when the run ends early.
 */
export class HostRun {
  readonly input: HostMaintenanceInput;
  readonly startedAt = Date.now();
  readonly actionsDone: Set<number>;
  /** How often an action has reported failure in this and earlier runs. */
  actionFailures: number;
  readonly moved: MovedInstance[];
  /** Instances that the platform has made anew elsewhere under another id, or that somebody has deleted meanwhile. */
  private evicted = 0;
  readonly stopped: Member[];
  /** Those that were started again. */
  readonly started: InstanceRef[] = [];
  readonly warnings: string[] = [];
  /** Instances still to go, by id. */
  readonly left = new Map<string, InstanceRef>();
  /** Projects by instance id, where they are asked. */
  owners: ReadonlyMap<string, string> = new Map();
  readonly desk: ApprovalDesk & { answers: ApproveMessage[] };
  readonly shares: GroupShares;
  step: Step;
  /** Set just before the platform is asked: after a crash it may have been, and leaving is harmless if it was not. */
  entered: boolean;
  /** What the platform can give back when the host leaves maintenance, once it was asked. */
  exitPlan: ExitPlan | undefined;

  private readonly agreed: Map<string, InstanceAction | 'as-wished'>;
  private readonly hostDeadline: number;
  private stepDeadline: number;
  private stepSince: number;
  private course: HostView['course'];
  private waitsFor: string | undefined;
  /** The same, as the activity says that runs. */
  private activityWaitsFor: string | undefined;
  private failedWith: string | undefined;
  private lastReportAt: number;
  private drained = false;
  private reporting = false;
  private reportAgain = false;

  constructor(input: HostMaintenanceInput) {
    this.input = input;
    // A host that is only put back still stands where it was held.
    this.step = input.purpose === 'restore' ? (input.checkpoint?.step ?? 'precheck') : 'precheck';
    this.entered = input.checkpoint?.entered ?? false;
    this.actionsDone = new Set(input.checkpoint?.actionsDone);
    this.actionFailures = input.checkpoint?.actionFailures ?? 0;
    this.moved = [...(input.checkpoint?.moved ?? [])];
    this.stopped = [...(input.checkpoint?.stopped ?? [])];
    this.exitPlan = input.checkpoint?.exitPlan;
    this.agreed = new Map(Object.entries(input.checkpoint?.agreed ?? {}));
    this.hostDeadline = this.startedAt + durationMs(input.spec.timeouts.host);
    this.stepDeadline = this.hostDeadline;
    this.stepSince = this.startedAt;
    this.lastReportAt = this.startedAt;
    this.desk = { answers: [], ask: (question) => this.setWaitsFor(question) };
    this.shares = new GroupShares(input.groupShares);
    for (const one of this.stopped) this.shares.take(one);
  }

  get ref(): HostRef {
    const { site, host, session, adopts, spec } = this.input;
    const maintenance = spec.maintenance === undefined ? {} : { maintenance: spec.maintenance };
    return { site, host, session, adopts, entered: this.entered, ...maintenance };
  }

  /** How instances are to leave, with what their projects have chosen. */
  get wishes(): HostSpec['instances'] {
    const chosen = [...this.agreed].filter((one): one is [string, InstanceAction] => one[1] !== 'as-wished');
    const { instances } = this.input.spec;
    return chosen.length === 0 ? instances : { ...instances, answers: Object.fromEntries(chosen) };
  }

  noteAgreed(instances: readonly (readonly [string, InstanceAction | 'as-wished'])[]): void {
    for (const [id, action] of instances) this.agreed.set(id, action);
  }

  hasAgreed(instance: string): boolean {
    return this.agreed.has(instance);
  }

  /** Epoch milliseconds by which the present step has to be over. */
  get deadline(): number {
    return this.stepDeadline;
  }

  /** Goes on to a step; its deadline counts from now, and the host's own still holds. */
  enterStep(step: Step): void {
    this.step = step;
    this.stepSince = Date.now();
    this.stepDeadline = Math.min(this.hostDeadline, Date.now() + durationMs(this.input.spec.timeouts[step]));
    this.show();
    // Work may take hours, in which nothing else is told.
    this.report({ now: step === 'work' && this.input.reportEveryMs > 0 });
  }

  /** Whether the step's deadline leaves time to wait so long. */
  hasTimeFor(milliseconds: number): boolean {
    return Date.now() + milliseconds < this.stepDeadline;
  }

  /** Waiting for somebody else is limited by the host's deadline, not by the step's. */
  waitUntilHostDeadline(): void {
    this.stepDeadline = this.hostDeadline;
  }

  /** A new time limit for putting the host back: not to be lost to a deadline that has already passed. */
  extendForPutBack(): void {
    const { exit, restore } = this.input.spec.timeouts;
    this.stepDeadline = Date.now() + durationMs(exit) + durationMs(restore);
  }

  call<Name extends keyof SiteActivities>(
    name: Name,
    request: Parameters<SiteActivities[Name]>[0],
    summary: string,
  ): Promise<Awaited<ReturnType<SiteActivities[Name]>>> {
    const answer = callSite(this.input.site, name, request, { summary, deadline: this.deadline });
    const isOver = (): void => this.noteActivityWaits(undefined);
    // Beside whoever awaits it: what was recorded before this was noted has to replay as it was.
    answer.then(isOver, isOver);
    return answer;
  }

  /** What the activity that runs waits for; undefined: it goes on, or is over. */
  noteActivityWaits(what: string | undefined): void {
    const before = this.activityWaitsFor;
    if (before === what) return;
    this.activityWaitsFor = what;
    this.show();
    // What becomes of a wait is told as anything else; that there is one, and that it is over, at once.
    this.report({ now: before === undefined || what === undefined });
  }

  setWaitsFor(what: string | undefined): void {
    if (this.waitsFor === what) return;
    this.showWaitsFor(what);
    this.report({ now: true });
  }

  private get blockedBy(): string | undefined {
    return this.activityWaitsFor ?? this.waitsFor;
  }

  /** On the host's own page; its session hears of it with the next report. */
  showWaitsFor(what: string | undefined): void {
    this.waitsFor = what;
    this.show();
  }

  /** For the Web UI only: the session learns it from the failure of the workflow. */
  showFailure(words: string): void {
    this.failedWith = words;
    if (this.course === 'being-put-back') this.course = undefined;
    this.show();
  }

  /** For the Web UI only. */
  showCourse(course: HostView['course']): void {
    this.course = course;
    this.show();
  }

  /** Each look may find the same again: it is said once. */
  warn(...warnings: string[]): void {
    for (const warning of warnings) if (!this.warnings.includes(warning)) this.warnings.push(warning);
  }

  noteLeft(instances: readonly InstanceRef[]): void {
    for (const { id, name } of instances) this.left.set(id, { id, name });
    this.show();
  }

  noteMoved(
    member: Member,
    { to, how, foundStopped = false }: Pick<MovedInstance, 'to' | 'how' | 'foundStopped'>,
  ): void {
    this.left.delete(member.id);
    this.moved.push({ ...memberOf(member), from: this.input.host, to, how, foundStopped });
    this.show();
    this.report();
  }

  noteStopped(member: Member): void {
    this.left.delete(member.id);
    this.stopped.push(memberOf(member));
    this.show();
    this.report();
  }

  /** It was deleted, or went away by itself: normal during a drain. */
  noteGone(instance: InstanceRef): void {
    this.left.delete(instance.id);
    this.show();
  }

  /** The platform has emptied the host, and does not know it any more. */
  noteEvicted(instance: InstanceRef): void {
    this.evicted += 1;
    this.noteGone(instance);
  }

  /** Instances that have left and run elsewhere. */
  get movedCount(): number {
    return this.moved.length + this.evicted;
  }

  /** Instances that were still to go when an earlier run ended. */
  leftBefore(): InstanceRef[] {
    const gone = new Set([...this.moved, ...this.stopped].map(({ id }) => id));
    return (this.input.checkpoint?.left ?? []).filter(({ id }) => !gone.has(id));
  }

  /** Instances that something we started may still be moving or stopping. */
  mayStillBeLeaving(): InstanceRef[] {
    return this.left.size > 0 ? [...this.left.values()] : (this.input.checkpoint?.left ?? []);
  }

  checkpoint(rolledBack: boolean): Checkpoint {
    return {
      step: this.step,
      entered: this.entered,
      actionsDone: [...this.actionsDone].sort((a, b) => a - b),
      actionFailures: this.actionFailures,
      moved: this.moved,
      stopped: this.stopped,
      left: this.mayStillBeLeaving(),
      rolledBack,
      ...(this.exitPlan === undefined ? {} : { exitPlan: this.exitPlan }),
      ...(this.agreed.size === 0 ? {} : { agreed: Object.fromEntries(this.agreed) }),
    };
  }

  /** Tells the session, at most as often as it wishes to be told. */
  report(options: { now?: boolean; drained?: boolean } = {}): void {
    const { reportEveryMs } = this.input;
    if (options.drained === true) this.drained = true;
    const due = reportEveryMs > 0 && Date.now() - this.lastReportAt >= reportEveryMs;
    if (due || options.now === true || options.drained === true) this.sendReport();
  }

  /** Tells the session that all have left, and again when those have recovered that still did. */
  reportDrained(): void {
    if (!this.input.reportDrained) return;
    this.report({ drained: true });
    if (this.shares.areRecovering) void this.shares.recovered().then(() => this.report({ now: true }));
  }

  /** Waits until all are whole that were acted on: a host that has ended holds no shares any more. */
  async untilRecovered(): Promise<void> {
    if (!this.shares.areRecovering) return;
    this.setWaitsFor('instances that were moved or started to recover');
    await this.shares.recovered();
  }

  /** One at a time: signals that are under way together may arrive in any order, and the older would win. */
  private sendReport(): void {
    const { parent } = workflowInfo();
    if (!parent) return;
    if (this.reporting) {
      this.reportAgain = true;
      return;
    }
    this.reporting = true;
    this.reportAgain = false;
    this.lastReportAt = Date.now();
    const report: HostReport = {
      host: this.input.host,
      step: this.step,
      moved: this.movedCount,
      stopped: this.stopped.length,
      total: this.movedCount + this.stopped.length + this.left.size,
      ...(this.blockedBy === undefined ? {} : { waitsFor: this.blockedBy }),
      ...(this.drained ? { drained: true } : {}),
      ...(this.shares.areRecovering ? { recovering: true } : {}),
    };
    // A host that rolls back still tells where it is; a session that has ended hears nothing, and that is no matter.
    void CancellationScope.nonCancellable(() =>
      getExternalWorkflowHandle(parent.workflowId).signal(hostReportSignal, report),
    )
      .catch(() => undefined)
      .then(() => {
        this.reporting = false;
        if (this.reportAgain) this.sendReport();
      });
  }

  show(): void {
    setCurrentDetails(
      renderHost({
        host: this.input.host,
        session: this.input.session,
        step: this.step,
        since: new Date(this.stepSince).toISOString(),
        ...(this.course === undefined ? {} : { course: this.course }),
        gone: this.movedCount + this.stopped.length,
        left: [...this.left.values()].map(({ name }) => name),
        ...(this.blockedBy === undefined ? {} : { waitsFor: this.blockedBy }),
        ...(this.failedWith === undefined ? {} : { failedWith: this.failedWith }),
      }),
    );
  }
}

/** Only what limits are about: it is kept for as long as the host is not through. */
const memberOf = ({ id, name, groups, recoverySeconds }: Member): Member => ({
  id,
  name,
  ...(groups === undefined ? {} : { groups }),
  ...(recoverySeconds === undefined ? {} : { recoverySeconds }),
});
