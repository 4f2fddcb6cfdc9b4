/** The hosts and VMs of a site as they are now, and the names they go by. */
import { MaintenanceError } from '../../core/errors.ts';
import { listed } from '../../core/listed.ts';
import type { CallContext } from '../driver.ts';
import type { Api, Where } from './api.ts';
import { namesOf, type Names } from './inventory.ts';
import { isOf, type Tasks } from './tasks.ts';
import { cluster, host, vm, type HostInfo, type VmInfo } from './wire.ts';

const NAMES_SHOWN = 10;

/** A host and what is on it. */
export interface SeenHost {
  info: HostInfo;
  vms: VmInfo[];
}

export class Site {
  readonly #api: Api;
  readonly #tasks: Tasks;
  readonly #cluster: string | undefined;
  #names: Names | undefined;

  /** @param limit name or id of the cluster that the site is limited to */
  constructor(api: Api, tasks: Tasks, limit: string | undefined) {
    this.#api = api;
    this.#tasks = tasks;
    this.#cluster = limit;
  }

  /** Filter for what belongs to the site. */
  get filter(): Where {
    const limit = this.#cluster;
    return limit === undefined ? {} : { cluster: { OR: [{ id: limit }, { name: limit }] } };
  }

  /** All hosts; the names they go by are read anew. Throws NotFound when there is no such cluster, or more than one. */
  async hosts(context: CallContext): Promise<{ hosts: HostInfo[]; names: Names }> {
    const hosts = await this.#api.list('hosts', this.filter, host, context);
    if (hosts.length === 0) await this.#expectCluster(context);
    this.#expectOneCluster(hosts);
    this.#names = namesOf(hosts);
    return { hosts, names: this.#names };
  }

  async vms(where: Where, context: CallContext): Promise<VmInfo[]> {
    const found = await this.#api.list('vms', where, vm, context);
    return found.filter(({ status }) => status !== 'DELETED');
  }

  async names(context: CallContext): Promise<Names> {
    return this.#names ?? (await this.hosts(context)).names;
  }

  /** Throws UnknownHost. */
  async hostId(name: string, context: CallContext): Promise<string> {
    const known = idOf(name, await this.names(context)) ?? idOf(name, (await this.hosts(context)).names);
    if (known === undefined) throw new MaintenanceError('UnknownHost', `CloudTower has no host ${name}`);
    return known;
  }

  /** Throws UnknownHost. */
  async look(name: string, context: CallContext): Promise<SeenHost> {
    const id = await this.hostId(name, context);
    const [info, vms] = await Promise.all([
      this.lookAtHost(name, context),
      this.vms({ host: { id } }, context),
    ]);
    return { info, vms };
  }

  /** Throws UnknownHost. */
  async lookAtHost(name: string, context: CallContext): Promise<HostInfo> {
    const id = await this.hostId(name, context);
    const [info] = await this.#api.list('hosts', { id }, host, context);
    if (info) return info;
    this.#names = undefined;
    throw new MaintenanceError('UnknownHost', `CloudTower has no host ${name} any more`);
  }

  /** The other hosts of its cluster. */
  async peersOf({ id, cluster: { id: of } }: HostInfo, context: CallContext): Promise<HostInfo[]> {
    const hosts = await this.#api.list('hosts', { cluster: { id: of } }, host, context);
    return hosts.filter((one) => one.id !== id);
  }

  /** VMs by either of their ids, wherever they are. */
  vmsOf(ids: readonly string[], context: CallContext): Promise<VmInfo[]> {
    return this.vms({ OR: [{ id_in: ids }, { local_id_in: ids }] }, context);
  }

  /** A VM, wherever it is; undefined when it is gone. */
  async findVm(id: string, context: CallContext): Promise<VmInfo | undefined> {
    const [found] = await this.vms({ id }, context);
    return found;
  }

  /** Those of the VMs that a task takes elsewhere now. Only what CloudTower works on is asked about. */
  async moving(vms: readonly VmInfo[], context: CallContext): Promise<Set<string>> {
    const busy = vms.filter(({ entityAsyncStatus }) => entityAsyncStatus !== undefined);
    if (busy.length === 0) return new Set();
    const tasks = await this.#tasks.running(
      busy.map(({ id }) => id),
      context,
    );
    return new Set(tasks.flatMap((one) => (isOf('move', one) ? (one.resource_id ?? []) : [])));
  }

  #expectOneCluster(hosts: readonly HostInfo[]): void {
    const ids = [...new Set(hosts.map(({ cluster: { id } }) => id))];
    if (this.#cluster === undefined || ids.length <= 1) return;
    throw new MaintenanceError(
      'NotFound',
      `cluster "${this.#cluster}" of the site: CloudTower has several; name one by its id: ${listed(ids, NAMES_SHOWN)}`,
    );
  }

  async #expectCluster(context: CallContext): Promise<void> {
    const limit = this.#cluster;
    if (limit === undefined) return;
    const clusters = await this.#api.list('clusters', {}, cluster, context);
    if (clusters.some(({ id, name }) => id === limit || name === limit)) return;
    const names = clusters.map(({ name }) => name);
    throw new MaintenanceError(
      'NotFound',
      `cluster "${limit}" of the site: CloudTower has none of this name or id; there is ${listed(names, NAMES_SHOWN)}`,
    );
  }
}

const idOf = (name: string, names: Names): string | undefined => {
  for (const [id, known] of names) if (known === name) return id;
  return undefined;
};
