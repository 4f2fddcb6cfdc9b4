/**
 * The driver contract: the one interface between the engine and a platform. Activities call nothing else of a driver,
 * and nothing outside src/drivers asks which platform it is; what differs is in `capabilities`.
 *
 * Rules for every driver:
 * - Errors are `MaintenanceError`s of the catalogue and carry the vendor's own words.
 * - "Already in that state" is success.
 * - Never undo what somebody else did: only what carries exactly our mark.
 * - Lists are paged inside. Every request has a timeout and ends when `context.signal` aborts.
 * - Calls that start something return its task at once; they do not wait.
 */
import type { MaintenanceError } from '../core/errors.ts';
import type { Host, Instance, InstanceAbility, Inventory } from '../core/inventory.ts';
import type { ExitPlan } from '../core/exit-plan.ts';
import type { HostLimit } from '../core/host-limits.ts';
import type { Mark, SessionMark } from '../core/mark.ts';
import type { Drain, MaintenanceRequest, PlatformOptions } from '../core/platform-options.ts';

export interface Capabilities {
  /** Who can empty a host. The first does, unless the session says otherwise. */
  drains: readonly [Drain, ...Drain[]];
  /** Keys of a session that the driver reads. */
  options: readonly (keyof PlatformOptions)[];
  liveMove: boolean;
  coldMove: boolean;
  /** A move that runs can be aborted, and leaves the instance where it was. */
  abortMove: boolean;
  /** The engine may name the target of a move. */
  chooseTarget: boolean;
  /** Instances can be stopped and started. */
  stopStart: boolean;
  /**
   * The platform has a maintenance mode of its own, and a host in it stands at `maintenance`. Otherwise being cordoned
   * and empty is all there is: `enter` and `exit` are called all the same, for what else the platform has to be told.
   */
  maintenanceMode: boolean;
  /** Usual speed of one live migration in MB/s, for estimates before anything was measured. */
  moveMbPerSecond: number;
  /** Least time between two looks at a running task, in milliseconds: what a look costs the platform. */
  shortestPollMs: number;
  /** What the platform bears to have out at one time, unless the session takes the risk of more; absent: anything. */
  limits?: readonly HostLimit[];
}

/** Handed to every call. */
export interface CallContext {
  /** Aborts the request; it belongs to the activity that makes the call. */
  signal: AbortSignal;
}

export type TaskKind =
  'move' | 'stop' | 'start' | 'cordon' | 'uncordon' | 'check' | 'enter' | 'exit' | 'open' | 'close';

/** A long-running operation of the platform. Plain data: it travels in heartbeats. */
export interface PlatformTask {
  id: string;
  kind: TaskKind;
  /** Instance id for move, stop and start; the session for open and close; else host name. */
  subject: string;
}

export type TaskStatus =
  | {
      state: 'running';
      /** 0 to 100. */
      progress?: number;
      /** What it is doing, for operators. */
      detail?: string;
      /**
       * What it can do nothing about but wait, and who keeps it waiting: `node-1 to be released by ceph (rebalancing)`. It
       * is shown as what blocks, so it names the subject.
       */
      waitsFor?: string;
      /** This look has itself waited for a change: the next one may follow at once. */
      waited?: true;
    }
  | { state: 'done' }
  | { state: 'failed'; error: MaintenanceError }
  /** The platform no longer knows the task; look at the subject itself. */
  | { state: 'vanished' };

/** What the platform says about taking a host out, before anything is touched. */
export interface HostCheck {
  host: Host;
  instances: InstanceAbility[];
  /** What forbids it, by name, each a sentence an operator can act on. */
  blockers: string[];
  /** What is odd but no reason to stop. */
  warnings: string[];
}

export interface Driver {
  readonly platform: string;
  readonly capabilities: Capabilities;

