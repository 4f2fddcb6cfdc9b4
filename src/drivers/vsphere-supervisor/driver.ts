/** The driver for vSphere Supervisor: the ESXi hosts of a cluster that are nodes of its Kubernetes control plane too. */
import { durationMs } from '../../core/duration.ts';
import { formatMark, parseMark, type Mark } from '../../core/mark.ts';
import type { MaintenanceRequest } from '../../core/platform-options.ts';
import type { CallContext, Capabilities, Driver, PlatformTask, TaskStatus } from '../driver.ts';
import type { PlatformDefinition } from '../platform.ts';
import { VsphereDriver } from '../vsphere/driver.ts';
import { isRefusal } from '../vsphere/fault.ts';
import { NoNode, Nodes } from './nodes.ts';
import { Rest } from './rest.ts';
import { configSchema, findSettings } from './settings.ts';

export const vsphereSupervisor: PlatformDefinition<typeof configSchema> = {
  configSchema,
  create: (config, context) => {
    const { below, connection } = findSettings(config, context, process.env);
    const nodes = new Nodes(new Rest(connection, durationMs(config.timeout)), config.cluster);
    return new SupervisorDriver(new VsphereDriver(below), nodes);
  },
};

/** What the hosts are beneath: a driver that marks them at once, and knows their ids. */
export interface HostDriver extends Driver {
  hostId(name: string, context: CallContext): Promise<string>;
  cordon(...args: Parameters<Driver['cordon']>): Promise<undefined>;
  uncordon(...args: Parameters<Driver['uncordon']>): Promise<undefined>;
}

/** Takes the pods off when a host is cordoned, and lets them on again last; in between it is an ESXi host. */
export class SupervisorDriver implements Driver {
  readonly platform = 'vsphere-supervisor';
  readonly capabilities: Capabilities;
  readonly #hosts: HostDriver;
  readonly #nodes: Nodes;

  constructor(hosts: HostDriver, nodes: Nodes) {
    this.#hosts = hosts;
    this.#nodes = nodes;
    this.capabilities = { ...hosts.capabilities, options: ['vsphere', 'vsphere-supervisor'] };
  }

  readonly inventory: Driver['inventory'] = (...args) => this.#hosts.inventory(...args);
  readonly inspect: Driver['inspect'] = (...args) => this.#hosts.inspect(...args);
  readonly locate: Driver['locate'] = (...args) => this.#hosts.locate(...args);
  readonly precheck: Driver['precheck'] = (...args) => this.#hosts.precheck(...args);
  readonly move: Driver['move'] = (...args) => this.#hosts.move(...args);
  readonly stop: Driver['stop'] = (...args) => this.#hosts.stop(...args);
  readonly start: Driver['start'] = (...args) => this.#hosts.start(...args);
  readonly enter: Driver['enter'] = (...args) => this.#hosts.enter(...args);
  readonly exit: Driver['exit'] = (...args) => this.#hosts.exit(...args);

  /** A host that carries our mark already is asked for again: the API does not say where a node stands. */
  async cordon(
    host: string,
    mark: Mark,
    request: MaintenanceRequest,
    context: CallContext,
  ): Promise<PlatformTask | undefined> {
    const reason = await this.#reasonOf(host, context);
    if (reason !== undefined && reason !== formatMark(mark)) return undefined;
    await this.#hosts.cordon(host, mark, request, context);
    const id = await this.#hosts.hostId(host, context);
    const action = request.options['vsphere-supervisor']?.action;
    try {
      const task = await this.#nodes.enter(id, action, context);
      return task === undefined ? undefined : { id: task, kind: 'cordon', subject: host };
    } catch (error) {
      const isAgain = reason !== undefined;
      // An earlier try has removed it.
      if (error instanceof NoNode && isAgain && action === 'PermanentNodeRemoval') return undefined;
      // Nothing has begun: the host is left as it was found.
      if (isRefusal(error) && !isAgain) await this.#hosts.uncordon(host, mark, context);
      throw error;
    }
  }

  async uncordon(host: string, mark: Mark, context: CallContext): Promise<PlatformTask | undefined> {
    const ours = formatMark(mark);
    if ((await this.#reasonOf(host, context)) !== ours) return undefined;
    const task = await this.#nodes.exit(await this.#hosts.hostId(host, context), context);
    if (task === undefined) return this.#hosts.uncordon(host, mark, context);
    return { id: `${task} ${ours}`, kind: 'uncordon', subject: host };
  }

  /** The API gives no list of tasks by node; one who has lost its id asks again, and follows what comes of that. */
  async findTask(
    ...[kind, subject, context]: Parameters<Driver['findTask']>
  ): Promise<PlatformTask | undefined> {
    return isOfNodes(kind) ? undefined : this.#hosts.findTask(kind, subject, context);
  }

  async pollTask(task: PlatformTask, context: CallContext): Promise<TaskStatus> {
    const { kind, id, subject } = task;
    if (!isOfNodes(kind)) return this.#hosts.pollTask(task, context);
    const { node, mark } = parseId(id);
    const status = await this.#nodes.poll(node, kind, context);
    if (mark && status.state === 'done') await this.#hosts.uncordon(subject, mark, context);
    return status;
  }

  /** The tasks of nodes cannot be cancelled; leaving maintenance ends an entering. */
  async cancelTask(task: PlatformTask, context: CallContext): Promise<void> {
    if (!isOfNodes(task.kind)) await this.#hosts.cancelTask(task, context);
  }

  async close(): Promise<void> {
    await Promise.all([this.#nodes.close(), this.#hosts.close()]);
  }

  async #reasonOf(host: string, context: CallContext): Promise<string | undefined> {
    return (await this.#hosts.inspect(host, context)).host.cordonReason;
  }
}

const isOfNodes = (kind: PlatformTask['kind']): kind is 'cordon' | 'uncordon' =>
  kind === 'cordon' || kind === 'uncordon';

/** The task of an uncordon has behind its id the mark that goes when it is done: `3f1c… haulout session=… host=…`. */
function parseId(id: string): { node: string; mark: Mark | undefined } {
  const [node = id] = id.split(' ', 1);
  return { node, mark: parseMark(id.slice(node.length + 1)) };
}
