/** The vSphere site beneath: one ESXi host, whose mark is kept, and a journal of what was asked of it. */
import type { Host, Inventory } from '../../../src/core/inventory.ts';
import { formatMark, type Mark } from '../../../src/core/mark.ts';
import type { MaintenanceRequest } from '../../../src/core/platform-options.ts';
import type { HostCheck, PlatformTask, TaskKind, TaskStatus } from '../../../src/drivers/driver.ts';
import type { HostDriver } from '../../../src/drivers/vsphere-supervisor/driver.ts';

export const HOST = 'esx-01.example.org';
export const HOST_ID = 'host-21';

export class StubHosts implements HostDriver {
  readonly platform = 'vsphere';
  readonly capabilities = {
    drains: ['engine', 'platform'],
    options: ['vsphere'],
    liveMove: true,
    coldMove: true,
    abortMove: true,
    chooseTarget: true,
    stopStart: true,
    maintenanceMode: true,
    moveMbPerSecond: 600,
    shortestPollMs: 500,
  } as const;
  cordonReason: string | undefined;
  readonly #journal: string[];

  constructor(journal: string[]) {
    this.#journal = journal;
  }

  hostId(name: string): Promise<string> {
    return Promise.resolve(name === HOST ? HOST_ID : 'host-99');
  }

  inventory(): Promise<Inventory> {
    return this.#did('inventory', { hosts: [this.#host()], instances: [], groups: [] });
  }

  inspect(): Promise<{ host: Host; instances: [] }> {
    return Promise.resolve({ host: this.#host(), instances: [] });
  }

  locate(instance: string): Promise<undefined> {
    return this.#did(`locate ${instance}`, undefined);
  }

  precheck(host: string): Promise<HostCheck> {
    return this.#did(`precheck ${host}`, {
      host: this.#host(),
      instances: [],
      blockers: [],
      warnings: [],
    });
  }

  cordon(_host: string, mark: Mark): Promise<undefined> {
    if (this.cordonReason !== undefined) return Promise.resolve(undefined);
    this.cordonReason = formatMark(mark);
    return this.#did('mark', undefined);
  }

  uncordon(_host: string, mark: Mark): Promise<undefined> {
    if (this.cordonReason !== formatMark(mark)) return Promise.resolve(undefined);
    this.cordonReason = undefined;
    return this.#did('unmark', undefined);
  }

  move(instance: string): Promise<PlatformTask> {
    return this.#start('move', instance);
  }

  stop(instance: string): Promise<PlatformTask> {
    return this.#start('stop', instance);
  }

  start(instance: string): Promise<PlatformTask> {
    return this.#start('start', instance);
  }

  enter(host: string, _mark: Mark, { drain }: MaintenanceRequest): Promise<PlatformTask> {
    return this.#start('enter', host, `, ${drain} drains`);
  }

  exit(host: string): Promise<PlatformTask> {
    return this.#start('exit', host);
  }

  findTask(kind: TaskKind, subject: string): Promise<undefined> {
    return this.#did(`find ${kind} of ${subject}`, undefined);
  }

  pollTask({ id }: PlatformTask): Promise<TaskStatus> {
    return this.#did(`poll ${id}`, { state: 'done' });
  }

  cancelTask({ id }: PlatformTask): Promise<void> {
    return this.#did(`cancel ${id}`, undefined);
  }

  close(): Promise<void> {
    return this.#did('close', undefined);
  }

  #start(kind: TaskKind, subject: string, how = ''): Promise<PlatformTask> {
    return this.#did(`${kind} ${subject}${how}`, { id: `${kind}-task`, kind, subject });
  }

  #host(): Host {
    return {
      name: HOST,
      aliases: [HOST_ID],
      role: 'compute',
      labels: {},
      capacity: { vcpus: 8, memoryMb: 1024, diskGb: 1 },
      standing: this.cordonReason === undefined ? 'in-service' : 'cordoned',
      ...(this.cordonReason === undefined ? {} : { cordonReason: this.cordonReason }),
    };
  }

  #did<T>(what: string, result: T): Promise<T> {
    this.#journal.push(what);
    return Promise.resolve(result);
  }
}
