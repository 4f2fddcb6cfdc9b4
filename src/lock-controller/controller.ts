/**
 * An application controller of MOSK's node maintenance: keeps one lock for the cluster and one for each node, and lets go of
 * a node when a session has emptied its host. It keeps nothing itself: what there is to do follows from the objects and
 * from Temporal, so any number of replicas may run, and each may be started again at any time.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { NODES, type KubeNode } from '../kubernetes/core.ts';
import { isConflict } from '../kubernetes/failure.ts';
import {
  CLUSTER_LOCKS,
  CLUSTER_REQUESTS,
  isSameNode,
  NODE_LOCKS,
  NODE_REQUESTS,
  type ClusterMaintenanceRequest,
  type ClusterWorkloadLock,
  type NodeMaintenanceRequest,
  type NodeWorkloadLock,
} from '../kubernetes/lcm.ts';
import type { KubernetesObject, Resource } from '../kubernetes/resource.ts';
import type { Logger } from '../log.ts';
import { Followers } from './followers.ts';
import { Locks } from './locks.ts';
import { Mirror } from '../kubernetes/mirror.ts';
import { nodeSelection, servedNode, type ServedNode } from './nodes.ts';
import { wordsOf, type LockSessions } from './sessions.ts';
import { NodeSettler } from './settle-node.ts';
import { settleCluster } from './settle-cluster.ts';
import type { LockControllerSettings } from './settings.ts';
import { WorkQueue } from './work-queue.ts';

/** Locks that are looked at at one time; most of it is waiting for answers. */
const LANES = 16;

/** So often everything is looked at again, whether anything was heard of it or not. */
const RESYNC_MS = 60_000;

/** What happens in a session comes in bursts. */
const NEWS_PAUSE_MS = 50;

/** Somebody else has written at the same time; the object as it is now comes by the watch. */
const CONFLICT_PAUSE_MS = 200;

/** The lock of the cluster in the queue; no node is called so. */
const CLUSTER = '';

export interface ControllerParts {
  client: KubernetesClient;
  sessions: LockSessions;
  settings: LockControllerSettings;
  log: Logger;
}

export class LockController {
  readonly #client: KubernetesClient;
  readonly #sessions: LockSessions;
  readonly #settings: LockControllerSettings;
  readonly #log: Logger;
  readonly #end = new AbortController();

  readonly #locks: Locks;
  readonly #settler: NodeSettler;
  readonly #queue: WorkQueue;
  readonly #followers: Followers;

  readonly #nodes: Mirror<KubeNode, ServedNode>;
  readonly #nodeLocks: Mirror<NodeWorkloadLock, NodeWorkloadLock>;
  readonly #clusterLocks: Mirror<ClusterWorkloadLock, ClusterWorkloadLock>;
  readonly #nodeRequests: Mirror<NodeMaintenanceRequest, NodeMaintenanceRequest>;
  readonly #clusterRequests: Mirror<ClusterMaintenanceRequest, ClusterMaintenanceRequest>;
  /** Sessions that were open when they were last seen, by node. */
  readonly #open = new Map<string, string>();
  /** Before, a request that is not listed yet would look like one that is gone. */
  #knowsAll = false;

