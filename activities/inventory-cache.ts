/** A snapshot of a site that is fresh enough to plan with, shared by all activities of a worker. */
import type { HostStanding } from '../src/core/inventory.ts';
import { Snapshot } from '../src/core/planning/snapshot.ts';
import type { CallContext, Driver } from '../src/drivers/driver.ts';

/** The inventory is read again after this long, or after ten times what reading it took: then it costs a tenth at most. */
const FRESH_MS = 1_000;
const FRESH_FACTOR = 10;

/**
 * Keeps one snapshot per site. What this worker does itself is written through at once; what others do is seen with the
 * next reading. A plan made on a snapshot that is a little old is checked by the platform when it is carried out.
 */
export class InventoryCache {
  readonly #driver: Driver;
  #current: { snapshot: Snapshot; until: number } | undefined;
  #reading: Promise<Snapshot> | undefined;
  /** What was written through while a reading was under way: it may have been read before. */
  #lately: ((snapshot: Snapshot) => void)[] = [];

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  /** @param fresh read anew, whatever the age: after the platform refused what the last snapshot allowed. */
  async snapshot({ signal }: CallContext, fresh = false): Promise<Snapshot> {
    if (!fresh && this.#current && Date.now() < this.#current.until) return this.#current.snapshot;
    // One that is under way may have read already what has changed since.
    if (fresh && this.#reading)
      await untilAborted(this.#reading, signal).catch(() => signal.throwIfAborted());
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    return untilAborted(this.#reading, signal);
  }

  noteMoved(instance: string, target: string): void {
    this.#note((snapshot) => snapshot.moveInstance(instance, target));
  }

  noteStanding(host: string, standing: HostStanding): void {
    this.#note((snapshot) => snapshot.setStanding(host, standing));
  }

  #note(change: (snapshot: Snapshot) => void): void {
    if (this.#current) change(this.#current.snapshot);
    if (this.#reading) this.#lately.push(change);
  }

  /** Shared by several activities, so no single one of them ends it; its requests have timeouts of their own. */
  async #read(): Promise<Snapshot> {
    const startedAt = Date.now();
    this.#lately = [];
    const snapshot = new Snapshot(await this.#driver.inventory({ signal: new AbortController().signal }));
    for (const change of this.#lately) change(snapshot);
    const took = Date.now() - startedAt;
    this.#current = { snapshot, until: Date.now() + Math.max(FRESH_MS, took * FRESH_FACTOR) };
    return snapshot;
  }
}

/** What the promise comes to; throws the reason of the signal once that aborts. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, resolve: abort } = deferred();
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([promise, aborted]);
    signal.throwIfAborted();
    return await promise;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}
