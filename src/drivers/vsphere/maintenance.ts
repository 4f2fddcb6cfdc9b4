/** Maintenance mode: one task of vCenter's for each way. */
import { MaintenanceError } from '../../core/errors.ts';
import { isRunning, type Instance } from '../../core/inventory.ts';
import { durationMs } from '../../core/duration.ts';
import { listed } from '../../core/listed.ts';
import type { MaintenanceRequest, VsphereOptions } from '../../core/platform-options.ts';
import type { CallContext, PlatformTask, TaskStatus } from '../driver.ts';
import { isFault, vendorOf } from './fault.ts';
import { HOST_TASKS, instancesOf, runningTasks, type Reading } from './inventory.ts';
import { cancelTask, readTask, statusOf } from './tasks.ts';
import type { Vim } from './vim.ts';
import type { Ref } from './wire.ts';
import type { World } from './world.ts';

const NAMED_SHOWN = 10;

/** A host and what is on it, as it is now. Throws UnknownHost. */
type Look = (name: string, context: CallContext) => Promise<{ ref: Ref; reading: Reading }>;

export class Maintenance {
  readonly #vim: Vim;
  readonly #look: Look;

  constructor(vim: Vim, look: Look) {
    this.#vim = vim;
    this.#look = look;
  }

  /** Undefined when the host is in maintenance already. Throws HostNotEmpty, unless DRS is to empty the host. */
  async enter(
    name: string,
    request: MaintenanceRequest,
    context: CallContext,
  ): Promise<PlatformTask | undefined> {
    try {
      return await this.#enter(name, request, context);
    } catch (error) {
      if (!isFault(error, 'InvalidState')) throw error;
      // Somebody was quicker: it is in, or on its way.
      const { ref, reading } = await this.#look(name, context);
      if (isIn(ref, reading)) return undefined;
      const running = this.#find('enter', name, ref, reading.world);
      if (!running) throw error;
      return running;
    }
  }

  /** Undefined when the host is not in maintenance. */
  async exit(name: string, context: CallContext): Promise<PlatformTask | undefined> {
    const { ref, reading } = await this.#look(name, context);
    if (!isIn(ref, reading)) return undefined;
    const running = this.#find('exit', name, ref, reading.world);
    return running ?? (await this.#start('exit', name, ref, { timeout: 0 }, context));
  }

  async find(kind: 'enter' | 'exit', name: string, context: CallContext): Promise<PlatformTask | undefined> {
    const { ref, reading } = await this.#look(name, context);
    return this.#find(kind, name, ref, reading.world);
  }

  /** Of a host that could not be emptied it is said what still runs there, which the task does not say. */
  async poll({ id, kind, subject }: PlatformTask, context: CallContext): Promise<TaskStatus> {
    const status = statusOf(kind, await readTask(this.#vim, id, context));
    if (status.state !== 'failed' || kind !== 'enter') return status;
    const { reading } = await this.#look(subject, context);
    return { state: 'failed', error: explain(subject, status.error, runningOn(reading)) };
  }

  async #enter(
    name: string,
    { drain, options }: MaintenanceRequest,
    context: CallContext,
  ): Promise<PlatformTask | undefined> {
    const { ref, reading } = await this.#look(name, context);
    if (isIn(ref, reading)) return undefined;
    const running = this.#find('enter', name, ref, reading.world);
    if (running) return running;
    const left = runningOn(reading);
    // The task would wait for them, and nobody else would.
    if (drain === 'engine' && left.length > 0) {
      throw new MaintenanceError('HostNotEmpty', `still running on ${name}: ${namesOf(left)}`);
    }
    return this.#start('enter', name, ref, argumentsOf(options.vsphere), context);
  }

  #find(kind: 'enter' | 'exit', name: string, ref: Ref, world: World): PlatformTask | undefined {
    const props = world.hosts.get(ref.value);
    const running =
      props && runningTasks(props, world).find(({ descriptionId }) => descriptionId === HOST_TASKS[kind]);
    return running && { id: running.task.value, kind, subject: name };
  }

  cancel({ id }: PlatformTask, context: CallContext): Promise<void> {
    return cancelTask(this.#vim, id, context);
  }

  async #start(
    kind: 'enter' | 'exit',
    name: string,
    ref: Ref,
    args: Readonly<Record<string, unknown>>,
    context: CallContext,
  ): Promise<PlatformTask> {
    const method = kind === 'enter' ? 'EnterMaintenanceMode_Task' : 'ExitMaintenanceMode_Task';
    const task = await this.#vim.startTask(ref, method, args, context);
    return { id: task.value, kind, subject: name };
  }
}

/** A timeout of 0 is none: how long it may take is the session's to say. */
function argumentsOf(options: VsphereOptions | undefined): Record<string, unknown> {
  const { timeout, evacuatePoweredOffVms = false, vsanMode, purpose } = options ?? {};
  const vsan =
    vsanMode === undefined
      ? {}
      : { vsanMode: { _typeName: 'VsanHostDecommissionMode', objectAction: vsanMode } };
  const spec = { ...vsan, ...(purpose === undefined ? {} : { purpose }) };
  return {
    timeout: timeout === undefined ? 0 : Math.ceil(durationMs(timeout) / 1000),
    evacuatePoweredOffVms,
    ...(Object.keys(spec).length === 0
      ? {}
      : { maintenanceSpec: { _typeName: 'HostMaintenanceSpec', ...spec } }),
  };
}

function explain(name: string, error: MaintenanceError, left: readonly Instance[]): MaintenanceError {
  if (left.length === 0) return error;
  return new MaintenanceError(
    'HostNotEmpty',
    `${error.message}; still running on ${name}: ${namesOf(left)}`,
    {
      ...vendorOf(error),
      cause: error,
    },
  );
}

const isIn = (ref: Ref, { world }: Reading): boolean =>
  world.hosts.get(ref.value)?.['runtime.inMaintenanceMode'] === true;

const runningOn = (reading: Reading): Instance[] => instancesOf(reading).filter(isRunning);

const namesOf = (instances: readonly Instance[]): string =>
  listed(
    instances.map(({ name }) => name),
    NAMED_SHOWN,
  );
