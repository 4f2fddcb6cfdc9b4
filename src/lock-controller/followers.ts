/** Who is told when something happens in a session: each key follows one session at most. */

/** Follows a session until it ends or the signal does; rejects when it cannot be followed. */
export type Follow = (session: string, onNews: () => void, signal: AbortSignal) => Promise<void>;

export class Followers {
  readonly #follow: Follow;
  readonly #onNews: (key: string) => void;
  readonly #running = new Map<string, { session: string; abort: AbortController }>();

  /** @param onNews told of the key, also when its session cannot be followed any more */
  constructor(follow: Follow, onNews: (key: string) => void) {
    this.#follow = follow;
    this.#onNews = onNews;
  }

  /** From now on the key follows this session and no other; undefined: none. */
  set(key: string, session: string | undefined): void {
    const before = this.#running.get(key);
    if (before?.session === session) return;
    before?.abort.abort();
    this.#running.delete(key);
    if (session === undefined) return;
    const running = { session, abort: new AbortController() };
    this.#running.set(key, running);
    const news = (): void => {
      if (!running.abort.signal.aborted) this.#onNews(key);
    };
    void this.#follow(session, news, running.abort.signal)
      .catch(() => undefined)
      .then(() => {
        if (this.#running.get(key) === running) this.#running.delete(key);
        news();
      });
  }

  close(): void {
    for (const { abort } of this.#running.values()) abort.abort();
    this.#running.clear();
  }
}
