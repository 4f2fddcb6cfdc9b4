/** The driver for the simulated datacentre. */
import { z } from 'zod';
import { durationMs } from '../../core/duration.ts';
import { type ErrorCode, MaintenanceError } from '../../core/errors.ts';
import type { Host, Instance, InstanceAbility, Inventory } from '../../core/inventory.ts';
import { formatMark, type Mark, parseMark } from '../../core/mark.ts';
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
import { type PlatformDefinition, requestTimeout } from '../platform.ts';
import { SimulatorClient } from './client.ts';
import type { WireHost, WireTask } from './wire.ts';

const configSchema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).describe('Address of the simulator: http://127.0.0.1:7070'),
  timeout: requestTimeout('10s', '500ms or 10s').describe('Time for one request'),
});

export const simulator: PlatformDefinition<typeof configSchema> = {
  configSchema,
  create: ({ url, timeout }) =>
    new SimulatorDriver(new SimulatorClient({ url, timeoutMs: durationMs(timeout) })),
};

const CAPABILITIES: Capabilities = {
  drains: ['engine'],
  options: [],
  liveMove: true,
  coldMove: true,
  abortMove: true,
  chooseTarget: true,
  stopStart: true,
  maintenanceMode: true,
  moveMbPerSecond: 8000,
  shortestPollMs: 50,
};

class SimulatorDriver implements Driver {
  readonly platform = 'simulator';
  readonly capabilities = CAPABILITIES;
  readonly #client: SimulatorClient;

  constructor(client: SimulatorClient) {
    this.#client = client;
  }

  async inventory(context: CallContext): Promise<Inventory> {
    const [hosts, instances, groups] = await Promise.all([
      this.#client.hosts(context),
      this.#client.instances({}, context),
      this.#client.groups(context),
    ]);
    return { hosts: hosts.map(toHost), instances, groups };
  }

  async inspect(host: string, context: CallContext): Promise<{ host: Host; instances: Instance[] }> {
    const [found, instances] = await Promise.all([
      this.#client.host(host, context),
      this.#client.instances({ host }, context),
    ]);
    return { host: toHost(found), instances };
  }

