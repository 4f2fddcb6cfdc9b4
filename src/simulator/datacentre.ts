/**
 * The simulated datacentre: hosts and instances in memory, and every change an operator or the engine can make to them.
 * It behaves as real platforms do: it checks a request when it accepts it, answers with a task, and knows nothing of
 * budgets or sessions. Each change goes into the journal.
 */
import { type Group, type Instance, isRunning, type Resources } from '../core/inventory.ts';
import type { Journal, MigrationMode } from './journal.ts';
import {
  type Fleet,
  type FleetInstance,
  type HostView,
  type SimulatedHost,
  type SimulatedInstance,
  type Timing,
  inService,
  standingOf,
  viewHost,
  viewInstance,
} from './model.ts';
import { Occupancy } from './occupancy.ts';
import { Refusal } from './refusal.ts';
import { type Fate, type Task, TaskBoard } from './tasks.ts';

export const TASK_KINDS = ['migrate', 'stop', 'start', 'enter', 'exit'] as const;
export type TaskKind = (typeof TASK_KINDS)[number];

/** An instance that somebody creates while the datacentre runs. */
export interface NewInstance extends Omit<FleetInstance, 'id'> {
  /** Put it there whatever the host says, as a request does that was under way when the host was cordoned. */
  force: boolean;
}

export class Datacentre {
  readonly tasks = new TaskBoard<TaskKind>('task');
  readonly #timing: Timing;
  readonly #journal: Journal;
  readonly #hosts: Map<string, SimulatedHost>;
  readonly #instances = new Map<string, SimulatedInstance>();
  readonly #groups: Group[];
  readonly #occupancy: Occupancy;
  /** In the order of pages; made anew after an instance was created or deleted. */
  #instanceOrder: SimulatedInstance[] | undefined;
  readonly #hostOrder: SimulatedHost[];
  #created: number;

  constructor(fleet: Fleet, journal: Journal) {
    this.#timing = fleet.timing;
    this.#journal = journal;
    this.#groups = fleet.groups;
    this.#occupancy = new Occupancy(fleet.groups);
    this.#hosts = new Map(fleet.hosts.map((host) => [host.name, inService(host)]));
    this.#hostOrder = [...this.#hosts.values()].sort((a, b) => compare(a.name, b.name));
    for (const instance of fleet.instances) this.#add(instance);
    this.#created = fleet.instances.length;
    journal.append({
      type: 'datacentre.created',
      hosts: this.hosts().map(viewHost),
      instances: this.instances().map((instance) => this.view(instance)),
      groups: this.#groups,
    });
  }

  /** All hosts by name. */
  hosts(): readonly SimulatedHost[] {
    return this.#hostOrder;
  }

  /** All instances by id. */
  instances(): readonly SimulatedInstance[] {
    this.#instanceOrder ??= [...this.#instances.values()].sort((a, b) => compare(a.id, b.id));
    return this.#instanceOrder;
  }

