/**
 * The maintenance of one node, from its request to its return. How far it is stands in the annotations of the request, so
 * that whoever looks next goes on with it, whatever became of who began.
 */
import { MaintenanceError } from '../../core/errors.ts';
import { listed } from '../../core/listed.ts';
import { formatMark, type Mark } from '../../core/mark.ts';
import type { MaintenanceRequest } from '../../core/platform-options.ts';
import type { KubernetesClient } from '../../kubernetes/client.ts';
import { isReady, NODES, PODS, type KubeNode, type Pod } from '../../kubernetes/core.ts';
import { isConflict, isTaken } from '../../kubernetes/failure.ts';
import { CLUSTER_LOCKS, NODE_REQUESTS, type NodeMaintenanceRequest } from '../../kubernetes/lcm.ts';
import type { CallContext, PlatformTask, TaskKind, TaskStatus } from '../driver.ts';
import { unlessGone } from '../gone.ts';
import { evictAll, type HeldPod } from './eviction.ts';
import type { SeenNode } from './inventory.ts';
import { describeWait, failureOf, notYet } from './locks.ts';
import type { NodeLocks } from './node-locks.ts';
import { hasToLeave, isLeaving, obstacleOf, overdueReason, podId } from './pods.ts';
import {
  cordonedAt,
  describeForeign,
  describeHeld,
  hasCordoned,
  markTextOf,
  newNodeRequest,
  nodeRequestName,
  phaseOf,
  policyOf,
  toCordoned,
  toDrain,
  toLocks,
  toMarked,
  toPhase,
  toReturning,
  toUnmarked,
} from './request.ts';

/** Pods that a budget holds are tried again after so long, or when a pod of the node has changed. */
const HELD_MS = 5_000;
const NAMES_SHOWN = 5;
/** A scheduler that has not heard yet of a cordon puts pods on the node, so it is looked at until it has been for so long. */
const SETTLE_MS = 3_000;

export interface MaintenanceParts {
  client: KubernetesClient;
  locks: NodeLocks;
  /** Throws UnknownHost. */
  look: (host: string, context: CallContext) => Promise<SeenNode>;
  /** Longest wait within one look at a task, in milliseconds. */
  lookMs: number;
}

export class Maintenance {
  readonly #parts: MaintenanceParts;

  constructor(parts: MaintenanceParts) {
    this.#parts = parts;
  }

  /** Asks for the node. What stands already, whoever's it is, is left as it is. */
  async request(host: string, mark: Mark, request: MaintenanceRequest, context: CallContext): Promise<void> {
    const { node, own, foreign } = await this.#parts.look(host, context);
    if (own?.metadata.deletionTimestamp !== undefined && markTextOf(own) === formatMark(mark)) {
      throw new MaintenanceError('PlatformBusy', `${host} is not back yet from its maintenance before`);
    }
    const isFree = !own && foreign.length === 0 && markTextOf(node) === undefined && !node.spec.unschedulable;
    if (isFree) await this.#create(node, mark, request, context);
  }

