/**
 * What a journal says the datacentre looked like after each entry. Made from the entries alone, without the model that
 * wrote them, so that the checker is an independent witness.
 */
import type { Group, Instance, Resources } from '../core/inventory.ts';
import { parseMark } from '../core/mark.ts';
import type { JournalEntry } from './journal.ts';

export interface HostTrace {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  capacity: Resources;
  cordon: string | undefined;
  maintenance: 'out' | 'entering' | 'in' | 'exiting';
  maintenanceReason: string | undefined;
  isDown: boolean;
  /** Work that runs, by id. */
  readonly work: Set<string>;
  /** How often work ended well. */
  worked: number;
  /** Instances that sit here. */
  readonly residents: Set<InstanceTrace>;
  /** Instances on their way here. */
  readonly arriving: Set<InstanceTrace>;
}

export interface InstanceTrace {
  readonly id: string;
  readonly name: string;
  /** Where it was first seen, and whether it ran there. */
  readonly home: string;
  readonly ranAtFirst: boolean;
  readonly resources: Resources;
  readonly groups: readonly string[];
  readonly requires: Readonly<Record<string, string>>;
  host: string;
  state: Instance['state'];
  movingTo: string | undefined;
  /** Moves that ended well. */
  moves: number;
  /** Who stopped it: we, under our mark, or somebody else. */
  stoppedBy: 'us' | 'others' | undefined;
  /** When the last move of it ended, whichever way, or it was started after we had stopped it; epoch milliseconds. */
  disturbedUntil: number;
}

export const isUp = ({ state, movingTo }: InstanceTrace): boolean =>
  movingTo !== undefined || state === 'running' || state === 'paused';

const isOut = (host: HostTrace): boolean =>
  parseMark(host.cordon) !== undefined || parseMark(host.maintenanceReason) !== undefined;

export const isInService = (host: HostTrace): boolean =>
  host.cordon === undefined && host.maintenance === 'out' && !host.isDown;

export class Replay {
  readonly hosts = new Map<string, HostTrace>();
  readonly instances = new Map<string, InstanceTrace>();
  readonly groups = new Map<string, Group>();
  readonly members = new Map<string, Set<InstanceTrace>>();
  /** Instances that move now. */
  readonly moving = new Set<InstanceTrace>();
  /** Hosts with our mark on them: from our cordon to our uncordon. */
  readonly out = new Set<HostTrace>();

  apply(entry: JournalEntry): void {
    switch (entry.type) {
      case 'datacentre.created':
        return this.#create(entry);
      case 'instance.created':
        return this.#add(entry.instance);
      case 'instance.deleted':
        return this.#remove(entry.instance);
      case 'instance.migration.started':
        return this.#depart(entry.instance, entry.to);
      case 'instance.migration.ended':
        return this.#arrive(entry.instance, entry.outcome === 'ok' ? entry.to : entry.from, entry);
      case 'instance.stopped':
        return this.#change(entry.instance, {
          state: 'stopped',
          stoppedBy: parseMark(entry.mark) ? 'us' : 'others',
        });
      case 'instance.started':
        return this.#restart(entry);
      case 'work.started':
      case 'work.ended':
        return this.#work(entry);
      case 'request':
      case 'fault.injected':
        return undefined;
      default:
        return this.#changeHost(entry);
    }
  }

  #create({ hosts, instances, groups }: Extract<JournalEntry, { type: 'datacentre.created' }>): void {
    for (const { name, labels, capacity } of hosts) {
      this.hosts.set(name, {
        name,
        labels,
        capacity,
        cordon: undefined,
        maintenance: 'out',
        maintenanceReason: undefined,
        isDown: false,
        work: new Set(),
        worked: 0,
        residents: new Set(),
        arriving: new Set(),
      });
    }
    for (const group of groups) {
      this.groups.set(group.id, group);
      this.members.set(group.id, new Set());
    }
    for (const instance of instances) this.#add(instance);
  }

  #add({ id, name, host, state, resources, groups, requires }: Instance): void {
    const trace: InstanceTrace = {
      id,
      name,
      home: host,
      ranAtFirst: state === 'running' || state === 'paused',
      resources,
      groups,
      requires,
      host,
      state,
      movingTo: undefined,
      moves: 0,
      stoppedBy: state === 'stopped' ? 'others' : undefined,
      disturbedUntil: -Infinity,
    };
    this.instances.set(id, trace);
    this.hosts.get(host)?.residents.add(trace);
    for (const group of groups) this.members.get(group)?.add(trace);
  }

  #remove(id: string): void {
    const instance = this.instances.get(id);
    if (!instance) return;
    this.instances.delete(id);
    this.moving.delete(instance);
    this.hosts.get(instance.host)?.residents.delete(instance);
    for (const group of instance.groups) this.members.get(group)?.delete(instance);
  }

  #depart(id: string, to: string): void {
    const instance = this.instances.get(id);
    if (!instance) return;
    instance.movingTo = to;
    this.moving.add(instance);
    this.hosts.get(to)?.arriving.add(instance);
  }

  #arrive(id: string, host: string, { to, outcome, state, time }: MigrationEnded): void {
    const instance = this.instances.get(id);
    if (!instance) return;
    this.hosts.get(to)?.arriving.delete(instance);
    this.hosts.get(instance.host)?.residents.delete(instance);
    this.hosts.get(host)?.residents.add(instance);
    this.moving.delete(instance);
    instance.movingTo = undefined;
    instance.host = host;
    instance.state = state;
    instance.disturbedUntil = Date.parse(time);
    if (outcome === 'ok') instance.moves += 1;
  }

  #restart({ instance: id, time }: Extract<JournalEntry, { type: 'instance.started' }>): void {
    const instance = this.instances.get(id);
    if (instance?.stoppedBy === 'us') instance.disturbedUntil = Date.parse(time);
    this.#change(id, { state: 'running', stoppedBy: undefined });
  }

  #change(id: string, change: Pick<InstanceTrace, 'state' | 'stoppedBy'>): void {
    const instance = this.instances.get(id);
    if (instance) Object.assign(instance, change);
  }

  #work(entry: Extract<JournalEntry, { type: 'work.started' | 'work.ended' }>): void {
    const host = this.hosts.get(entry.host);
    if (!host) return;
    if (entry.type === 'work.started') {
      host.work.add(entry.work);
      return;
    }
    host.work.delete(entry.work);
    if (entry.outcome === 'ok') host.worked += 1;
  }

  #changeHost(entry: Extract<JournalEntry, { type: `host.${string}` }>): void {
    const host = this.hosts.get(entry.host);
    if (!host) return;
    switch (entry.type) {
      case 'host.cordoned':
        host.cordon = entry.reason;
        break;
      case 'host.uncordoned':
        host.cordon = undefined;
        break;
      case 'host.entering':
        host.maintenance = 'entering';
        host.maintenanceReason = entry.reason;
        break;
      case 'host.entered':
      case 'host.exit-failed':
        host.maintenance = 'in';
        break;
      case 'host.exiting':
        host.maintenance = 'exiting';
        break;
      case 'host.exited':
      case 'host.enter-failed':
        host.maintenance = 'out';
        host.maintenanceReason = undefined;
        break;
      case 'host.died':
        host.isDown = true;
        break;
      case 'host.revived':
        host.isDown = false;
        break;
      case 'host.capacity':
        host.capacity = entry.capacity;
        break;
    }
    if (isOut(host)) this.out.add(host);
    else this.out.delete(host);
  }
}

type MigrationEnded = Extract<JournalEntry, { type: 'instance.migration.ended' }>;
