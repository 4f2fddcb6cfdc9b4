/** Maintenance mode: one task of vCenter's for each way. */
import { MaintenanceError } from '../../core/errors.ts';
import { isRunning, type Instance } from '../../core/inventory.ts';
import { durationMs } from '../../core/duration.ts';
import { listed } from '../../core/listed.ts';
import type { MaintenanceRequest, VsphereOptions } from '../../core/platform-options.ts';
import type { CallContext, PlatformTask, TaskStatus } from '../driver.ts';
import { HOST_TASKS, runningTasks, toInstance, type Reading } from './inventory.ts';
import { cancelTask, readTask, statusOf } from './tasks.ts';
import type { Vim } from './vim.ts';
import type { Ref } from './wire.ts';
import type { World } from './world.ts';

const NAMED_SHOWN = 10;

export class Maintenance {
  readonly #vim: Vim;

  constructor(vim: Vim) {
    this.#vim = vim;
  }

  /** Undefined when the host is in maintenance already. Throws HostNotEmpty, unless DRS is to empty the host. */
  async enter(
    name: string,
    ref: Ref,
    reading: Reading,
    { drain, options }: MaintenanceRequest,
    context: CallContext,
  ): Promise<PlatformTask | undefined> {
    if (reading.world.hosts.get(ref.value)?.['runtime.inMaintenanceMode']) return undefined;
    const running = this.find('enter', name, ref, reading.world);
    if (running) return running;
    const left = runningOn(reading);
    // The task would wait for them, and nobody else would.
    if (drain === 'engine' && left.length > 0) {
      throw new MaintenanceError('HostNotEmpty', `still running on ${name}: ${namesOf(left)}`);
    }
    return this.#start('enter', name, ref, argumentsOf(options.vsphere), context);
  }

  /** Undefined when the host is not in maintenance. */
  async exit(
    name: string,
    ref: Ref,
    { world }: Reading,
    context: CallContext,
  ): Promise<PlatformTask | undefined> {
    if (!world.hosts.get(ref.value)?.['runtime.inMaintenanceMode']) return undefined;
    return (
      this.find('exit', name, ref, world) ?? (await this.#start('exit', name, ref, { timeout: 0 }, context))
    );
  }

  find(kind: 'enter' | 'exit', name: string, ref: Ref, world: World): PlatformTask | undefined {
    const props = world.hosts.get(ref.value);
    const running =
      props && runningTasks(props, world).find(({ descriptionId }) => descriptionId === HOST_TASKS[kind]);
    return running && { id: running.task.value, kind, subject: name };
  }

  async poll({ id, kind }: PlatformTask, context: CallContext): Promise<TaskStatus> {
    return statusOf(kind, await readTask(this.#vim, id, context));
  }

  cancel({ id }: PlatformTask, context: CallContext): Promise<void> {
    return cancelTask(this.#vim, id, context);
  }

  /** What a task that failed to empty the host does not say. */
  explain(name: string, error: MaintenanceError, instances: readonly Instance[]): MaintenanceError {
    const left = instances.filter(isRunning);
    if (left.length === 0) return error;
    return new MaintenanceError(
      'HostNotEmpty',
      `${error.message}; still running on ${name}: ${namesOf(left)}`,
      {
        ...(error.vendor === undefined ? {} : { vendor: error.vendor }),
        cause: error,
      },
    );
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

const runningOn = (reading: Reading): Instance[] =>
  [...reading.world.vms.keys()].flatMap((id) => toInstance(id, reading) ?? []).filter(isRunning);

const namesOf = (instances: readonly Instance[]): string =>
  listed(
    instances.map(({ name }) => name),
    NAMED_SHOWN,
  );