  /** Instances on the host, by id; those on their way to it are not on it yet. */
  instancesOn(host: string): SimulatedInstance[] {
    return this.#occupancy
      .on(host)
      .flatMap((id) => this.#instances.get(id) ?? [])
      .filter((instance) => instance.host === host)
      .sort((a, b) => compare(a.id, b.id));
  }

  groups(): readonly Group[] {
    return this.#groups;
  }

  /** Throws a 404 when there is none. */
  host(name: string): SimulatedHost {
    const host = this.#hosts.get(name);
    if (!host) throw new Refusal(404, 'HostNotFound', `there is no host ${name}`);
    return host;
  }

  find(id: string): SimulatedInstance | undefined {
    return this.#instances.get(id);
  }

  /** Throws a 404 when there is none. */
  instance(id: string): SimulatedInstance {
    const instance = this.find(id);
    if (!instance) throw new Refusal(404, 'InstanceNotFound', `there is no instance ${id}`);
    return instance;
  }

  view(instance: SimulatedInstance): Instance {
    return viewInstance(instance, this.host(instance.host).down);
  }

  viewHost(name: string): HostView {
    return viewHost(this.host(name));
  }

  cordon(name: string, reason: string): void {
    this.host(name).cordonReason = reason;
    this.#journal.append({ type: 'host.cordoned', host: name, reason });
  }

  uncordon(name: string, reason?: string): void {
    const host = this.host(name);
    if (host.cordonReason === undefined) return;
    host.cordonReason = undefined;
    this.#journal.append({
      type: 'host.uncordoned',
      host: name,
      ...(reason === undefined ? {} : { reason }),
    });
  }

  /** Starts to take a host into maintenance. The task fails when something still runs on the host at its end. */
  enter(name: string, reason: string, fate: Fate): Task<TaskKind> {
    const host = this.#upHost(name);
    if (host.maintenance !== 'out') {
      throw wrongState(host, `is ${standingOf(host)} already: ${host.maintenanceReason}`);
    }
    return this.tasks.start({
      kind: 'enter',
      subject: name,
      hosts: [name],
      durationMs: this.#timing.enterMs,
      fate,
      begin: (task) => {
        host.maintenance = 'entering';
        host.maintenanceReason = reason;
        this.#journal.append({ type: 'host.entering', host: name, reason, task });
      },
      complete: () => {
        const running = this.#occupancy.on(name).filter((id) => this.#holdsBack(id));
        if (running.length > 0) {
          return {
            code: 'HostNotEmpty',
            message: `${running.length} instances run on ${name} or move to it`,
          };
        }
        host.maintenance = 'in';
        this.#journal.append({ type: 'host.entered', host: name });
        return undefined;
      },
      revert: (_task, _outcome, { message }) => {
        host.maintenance = 'out';
        host.maintenanceReason = undefined;
        this.#journal.append({ type: 'host.enter-failed', host: name, message });
      },
    });
  }

  /** Starts to take a host out of maintenance; a cordon stays. */
  exit(name: string, fate: Fate): Task<TaskKind> {
    const host = this.#upHost(name);
    if (host.maintenance !== 'in') {
      throw wrongState(host, `is not in maintenance: it is ${standingOf(host)}`);
    }
    return this.tasks.start({
      kind: 'exit',
      subject: name,
      hosts: [name],
      durationMs: this.#timing.exitMs,
      fate,
      begin: (task) => {
        host.maintenance = 'exiting';
        this.#journal.append({ type: 'host.exiting', host: name, task });
      },
      complete: () => {
        host.maintenance = 'out';
        host.maintenanceReason = undefined;
        this.#journal.append({ type: 'host.exited', host: name });
        return undefined;
      },
      revert: (_task, _outcome, { message }) => {
        host.maintenance = 'in';
        this.#journal.append({ type: 'host.exit-failed', host: name, message });
      },
    });
  }

  /** Starts to move an instance to the target, or to the host with most free memory that may take it. */
  migrate(
    id: string,
    request: { mode: MigrationMode; target?: string | undefined },
    fate: Fate,
  ): Task<TaskKind> {
    const instance = this.#idleInstance(id);
    const { host: from, state } = instance;
    if (state === 'error') throw new Refusal(409, 'InstanceInError', `${instance.name} is in an error state`);
    if (request.mode === 'live' && state === 'stopped') {
      throw new Refusal(409, 'InstanceNotRunning', `${instance.name} is stopped and cannot be migrated live`);
    }
    const to = request.target ?? this.#chooseTarget(instance);
    this.#checkTarget(instance, to);
    return this.tasks.start({
      kind: 'migrate',
      subject: id,
      hosts: [from, to],
      durationMs: this.#migrationMs(instance, request.mode),
      fate,
      begin: (task) => {
        instance.movingTo = to;
        this.#occupancy.depart(instance, from, to);
        this.#journal.append({
          type: 'instance.migration.started',
          instance: id,
          from,
          to,
          mode: request.mode,
          task,
        });
      },
      complete: (task) => {
        instance.movingTo = undefined;
        instance.host = to;
        this.#occupancy.arrive(instance, to, from);
        this.#journal.append({
          type: 'instance.migration.ended',
          instance: id,
          from,
          to,
          task,
          outcome: 'ok',
          state: instance.state,
        });
        return undefined;
      },
      revert: (task, outcome, { message }) => {
        instance.movingTo = undefined;
        this.#occupancy.arrive(instance, from, to);
        this.#journal.append({
          type: 'instance.migration.ended',
          instance: id,
          from,
          to,
          task,
          outcome,
          state: instance.state,
          message,
        });
      },
    });
  }

  /** Starts to stop an instance and leaves the mark on it; one that is stopped already stays as it is. */
  stop(id: string, mark: string | undefined, fate: Fate): Task<TaskKind> {
    const instance = this.#idleInstance(id);
    const isStopped = instance.state === 'stopped';
    return this.#switch(instance, 'stop', isStopped ? 0 : this.#timing.stopMs, fate, () => {
      if (isStopped) return;
      instance.state = 'stopped';
      instance.stoppedBy = mark;
      this.#journal.append({
        type: 'instance.stopped',
        instance: id,
        host: instance.host,
        ...(mark === undefined ? {} : { mark }),
      });
    });
  }

  /** Starts to start an instance and takes the mark off; one that runs already stays as it is. */
  start(id: string, fate: Fate): Task<TaskKind> {
    const instance = this.#idleInstance(id);
    const isStopped = instance.state === 'stopped';
    const host = this.host(instance.host);
    if (isStopped && host.maintenance !== 'out') {
      throw new Refusal(
        409,
        'HostUnavailable',
        `${instance.name} cannot start: ${host.name} is ${standingOf(host)}`,
      );
    }
    return this.#switch(instance, 'start', isStopped ? this.#timing.startMs : 0, fate, () => {
      if (!isStopped) return;
      instance.state = 'running';
      instance.stoppedBy = undefined;
      this.#journal.append({ type: 'instance.started', instance: id, host: instance.host });
    });
  }

  createInstance({ force, ...wanted }: NewInstance): Instance {
    this.#created += 1;
    const instance = { ...wanted, id: instanceId(this.#created) };
    const why = this.#occupancy.whyNot(instance, this.host(wanted.host));
    if (why && !force) throw new Refusal(409, why.code, why.message);
    const view = this.view(this.#add(instance));
    this.#journal.append({ type: 'instance.created', instance: view });
    return view;
  }

  /** Removes an instance, whatever is being done with it. */
  deleteInstance(id: string): void {
    const instance = this.instance(id);
    this.tasks.failOnSubject(id, { code: 'InstanceDeleted', message: `${instance.name} was deleted` });
    this.#occupancy.remove(instance, instance.host);
    this.#instances.delete(id);
    this.#instanceOrder = undefined;
    this.#journal.append({ type: 'instance.deleted', instance: id, host: instance.host });
  }

  /** The host stops answering; every task that needs it fails. */
  die(name: string): void {
    const host = this.host(name);
    if (host.down) return;
    host.down = true;
    this.#journal.append({ type: 'host.died', host: name });
    this.tasks.failOnHost(name, { code: 'HostDown', message: `${name} went down` });
  }

  /** The host answers again, and what ran on it runs again. */
  revive(name: string): void {
    const host = this.host(name);
    if (!host.down) return;
    host.down = false;
    this.#journal.append({ type: 'host.revived', host: name });
  }

  setCapacity(name: string, change: { [K in keyof Resources]?: number | undefined }): void {
    const host = this.host(name);
    host.capacity = {
      vcpus: change.vcpus ?? host.capacity.vcpus,
      memoryMb: change.memoryMb ?? host.capacity.memoryMb,
      diskGb: change.diskGb ?? host.capacity.diskGb,
    };
    this.#journal.append({ type: 'host.capacity', host: name, capacity: host.capacity });
  }

  close(): void {
    this.tasks.close();
  }

  #switch(
    instance: SimulatedInstance,
    kind: 'stop' | 'start',
    durationMs: number,
    fate: Fate,
    change: () => void,
  ): Task<TaskKind> {
    return this.tasks.start({
      kind,
      subject: instance.id,
      hosts: [instance.host],
      durationMs,
      fate,
      begin: () => undefined,
      complete: () => {
        change();
        return undefined;
      },
      revert: () => undefined,
    });
  }

  #add(instance: FleetInstance): SimulatedInstance {
    const added = { ...instance, movingTo: undefined, stoppedBy: undefined };
    this.#instances.set(added.id, added);
    this.#occupancy.settle(added, added.host);
    this.#instanceOrder = undefined;
    return added;
  }

  #upHost(name: string): SimulatedHost {
    const host = this.host(name);
    if (host.down) throw new Refusal(409, 'HostDown', `${name} is down`);
    return host;
  }

  /** The instance, on a host that is up, with no task on it. */
  #idleInstance(id: string): SimulatedInstance {
    const instance = this.instance(id);
    this.#upHost(instance.host);
    const [task] = this.tasks.list({ subject: id, state: 'running' });
    if (task) {
      throw new Refusal(409, 'InstanceBusy', `task ${task.id} (${task.kind}) works on ${instance.name}`);
    }
    return instance;
  }

  #checkTarget(instance: SimulatedInstance, target: string): void {
    if (target === instance.host)
      throw new Refusal(409, 'SameHost', `${instance.name} is on ${target} already`);
    const why = this.#occupancy.whyNot(instance, this.host(target), instance.host);
    if (why) throw new Refusal(409, why.code, why.message);
  }

  #chooseTarget(instance: SimulatedInstance): string {
    const best = this.#hostOrder
      .filter((host) => host.name !== instance.host && !this.#occupancy.whyNot(instance, host, instance.host))
      .map((host) => ({ name: host.name, free: this.#occupancy.freeMemoryMb(host) }))
      .reduce<{ name: string; free: number } | undefined>(
        (most, host) => (most && most.free >= host.free ? most : host),
        undefined,
      );
    if (!best) throw new Refusal(409, 'NoValidHost', `no host can take ${instance.name}`);
    return best.name;
  }

  #holdsBack(id: string): boolean {
    const instance = this.#instances.get(id);
    return instance !== undefined && (instance.movingTo !== undefined || isRunning(instance));
  }

  #migrationMs(instance: SimulatedInstance, mode: MigrationMode): number {
    const { stopMs, startMs, migration } = this.#timing;
    const copying =
      migration.mbPerSecond === 0 ? 0 : (instance.resources.memoryMb / migration.mbPerSecond) * 1000;
    const restarting = mode === 'cold' && instance.state !== 'stopped' ? stopMs + startMs : 0;
    return migration.baseMs + copying + restarting;
  }
}

/** A host on its way in or out is only busy; otherwise the request is wrong. */
function wrongState(host: SimulatedHost, what: string): Refusal {
  const isOnItsWay = host.maintenance === 'entering' || host.maintenance === 'exiting';
  return new Refusal(409, isOnItsWay ? 'HostBusy' : 'InvalidState', `${host.name} ${what}`);
}

/** Ids that sort as they were given. */
export const instanceId = (number: number): string => `i-${String(number).padStart(6, '0')}`;

/** Order of code units: the same everywhere, whatever the locale. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
