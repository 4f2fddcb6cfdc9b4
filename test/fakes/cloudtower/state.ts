/** What the fake knows: hosts, VMs, labels and tasks, in its own terms. */

export interface FakeCluster {
  id: string;
  name: string;
}

export interface FakeHost {
  id: string;
  name: string;
  ip: string;
  /** Id. */
  cluster: string;
  status: 'CONNECTED_HEALTHY' | 'CONNECTED_WARNING' | 'SESSION_EXPIRED';
  state: 'IN_USE' | 'ENTERING_MAINTENANCE_MODE' | 'MAINTENANCE_MODE';
  enteredAt?: string;
  /** Another task works on it: `entityAsyncStatus` is set. */
  busy: boolean;
  /** For VMs. */
  memoryBytes: number;
  systemMemoryBytes: number;
}

export interface FakeVm {
  id: string;
  /** What the cluster knows it by; `vm_uuid` in the calls of the maintenance. */
  localId: string;
  name: string;
  /** Id. */
  host: string;
  status: 'RUNNING' | 'STOPPED' | 'SUSPENDED' | 'UNKNOWN';
  busy: boolean;
  ha: boolean;
  protected: boolean;
  isRecycled: boolean;
  /** Why it cannot move while it runs; undefined: it can. */
  pinned: string | undefined;
  group: string | undefined;
  vcpu: number;
  memoryBytes: number;
}

export interface FakeLabel {
  id: string;
  key: string;
  value: string;
  /** Ids of hosts and VMs. */
  on: Set<string>;
}

/** What becomes of the next task of a kind, once half of it is done; one that vanished goes on unseen. */
export type TaskFault = { mutation: Mutation; words?: string } & (
  { kind: 'fail'; words: string } | { kind: 'pause' } | { kind: 'vanish' }
);

export type Mutation =
  | 'enterMaintenanceModePrecheck'
  | 'enterMaintenanceMode'
  | 'exitMaintenanceMode'
  | 'migrateVm'
  | 'shutDownVm'
  | 'startVm'
  | 'updateLabel';

export interface FakeTask {
  id: string;
  mutation: Mutation;
  description: string;
  /** Id and type of what it works on. */
  resource: string;
  type: 'Host' | 'Vm' | 'Label';
  status: 'EXECUTING' | 'PAUSED' | 'SUCCESSED' | 'FAILED';
  error?: string;
  startedAt: number;
  finishedAt?: number;
  durationMs: number;
  fault?: TaskFault;
  /** What is still to be done, evenly over its time. */
  steps: (() => void)[];
  stepsDone: number;
  /** When it has come to its end, one way or the other. */
  end: (result: 'SUCCESSED' | 'FAILED') => void;
}

/** What the maintenance of a host has done to a VM. */
export interface Taken {
  vm: string;
  how: 'shut down' | 'live' | 'offline';
  /** Id of the host it is on since. */
  target: string;
}

/** What has happened, as the fake itself has done it. */
export interface AuditEntry {
  event:
    | 'vm.moved'
    | 'vm.shut-down'
    | 'vm.started'
    | 'host.entering'
    | 'host.maintenance'
    | 'host.exiting'
    | 'host.in-use'
    | 'label.created'
    | 'label.deleted';
  /** Name of the host or VM, value of the label. */
  subject: string;
  /** Names of hosts. */
  from?: string;
  to?: string;
  at: number;
}

/** An error answer of the API. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: 'ResourceLocked' | undefined;

  constructor(status: number, message: string, code?: 'ResourceLocked') {
    super(message);
    this.status = status;
    this.code = code;
  }
}
