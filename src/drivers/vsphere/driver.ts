/** The driver for vSphere: the hosts of a vCenter, and the VMs on them. */
import type { z } from 'zod';
import { durationMs } from '../../core/duration.ts';
import { MaintenanceError } from '../../core/errors.ts';
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
import { isGone, unlessGone } from '../gone.ts';
import type { PlatformDefinition } from '../platform.ts';
import { abilityOf, obstaclesOf } from './abilities.ts';
import { attributeOf } from './attribute.ts';
import { collect, collectBelow, type Step } from './collector.ts';
import { Directory } from './directory.ts';
import { instancesOf, toHost, toInstance, toInventory, toReading, type Reading } from './inventory.ts';
import { Maintenance } from './maintenance.ts';
import { Marks } from './marks.ts';
import { Moves } from './moves.ts';
import { Power, type SeenVm } from './power.ts';
import { configSchema, findConnection, type VsphereConfig } from './settings.ts';
import { Vim } from './vim.ts';
import { deviceList, type Devices, type Ref } from './wire.ts';
import { PROPERTIES, TO_TASKS, toWorld } from './world.ts';

export const vsphere: PlatformDefinition<typeof configSchema> = {
  configSchema,
  create: (config) => new VsphereDriver(config),
};

const CAPABILITIES: Capabilities = {
  drains: ['engine', 'platform'],
  options: ['vsphere'],
  liveMove: true,
  coldMove: true,
  abortMove: true,
  chooseTarget: true,
  stopStart: true,
  maintenanceMode: true,
  // vMotion fills a link of 10 Gbit/s; half of that leaves room for what the guests write meanwhile.
  moveMbPerSecond: 600,
  shortestPollMs: 500,
};

const FROM_VM: readonly Step[] = [
  { type: 'VirtualMachine', path: 'recentTask' },
  {
    type: 'VirtualMachine',
    path: 'runtime.host',
    then: [{ type: 'HostSystem', path: 'parent' }],
  },
];

const FROM_HOST: readonly Step[] = [
  { type: 'HostSystem', path: 'recentTask' },
  { type: 'HostSystem', path: 'parent' },
  { type: 'HostSystem', path: 'vm', then: [{ type: 'VirtualMachine', path: 'recentTask' }] },
];

/** Drives a vCenter; what stands on ESXi hosts may drive it for its own. Throws SettingsError. */
export class VsphereDriver implements Driver {
  readonly platform = 'vsphere';
  readonly capabilities = CAPABILITIES;
  readonly #config: z.output<typeof configSchema>;
  readonly #vim: Vim;
  readonly #directory: Directory;
  readonly #marks: Marks;
  readonly #power: Power;
  readonly #moves: Moves;
  readonly #maintenance: Maintenance;

  constructor(config: VsphereConfig) {
    this.#config = config;
    const connection = findConnection(config, process.env);
    this.#vim = new Vim(connection, { release: config.release, timeoutMs: durationMs(config.timeout) });
    this.#directory = new Directory(this.#vim, config);
    this.#marks = new Marks(this.#vim);
    const look = (vm: string, context: CallContext): Promise<SeenVm> => this.#lookAtVm(vm, context);
    this.#power = new Power(this.#vim, this.#marks, look);
    this.#moves = new Moves(this.#vim, this.#marks, this.#power, look);
    this.#maintenance = new Maintenance(this.#vim, (name, context) => this.#look(name, context));
  }

