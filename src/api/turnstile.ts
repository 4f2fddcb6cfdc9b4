/** Lets a few through at one time, for each key. */
import { ApiError } from './errors.ts';

export class Turnstile {
  readonly #most: number;
  readonly #inside = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Does the work; throws ApiError TooManyRequests while as much as is allowed is under way for the same key. */
  async pass<T>(key: string, work: () => Promise<T>): Promise<T> {
    const inside = this.#inside.get(key) ?? 0;
    if (inside >= this.#most) {
      throw new ApiError(
        'TooManyRequests',
        'Too many requests of this kind are under way; wait for their answers',
      );
    }
    this.#inside.set(key, inside + 1);
    try {
      return await work();
    } finally {
      const left = (this.#inside.get(key) ?? 1) - 1;
      if (left === 0) this.#inside.delete(key);
      else this.#inside.set(key, left);
    }
  }
}