  constructor({ client, sessions, settings, log }: ControllerParts) {
    this.#client = client;
    this.#sessions = sessions;
    this.#settings = settings;
    this.#log = log;
    const { signal } = this.#end;
    // Every call that is under way listens to it.
    setMaxListeners(0, signal);
    this.#locks = new Locks(client, settings, { signal });
    this.#queue = new WorkQueue({
      work: (key) => this.#settle(key),
      lanes: LANES,
      failed: (key, error) => log.warn({ key, error: String(error) }, 'not settled; tried again'),
    });
    this.#followers = new Followers(
      (...args) => sessions.follow(...args),
      (node) => this.#queue.addAfter(node, NEWS_PAUSE_MS),
    );

    const own = <L extends ClusterWorkloadLock>(lock: L): L | undefined =>
      this.#locks.isOwn(lock) ? lock : undefined;
    const itself = <T>(object: T): T => object;
    const addCluster = (): void => this.#add(CLUSTER);
    this.#nodes = this.#mirror(
      NODES,
      ({ metadata }) => servedNode(metadata, settings.nodes),
      ({ name }) => this.#add(name),
      nodeSelection(settings.nodes),
    );
    this.#nodeLocks = this.#mirror(NODE_LOCKS, own, (lock) => this.#add(this.#locks.nodeOf(lock)));
    this.#nodeRequests = this.#mirror(NODE_REQUESTS, itself, ({ spec }) =>
      this.#addNodes((node) => isSameNode(node, spec.nodeName)),
    );
    this.#clusterLocks = this.#mirror(CLUSTER_LOCKS, own, addCluster);
    this.#clusterRequests = this.#mirror(CLUSTER_REQUESTS, itself, addCluster);

    this.#settler = new NodeSettler({
      client,
      locks: this.#locks,
      sessions,
      followers: this.#followers,
      known: {
        node: (name) => this.#nodes.get(name),
        lock: (node) => this.#nodeLocks.get(this.#locks.nameFor(node)),
        requests: () => this.#nodeRequests.all(),
        open: this.#open,
      },
      release: settings.release,
      log,
      signal,
    });
  }

  /** Runs until `stop`; calls `ready` with the number of its nodes when it knows all objects. */
  async run(ready: (nodes: number) => void): Promise<void> {
    const { signal } = this.#end;
    const kinds = [
      this.#nodes,
      this.#nodeLocks,
      this.#clusterLocks,
      this.#nodeRequests,
      this.#clusterRequests,
    ];
    const running = Promise.all(kinds.map((kind) => kind.run(this.#client, { signal })));
    await Promise.race([running, Promise.all(kinds.map((kind) => kind.listed()))]);
    this.#knowsAll = true;
    if (!signal.aborted) ready([...this.#nodes.all()].length);
    await Promise.all([running, this.#resync()]);
    this.#followers.close();
    await this.#queue.close();
  }

  stop(): void {
    this.#end.abort();
  }

  async #settle(key: string): Promise<void> {
    const again = await this.#settleNow(key).catch((error: unknown) => {
      if (isConflict(error)) return CONFLICT_PAUSE_MS;
      throw error;
    });
    if (again !== undefined) this.#queue.addAfter(key, again);
  }

  #settleNow(key: string): Promise<number | undefined> {
    if (key !== CLUSTER) return this.#settler.settle(key);
    const { controllerName, release } = this.#settings;
    const parts = { locks: this.#locks, sessions: this.#sessions, release };
    return settleCluster(parts, this.#clusterLocks.get(controllerName), this.#clusterRequests.all());
  }

  /** Looks at everything, and again now and then, until it is stopped. */
  async #resync(): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      await this.#findOpen();
      this.#add(CLUSTER);
      this.#addNodes(() => true);
      await sleep(RESYNC_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #findOpen(): Promise<void> {
    try {
      const open = await this.#sessions.listOpen();
      this.#open.clear();
      for (const { node, session } of open) this.#open.set(node, session);
    } catch (error) {
      this.#log.warn({ error: wordsOf(error) }, 'open sessions cannot be listed');
    }
  }

  #add(key: string): void {
    if (this.#knowsAll) this.#queue.add(key);
  }

  /** Of the nodes that are served, or have a lock or a session. */
  #addNodes(which: (node: string) => boolean): void {
    const nodes = new Set([
      ...Array.from(this.#nodes.all(), ({ name }) => name),
      ...Array.from(this.#nodeLocks.all(), (lock) => this.#locks.nodeOf(lock)),
      ...this.#open.keys(),
    ]);
    for (const node of nodes) if (which(node)) this.#add(node);
  }

  #mirror<T extends KubernetesObject, Kept>(
    resource: Resource<T>,
    keep: (object: T) => Kept | undefined,
    changed: (object: Kept) => void,
    selection: { labelSelector?: string } = {},
  ): Mirror<T, Kept> {
    return new Mirror({
      resource,
      selection,
      keep,
      changed,
      failed: (error) =>
        this.#log.warn({ kind: resource.kind, error: String(error) }, 'not watched; tried again'),
    });
  }
}
