/** The locks of nodes: watched once for all nodes that wait, and listed anew before anything is believed. */
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

interface WatchedLocks {
  mirror: Mirror<NodeWorkloadLock, NodeWorkloadLock>;
  isListed: boolean;
  abort: AbortController;
}

export class NodeLocks {
  readonly #client: KubernetesClient;
  /** By short name of the node: how often one of its locks has changed. */
  readonly #changes = new Map<string, number>();
  readonly #waiting = new Set<() => void>();
  #watched: WatchedLocks | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(client: KubernetesClient) {
    this.#client = client;
  }

  async look(node: string, state: 'active' | 'inactive', context: CallContext): Promise<LockLook> {
    const { mirror, isListed } = this.#watch();
    const key = shortName(node);
    const seen = this.#changes.get(key);
    // What was seen may be old, and is enough only to go on waiting.
    const known = isListed ? notYet(locksOf(node, mirror.all()), state) : [];
    return {
      pending: known.length > 0 ? known : await this.#listPending(node, state, context),
      changed: (longestMs, { signal }) =>
        this.#until(() => this.#changes.get(key) !== seen, longestMs, signal),
    };
  }

  close(): void {
    clearTimeout(this.#idle);
    this.#watched?.abort.abort();
    this.#watched = undefined;
  }

  async #listPending(
    node: string,
    state: 'active' | 'inactive',
    context: CallContext,
  ): Promise<NodeWorkloadLock[]> {
    const { items } = await this.#client.list(NODE_LOCKS, {}, context);
    return notYet(locksOf(node, items), state);
  }

  async #until(isSo: () => boolean, longestMs: number, signal: AbortSignal): Promise<void> {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(longestMs)]);
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!patience.aborted && !isSo()) return;
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

  /** The watch that there is, or a new one. */
  #watch(): WatchedLocks {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.close(), IDLE_MS).unref();
    if (this.#watched) return this.#watched;
    const abort = new AbortController();
    const mirror = new Mirror<NodeWorkloadLock, NodeWorkloadLock>({
      resource: NODE_LOCKS,
      keep: (lock) => lock,
      changed: (lock) => this.#note(lock),
      // Whoever waits lists the locks too, and is told then.
      failed: () => undefined,
    });
    const watched: WatchedLocks = { mirror, isListed: false, abort };
    void mirror.listed().then(() => (watched.isListed = true));
    void mirror.run(this.#client, { signal: abort.signal });
    return (this.#watched = watched);
  }

  #note({ spec }: NodeWorkloadLock): void {
    const key = shortName(spec.nodeName);
    this.#changes.set(key, (this.#changes.get(key) ?? 0) + 1);
    for (const look of [...this.#waiting]) look();
  }
}

function locksOf(node: string, locks: Iterable<NodeWorkloadLock>): NodeWorkloadLock[] {
  const key = shortName(node);
  return [...locks].filter(({ spec }) => shortName(spec.nodeName) === key);
}
