/**
 * Things to look at, by key: each by one at a time, and again when it was added meanwhile. What fails is tried again after
 * a pause that grows.
 */

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 60_000;

export interface WorkQueueOptions {
  work(key: string): Promise<void>;
  /** Keys that are worked on at one time. */
  lanes: number;
  /** Told of each failure; it is tried again. */
  failed(key: string, error: unknown): void;
}

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #waiting = new Set<string>();
  readonly #busy = new Map<string, Promise<void>>();
  readonly #timers = new Map<string, { at: number; timer: NodeJS.Timeout }>();
  readonly #failures = new Map<string, number>();
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  add(key: string): void {
    if (this.#closed) return;
    this.#waiting.add(key);
    this.#start();
  }

  /** Adds it after so many milliseconds, or earlier if it was already to be added earlier. */
  addAfter(key: string, ms: number): void {
    const at = Date.now() + ms;
    const before = this.#timers.get(key);
    if (this.#closed || (before && before.at <= at)) return;
    clearTimeout(before?.timer);
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      this.add(key);
    }, ms);
    this.#timers.set(key, { at, timer });
  }

  /** Begins nothing more, and waits for what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.clear();
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    await Promise.all(this.#busy.values());
  }

  #start(): void {
    for (const key of this.#waiting) {
      if (this.#busy.size >= this.#options.lanes) return;
      if (this.#busy.has(key)) continue;
      this.#waiting.delete(key);
      this.#busy.set(key, this.#work(key));
    }
  }

  async #work(key: string): Promise<void> {
    try {
      await this.#options.work(key);
      this.#failures.delete(key);
    } catch (error) {
      if (!this.#closed) this.#retry(key, error);
    } finally {
      this.#busy.delete(key);
      this.#start();
    }
  }

  #retry(key: string, error: unknown): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.addAfter(key, Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures));
    this.#options.failed(key, error);
  }
}
