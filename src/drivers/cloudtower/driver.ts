/** The driver for CloudTower: hosts that it empties itself, once its pre-check has said what has to be shut down. */
import { durationMs } from '../../core/duration.ts';
import { MaintenanceError } from '../../core/errors.ts';
import type { ExitPlan } from '../../core/exit-plan.ts';
import type { Host, Instance, Inventory } from '../../core/inventory.ts';
import { formatMark, type Mark } from '../../core/mark.ts';
import type { MaintenanceRequest } from '../../core/platform-options.ts';
import type {
  CallContext,
  Capabilities,
  Driver,
  HostCheck,
  PlatformTask,
  TaskKind,
  TaskStatus,
} from '../driver.ts';
import type { PlatformDefinition } from '../platform.ts';
import { abilityOf, obstaclesBeside, obstaclesOf, unableToShutDown } from './abilities.ts';
import { Api } from './api.ts';
import {
  isEntering,
  isInMaintenance,
  isPlaced,
  markLabelOf,
  toGroup,
  toHost,
  toInstance,
} from './inventory.ts';
import { Labels } from './labels.ts';
import { Maintenance } from './maintenance.ts';
import { configSchema, findConnection, type CloudTowerConfig } from './settings.ts';
import { Site } from './site.ts';
import { Tasks } from './tasks.ts';
import { Vms } from './vms.ts';
import { placementGroup, type HostInfo } from './wire.ts';

export const cloudtower: PlatformDefinition<typeof configSchema> = {
  configSchema,
  create: (config) => new CloudTowerDriver(config),
};

const CAPABILITIES: Capabilities = {
  drains: ['platform'],
  options: [],
  liveMove: true,
  coldMove: false,
  abortMove: false,
  chooseTarget: true,
  stopStart: true,
  maintenanceMode: true,
  // Half of a link of 10 Gbit/s.
  moveMbPerSecond: 600,
  shortestPollMs: 1_000,
  limits: [
    {
      label: 'cluster',
      maxHosts: 1,
      why: 'the hosts of a cluster are its storage: with a second one out, data may be lost',
    },
  ],
};

/** Throws SettingsError. */
class CloudTowerDriver implements Driver {
  readonly platform = 'cloudtower';
  readonly capabilities = CAPABILITIES;
  readonly #api: Api;
  readonly #site: Site;
  readonly #labels: Labels;
  readonly #vms: Vms;
  readonly #maintenance: Maintenance;

  constructor(config: CloudTowerConfig) {
    const api = new Api(findConnection(config), durationMs(config.timeout));
    const tasks = new Tasks(api);
    const site = new Site(api, tasks, config.cluster);
    const labels = new Labels(api, tasks);
    this.#api = api;
    this.#site = site;
    this.#labels = labels;
    this.#vms = new Vms({ api, site, tasks, labels });
    this.#maintenance = new Maintenance({ api, site, tasks, labels });
  }

  async inventory(context: CallContext): Promise<Inventory> {
    const { filter } = this.#site;
    const [{ hosts, names }, vms, groups] = await Promise.all([
      this.#site.hosts(context),
      this.#site.vms(filter, context),
      this.#api.list('vm-placement-groups', filter, placementGroup, context),
    ]);
    const moving = await this.#site.moving(vms, context);
    return {
      hosts: hosts.map((info) => toHost(info, names)),
      instances: vms.filter(isPlaced).map((vm) => toInstance(vm, names, moving)),
      groups: groups.map(toGroup),
    };
  }

  async inspect(name: string, context: CallContext): Promise<{ host: Host; instances: Instance[] }> {
    const { info, vms } = await this.#site.look(name, context);
    const names = await this.#site.names(context);
    const moving = await this.#site.moving(vms, context);
    return { host: toHost(info, names), instances: vms.map((vm) => toInstance(vm, names, moving)) };
  }

