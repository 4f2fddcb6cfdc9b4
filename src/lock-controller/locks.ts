/** The locks of one controller, as Kubernetes keeps them. Nothing of another controller's is ever written. */
import { MaintenanceError } from '../core/errors.ts';
import type { CallContext, KubernetesClient } from '../kubernetes/client.ts';
import { isTaken } from '../kubernetes/failure.ts';
import {
  CLUSTER_LOCKS,
  NODE_LOCKS,
  type ClusterWorkloadLock,
  type NodeWorkloadLock,
} from '../kubernetes/lcm.ts';
import type { KubernetesObject, Resource } from '../kubernetes/resource.ts';
import { says, statusPatch, type LockStatus } from './status.ts';

/** Annotation of a lock: the session that has, or had, the host of its node out. */
const SESSION_ANNOTATION = 'haulout.io/session';

/** The session that the lock remembers. */
export const sessionIn = ({ metadata }: NodeWorkloadLock): string | undefined =>
  metadata.annotations[SESSION_ANNOTATION];

type Lock = ClusterWorkloadLock | NodeWorkloadLock;

export interface LockOwner {
  controllerName: string;
  release?: string | undefined;
}

export class Locks {
  readonly #client: KubernetesClient;
  readonly #owner: LockOwner;
  readonly #context: CallContext;

  constructor(client: KubernetesClient, owner: LockOwner, context: CallContext) {
    this.#client = client;
    this.#owner = owner;
    this.#context = context;
  }

  /** Name of the lock of a node; that of the cluster has the name of the controller. */
  nameFor(node: string): string {
    return `${this.#owner.controllerName}-${node}`;
  }

  /** The node whose lock has this name, whatever somebody has written into it. */
  nodeOf({ metadata }: NodeWorkloadLock): string {
    return metadata.name.slice(this.nameFor('').length);
  }

  /** Whether a lock of this name is this controller's, and not one that happens to be called so. */
  isOwn({ spec }: Lock): boolean {
    return spec.controllerName === this.#owner.controllerName;
  }

  async createForNode(node: string): Promise<void> {
    const spec = { controllerName: this.#owner.controllerName, nodeName: node };
    await this.#create(NODE_LOCKS, this.nameFor(node), spec);
  }

  async createForCluster(): Promise<void> {
    const { controllerName } = this.#owner;
    await this.#create(CLUSTER_LOCKS, controllerName, { controllerName });
  }

  /** The lock of a node as it is now, if there is one of this controller's. */
  async findForNode(node: string): Promise<NodeWorkloadLock | undefined> {
    try {
      const found = await this.#client.read(NODE_LOCKS, { name: this.nameFor(node) }, this.#context);
      return this.isOwn(found) ? found : undefined;
    } catch (error) {
      if (error instanceof MaintenanceError && error.code === 'NotFound') return undefined;
      throw error;
    }
  }

  /** Deletes the lock as it was read. */
  remove(lock: NodeWorkloadLock): Promise<void> {
    return this.#client.remove(NODE_LOCKS, lock, this.#context);
  }

  /** Has the lock stand for this node again. */
  async readdress({ metadata }: NodeWorkloadLock, nodeName: string): Promise<void> {
    const { name, resourceVersion } = metadata;
    const body = { metadata: { resourceVersion }, spec: { nodeName } };
    await this.#client.patch(NODE_LOCKS, { name }, body, this.#context);
  }

  /** Writes a session into the lock, or takes it out; resolves to the lock as it is then. */
  remember({ metadata }: NodeWorkloadLock, session: string | undefined): Promise<NodeWorkloadLock> {
    const { name, resourceVersion } = metadata;
    const annotations = { [SESSION_ANNOTATION]: session ?? null };
    return this.#client.patch(
      NODE_LOCKS,
      { name },
      { metadata: { resourceVersion, annotations } },
      this.#context,
    );
  }

  sayOfNode(lock: NodeWorkloadLock, status: LockStatus): Promise<void> {
    return this.#say(NODE_LOCKS, lock, status);
  }

  sayOfCluster(lock: ClusterWorkloadLock, status: LockStatus): Promise<void> {
    return this.#say(CLUSTER_LOCKS, lock, status);
  }

  /** Only over what was read: a status that was decided from something older is refused as a conflict. */
  async #say<L extends Lock>(resource: Resource<L>, lock: L, status: LockStatus): Promise<void> {
    const patch = statusPatch(status, this.#owner.release);
    if (says(lock.status, patch)) return;
    const { name, resourceVersion } = lock.metadata;
    const body = { metadata: { resourceVersion }, status: patch };
    await this.#client.patch(resource, { name }, body, this.#context, 'status');
  }

  /** One that another replica has just made is as good; one of this name that is somebody else's is in the way. */
  async #create<L extends Lock & KubernetesObject>(
    resource: Resource<L>,
    name: string,
    spec: L['spec'],
  ): Promise<void> {
    try {
      await this.#client.create(resource, { metadata: { name }, spec }, this.#context);
    } catch (error) {
      if (!isTaken(error)) throw error;
      const found = await this.#client.read(resource, { name }, this.#context);
      if (!this.isOwn(found)) {
        const owner = found.spec.controllerName;
        throw new Error(`${resource.kind} ${name} belongs to controller ${owner}`, { cause: error });
      }
    }
  }
}
