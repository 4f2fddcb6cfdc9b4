/** A snapshot of a site that is fresh enough to plan with, shared by all activities of a worker. */
import { applyConstraints, constrainInstance } from '../src/core/apply-constraints.ts';
import type { HostStanding, Instance } from '../src/core/inventory.ts';
import { Snapshot } from '../src/core/planning/snapshot.ts';
import { SingleFlight } from '../src/core/single-flight.ts';
import type { CallContext, Driver } from '../src/drivers/driver.ts';
import type { ConstraintsReader } from './constraints-reader.ts';

/** The inventory is read again after this long, or after ten times what reading it took: then it costs a tenth at most. */
const FRESH_MS = 1_000;
const FRESH_FACTOR = 10;

/**
 * Keeps one snapshot per site, in which instances and groups are as their projects want them handled. What this worker does
 * itself is written through at once; what others do is seen with the next reading. A plan made on a snapshot that is a
 * little old is checked by the platform when it is carried out.
 */
export class InventoryCache {
  readonly #driver: Driver;
  readonly #constraints: ConstraintsReader;
  #current: { snapshot: Snapshot; until: number } | undefined;
  readonly #reading = new SingleFlight<Snapshot>();
  /** What was written through while a reading was under way: it may have been read before. */
  #lately: ((snapshot: Snapshot) => void)[] = [];

  constructor(driver: Driver, constraints: ConstraintsReader) {
    this.#driver = driver;
    this.#constraints = constraints;
  }

  /** @param fresh read anew, whatever the age: after the platform refused what the last snapshot allowed. */
  async snapshot({ signal }: CallContext, fresh = false): Promise<Snapshot> {
    if (!fresh && this.#current && Date.now() < this.#current.until) return this.#current.snapshot;
    const read = (): Promise<Snapshot> => this.#reading.join(signal, (own) => this.#read(own));
    // One that is under way may have read already what has changed since.
    if (fresh && this.#reading.isUnderWay) await read().catch(() => signal.throwIfAborted());
    return read();
  }

  /** An instance that was looked at beside the inventory, in the groups that it has in the last snapshot. */
  constrained(instance: Instance): Instance {
    return constrainInstance(instance, this.#constraints.latest);
  }

  noteMoved(instance: string, target: string): void {
    this.#note((snapshot) => snapshot.moveInstance(instance, target));
  }

  noteStanding(host: string, standing: HostStanding): void {
    this.#note((snapshot) => snapshot.setStanding(host, standing));
  }

  #note(change: (snapshot: Snapshot) => void): void {
    if (this.#current) change(this.#current.snapshot);
    if (this.#reading.isUnderWay) this.#lately.push(change);
  }

  async #read(signal: AbortSignal): Promise<Snapshot> {
    const startedAt = Date.now();
    this.#lately = [];
    const [inventory, constraints] = await Promise.all([
      this.#driver.inventory({ signal }),
      this.#constraints.read(),
    ]);
    const snapshot = new Snapshot(applyConstraints(inventory, constraints));
    for (const change of this.#lately) change(snapshot);
    const took = Date.now() - startedAt;
    this.#current = { snapshot, until: Date.now() + Math.max(FRESH_MS, took * FRESH_FACTOR) };
    return snapshot;
  }
}
