/**
 * An application controller of the tests: it answers maintenance requests with its locks, by the rules of the API and by
 * a few knobs. It shares nothing with the product but the library that it talks to Kubernetes with.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  PatchStrategy,
  setHeaderOptions,
} from '@kubernetes/client-node';
import { KUBECONFIG } from './bed.ts';

const API = { group: 'lcm.mirantis.com', version: 'v1alpha1' };
const LOOK_EVERY_MS = 150;

interface Custom {
  metadata: { name: string };
  spec: { nodeName?: string };
  status?: { state: string };
}

interface Aim {
  plural: 'nodeworkloadlocks' | 'clusterworkloadlocks';
  name: string;
  state: 'active' | 'inactive';
}

export class Controller {
  readonly name: string;
  /** From a request to the lock that is released, and from its end to the lock that is taken again. */
  delayMs: number;
  /** What it fails with instead of releasing the lock of a node. */
  failure: string | undefined;
  readonly #custom: CustomObjectsApi;
  readonly #core: CoreV1Api;
  /** By name of the lock: since when it is to be otherwise. */
  readonly #since = new Map<string, number>();
  #abort = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(name: string, delayMs: number) {
    this.name = name;
    this.delayMs = delayMs;
    const config = new KubeConfig();
    config.loadFromFile(KUBECONFIG);
    this.#custom = config.makeApiClient(CustomObjectsApi);
    this.#core = config.makeApiClient(CoreV1Api);
  }

  start(): void {
    this.#abort = new AbortController();
    this.#running = this.#run(this.#abort.signal);
  }

  /** It forgets everything but what is in the objects. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    this.#since.clear();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // The API server may be away for a while.
      await this.#look().catch(() => undefined);
      await sleep(LOOK_EVERY_MS);
    }
  }

  async #look(): Promise<void> {
    const [nodes, windows, requests, clusterLocks, nodeLocks] = await Promise.all([
      this.#core.listNode(),
      this.#list('clustermaintenancerequests'),
      this.#list('nodemaintenancerequests'),
      this.#list('clusterworkloadlocks'),
      this.#list('nodeworkloadlocks'),
    ]);
    const asked = new Set(requests.map(({ spec }) => spec.nodeName));
    const known = new Map([...clusterLocks, ...nodeLocks].map((lock) => [lock.metadata.name, lock]));
    await this.#aim(known, windows.length > 0, {
      plural: 'clusterworkloadlocks',
      name: this.name,
      state: windows.length > 0 ? 'inactive' : 'active',
    });
    for (const { metadata } of nodes.items) {
      const node = metadata?.name ?? '';
      const name = `${this.name}-${node}`;
      const state = asked.has(node) ? 'inactive' : 'active';
      await this.#aim(known, asked.has(node), { plural: 'nodeworkloadlocks', name, state }, node);
    }
  }

  async #aim(known: Map<string, Custom>, isAsked: boolean, aim: Aim, node?: string): Promise<void> {
    const lock = known.get(aim.name);
    if (!lock) {
      await this.#create(aim, node);
      return;
    }
    const fails = isAsked && node !== undefined && this.failure !== undefined;
    const state = fails ? 'failed' : aim.state;
    if (lock.status?.state === state) {
      this.#since.delete(aim.name);
      return;
    }
    const since = this.#since.get(aim.name) ?? Date.now();
    this.#since.set(aim.name, since);
    const share = this.delayMs === 0 ? 1 : (Date.now() - since) / this.delayMs;
    if (lock.status !== undefined && share < 1) {
      const inactivationProgress = { percentage: Math.floor(share * 100), description: 'moves its workload' };
      if (aim.state === 'inactive')
        await this.#report(aim, { state: lock.status.state, inactivationProgress });
      return;
    }
    await this.#report(aim, {
      state,
      errorMessage: fails ? (this.failure ?? '') : null,
      inactivationProgress: null,
    });
  }

  async #create({ plural, name }: Aim, nodeName: string | undefined): Promise<void> {
    const spec = { controllerName: this.name, ...(nodeName === undefined ? {} : { nodeName }) };
    const body = { apiVersion: `${API.group}/${API.version}`, kind: KINDS[plural], metadata: { name }, spec };
    await this.#custom.createClusterCustomObject({ ...API, plural, body });
    await this.#report({ plural, name }, { state: 'active' });
  }

  async #report({ plural, name }: Omit<Aim, 'state'>, status: object): Promise<void> {
    await this.#custom.patchClusterCustomObjectStatus(
      { ...API, plural, name, body: { status } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
  }

  async #list(plural: string): Promise<Custom[]> {
    const { items } = (await this.#custom.listClusterCustomObject({ ...API, plural })) as { items: Custom[] };
    return items;
  }
}

const KINDS: Readonly<Record<Aim['plural'], string>> = {
  clusterworkloadlocks: 'ClusterWorkloadLock',
  nodeworkloadlocks: 'NodeWorkloadLock',
};
