/**
 * What CloudTower does with hosts and VMs, without HTTP: tasks that take their time, the maintenance of a host with its
 * pre-checks, labels, and an audit of all that was really done. Time passes whenever somebody looks.
 *
 * The rules are those of the vendor's documents ("Entering and exiting maintenance mode for a host") and of the fields of
 * the SDK. Where these are silent it is our reading: a VM that has to stay is shut down or the entering fails and the host
 * is in use again; VMs that are off leave too if they have HA or are in the recycle bin; a task that fails stops half-way.
 */
import { randomUUID } from 'node:crypto';
import {
  Refusal,
  type AuditEntry,
  type FakeCluster,
  type FakeHost,
  type FakeLabel,
  type FakeTask,
  type FakeVm,
  type Mutation,
  type Taken,
  type TaskFault,
} from './state.ts';

const GIB = 1024 ** 3;

export interface VmSpec {
  name: string;
  status?: FakeVm['status'];
  ha?: boolean;
  protected?: boolean;
  recycled?: boolean;
  /** Why it cannot move while it runs. */
  pinned?: string;
  group?: string;
  memoryGib?: number;
}

export interface HostSpec {
  name: string;
  cluster?: string;
  vms: readonly VmSpec[];
}

/** How long things take from now on, in milliseconds. */
export interface Timings {
  precheckMs: number;
  enterMs: number;
  exitMs: number;
  moveMs: number;
  powerMs: number;
  /** 0: labels are changed at once, without a task. */
  labelMs: number;
}

export class Tower {
  readonly clusters = new Map<string, FakeCluster>();
  readonly hosts = new Map<string, FakeHost>();
  readonly vms = new Map<string, FakeVm>();
  readonly labels = new Map<string, FakeLabel>();
  readonly audit: AuditEntry[] = [];
  readonly timings: Timings = { precheckMs: 0, enterMs: 0, exitMs: 0, moveMs: 0, powerMs: 0, labelMs: 0 };
  readonly taskFaults: TaskFault[] = [];
  /** A VM that is off is told of as one without a host. */
  hidesHostsOfStopped = false;
  readonly #tasks = new Map<string, FakeTask>();
  readonly #taken = new Map<string, Taken[]>();
  /** What pre-checks have found, by the id of their task. */
  readonly #found = new Map<string, string[]>();
  #ids = 0;

  constructor(fleet: readonly HostSpec[]) {
    for (const { name, cluster = 'cluster-1', vms } of fleet) {
      this.clusters.set(cluster, { id: cluster, name: cluster });
      const host = this.#addHost(name, cluster);
      for (const vm of vms) this.#addVm(vm, host.id);
    }
  }

