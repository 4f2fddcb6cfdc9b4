/**
 * The activities as workflows see them. Names and shapes are in every history: change them only by adding optional
 * fields or new activities.
 */
import type { ErrorCode } from '../src/core/errors.ts';
import type { ExitPlan } from '../src/core/exit-plan.ts';
import type {
  ActionInput,
  Checkpoint,
  HostOutcome,
  HostSpec,
  InstanceDecision,
  InstanceRef,
  MovedInstance,
  Placement,
  ResolvedAction,
} from '../src/core/host-run.ts';
import type { HostRole } from '../src/core/inventory.ts';
import type { EventInterest, EventType, InstanceAction, NoticeEvent } from '../src/core/notice.ts';
import type { Drain, MaintenanceRequest, PlatformOptions } from '../src/core/platform-options.ts';
import type { Plan } from '../src/core/progress.ts';
import type { SessionSpec } from '../src/core/session-spec.ts';
import type { Legacy } from '../src/core/standing.ts';

/** A host, and on whose behalf something is done to it. */
export interface HostRef {
  site: string;
  host: string;
  session: string;
  /** Sessions whose marks count as ours. */
  adopts: string[];
  /** It was us who took it into maintenance: on platforms that keep no mark, nothing else says so. */
  entered: boolean;
  /** Absent: PLAIN_REQUEST. */
  maintenance?: MaintenanceRequest;
}

/** A session, as far as the platform is told of it. */
export interface WindowRef {
  site: string;
  session: string;
  /** Sessions whose marks count as its own. */
  adopts: string[];
  /** Absent: PLAIN_REQUEST. */
  maintenance?: MaintenanceRequest;
}

/** A host that was chosen to be taken out next. */
export interface ChosenHost {
  host: string;
  role: HostRole;
  placement: Placement[];
  moveSlots: number;
  groupShares: Record<string, number>;
  estimateMs: number;
  /** Only those of the session's overrides that concern its instances. */
  overrides: HostSpec['instances']['overrides'];
}

export interface HostChoice {
  start: ChosenHost[];
  /** Why no more are started now, by name. */
  waitFor?: string;
  /** Hosts this session has already done, found in their own workflows after a reset of the session. */
  alreadyDone: HostOutcome[];
}

/** A move that was tried in this drain and failed. */
export interface FailedMove {
  instance: string;
  how: 'live' | 'cold';
  targets: string[];
  tries: number;
}

export interface DrainRequest extends HostRef {
  wishes: HostSpec['instances'];
  /** Targets reserved when the host was chosen; kept where they are still possible. */
  placement: Placement[];
  /** Instances that were still to go when an earlier run ended. */
  left?: InstanceRef[];
}

export interface DrainPlan {
  /** What to do next, in this order. */
  decisions: InstanceDecision[];
  /** Instances that cannot leave now, and why. */
  blocked: (InstanceRef & { code: ErrorCode; reason: string })[];
  warnings: string[];
  /** When the platform's own check was over that this rests on, in epoch milliseconds; absent: it has none. */
  checkedAt?: number;
  /** Those of `left` that are on another host now: they went by themselves, or the platform took them. */
  leftMeanwhile?: Omit<MovedInstance, 'from'>[];
}

export interface MoveOutcome {
  /** `moved`: it is on `to` now. `gone`: it no longer exists, or had left by itself. */
  result: 'moved' | 'gone';
  to?: string;
  /** It was stopped before it moved, and so is now. */
  foundStopped?: boolean;
}

/** A project that owns instances on a host. */
export interface Owner {
  project: string;
  /** `wishes` and `leadSeconds`: what the project has said of it beforehand. */
  instances: (InstanceRef & { wishes?: InstanceAction; leadSeconds?: number })[];
}

/** Activities on the queue of a site: they talk to its platform. */
export interface SiteActivities {
  /** Names of the hosts meant, how many instances have to leave them, and what the actions are. Throws InvalidSession. */
  resolveSession(request: {
    site: string;
    hosts: SessionSpec['hosts'];
    instances: SessionSpec['instances'];
    actions: SessionSpec['actions'];
    drain?: Drain;
    options?: PlatformOptions;
  }): Promise<{
    hosts: string[];
    instances: number;
    actions: ResolvedAction[];
    /** Absent: PLAIN_REQUEST. */
    maintenance?: MaintenanceRequest;
  }>;
  planSession(request: { site: string; session: string }): Promise<Plan>;
  chooseHosts(request: { site: string; session: string; slots: number }): Promise<HostChoice>;