  /** Undefined when the node is out already. One that somebody else has cordoned by hand has no request until now. */
  async enter(
    host: string,
    mark: Mark,
    request: MaintenanceRequest,
    context: CallContext,
  ): Promise<PlatformTask | undefined> {
    const { node, own, foreign } = await this.#parts.look(host, context);
    if (!own && foreign[0]) {
      throw new MaintenanceError(
        'EnterFailed',
        `${host} is asked for already: ${describeForeign(foreign[0])}`,
      );
    }
    if (!own) await this.#create(node, mark, request, context);
    const { name } = node.metadata;
    const { items } = await this.#parts.client.list(
      PODS,
      { fieldSelector: `spec.nodeName=${name}` },
      context,
    );
    const isOut = node.spec.unschedulable && !items.some(hasToLeave);
    const changed = await this.#change(
      name,
      (fresh) => {
        if (markTextOf(fresh) !== formatMark(mark)) throw notOurs(fresh);
        const phase = phaseOf(fresh);
        if (phase === undefined) return toLocks(request.options.mosk?.pods);
        return phase === 'out' && !isOut ? toPhase('drain') : undefined;
      },
      context,
    );
    return phaseOf(changed) === 'out' ? undefined : taskOf('enter', host);
  }

  /** Undefined when the node is not on its way out, nor out. */
  async exit(host: string, mark: Mark, context: CallContext): Promise<PlatformTask | undefined> {
    const { own } = await this.#parts.look(host, context);
    if (!own || markTextOf(own) !== formatMark(mark) || phaseOf(own) === undefined) return undefined;
    await this.#callBack(own.metadata.name, context);
    return taskOf('exit', host);
  }

  /** Undefined when neither the node nor a request for it carries this mark. */
  async release(host: string, mark: Mark, context: CallContext): Promise<PlatformTask | undefined> {
    const { node, own } = await this.#parts.look(host, context);
    const ours = formatMark(mark);
    if (own && markTextOf(own) === ours) {
      await this.#letGo(node, own, context);
      return taskOf('uncordon', host, ours);
    }
    return !own && markTextOf(node) === ours ? taskOf('uncordon', host, ours) : undefined;
  }

  async find(kind: TaskKind, host: string, context: CallContext): Promise<PlatformTask | undefined> {
    const { node, own } = await this.#parts.look(host, context);
    const phase = own && phaseOf(own);
    if (kind === 'enter') return phase === 'locks' || phase === 'drain' ? taskOf(kind, host) : undefined;
    if (kind === 'exit') return phase === 'back' ? taskOf(kind, host) : undefined;
    if (kind !== 'uncordon' || (own && own.metadata.deletionTimestamp === undefined)) return undefined;
    const mark = (own && markTextOf(own)) ?? markTextOf(node);
    return mark === undefined ? undefined : taskOf(kind, host, mark);
  }

  /** Looks where the node stands, and begins what comes next. */
  async poll(task: PlatformTask, context: CallContext): Promise<TaskStatus> {
    const seen = await this.#parts.look(task.subject, context);
    if (task.kind === 'uncordon') return this.#pollRelease(seen, task.id, context);
    const { node, own } = seen;
    if (!own) return { state: 'vanished' };
    const phase = phaseOf(own);
    if (task.kind === 'exit') {
      if (phase === 'back') await this.#giveBack(node, own, context);
      return phase === undefined || phase === 'back' ? { state: 'done' } : { state: 'vanished' };
    }
    switch (phase) {
      case 'locks':
        return this.#pollLocks(seen, context);
      case 'drain':
        return this.#pollDrain(node, own, context);
      case 'out':
        return { state: 'done' };
      case 'back':
        await this.#giveBack(node, own, context);
        return calledOff(task.subject);
      case undefined:
        return calledOff(task.subject);
    }
  }

  /** Only entering can be called off: the node takes pods again, and its request stands. */
  async cancel({ kind, subject }: PlatformTask, context: CallContext): Promise<void> {
    if (kind !== 'enter') return;
    const { own } = await this.#parts.look(subject, context);
    const phase = own && phaseOf(own);
    if (own && (phase === 'locks' || phase === 'drain')) await this.#callBack(own.metadata.name, context);
  }

  async #pollLocks({ node, own }: SeenNode, context: CallContext): Promise<TaskStatus> {
    const { name } = node.metadata;
    const waiting = await this.#untilLocksAre('inactive', name, context);
    if (waiting) return waiting;
    if (!own) return { state: 'vanished' };
    const decided = await this.#change(
      name,
      (fresh) =>
        phaseOf(fresh) === 'locks'
          ? toDrain(node.spec.unschedulable && cordonedAt(node) === undefined)
          : undefined,
      context,
    );
    return phaseOf(decided) === 'drain'
      ? this.#pollDrain(node, decided, context)
      : { state: 'running', detail: 'the maintenance is called off' };
  }

  async #pollDrain(node: KubeNode, own: NodeMaintenanceRequest, context: CallContext): Promise<TaskStatus> {
    const { client, lookMs } = this.#parts;
    const { name } = node.metadata;
    // A controller may have come, or have taken its lock back, since the first pod left.
    const waiting = await this.#untilLocksAre('inactive', name, context);
    if (waiting) return waiting;
    const now = new Date();
    if (!node.spec.unschedulable)
      await client.patch(NODES, { name }, toCordoned(markTextOf(own) ?? '', now), context);
    const selection = { fieldSelector: `spec.nodeName=${name}` };
    const { items, resourceVersion } = await client.list(PODS, selection, context);
    const left = items.filter(hasToLeave);
    const settleMs = settlingMs(node.spec.unschedulable ? cordonedAt(node) : now.getTime());
    if (left.length === 0 && settleMs > 0) {
      await client.untilChanged(PODS, { ...selection, resourceVersion }, Math.min(settleMs, lookMs), context);
      return { state: 'running', waited: true, detail: 'no pod is left: the cordon is settling' };
    }
    if (left.length === 0) {
      await this.#change(name, (fresh) => (phaseOf(fresh) === 'drain' ? toPhase('out') : undefined), context);
      return { state: 'done' };
    }
    const policy = policyOf(own);
    const blocked = left.flatMap((pod) => {
      const reason = obstacleOf(pod, policy);
      return reason === undefined ? [] : [`${podId(pod)}: ${reason}`];
    });
    if (blocked.length > 0) {
      const message = `not to be evicted from ${name}: ${listed(blocked, NAMES_SHOWN, '; ')}`;
      return { state: 'failed', error: new MaintenanceError('HostNotEmpty', message) };
    }
    const going = left.filter((pod) => !isLeaving(pod));
    const held = [...(await evictAll(client, going, policy, context)), ...overdue(left)];
    const patienceMs = held.length > 0 ? Math.min(HELD_MS, lookMs) : lookMs;
    await client.untilChanged(PODS, { ...selection, resourceVersion }, patienceMs, context);
    return { state: 'running', waited: true, ...describeDrain(name, left, held) };
  }

  async #pollRelease({ node, own }: SeenNode, ours: string, context: CallContext): Promise<TaskStatus> {
    const { client, lookMs } = this.#parts;
    const { name } = node.metadata;
    if (own) {
      // It was let go, and somebody else has asked for the node since.
      if (markTextOf(own) !== ours) return { state: 'done' };
      if (own.metadata.deletionTimestamp === undefined) await this.#letGo(node, own, context);
      const selection = { fieldSelector: `metadata.name=${own.metadata.name}` };
      const { items, resourceVersion } = await client.list(NODE_REQUESTS, selection, context);
      if (items.length > 0) {
        await client.untilChanged(NODE_REQUESTS, { ...selection, resourceVersion }, lookMs, context);
        return { state: 'running', waited: true, waitsFor: describeHeld(own) };
      }
    }
    // Somebody else has deleted its request.
    else if (markTextOf(node) === ours && cordonedAt(node) !== undefined)
      await client.patch(NODES, { name }, toReturning(ours), context);
    const waiting = await this.#untilLocksAre('active', name, context);
    if (waiting) return waiting;
    if (!isReady(node)) {
      const { resourceVersion } = node.metadata;
      const selection = { fieldSelector: `metadata.name=${name}`, resourceVersion };
      await client.untilChanged(NODES, selection, lookMs, context);
      return { state: 'running', waited: true, waitsFor: `node ${name} to be Ready` };
    }
    await client.change(
      NODES,
      { name },
      (fresh) => (markTextOf(fresh) === ours ? toUnmarked() : undefined),
      context,
    );
    return { state: 'done' };
  }

  /** Undefined when every lock of the node is so; else how the wait for that stands, after it has waited for a change. */
  async #untilLocksAre(
    state: 'active' | 'inactive',
    node: string,
    context: CallContext,
  ): Promise<TaskStatus | undefined> {
    const { locks, lookMs } = this.#parts;
    const before = await locks.look(node, state, context);
    if (before.pending.length === 0) return undefined;
    const failed = (pending: typeof before.pending): TaskStatus | undefined => {
      const error = state === 'inactive' ? failureOf(pending, 'EnterFailed') : undefined;
      return error && { state: 'failed', error };
    };
    const failure = failed(before.pending);
    if (failure) return failure;
    await before.changed(lookMs, context);
    const { pending } = await locks.look(node, state, context);
    if (pending.length === 0) return undefined;
    const waitsFor = describeWait(node, state, pending);
    return failed(pending) ?? { state: 'running', waited: true, waitsFor };
  }

  async #create(
    node: KubeNode,
    mark: Mark,
    request: MaintenanceRequest,
    context: CallContext,
  ): Promise<void> {
    await this.#expectWindow(context);
    try {
      const object = newNodeRequest(node.metadata.name, mark, request.options.mosk);
      await this.#parts.client.create(NODE_REQUESTS, object, context);
    } catch (error) {
      // Somebody was quicker; who it was is seen by whoever looks next.
      if (!isTaken(error)) throw error;
    }
  }

  /** A controller may have come, or have taken its lock back, since the window was opened. */
  async #expectWindow(context: CallContext): Promise<void> {
    const { items } = await this.#parts.client.list(CLUSTER_LOCKS, {}, context);
    const held = notYet(items, 'inactive');
    if (held.length === 0) return;
    throw new MaintenanceError('PlatformBusy', `waits for ${describeWait('the cluster', 'inactive', held)}`);
  }

  /** Takes pods again, as far as it did when it was found, and carries the mark until it is back. */
  async #giveBack(node: KubeNode, own: NodeMaintenanceRequest, context: CallContext): Promise<void> {
    const { name } = node.metadata;
    const mark = markTextOf(own) ?? '';
    const change = hasCordoned(own) ? toReturning(mark) : toMarked(mark);
    await this.#parts.client.patch(NODES, { name }, change, context);
    await this.#change(
      name,
      (fresh) => (phaseOf(fresh) === 'back' ? toPhase(undefined) : undefined),
      context,
    );
  }

  async #callBack(request: string, context: CallContext): Promise<void> {
    await this.#parts.client.change(
      NODE_REQUESTS,
      { name: request },
      (fresh) => (phaseOf(fresh) === undefined ? undefined : toPhase('back')),
      context,
    );
  }

  /** The mark goes over to the node first: it is not back before its locks are. */
  async #letGo(node: KubeNode, own: NodeMaintenanceRequest, context: CallContext): Promise<void> {
    const { client } = this.#parts;
    if (phaseOf(own) !== undefined || markTextOf(node) !== markTextOf(own))
      await this.#giveBack(node, own, context);
    try {
      const fresh = await unlessGone(client.read(NODE_REQUESTS, { name: own.metadata.name }, context));
      if (fresh && markTextOf(fresh) === markTextOf(own)) await client.remove(NODE_REQUESTS, fresh, context);
    } catch (error) {
      // A controller has written to it: whoever looks next deletes it.
      if (!isConflict(error)) throw error;
    }
  }

  #change(
    node: string,
    decide: (fresh: NodeMaintenanceRequest) => Readonly<Record<string, unknown>> | undefined,
    context: CallContext,
  ): Promise<NodeMaintenanceRequest> {
    return this.#parts.client.change(NODE_REQUESTS, { name: nodeRequestName(node) }, decide, context);
  }
}

