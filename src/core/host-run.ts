/** What one host goes through, and what is known of it between two runs of its workflow. */
import type { ErrorCode } from './errors.ts';
import type { ExitPlan } from './exit-plan.ts';
import type { HostRole } from './inventory.ts';
import type { MaintenanceRequest } from './platform-options.ts';
import type { InstanceAction } from './notice.ts';
import type {
  ActionSpec,
  InstanceMode,
  InstanceWishes,
  ProjectWishes,
  SessionSpec,
  WorkflowStyle,
} from './session-spec.ts';

export const STEPS = ['precheck', 'cordon', 'drain', 'enter', 'work', 'exit', 'restore', 'verify'] as const;
export type Step = (typeof STEPS)[number];

/** Where an instance of a host goes. */
export interface Placement {
  instance: string;
  target: string;
}

export interface InstanceRef {
  id: string;
  name: string;
}

/** An instance that limits of its groups are about. */
export interface Member extends InstanceRef {
  /** Those of its groups that limit how many members may be moving, stopped or recovering at one time. */
  groups?: string[];
  /** How long it counts on after it was moved or started; absent: not at all. */
  recoverySeconds?: number;
}

/** What was decided for one instance of a host that is to be emptied. */
export interface InstanceDecision extends Member {
  /**
   * `live` and `cold`: move so; `stop`: stop and leave on the host; `stay`: nothing to do (it is stopped); `platform`: left
   * to the platform's own maintenance task; `platform-stop`: that task may shut it down; `own`: left to its project,
   * which acts on it itself.
   */
  action: 'live' | 'cold' | 'stop' | 'stay' | 'platform' | 'platform-stop' | 'own';
  /** Host name; absent where the platform chooses. */
  target?: string;
  memoryMb: number;
}

/** An instance that left its host. */
export interface MovedInstance extends Member {
  from: string;
  to: string;
  how: 'live' | 'cold';
  /** It was stopped before it moved, and so is to be found. */
  foundStopped?: boolean;
}

/**
 * Standing of a host whose run ended early: enough for the next run to go on, and for a report. What the platform says
 * always wins over it.
 */
export interface Checkpoint {
  /** The step that did not end. */
  step: Step;
  /** It was us who took the host into maintenance. */
  entered: boolean;
  /** Actions that are done, by index in the order they run. */
  actionsDone: number[];
  /** How often an action has said of itself that it failed: a new try is a new piece of work for whoever does it. */
  actionFailures: number;
  moved: MovedInstance[];
  stopped: Member[];
  /** Instances still to go when it ended. */
  left: InstanceRef[];
  /** The host was put back into service when the run ended. */
  rolledBack: boolean;
  /** What projects have agreed to, by instance id: they are not asked again. `as-wished`: they left it to us. */
  agreed?: Record<string, InstanceAction | 'as-wished'>;
  /** What the platform can give back when the host leaves maintenance; absent until then, and where it says nothing. */
  exitPlan?: ExitPlan;
}

/** An action with what the worker's configuration says of it, decided once at the start of a session. */
export interface ResolvedAction extends ActionSpec {
  /** Present for an activity of another worker. */
  external?: { taskQueue: string; activity: string };
}

/** A session's wishes for one host; small, and the same for every host of a session but for the overrides. */
export interface HostSpec {
  actions: ResolvedAction[];
  instances: Pick<InstanceWishes, 'mode' | 'stopped' | 'return'> & {
    overrides: Record<string, InstanceMode>;
    /** What their projects have chosen, by instance id; absent: nobody was asked. */
    answers?: Record<string, InstanceAction>;
  };
  timeouts: SessionSpec['timeouts'];
  onFailure: SessionSpec['onFailure'];
  onBusyHost: SessionSpec['onBusyHost'];
  metadata: SessionSpec['metadata'];
  /** Absent: PLAIN_REQUEST. */
  maintenance?: MaintenanceRequest;
}

export interface HostMaintenanceInput {
  /** Workflow id of the session on whose behalf the host is taken out; it is in the mark. */
  session: string;
  /** Id that stays the same over resets and continue-as-new of the session; it keys idempotent actions. */
  chain: string;
  site: string;
  host: string;
  role: HostRole;
  spec: HostSpec;
  /** Targets that were reserved for this host's instances when it was chosen. */
  placement: Placement[];
  /** Instances that may move at one time. */
  moveSlots: number;
  /** By group id: how many of its members this host may have moving, stopped or recovering at one time. */
  groupShares: Record<string, number>;
  /** Standing of an earlier run to go on from. */
  checkpoint?: Checkpoint;
  /** `maintain`: all steps. `restore`: only put the host back into service. */
  purpose: 'maintain' | 'restore';
  /** Sessions whose marks on the host count as ours: the one that this session resumes. */
  adopts: string[];
  /** Tell the session about progress, at most this often, in milliseconds; 0: never. */
  reportEveryMs: number;
  /** Absent: no project is asked. */
  projects?: ProjectQuestions;
  /** Say when the host is out and back; absent: nobody wants to know. */
  announces?: true;
  /** Tell the session when the host is empty, so that its share of the move budget can go to the next one. */
  reportDrained: boolean;
}

/** How the projects of a host's instances are asked. */
export interface ProjectQuestions extends Pick<ProjectWishes, 'onSilence' | 'onRefusal' | 'replyWithin'> {
  style: WorkflowStyle;
  state: 'PREPARE_MAINTENANCE' | 'PLANNED_MAINTENANCE';
}

/** What is left of a host run in the session: bounded, however many instances there were. */
export interface HostOutcome {
  host: string;
  outcome: 'done' | 'rolled-back';
  moved: number;
  stopped: number;
  warnings: string[];
  durationMs: number;
}

/** A host that could not go on. */
export interface Hold {
  host: string;
  step: Step;
  code: ErrorCode;
  message: string;
  retryable: boolean;
  /** RFC 3339. */
  since: string;
}

/** Memo of a host workflow: whose run it is. */
export interface HostMemo {
  session: string;
  chain: string;
  purpose: HostMaintenanceInput['purpose'];
}

/** Details of the failure of a host workflow. */
export interface HostFailureDetails {
  checkpoint: Checkpoint;
  retryable: boolean;
}

/** The one argument every action gets, also an activity of somebody else's worker, as JSON. */
export interface ActionInput {
  session: string;
  site: string;
  /** Absent for actions of type pre and post. */
  host?: string;
  type: ActionSpec['type'];
  plugin: string;
  /** As written in the session for this action. */
  metadata: Record<string, unknown>;
  /** As written for the whole session. */
  sessionMetadata: Record<string, unknown>;
  /**
   * The same for every attempt at this action on this host in this session, whatever crashes in between; a new one only
   * after the action itself has reported failure and somebody said to try again.
   */
  idempotencyKey: string;
}