  async locate(id: string, context: CallContext): Promise<Instance | undefined> {
    const vm = await this.#site.findVm(id, context);
    if (!vm) return undefined;
    return toInstance(vm, await this.#site.names(context), await this.#site.moving([vm], context));
  }

  check(name: string, context: CallContext): Promise<PlatformTask> {
    return this.#maintenance.check(name, context);
  }

  /** Throws PlatformBusy while another task works on the host. */
  async precheck(
    name: string,
    request: MaintenanceRequest,
    context: CallContext,
    check?: PlatformTask,
  ): Promise<HostCheck> {
    const { info, vms } = await this.#site.look(name, context);
    refuseBusy(name, info);
    const [names, peers, moving, toShutDown] = await Promise.all([
      this.#site.names(context),
      this.#site.peersOf(info, context),
      this.#site.moving(vms, context),
      check && this.#maintenance.toShutDown(check, context),
    ]);
    const host = toHost(info, names);
    const own = obstaclesOf(host, info);
    const named = toShutDown ?? new Set<string>();
    const known = named.size === 0 ? [] : await this.#site.vmsOf([...named], context);
    const beside = obstaclesBeside(info, peers, request);
    return {
      host,
      instances: vms.map((vm) => abilityOf(toInstance(vm, names, moving), vm, toShutDown)),
      blockers: [...own.blockers, ...beside.blockers, ...unableToShutDown(named, known)],
      warnings: [...own.warnings, ...beside.warnings],
    };
  }

  /** CloudTower keeps VMs off a host only in maintenance: until then the label says whose it is, and no more. */
  async cordon(
    name: string,
    mark: Mark,
    _request: MaintenanceRequest,
    context: CallContext,
  ): Promise<undefined> {
    const info = await this.#site.lookAtHost(name, context);
    if (markLabelOf(info)) return;
    await this.#labels.put(formatMark(mark), { hosts: { id: info.id } }, context);
  }

  async uncordon(name: string, mark: Mark, context: CallContext): Promise<undefined> {
    const info = await this.#site.lookAtHost(name, context);
    const label = markLabelOf(info);
    if (label?.value === formatMark(mark))
      await this.#labels.take(label, { hosts: { id: info.id } }, context);
  }

  async move(
    instance: string,
    { how, target }: { how: 'live' | 'cold'; target?: string },
    context: CallContext,
  ): Promise<PlatformTask> {
    if (target === undefined) return this.#vms.move(instance, { how }, context);
    const info = await this.#site.lookAtHost(target, context);
    const { standing } = toHost(info, await this.#site.names(context));
    if (standing !== 'in-service') {
      throw new MaintenanceError('NoTarget', `${target} takes no instances: it is ${standing}`);
    }
    return this.#vms.move(instance, { how, target: info.id }, context);
  }

  stop(instance: string, mark: Mark, context: CallContext): Promise<PlatformTask> {
    return this.#vms.stop(instance, mark, context);
  }

  start(instance: string, mark: Mark, context: CallContext): Promise<PlatformTask> {
    return this.#vms.start(instance, mark, context);
  }

  enter(
    name: string,
    mark: Mark,
    request: MaintenanceRequest,
    context: CallContext,
    stops: readonly string[] = [],
  ): Promise<PlatformTask | undefined> {
    return this.#maintenance.enter(name, mark, { stops, ...request }, context);
  }

  planExit(name: string, context: CallContext): Promise<ExitPlan> {
    return this.#maintenance.planExit(name, context);
  }

  exit(
    name: string,
    mark: Mark,
    context: CallContext,
    gives?: Pick<ExitPlan, 'start' | 'back'>,
  ): Promise<PlatformTask | undefined> {
    return this.#maintenance.exit(name, mark, gives, context);
  }

  async findTask(kind: TaskKind, subject: string, context: CallContext): Promise<PlatformTask | undefined> {
    if (kind === 'enter' || kind === 'exit') return this.#maintenance.find(kind, subject, context);
    if (kind === 'move' || kind === 'stop' || kind === 'start') return this.#vms.find(kind, subject, context);
    // A check whose id was lost is begun anew; all else is done at once.
    return undefined;
  }

  async pollTask(task: PlatformTask, context: CallContext): Promise<TaskStatus> {
    switch (task.kind) {
      case 'check':
        return this.#maintenance.pollCheck(task, context);
      case 'enter':
      case 'exit':
        return this.#maintenance.poll(task.kind, task, context);
      case 'move':
      case 'stop':
      case 'start':
        return this.#vms.poll(task.kind, task, context);
      default:
        return { state: 'vanished' };
    }
  }

  /** CloudTower has no call that ends a task: it is seen to its end. */
  async cancelTask(): Promise<void> {
    // Nothing to ask for.
  }

  close(): Promise<void> {
    return this.#api.close();
  }
}

/** On its way in or out the task is the one that the engine goes on with. */
function refuseBusy(name: string, info: HostInfo): void {
  if (info.entityAsyncStatus === undefined || isEntering(info) || isInMaintenance(info)) return;
  throw new MaintenanceError('PlatformBusy', `another task works on ${name} (${info.entityAsyncStatus})`, {
    vendor: info.entityAsyncStatus,
  });
}
