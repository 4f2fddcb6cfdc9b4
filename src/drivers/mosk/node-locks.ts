/** The locks of nodes: watched once for all nodes that wait, and listed anew before anything is believed. */
import { MaintenanceError } from '../../core/errors.ts';
import type { KubernetesClient } from '../../kubernetes/client.ts';
import { NODE_LOCKS, shortName, type NodeWorkloadLock } from '../../kubernetes/lcm.ts';
import { Mirror } from '../../kubernetes/mirror.ts';
import type { CallContext } from '../driver.ts';
import { notYet } from './locks.ts';

/** Nobody has asked for so long: the watch is ended. */
const IDLE_MS = 60_000;

export interface LockLook {
  /** Those that are not in the state that is waited for. */
  pending: NodeWorkloadLock[];
  /** Resolves when a lock of the node has changed since the look, and after so many milliseconds in any case. */
  changed(longestMs: number, context: CallContext): Promise<void>;
}

export class NodeLocks {
  readonly #client: KubernetesClient;
  readonly #mirror: Mirror<NodeWorkloadLock, NodeWorkloadLock>;
  /** By short name of the node: how often one of its locks has changed. */
  readonly #changes = new Map<string, number>();
  readonly #waiting = new Set<() => void>();
  #watch: AbortController | undefined;
  #isListed = false;
  #refusal: MaintenanceError | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(client: KubernetesClient) {
    this.#client = client;
    this.#mirror = new Mirror({
      resource: NODE_LOCKS,
      keep: (lock) => lock,
      changed: (before, now) => this.#note(now ?? before),
      failed: (error) => {
        if (error instanceof MaintenanceError && error.code === 'NotAuthorized') this.#refusal = error;
      },
    });
  }

  /** Throws NotAuthorized when locks may not be watched. */
  async look(node: string, state: 'active' | 'inactive', context: CallContext): Promise<LockLook> {
    this.#start();
    if (this.#refusal) throw this.#refusal;
    const key = shortName(node);
    const seen = this.#changes.get(key);
    const isNews = (): boolean => this.#changes.get(key) !== seen;
    // What was seen may be old, and is enough only to go on waiting.
    const known = this.#isListed ? notYet(locksOf(node, this.#mirror.all()), state) : [];
    return {
      pending: known.length > 0 ? known : await this.#listPending(node, state, context),
      changed: (longestMs, { signal }) => this.#until(isNews, longestMs, signal),
    };
  }

  close(): void {
    clearTimeout(this.#idle);
    this.#watch?.abort();
    this.#watch = undefined;
    this.#isListed = false;
  }

  async #listPending(
    node: string,
    state: 'active' | 'inactive',
    context: CallContext,
  ): Promise<NodeWorkloadLock[]> {
    const { items } = await this.#client.list(NODE_LOCKS, {}, context);
    return notYet(locksOf(node, items), state);
  }

  async #until(isNews: () => boolean, longestMs: number, signal: AbortSignal): Promise<void> {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(longestMs)]);
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!patience.aborted && !isNews()) return;
        this.#waiting.delete(look);
        patience.removeEventListener('abort', look);
        resolve();
      };
      this.#waiting.add(look);
      patience.addEventListener('abort', look);
      look();
    });
    signal.throwIfAborted();
  }

  #start(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.close(), IDLE_MS).unref();
    if (this.#watch) return;
    const { signal } = (this.#watch = new AbortController());
    this.#refusal = undefined;
    void this.#mirror.run(this.#client, { signal }, () => (this.#isListed = !signal.aborted));
  }

  #note(lock: NodeWorkloadLock | undefined): void {
    if (!lock) return;
    const key = shortName(lock.spec.nodeName);
    this.#changes.set(key, (this.#changes.get(key) ?? 0) + 1);
    for (const look of [...this.#waiting]) look();
  }
}

function locksOf(node: string, locks: Iterable<NodeWorkloadLock>): NodeWorkloadLock[] {
  const key = shortName(node);
  return [...locks].filter(({ spec }) => shortName(spec.nodeName) === key);
}