  async locate(instance: string, context: CallContext): Promise<Instance | undefined> {
    return unlessGone(this.#client.instance(instance, context));
  }

  async precheck(host: string, _request: MaintenanceRequest, context: CallContext): Promise<HostCheck> {
    const [found, instances] = await Promise.all([
      this.#client.host(host, context),
      this.#client.instances({ host }, context),
    ]);
    return { host: toHost(found), instances: instances.map(abilityOf), ...obstaclesOf(found) };
  }

  async cordon(
    host: string,
    mark: Mark,
    _request: MaintenanceRequest,
    context: CallContext,
  ): Promise<undefined> {
    const { cordonReason } = await this.#client.host(host, context);
    if (cordonReason === undefined) await this.#client.cordon(host, formatMark(mark), context);
  }

  async uncordon(host: string, mark: Mark, context: CallContext): Promise<undefined> {
    const { cordonReason } = await this.#client.host(host, context);
    const ours = formatMark(mark);
    if (cordonReason === ours) await this.#client.uncordon(host, ours, context);
  }

  async move(
    instance: string,
    { how, target }: { how: 'live' | 'cold'; target?: string },
    context: CallContext,
  ): Promise<PlatformTask> {
    const request = { mode: how, ...(target === undefined ? {} : { target }) };
    return { id: await this.#client.migrate(instance, request, context), kind: 'move', subject: instance };
  }

  async stop(instance: string, mark: Mark, context: CallContext): Promise<PlatformTask> {
    return {
      id: await this.#client.stop(instance, formatMark(mark), context),
      kind: 'stop',
      subject: instance,
    };
  }

  async start(instance: string, mark: Mark, context: CallContext): Promise<PlatformTask> {
    const { name, state, stoppedBy } = await this.#client.instance(instance, context);
    if (state === 'stopped' && stoppedBy !== formatMark(mark)) {
      throw new MaintenanceError(
        'OperatorInterfered',
        `${name} was stopped by ${stoppedBy ?? 'somebody else'}`,
      );
    }
    return { id: await this.#client.start(instance, context), kind: 'start', subject: instance };
  }

  async enter(
    host: string,
    mark: Mark,
    _request: MaintenanceRequest,
    context: CallContext,
  ): Promise<PlatformTask | undefined> {
    const found = await this.#client.host(host, context);
    if (found.maintenanceReason !== undefined) refuseForeign(found, mark);
    if (found.standing === 'maintenance') return undefined;
    if (found.standing === 'entering') return this.#running('enter', host, context);
    return { id: await this.#client.enter(host, formatMark(mark), context), kind: 'enter', subject: host };
  }

  async exit(host: string, mark: Mark, context: CallContext): Promise<PlatformTask | undefined> {
    const found = await this.#client.host(host, context);
    if (found.maintenanceReason === undefined) return undefined;
    refuseForeign(found, mark);
    if (found.standing === 'exiting') return this.#running('exit', host, context);
    if (found.standing === 'entering') {
      await this.cancelTask(await this.#running('enter', host, context), context);
      return undefined;
    }
    return { id: await this.#client.exit(host, context), kind: 'exit', subject: host };
  }

  async findTask(kind: TaskKind, subject: string, context: CallContext): Promise<PlatformTask | undefined> {
    const wireKind = WIRE_KINDS[kind];
    // All else is done at once.
    if (wireKind === undefined) return undefined;
    const [task] = await this.#client.runningTasks(wireKind, subject, context);
    return task && { id: task.id, kind, subject };
  }

  async pollTask(task: PlatformTask, context: CallContext): Promise<TaskStatus> {
    const found = await unlessGone(this.#client.task(task.id, context));
    // A simulator that was started anew counts its tasks from one again.
    if (found?.subject !== task.subject || kindOf(found) !== task.kind) return { state: 'vanished' };
    if (found.state === 'running') return { state: 'running', progress: found.progress };
    return found.state === 'done' ? { state: 'done' } : { state: 'failed', error: failureOf(found) };
  }

  async cancelTask(task: PlatformTask, context: CallContext): Promise<void> {
    try {
      await this.#client.abortTask(task.id, context);
    } catch (error) {
      if (!isGone(error) && !hasEnded(error)) throw error;
    }
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** The task that is taking the host in or out. */
  async #running(kind: 'enter' | 'exit', host: string, context: CallContext): Promise<PlatformTask> {
    const task = await this.findTask(kind, host, context);
    if (!task) throw new MaintenanceError('PlatformBusy', `${host} is changing its state just now`);
    return task;
  }
}

function toHost(host: WireHost): Host {
  const reason = host.cordonReason ?? host.maintenanceReason;
  return { ...host, ...(reason === undefined ? {} : { cordonReason: reason }) };
}

function abilityOf(instance: Instance): InstanceAbility {
  const { state } = instance;
  if (state === 'moving') {
    const busy = 'is being moved already';
    return { instance, live: busy, cold: busy, stop: busy };
  }
  if (state === 'error') {
    const broken = 'is in an error state';
    return { instance, live: broken, cold: broken, stop: broken };
  }
  return state === 'stopped' ? { instance, live: 'is stopped' } : { instance };
}

/** What stands against taking the host out, and what is only odd. */
function obstaclesOf(host: WireHost): Pick<HostCheck, 'blockers' | 'warnings'> {
  const blockers: string[] = [];
  const warnings: string[] = [];
  const { name, standing, cordonReason, maintenanceReason } = host;
  if (standing === 'down') blockers.push(`${name} is down`);
  if (maintenanceReason !== undefined && !parseMark(maintenanceReason)) {
    blockers.push(`${name} is in somebody else's maintenance: ${maintenanceReason}`);
  }
  if (cordonReason !== undefined && !parseMark(cordonReason)) {
    warnings.push(`${name} was cordoned by somebody else and will stay so: ${cordonReason}`);
  }
  return { blockers, warnings };
}

function refuseForeign({ name, standing, maintenanceReason }: WireHost, mark: Mark): void {
  if (maintenanceReason === formatMark(mark)) return;
  throw new MaintenanceError(
    'OperatorInterfered',
    `${name} is ${standing} for somebody else: ${maintenanceReason}`,
  );
}

const WIRE_KINDS: Readonly<Partial<Record<TaskKind, WireTask['kind']>>> = {
  move: 'migrate',
  stop: 'stop',
  start: 'start',
  enter: 'enter',
  exit: 'exit',
};

const kindOf = ({ kind }: WireTask): TaskKind => (kind === 'migrate' ? 'move' : kind);

const FAILURES: Readonly<Record<WireTask['kind'], ErrorCode>> = {
  migrate: 'MoveFailed',
  stop: 'PlatformError',
  start: 'PlatformError',
  enter: 'EnterFailed',
  exit: 'ExitFailed',
};

function failureOf({ kind, subject, state, error }: WireTask): MaintenanceError {
  const code = error?.code === 'HostNotEmpty' ? 'HostNotEmpty' : FAILURES[kind];
  const words = error?.message ?? state;
  return new MaintenanceError(code, `${kind} of ${subject} ${state}: ${words}`, {
    vendor: error ? `${error.code}: ${error.message}` : state,
  });
}

const hasEnded = (error: unknown): boolean =>
  error instanceof MaintenanceError && error.vendor?.includes('TaskEnded') === true;