  /** Tasks that can be seen, newest first. */
  tasks(): FakeTask[] {
    return [...this.#tasks.values()].filter(({ fault }) => fault?.kind !== 'vanish').reverse();
  }

  /** How far a task is, 0 to 1. */
  progressOf(task: FakeTask): number {
    if (task.status === 'SUCCESSED') return 1;
    if (task.status !== 'EXECUTING') return 0.5;
    return task.durationMs === 0 ? 1 : Math.min(1, (Date.now() - task.startedAt) / task.durationMs);
  }

  /** Lets what has been due meanwhile happen. */
  advance(): void {
    for (const task of this.#tasks.values()) if (task.status === 'EXECUTING') this.#advance(task);
  }

  resumeTasks(): void {
    for (const task of this.#tasks.values()) {
      if (task.status === 'PAUSED') {
        delete task.fault;
        task.status = 'EXECUTING';
      }
    }
  }

  startPrecheck(host: FakeHost): FakeTask {
    this.#expectInUse(host);
    const task = this.#start('enterMaintenanceModePrecheck', host, this.timings.precheckMs, [], () => {
      this.#found.set(
        task.id,
        this.#on(host)
          .filter(({ status, pinned }) => status !== 'STOPPED' && pinned !== undefined)
          .map(({ localId }) => localId),
      );
    });
    return task;
  }

  precheckResult(taskId: string): { done: boolean; uuids: string[] } {
    const task = this.#tasks.get(taskId);
    if (task?.mutation !== 'enterMaintenanceModePrecheck') throw new Refusal(404, `No pre-check ${taskId}`);
    return { done: task.status === 'SUCCESSED', uuids: this.#found.get(taskId) ?? [] };
  }

  /** @param uuids local ids of the VMs to be shut down */
  enter(host: FakeHost, uuids: readonly string[]): FakeTask {
    this.#expectInUse(host);
    this.#expectOthersIn(host);
    const vms = this.#on(host);
    for (const uuid of uuids) {
      if (!vms.some(({ localId, status }) => localId === uuid && status !== 'STOPPED')) {
        throw new Refusal(400, `shutdown_vms: no VM ${uuid} runs on ${host.name}`);
      }
    }
    const taken: Taken[] = [];
    this.#taken.set(host.id, taken);
    const steps = vms.flatMap((vm): (() => void)[] => {
      if (vm.status === 'STOPPED') {
        return vm.ha || vm.isRecycled ? [() => taken.push(this.#takeAway(vm, 'offline'))] : [];
      }
      vm.busy = true;
      if (!uuids.includes(vm.localId)) return [() => taken.push(this.#takeAway(vm, 'live'))];
      return [
        () => {
          this.#switch(vm, 'STOPPED');
          taken.push({ vm: vm.id, how: 'shut down', target: host.id });
        },
      ];
    });
    host.state = 'ENTERING_MAINTENANCE_MODE';
    host.busy = true;
    this.#note('host.entering', host.name);
    return this.#start('enterMaintenanceMode', host, this.timings.enterMs, steps, (result) => {
      host.busy = false;
      for (const vm of vms) vm.busy = false;
      host.state = result === 'SUCCESSED' ? 'MAINTENANCE_MODE' : 'IN_USE';
      if (result !== 'SUCCESSED') return;
      host.enteredAt = new Date().toISOString();
      this.#note('host.maintenance', host.name);
    });
  }

  /** What the maintenance of a host has done to VMs that still are. */
  takenFrom(host: FakeHost): { vm: FakeVm; how: Taken['how']; target: FakeHost; changed: string }[] {
    if (host.state !== 'MAINTENANCE_MODE') throw new Refusal(400, `${host.name} is not in maintenance mode`);
    return (this.#taken.get(host.id) ?? []).flatMap(({ vm: id, how, target: at }) => {
      const vm = this.vms.get(id);
      const target = this.hosts.get(at);
      return vm && target ? [{ vm, how, target, changed: whatChanged(vm, how, at) }] : [];
    });
  }

  /** @param lists local ids */
  exit(host: FakeHost, lists: { start: string[]; live: string[]; offline: string[] }): FakeTask {
    const taken = this.takenFrom(host);
    this.#expectFree(host);
    const named = (uuids: readonly string[], how: Taken['how']): FakeVm[] =>
      uuids.map((uuid) => {
        const found = taken.find((one) => one.how === how && one.vm.localId === uuid && one.changed === '');
        if (!found) throw new Refusal(400, `${uuid} is none of what was ${how} for ${host.name}`);
        return found.vm;
      });
    const back = [...named(lists.live, 'live'), ...named(lists.offline, 'offline')];
    const starts = named(lists.start, 'shut down');
    host.busy = true;
    this.#note('host.exiting', host.name);
    const steps = [
      ...starts.map((vm) => () => {
        this.#switch(vm, 'RUNNING');
      }),
      ...back.map((vm) => () => {
        this.#place(vm, host);
      }),
    ];
    return this.#start('exitMaintenanceMode', host, this.timings.exitMs, steps, (result) => {
      host.busy = false;
      if (result !== 'SUCCESSED') return;
      host.state = 'IN_USE';
      delete host.enteredAt;
      this.#taken.delete(host.id);
      this.#note('host.in-use', host.name);
    });
  }

  /** @param target absent: any that has room */
  migrate(vm: FakeVm, target: FakeHost | undefined): FakeTask {
    this.#expectFree(vm);
    const to = target ?? this.#targetFor(vm);
    if (to?.state !== 'IN_USE') throw new Refusal(400, `no host can take ${vm.name}`);
    if (vm.status !== 'STOPPED' && vm.pinned !== undefined)
      throw new Refusal(400, `${vm.name}: ${vm.pinned}`);
    return this.#startOnVm('migrateVm', vm, this.timings.moveMs, () => {
      this.#place(vm, to);
    });
  }

  switch(vm: FakeVm, to: 'RUNNING' | 'STOPPED'): FakeTask {
    this.#expectFree(vm);
    if (vm.isRecycled) throw new Refusal(400, `${vm.name} is in the recycle bin`);
    return this.#startOnVm(to === 'RUNNING' ? 'startVm' : 'shutDownVm', vm, this.timings.powerMs, () => {
      this.#switch(vm, to);
    });
  }

  createLabel(key: string, value: string): { label: FakeLabel; task: FakeTask | undefined } {
    if ([...this.labels.values()].some((one) => one.key === key && one.value === value)) {
      throw new Refusal(400, `LABEL_DUPLICATED: ${key}: ${value}`);
    }
    const label: FakeLabel = { id: this.#newId('label'), key, value, on: new Set() };
    const task = this.changeLabel(label, () => {
      this.labels.set(label.id, label);
      this.#note('label.created', value);
    });
    return { label, task };
  }

  deleteLabel(label: FakeLabel): FakeTask | undefined {
    return this.changeLabel(label, () => {
      this.labels.delete(label.id);
      this.#note('label.deleted', label.value);
    });
  }

  /** At once, or in a task. */
  changeLabel(label: FakeLabel, change: () => void): FakeTask | undefined {
    if (this.timings.labelMs > 0) {
      const on = { id: label.id, name: `${label.key}: ${label.value}` };
      return this.#start('updateLabel', on, this.timings.labelMs, [change], () => undefined);
    }
    change();
    return undefined;
  }

  deleteVm(vm: FakeVm): void {
    this.vms.delete(vm.id);
    for (const { on } of this.labels.values()) on.delete(vm.id);
  }

  labelsOn(id: string): FakeLabel[] {
    return [...this.labels.values()].filter(({ on }) => on.has(id));
  }

  #addHost(name: string, cluster: string): FakeHost {
    const id = this.#newId('host');
    const host: FakeHost = {
      id,
      name,
      ip: `192.0.2.${100 + this.hosts.size}`,
      cluster,
      status: 'CONNECTED_HEALTHY',
      state: 'IN_USE',
      busy: false,
      memoryBytes: 120 * GIB,
      systemMemoryBytes: 8 * GIB,
    };
    this.hosts.set(id, host);
    return host;
  }

  #addVm(spec: VmSpec, host: string): void {
    const id = this.#newId('vm');
    this.vms.set(id, {
      id,
      localId: randomUUID(),
      name: spec.name,
      host,
      status: spec.status ?? (spec.recycled ? 'STOPPED' : 'RUNNING'),
      busy: false,
      ha: spec.ha ?? true,
      protected: spec.protected ?? false,
      isRecycled: spec.recycled ?? false,
      pinned: spec.pinned,
      group: spec.group,
      vcpu: 2,
      memoryBytes: (spec.memoryGib ?? 4) * GIB,
    });
  }

  #newId(kind: string): string {
    this.#ids += 1;
    return `${kind}-${this.#ids}`;
  }

  #on({ id }: FakeHost): FakeVm[] {
    return [...this.vms.values()].filter(({ host }) => host === id);
  }

  #expectInUse(host: FakeHost): void {
    if (!host.status.startsWith('CONNECTED')) throw new Refusal(400, `${host.name} is ${host.status}`);
    if (host.state !== 'IN_USE') throw new Refusal(400, `${host.name} is ${host.state}`);
    this.#expectFree(host);
  }

  #expectOthersIn(host: FakeHost): void {
    const out = [...this.hosts.values()].find(
      ({ cluster, state }) => cluster === host.cluster && state !== 'IN_USE',
    );
    if (out) throw new Refusal(400, `${out.name} of the same cluster is ${out.state}`);
  }

  #expectFree({ name, busy }: { name: string; busy: boolean }): void {
    if (busy) throw new Refusal(400, `${name} is locked by another task`, 'ResourceLocked');
  }

  #startOnVm(mutation: Mutation, vm: FakeVm, durationMs: number, work: () => void): FakeTask {
    vm.busy = true;
    return this.#start(mutation, vm, durationMs, [work], () => {
      vm.busy = false;
    });
  }

  #start(
    mutation: Mutation,
    on: { id: string; name: string },
    durationMs: number,
    steps: (() => void)[],
    end: FakeTask['end'],
  ): FakeTask {
    const at = this.taskFaults.findIndex((fault) => fault.mutation === mutation);
    const [fault] = at === -1 ? [] : this.taskFaults.splice(at, 1);
    const type = on.id.startsWith('host-') ? 'Host' : on.id.startsWith('vm-') ? 'Vm' : 'Label';
    const task: FakeTask = {
      id: this.#newId('task'),
      mutation,
      description: `${mutation} ${on.name}`,
      resource: on.id,
      type,
      status: 'EXECUTING',
      startedAt: Date.now(),
      durationMs,
      steps,
      stepsDone: 0,
      end,
      ...(fault === undefined ? {} : { fault }),
    };
    this.#tasks.set(task.id, task);
    return task;
  }

  #advance(task: FakeTask): void {
    const progress = this.progressOf(task);
    const hasFault = task.fault?.kind === 'fail' || task.fault?.kind === 'pause';
    const due = Math.floor(task.steps.length * (hasFault ? Math.min(progress, 0.5) : progress));
    try {
      for (; task.stepsDone < due; task.stepsDone++) task.steps[task.stepsDone]?.();
    } catch (error) {
      this.#end(task, String(error instanceof Error ? error.message : error));
      return;
    }
    if (progress < (hasFault ? 0.5 : 1)) return;
    if (task.fault?.kind === 'pause') task.status = 'PAUSED';
    else this.#end(task, task.fault?.kind === 'fail' ? task.fault.words : undefined);
  }

  #end(task: FakeTask, error: string | undefined): void {
    task.status = error === undefined ? 'SUCCESSED' : 'FAILED';
    task.finishedAt = Date.now();
    if (error !== undefined) task.error = error;
    task.end(task.status);
  }

  #takeAway(vm: FakeVm, how: 'live' | 'offline'): Taken {
    if (how === 'live' && vm.pinned !== undefined) throw new Error(`cannot migrate ${vm.name}: ${vm.pinned}`);
    const target = this.#targetFor(vm);
    if (!target) throw new Error(`no host can take ${vm.name}`);
    this.#place(vm, target);
    return { vm: vm.id, how, target: target.id };
  }

  #targetFor(vm: FakeVm): FakeHost | undefined {
    const from = this.hosts.get(vm.host);
    const free = (host: FakeHost): number =>
      host.memoryBytes - this.#on(host).reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
    return [...this.hosts.values()]
      .filter(({ id, cluster, state }) => id !== vm.host && cluster === from?.cluster && state === 'IN_USE')
      .filter((host) => free(host) >= vm.memoryBytes)
      .sort((a, b) => free(b) - free(a))[0];
  }

  #place(vm: FakeVm, to: FakeHost): void {
    const from = this.hosts.get(vm.host)?.name ?? '';
    vm.host = to.id;
    vm.busy = false;
    this.audit.push({ event: 'vm.moved', subject: vm.name, from, to: to.name, at: Date.now() });
  }

  #switch(vm: FakeVm, to: 'RUNNING' | 'STOPPED'): void {
    if (vm.status === to) return;
    vm.status = to;
    vm.busy = false;
    this.#note(to === 'RUNNING' ? 'vm.started' : 'vm.shut-down', vm.name);
  }

  #note(event: AuditEntry['event'], subject: string): void {
    this.audit.push({ event, subject, at: Date.now() });
  }
}

/** What has become of a VM since the maintenance has left it on a host; empty: nothing. */
function whatChanged(vm: FakeVm, how: Taken['how'], target: string): string {
  if (vm.host !== target) return 'VM_HOST_CHANGED';
  if (how === 'live') return vm.status === 'STOPPED' ? 'VM_STATE_CHANGED' : '';
  return vm.status === 'STOPPED' ? '' : 'VM_STATE_CHANGED';
}
