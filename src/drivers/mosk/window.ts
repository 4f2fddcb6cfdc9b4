/** The window of a session: one ClusterMaintenanceRequest, under which every controller has released its cluster lock. */
import { MaintenanceError } from '../../core/errors.ts';
import { formatSessionMark, parseMark, type SessionMark } from '../../core/mark.ts';
import type { MaintenanceRequest } from '../../core/platform-options.ts';
import type { KubernetesClient } from '../../kubernetes/client.ts';
import { NODES } from '../../kubernetes/core.ts';
import { isTaken } from '../../kubernetes/failure.ts';
import {
  CLUSTER_LOCKS,
  CLUSTER_REQUESTS,
  NODE_REQUESTS,
  type ClusterMaintenanceRequest,
  type ClusterWorkloadLock,
} from '../../kubernetes/lcm.ts';
import type { CallContext, PlatformTask, TaskStatus } from '../driver.ts';
import { unlessGone } from '../gone.ts';
import { describeWait, failureOf, notYet } from './locks.ts';
import {
  clusterRequestName,
  describeForeign,
  describeHeld,
  markTextOf,
  newClusterRequest,
  windowOf,
} from './request.ts';

export class Window {
  readonly #client: KubernetesClient;
  /** Longest wait within one look at a task, in milliseconds. */
  readonly #lookMs: number;

  constructor(client: KubernetesClient, lookMs: number) {
    this.#client = client;
    this.#lookMs = lookMs;
  }

  /** Throws HostBusy when another request stands: whoever made it has the cluster. */
  async open(
    mark: SessionMark,
    { options }: MaintenanceRequest,
    context: CallContext,
  ): Promise<PlatformTask> {
    const before = await this.#requests(context);
    refuseOthers(before, mark);
    if (before.length === 0) await this.#create(mark, options.mosk, context);
    return taskOf('open', mark);
  }

  /** Undefined when there is nothing to close, and no controller is on its way back. */
  async close(mark: SessionMark, context: CallContext): Promise<PlatformTask | undefined> {
    await this.#removeOrphans(mark, context);
    const requests = await this.#requests(context);
    const own = requests.find((request) => isOf(request, mark));
    if (own) {
      await unlessGone(this.#client.remove(CLUSTER_REQUESTS, own, context));
      return taskOf('close', mark);
    }
    if (requests.length > 0) return undefined;
    const { items } = await this.#client.list(CLUSTER_LOCKS, {}, context);
    return notYet(items, 'active').length > 0 ? taskOf('close', mark) : undefined;
  }

  async marks(context: CallContext): Promise<SessionMark[]> {
    const requests = await this.#requests(context);
    return requests.map(windowOf).filter((mark) => mark !== undefined);
  }

  async poll({ kind, subject }: PlatformTask, context: CallContext): Promise<TaskStatus> {
    return kind === 'open'
      ? this.#pollOpen({ session: subject }, context)
      : this.#pollClose(subject, context);
  }

  async #pollOpen(mark: SessionMark, context: CallContext): Promise<TaskStatus> {
    const name = clusterRequestName(mark);
    const own = await unlessGone(this.#client.read(CLUSTER_REQUESTS, { name }, context));
    if (!own || own.metadata.deletionTimestamp !== undefined) return { state: 'vanished' };
    const locks = await this.#whenSettled('inactive', context);
    const error = failureOf(locks, 'PlatformRefused');
    if (error) return { state: 'failed', error };
    return statusOf('inactive', notYet(locks, 'inactive'));
  }

  async #pollClose(session: string, context: CallContext): Promise<TaskStatus> {
    const { items, resourceVersion } = await this.#client.list(CLUSTER_REQUESTS, {}, context);
    const own = items.find((request) => isOf(request, { session }));
    if (own) {
      await this.#client.untilChanged(CLUSTER_REQUESTS, { resourceVersion }, this.#lookMs, context);
      return { state: 'running', waited: true, waitsFor: describeHeld(own) };
    }
    // Whoever has opened the next window has its locks.
    if (items.length > 0) return { state: 'done' };
    return statusOf('active', notYet(await this.#whenSettled('active', context), 'active'));
  }

  /** The locks of the cluster: at once when there is nothing to wait for, else when one of them has changed. */
  async #whenSettled(state: 'active' | 'inactive', context: CallContext): Promise<ClusterWorkloadLock[]> {
    const { items, resourceVersion } = await this.#client.list(CLUSTER_LOCKS, {}, context);
    const hasFailed = state === 'inactive' && items.some(({ status }) => status?.state === 'failed');
    if (hasFailed || notYet(items, state).length === 0) return items;
    await this.#client.untilChanged(CLUSTER_LOCKS, { resourceVersion }, this.#lookMs, context);
    return (await this.#client.list(CLUSTER_LOCKS, {}, context)).items;
  }

  async #create(
    mark: SessionMark,
    options: MaintenanceRequest['options']['mosk'],
    context: CallContext,
  ): Promise<void> {
    try {
      await this.#client.create(CLUSTER_REQUESTS, newClusterRequest(mark, options), context);
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
    // Somebody may have asked in the same moment. Both then give way: who was first cannot be told.
    const requests = await this.#requests(context);
    const own = requests.find((request) => isOf(request, mark));
    if (own && requests.length > 1) await unlessGone(this.#client.remove(CLUSTER_REQUESTS, own, context));
    refuseOthers(requests, mark);
  }

  /** Nodes that were taken from the cluster in their maintenance leave requests that nobody else takes back. */
  async #removeOrphans({ session }: SessionMark, context: CallContext): Promise<void> {
    const { items } = await this.#client.list(NODE_REQUESTS, {}, context);
    for (const request of items) {
      if (parseMark(markTextOf(request))?.session !== session) continue;
      const { nodeName: name } = request.spec;
      const node = await unlessGone(this.#client.read(NODES, { name }, context));
      if (!node) await unlessGone(this.#client.remove(NODE_REQUESTS, request, context));
    }
  }

  async #requests(context: CallContext): Promise<ClusterMaintenanceRequest[]> {
    return (await this.#client.list(CLUSTER_REQUESTS, {}, context)).items;
  }
}

function refuseOthers(requests: readonly ClusterMaintenanceRequest[], mark: SessionMark): void {
  const other = requests.find((request) => !isOf(request, mark));
  if (!other) {
    if (!requests.some(({ metadata }) => metadata.deletionTimestamp !== undefined)) return;
    throw new MaintenanceError('PlatformBusy', 'the window that the session had before is not closed yet');
  }
  const { name } = other.metadata;
  const whose = windowOf(other)?.session;
  const words = whose === undefined ? describeForeign(other) : `session ${whose}`;
  throw new MaintenanceError(
    'HostBusy',
    `ClusterMaintenanceRequest ${name} stands already (${words}): the cluster has one maintenance at a time`,
  );
}

const isOf = (request: ClusterMaintenanceRequest, mark: SessionMark): boolean => {
  const own = windowOf(request);
  return own !== undefined && formatSessionMark(own) === formatSessionMark(mark);
};

const statusOf = (state: 'active' | 'inactive', pending: readonly ClusterWorkloadLock[]): TaskStatus =>
  pending.length === 0
    ? { state: 'done' }
    : { state: 'running', waited: true, waitsFor: describeWait('the cluster', state, pending) };

const taskOf = (kind: 'open' | 'close', { session }: SessionMark): PlatformTask => ({
  id: kind,
  kind,
  subject: session,
});
