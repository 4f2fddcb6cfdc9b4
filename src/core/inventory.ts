/** What a driver says of its site: hosts, the instances on them, and the groups that tie instances together. */

/** Sizes of a host or an instance. */
export interface Resources {
  vcpus: number;
  memoryMb: number;
  diskGb: number;
}

/** What a host is for; decides which actions of type `compute` or `controller` run on it. */
export const HOST_ROLES = ['compute', 'controller', 'other'] as const;
export type HostRole = (typeof HOST_ROLES)[number];

/**
 * Where a host stands on its platform.
 * `in-service` takes new instances; `cordoned` does not; `entering`, `maintenance` and `exiting` are the platform's own
 * maintenance mode; `down` does not answer.
 */
export const HOST_STANDINGS = [
  'in-service',
  'cordoned',
  'entering',
  'maintenance',
  'exiting',
  'down',
] as const;
export type HostStanding = (typeof HOST_STANDINGS)[number];

export interface Host {
  /** Unique within the site; what operators type. */
  name: string;
  /** What else it is known by, such as an inventory path or an id; operators may type these too. */
  aliases?: readonly string[];
  role: HostRole;
  /** Failure domains and whatever else the platform groups hosts by: `zone`, `rack`, … */
  labels: Readonly<Record<string, string>>;
  /** What instances may use, after overcommit and reserves. */
  capacity: Resources;
  standing: HostStanding;
  /** Why it is cordoned, in the words of whoever did it; ours are written by `formatMark`. */
  cordonReason?: string;
  /** Why it is in maintenance, on its way there or back, where the platform keeps that apart from the cordon. */
  maintenanceReason?: string;
  /** False when the platform never puts instances there: then there is nothing to cordon, and it stays in service. */
  takesInstances?: false;
}

export const INSTANCE_STATES = ['running', 'stopped', 'paused', 'error', 'moving'] as const;
export type InstanceState = (typeof INSTANCE_STATES)[number];

export interface Instance {
  /** Unique within the site. */
  id: string;
  name: string;
  /** Name of the host it is on. */
  host: string;
  /** The tenant that owns it. */
  project?: string;
  state: InstanceState;
  /** Resources it takes on its host; a stopped instance still holds its disk, and on most platforms its memory. */
  resources: Resources;
  /** Ids of the groups it belongs to. */
  groups: readonly string[];
  /** Labels a host must carry to take it (`{zone: "az1"}`); empty when it may go anywhere. */
  requires: Readonly<Record<string, string>>;
  /** The mark of whoever of us stopped it, so that it can be started again by anybody who finds it. */
  stoppedBy?: string;
  /**
   * Name of the host that it leaves by a move of several steps: one that was off, or was switched off, and stays so until
   * somebody sees the move to its end.
   */
  leaving?: string;
  wish?: OwnerWish;
}

/** How the owner of an instance wishes it to be treated. Only what the operator says of this very instance outranks it. */
export interface OwnerWish {
  /** Stop it; move it live; `ask`: touch it only after asking. */
  mode: 'stop' | 'live' | 'ask';
  /** Where the owner says so, for the operator: `its tag maintenance=notify`. */
  saidBy: string;
}

/** How the members of a group may share hosts. */
export const GROUP_POLICIES = ['affinity', 'anti-affinity', 'none'] as const;
export type GroupPolicy = (typeof GROUP_POLICIES)[number];

export interface Group {
  id: string;
  name: string;
  policy: GroupPolicy;
  /** At most so many members on one host; absent: as the policy says (anti-affinity: 1). */
  maxPerHost?: number;
  /** At most so many members moving, stopped or recovering at one time; absent: no limit. */
  maxImpacted?: number;
  /** How long a member that was moved or stopped still counts as impacted once that is over; absent: not at all. */
  recoverySeconds?: number;
}

/** Why an instance cannot leave its host in a given way; an absent reason means that it can. */
export interface InstanceAbility {
  instance: Instance;
  live?: string;
  cold?: string;
  stop?: string;
  /** Why the platform's own maintenance task would leave it where it is; only where there is such a task. */
  byPlatform?: string;
  /** That task itself shuts it down, if it is told that it may. */
  platformStops?: true;
}

export interface Inventory {
  hosts: Host[];
  instances: Instance[];
  groups: Group[];
}

/** Instances that hold their host back: they run there, or are on their way. */
export const isRunning = (instance: Pick<Instance, 'state'>): boolean =>
  instance.state === 'running' || instance.state === 'paused' || instance.state === 'moving';