/** How long a cordon has to settle yet; 0 for one of somebody else's, and where the clock that it was made by is ahead. */
function settlingMs(cordoned: number | undefined): number {
  const rest = cordoned === undefined ? 0 : cordoned + SETTLE_MS - Date.now();
  return rest <= SETTLE_MS ? Math.max(0, rest) : 0;
}

/** Those that should be gone by now. */
const overdue = (pods: readonly Pod[]): HeldPod[] =>
  pods.flatMap((pod) => {
    const reason = overdueReason(pod, Date.now());
    return reason === undefined ? [] : [{ id: podId(pod), reason }];
  });

function describeDrain(
  node: string,
  left: readonly Pod[],
  held: readonly HeldPod[],
): { detail: string; waitsFor?: string } {
  const detail = `${left.length} pods to leave`;
  if (held.length === 0) return { detail };
  const named = held.map(({ id, reason }) => `${id} (${reason})`);
  return { detail, waitsFor: `pods to leave ${node}: ${listed(named, NAMES_SHOWN)}` };
}

const calledOff = (host: string): TaskStatus => ({
  state: 'failed',
  error: new MaintenanceError('EnterFailed', `the maintenance of ${host} was called off`),
});

const notOurs = (request: NodeMaintenanceRequest): MaintenanceError =>
  new MaintenanceError(
    'EnterFailed',
    `NodeMaintenanceRequest ${request.metadata.name} is not this session's: ${describeForeign(request)}`,
  );

const taskOf = (kind: TaskKind, subject: string, id: string = kind): PlatformTask => ({ id, kind, subject });