  async inventory(context: CallContext): Promise<Inventory> {
    this.#directory.forget();
    this.#marks.forget();
    const { root, frame, names } = await this.#directory.site(context);
    const [seen, attribute] = await Promise.all([
      collectBelow(this.#vim, root, PROPERTIES, TO_TASKS, context),
      this.#marks.key(context),
    ]);
    const world = toWorld(seen, frame.others);
    return toInventory(toReading(world, names, { attribute, vcpusPerCore: this.#config.vcpusPerCore }));
  }

  async inspect(name: string, context: CallContext): Promise<{ host: Host; instances: Instance[] }> {
    const { ref, reading } = await this.#look(name, context);
    return { host: toHost(ref.value, reading), instances: instancesOf(reading) };
  }

  async locate(instance: string, context: CallContext): Promise<Instance | undefined> {
    const vm: Ref = { type: 'VirtualMachine', value: instance };
    const reading = await unlessGone(this.#read(vm, FROM_VM, context));
    return reading && toInstance(instance, reading);
  }

  async precheck(name: string, { options }: MaintenanceRequest, context: CallContext): Promise<HostCheck> {
    const { ref, reading } = await this.#look(name, context);
    const { world } = reading;
    const props = world.hosts.get(ref.value);
    if (!props) throw new MaintenanceError('UnknownHost', `vCenter has no host ${name}`);
    const cluster = world.clusters.get(props.parent.value);
    const instances = instancesOf(reading);
    const devices = await this.#devicesOn(ref, context);
    const host = toHost(ref.value, reading);
    return {
      host,
      instances: instances.flatMap((instance) => {
        const vm = world.vms.get(instance.id);
        return vm ? [abilityOf(instance, vm, devices.get(instance.id) ?? [], cluster)] : [];
      }),
      ...obstaclesOf(host, props, cluster, options.vsphere?.vsanMode),
    };
  }

  /** Id of a host by the name it goes by: `host-21`. Throws UnknownHost. */
  async hostId(name: string, context: CallContext): Promise<string> {
    return (await this.#directory.host(name, context)).value;
  }

  /** vCenter keeps instances off a host only in maintenance: until then the mark says whose it is, and no more. */
  async cordon(
    name: string,
    mark: Mark,
    _request: MaintenanceRequest,
    context: CallContext,
  ): Promise<undefined> {
    const { ref, reason } = await this.#reasonOf(name, context);
    if (reason === undefined) await this.#marks.set(ref, formatMark(mark), context);
  }

  async uncordon(name: string, mark: Mark, context: CallContext): Promise<undefined> {
    const { ref, reason } = await this.#reasonOf(name, context);
    if (reason === formatMark(mark)) await this.#marks.clear(ref, context);
  }

  async move(
    instance: string,
    { how, target }: { how: 'live' | 'cold'; target?: string },
    context: CallContext,
  ): Promise<PlatformTask> {
    const vm = await this.#lookAtVm(instance, context);
    if (target === undefined) {
      throw new MaintenanceError('NoTarget', `no host was named that ${vm.props.name} is to move to`);
    }
    const { ref, reading } = await this.#look(target, context);
    const { standing } = toHost(ref.value, reading);
    if (standing !== 'in-service') {
      throw new MaintenanceError('NoTarget', `${target} takes no instances: it is ${standing}`);
    }
    return this.#moves.start(vm, how, ref, context);
  }

  async stop(instance: string, mark: Mark, context: CallContext): Promise<PlatformTask> {
    return this.#power.stop(await this.#lookAtVm(instance, context), mark, context);
  }

  async start(instance: string, mark: Mark, context: CallContext): Promise<PlatformTask> {
    return this.#power.start(await this.#lookAtVm(instance, context), mark, context);
  }

  enter(
    name: string,
    _mark: Mark,
    request: MaintenanceRequest,
    context: CallContext,
  ): Promise<PlatformTask | undefined> {
    return this.#maintenance.enter(name, request, context);
  }

  exit(name: string, _mark: Mark, context: CallContext): Promise<PlatformTask | undefined> {
    return this.#maintenance.exit(name, context);
  }

  async findTask(kind: TaskKind, subject: string, context: CallContext): Promise<PlatformTask | undefined> {
    if (kind === 'enter' || kind === 'exit') return this.#maintenance.find(kind, subject, context);
    // All else is done at once.
    if (kind !== 'move' && kind !== 'stop' && kind !== 'start') return undefined;
    const vm = await unlessGone(this.#lookAtVm(subject, context));
    if (!vm) return undefined;
    return kind === 'move' ? this.#moves.find(vm) : this.#power.find(kind, vm);
  }

  async pollTask(task: PlatformTask, context: CallContext): Promise<TaskStatus> {
    try {
      switch (task.kind) {
        case 'move':
          return await this.#moves.poll(task, context);
        case 'stop':
        case 'start':
          return await this.#power.poll(task.kind, task, context);
        case 'enter':
        case 'exit':
          return await this.#maintenance.poll(task, context);
        default:
          return { state: 'vanished' };
      }
    } catch (error) {
      // The VM was deleted.
      if (isGone(error)) return { state: 'vanished' };
      throw error;
    }
  }

  async cancelTask(task: PlatformTask, context: CallContext): Promise<void> {
    if (task.kind === 'move') await this.#moves.cancel(task, context);
    else if (task.kind === 'enter') await this.#maintenance.cancel(task, context);
  }

  close(): Promise<void> {
    return this.#vim.close();
  }

  async #reasonOf(name: string, context: CallContext): Promise<{ ref: Ref; reason: string | undefined }> {
    const { ref, reading } = await this.#look(name, context);
    return { ref, reason: toHost(ref.value, reading).cordonReason };
  }

  /** A host, what is on it and what it is in. */
  async #look(name: string, context: CallContext): Promise<{ ref: Ref; reading: Reading }> {
    const ref = await this.#directory.host(name, context);
    const reading = await unlessGone(this.#read(ref, FROM_HOST, context));
    if (reading) return { ref, reading };
    this.#directory.forget();
    throw new MaintenanceError('UnknownHost', `vCenter has no host ${name} any more`);
  }

  async #lookAtVm(vm: string, context: CallContext): Promise<SeenVm> {
    const ref: Ref = { type: 'VirtualMachine', value: vm };
    const { world, attribute } = await this.#read(ref, FROM_VM, context);
    const props = world.vms.get(vm);
    if (!props) throw new MaintenanceError('NotFound', `vCenter has no VM ${vm}`);
    return { ref, props, world, mark: attributeOf(props, attribute) };
  }

  async #read(from: Ref, steps: readonly Step[], context: CallContext): Promise<Reading> {
    const [{ frame, names }, attribute, seen] = await Promise.all([
      this.#directory.site(context),
      this.#marks.key(context),
      collect(this.#vim, [{ from, steps }], PROPERTIES, context),
    ]);
    const world = toWorld(seen, frame.others);
    return toReading(world, names, { attribute, vcpusPerCore: this.#config.vcpusPerCore });
  }

  /** Devices of the VMs on a host, by id of the VM: large, so they are read of one host at a time. */
  async #devicesOn(host: Ref, context: CallContext): Promise<Map<string, Devices>> {
    const property = 'config.hardware.device';
    const toVms: Step = { type: 'HostSystem', path: 'vm' };
    const starts = [{ from: host, skip: true, steps: [toVms] }];
    const seen = await collect(this.#vim, starts, { VirtualMachine: [property] }, context);
    return new Map(seen.map(({ ref, props }) => [ref.value, deviceList.parse(props[property])]));
  }
}