  /** Everything the planner needs to know of the site, in bulk calls. */
  inventory(context: CallContext): Promise<Inventory>;
  /** One host as it is now, with what is on it. Throws UnknownHost. */
  inspect(host: string, context: CallContext): Promise<{ host: Host; instances: Instance[] }>;
  /** One instance as it is now, by id; undefined when it is gone. */
  locate(instance: string, context: CallContext): Promise<Instance | undefined>;
  /** Starts the platform's own check of a host, where what `precheck` has to know is only known by one. */
  check?(host: string, context: CallContext): Promise<PlatformTask>;
  /** @param check the check that is over, on a platform that has one */
  precheck(
    host: string,
    request: MaintenanceRequest,
    context: CallContext,
    check?: PlatformTask,
  ): Promise<HostCheck>;

  /**
   * Keeps new instances off the host; undefined when that is done at once. A host cordoned by somebody else is left as it
   * is; one that carries this mark is only seen to.
   */
  cordon(
    host: string,
    mark: Mark,
    request: MaintenanceRequest,
    context: CallContext,
  ): Promise<PlatformTask | undefined>;
  /**
   * Lets new instances on again, if the cordon carries exactly this mark; undefined when that is done at once, else the
   * mark goes when the task is over.
   */
  uncordon(host: string, mark: Mark, context: CallContext): Promise<PlatformTask | undefined>;

  /** Starts to move an instance. `target` is a host name. */
  move(
    instance: string,
    request: { how: 'live' | 'cold'; target?: string },
    context: CallContext,
  ): Promise<PlatformTask>;
  /** Starts to stop an instance; leaves the mark on it where the platform can keep one. */
  stop(instance: string, mark: Mark, context: CallContext): Promise<PlatformTask>;
  /** Starts an instance and removes the mark. */
  start(instance: string, mark: Mark, context: CallContext): Promise<PlatformTask>;

  /**
   * Tells the platform that a session begins to take hosts out, where it wants to know; the task is over once hosts may be
   * taken. Undefined when they may at once. What already stands under this mark is gone on with.
   */
  openWindow?(
    window: SessionMark,
    request: MaintenanceRequest,
    context: CallContext,
  ): Promise<PlatformTask | undefined>;
  /** Takes that back, if it carries exactly this mark; called once no host of the session is out any more. */
  closeWindow?(window: SessionMark, context: CallContext): Promise<PlatformTask | undefined>;
  /** Sessions in whose name a window stands open. */
  openWindows?(context: CallContext): Promise<SessionMark[]>;

  /**
   * Starts to take the host into the platform's maintenance mode; undefined when it is in already, and where there is no
   * such mode. The host is cordoned, and empty unless the platform is to empty it. Throws HostNotEmpty.
   *
   * @param stops ids of the instances that the platform may shut down to empty it
   */
  enter(
    host: string,
    mark: Mark,
    request: MaintenanceRequest,
    context: CallContext,
    stops?: readonly string[],
  ): Promise<PlatformTask | undefined>;
  /** What leaving maintenance can give back, where only the platform knows, and only until the host has left. */
  planExit?(host: string, context: CallContext): Promise<ExitPlan>;
  /**
   * Starts to take it out; undefined when it is out already, and where there is no such mode. The host still carries the
   * mark, if it is ours: `uncordon` comes after.
   *
   * @param gives what of the plan is to be given back: on a platform that has one
   */
  exit(
    host: string,
    mark: Mark,
    context: CallContext,
    gives?: Pick<ExitPlan, 'start' | 'back'>,
  ): Promise<PlatformTask | undefined>;

  /** The task of this kind that runs on this subject now, whoever started it. */
  findTask(kind: TaskKind, subject: string, context: CallContext): Promise<PlatformTask | undefined>;
  pollTask(task: PlatformTask, context: CallContext): Promise<TaskStatus>;
  /** Asks a task to end. Success says only that the platform took the request. */
  cancelTask(task: PlatformTask, context: CallContext): Promise<void>;

  /** Logs out and closes connections. */
  close(): Promise<void>;
}
