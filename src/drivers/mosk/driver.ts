/** The driver for MOSK: nodes of its Kubernetes cluster, taken out by maintenance requests that its controllers answer. */
import { durationMs } from '../../core/duration.ts';
import { MaintenanceError } from '../../core/errors.ts';
import type { Host, Instance, Inventory } from '../../core/inventory.ts';
import { parseMark, type Mark, type SessionMark } from '../../core/mark.ts';
import type { MaintenanceRequest } from '../../core/platform-options.ts';
import { KubernetesClient } from '../../kubernetes/client.ts';
import { NODES, PODS, type Pod } from '../../kubernetes/core.ts';
import { findCluster } from '../../kubernetes/kubeconfig.ts';
import { NODE_REQUESTS } from '../../kubernetes/lcm.ts';
import type {
  CallContext,
  Capabilities,
  Driver,
  HostCheck,
  PlatformTask,
  TaskKind,
  TaskStatus,
} from '../driver.ts';
import { unlessGone } from '../gone.ts';
import type { PlatformDefinition } from '../platform.ts';
import { seeNode, toHost, type SeenNode } from './inventory.ts';
import { Maintenance } from './maintenance.ts';
import { NodeLocks } from './node-locks.ts';
import { abilityOf, hasToLeave, obstacleOf, podName, toInstance } from './pods.ts';
import { describeForeign, podsPolicy } from './request.ts';
import { configSchema } from './settings.ts';
import { Window } from './window.ts';

/** Longest wait for a change within one look at a task; who cancels waits as long. */
const LOOK_MS = 3_000;

export const mosk: PlatformDefinition<typeof configSchema> = {
  configSchema,
  create: ({ timeout, ...cluster }) =>
    new MoskDriver(new KubernetesClient(findCluster(cluster), { timeoutMs: durationMs(timeout) })),
};

const CAPABILITIES: Capabilities = {
  drains: ['platform'],
  options: ['mosk'],
  liveMove: false,
  coldMove: false,
  abortMove: false,
  chooseTarget: false,
  stopStart: false,
  maintenanceMode: true,
  // Nothing is copied: a pod starts anew elsewhere, within seconds.
  moveMbPerSecond: 1_000,
  shortestPollMs: 200,
  limits: [
    {
      label: 'role',
      value: 'control-plane',
      maxHosts: 1,
      why: 'the control plane needs a majority of its nodes',
    },
    {
      label: 'role',
      value: 'gateway',
      maxHosts: 1,
      why: 'networks of tenants fail over from gateway to gateway',
    },
    { label: 'zone', maxGroups: 1, why: 'applications spread their replicas over availability zones' },
  ],
};

class MoskDriver implements Driver {
  readonly platform = 'mosk';
  readonly capabilities = CAPABILITIES;
  readonly #client: KubernetesClient;
  readonly #locks: NodeLocks;
  readonly #window: Window;
  readonly #maintenance: Maintenance;