  /** Throws HostBusy when the host carries the mark of another session that is open. */
  precheckHost(request: DrainRequest): Promise<DrainPlan>;
  cordonHost(request: HostRef): Promise<void>;
  planDrain(request: DrainRequest & { failed: FailedMove[] }): Promise<DrainPlan>;
  moveInstance(
    request: HostRef & { instance: InstanceRef; how: 'live' | 'cold'; from: string; target?: string },
  ): Promise<MoveOutcome>;
  /** `gone`: it no longer exists, or had left by itself. */
  stopInstance(request: HostRef & { instance: InstanceRef }): Promise<{ result: 'stopped' | 'gone' }>;
  /** `left`: it no longer exists, or somebody else stopped it and so keeps it stopped. */
  startInstance(request: HostRef & { instance: InstanceRef }): Promise<{ result: 'started' | 'left' }>;
  /**
   * `stops`: what the platform may shut down to empty the host, as its check of `checkedAt` named it. Throws HostNotEmpty
   * when more has to leave than was planned.
   */
  enterMaintenance(request: HostRef & { stops?: string[]; checkedAt?: number }): Promise<void>;
  proveEmpty(request: HostRef): Promise<void>;
  runAction(request: ActionInput): Promise<void>;
  /** Undefined when the host is not in a maintenance of ours. */
  planExit(request: HostRef): Promise<ExitPlan | undefined>;
  /**
   * `unlessDown`: a host that is down is left as it is, and said to be so; so is one that was down a moment ago, when its
   * plan was asked for. `gives`: what the platform is to give back of its plan; absent: what it has shut down.
   */
  exitMaintenance(
    request: HostRef & { unlessDown?: boolean; gives?: Pick<ExitPlan, 'start' | 'back'> },
  ): Promise<{ isDown: true } | undefined>;
  /** Takes our cordon off, and says which instances on the host carry our mark and so are to be started. */
  uncordonHost(request: HostRef): Promise<{ stopped: InstanceRef[] }>;
  /**
   * Ends what the platform may still do to the host on our behalf: entering is aborted, moves of these instances are
   * aborted where that is possible, everything else is seen to its end. Moves that others started are left alone.
   */
  settleHost(request: HostRef & { instances: InstanceRef[] }): Promise<void>;
  verifyHost(
    request: HostRef & { moved: MovedInstance[]; started: InstanceRef[] },
  ): Promise<{ warnings: string[] }>;

  /** Projects that own running instances on hosts of the session that are not done. */
  listProjects(request: { site: string; session: string }): Promise<{ projects: string[] }>;
  /** Ids, at most 1,000. */
  listInstancesOf(request: {
    site: string;
    session: string;
    project: string;
  }): Promise<{ instances: string[] }>;
  /** Who owns what runs on a host, and what they may have done to it. */
  findOwners(request: { site: string; host: string }): Promise<{
    owners: Owner[];
    allowedActions: InstanceAction[];
  }>;
  /** Why no host of the session can be emptied now; nothing if one can. */
  findRoom(request: { site: string; session: string }): Promise<{ lacks?: string }>;

  /**
   * Tells the platform that the session begins, and looks for so long whether hosts may be taken; says what is waited for
   * when they may not yet. Throws HostBusy when another session has told it so and has not taken it back.
   */
  openWindow(request: WindowRef & { lookMs: number }): Promise<{ waitsFor: string } | undefined>;
  /** Takes that back, if it was said by one of these sessions. */
  closeWindow(request: WindowRef & { lookMs: number }): Promise<{ waitsFor: string } | undefined>;

  /** Hosts that carry the mark of a session that does not look after them any more. */
  findLeftovers(request: { site: string }): Promise<{ host: string; session: string; role: HostRole }[]>;
  /** Sessions that have ended and whose window still stands open. */
  findLeftWindows(request: { site: string }): Promise<{ session: string }[]>;
}

/** How another workflow holds a host. */
export interface HostHolder {
  session: string;
  chain: string;
}

/** Activities on the queue of sessions: they talk to Temporal, or ask the configuration of the worker. */
export interface SessionActivities {
  /**
   * Which events the worker's configuration has sinks for, and what of the metadata they lose. Throws InvalidSession, with
   * the sites that are known, when nobody serves this one.
   */
  lookUpSite(request: {
    site: string;
    metadata?: Record<string, unknown>;
  }): Promise<{ announces: EventType[]; warnings?: string[] } | undefined>;
  /** Throws InvalidSession when the session is unknown, still open, or of another site. */
  readLegacy(request: { session: string; site: string }): Promise<Legacy>;
  /** Who has the host's workflow open now. */
  findHolder(request: { site: string; host: string }): Promise<HostHolder | undefined>;
  /** Waits until the host's workflow closes; its outcome when it was done on behalf of this chain. */
  awaitHost(request: {
    site: string;
    host: string;
    chain: string;
  }): Promise<{ outcome?: HostOutcome; checkpoint?: Checkpoint }>;
  /** Names of the sinks that take such an event. Asks nobody, so it may be called as a local activity. */
  findSinks(request: EventInterest): Promise<string[]>;
}

/** Activities on the queue of one sink of notifications. */
export interface SinkActivities {
  /**
   * Resolves when the sink has the event. `interrupted`: an earlier attempt ended without a word, so it may have it
   * already. Throws DeliveryFailed, retryable when it may be sent again.
   */
  deliverEvent(request: { event: NoticeEvent; interrupted: boolean }): Promise<void>;
}