  constructor(client: KubernetesClient) {
    this.#client = client;
    this.#locks = new NodeLocks(client);
    this.#window = new Window(client, LOOK_MS);
    this.#maintenance = new Maintenance({
      client,
      locks: this.#locks,
      look: (host, context) => this.#look(host, context),
      lookMs: LOOK_MS,
    });
  }

  async inventory(context: CallContext): Promise<Inventory> {
    const [nodes, requests, pods] = await Promise.all([
      this.#client.list(NODES, {}, context),
      this.#client.list(NODE_REQUESTS, {}, context),
      this.#client.list(PODS, {}, context),
    ]);
    const known = new Set(nodes.items.map(({ metadata }) => metadata.name));
    // A pod outlives its node for a while.
    const instances = instancesOf(pods.items).filter(({ host }) => known.has(host));
    const busy = new Set(instances.map(({ host }) => host));
    return {
      hosts: nodes.items.map((node) => toHost(seeNode(node, requests.items), !busy.has(node.metadata.name))),
      instances,
      groups: [],
    };
  }

  async inspect(host: string, context: CallContext): Promise<{ host: Host; instances: Instance[] }> {
    const [seen, pods] = await Promise.all([this.#look(host, context), this.#podsOn(host, context)]);
    const instances = instancesOf(pods);
    return { host: toHost(seen, instances.length === 0), instances };
  }

  async locate(instance: string, context: CallContext): Promise<Instance | undefined> {
    const pod = await unlessGone(this.#client.read(PODS, podName(instance), context));
    return pod && toInstance(pod);
  }

  async precheck(name: string, { options }: MaintenanceRequest, context: CallContext): Promise<HostCheck> {
    const [seen, pods] = await Promise.all([this.#look(name, context), this.#podsOn(name, context)]);
    const policy = options.mosk?.pods ?? podsPolicy.parse({});
    const host = toHost(seen, !pods.some(hasToLeave));
    const { cordonReason } = host;
    const isForeign = cordonReason !== undefined && parseMark(cordonReason) === undefined;
    return {
      host,
      instances: pods.flatMap((pod) => {
        const instance = toInstance(pod);
        return instance ? [abilityOf(instance, obstacleOf(pod, policy))] : [];
      }),
      blockers: [
        ...seen.foreign.map(
          (request) =>
            `NodeMaintenanceRequest ${request.metadata.name} stands for ${name} already: ${describeForeign(request)}`,
        ),
        ...(host.standing === 'down' ? [`node ${name} is not Ready`] : []),
      ],
      warnings: isForeign ? [`${name} is cordoned by somebody else: ${cordonReason}`] : [],
    };
  }

  async cordon(
    host: string,
    mark: Mark,
    request: MaintenanceRequest,
    context: CallContext,
  ): Promise<undefined> {
    await this.#maintenance.request(host, mark, request, context);
  }

  uncordon(host: string, mark: Mark, context: CallContext): Promise<PlatformTask | undefined> {
    return this.#maintenance.release(host, mark, context);
  }

  move = (): Promise<PlatformTask> => refuse('moved');
  stop = (): Promise<PlatformTask> => refuse('stopped');
  start = (): Promise<PlatformTask> => refuse('started');

  openWindow(window: SessionMark, request: MaintenanceRequest, context: CallContext): Promise<PlatformTask> {
    return this.#window.open(window, request, context);
  }

  closeWindow(window: SessionMark, context: CallContext): Promise<PlatformTask | undefined> {
    return this.#window.close(window, context);
  }

  openWindows(context: CallContext): Promise<SessionMark[]> {
    return this.#window.marks(context);
  }

  enter(
    host: string,
    mark: Mark,
    request: MaintenanceRequest,
    context: CallContext,
  ): Promise<PlatformTask | undefined> {
    return this.#maintenance.enter(host, mark, request, context);
  }

  exit(host: string, mark: Mark, context: CallContext): Promise<PlatformTask | undefined> {
    return this.#maintenance.exit(host, mark, context);
  }

  async findTask(kind: TaskKind, subject: string, context: CallContext): Promise<PlatformTask | undefined> {
    if (kind === 'enter' || kind === 'exit' || kind === 'uncordon') {
      return this.#maintenance.find(kind, subject, context);
    }
    return undefined;
  }

  async pollTask(task: PlatformTask, context: CallContext): Promise<TaskStatus> {
    switch (task.kind) {
      case 'open':
      case 'close':
        return this.#window.poll(task, context);
      case 'enter':
      case 'exit':
      case 'uncordon':
        return this.#maintenance.poll(task, context);
      default:
        return { state: 'vanished' };
    }
  }

  cancelTask(task: PlatformTask, context: CallContext): Promise<void> {
    return this.#maintenance.cancel(task, context);
  }

  async close(): Promise<void> {
    this.#locks.close();
    await this.#client.close();
  }

  async #look(name: string, context: CallContext): Promise<SeenNode> {
    const [node, requests] = await Promise.all([
      unlessGone(this.#client.read(NODES, { name }, context)),
      this.#client.list(NODE_REQUESTS, {}, context),
    ]);
    if (!node) throw new MaintenanceError('UnknownHost', `the cluster has no node ${name}`);
    return seeNode(node, requests.items);
  }

  async #podsOn(node: string, context: CallContext): Promise<Pod[]> {
    const fieldSelector = `spec.nodeName=${node}`;
    return (await this.#client.list(PODS, { fieldSelector }, context)).items;
  }
}

const instancesOf = (pods: readonly Pod[]): Instance[] =>
  pods.map(toInstance).filter((instance) => instance !== undefined);

const refuse = (done: string): Promise<never> =>
  Promise.reject(
    new MaintenanceError('Unsupported', `a pod cannot be ${done}: it is evicted, and made anew`),
  );
