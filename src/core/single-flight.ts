/** Work that many ask for at one time, and that is done once. */
export class SingleFlight<T> {
  #flight: Promise<T> | undefined;

  get isUnderWay(): boolean {
    return this.#flight !== undefined;
  }

  /**
   * What the work gives; begins it unless it is under way. It belongs to no caller, so it is handed a signal that never
   * aborts: one who gives up leaves it to the others. Throws the reason of the caller's signal when that aborts.
   */
  async join(caller: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    caller.throwIfAborted();
    this.#flight ??= work(new AbortController().signal).finally(() => (this.#flight = undefined));
    const flight = this.#flight;
    return new Promise<T>((resolve, reject) => {
      const giveUp = (): void => {
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever the caller gave as reason
        reject(caller.reason);
      };
      caller.addEventListener('abort', giveUp, { once: true });
      flight.then(resolve, reject).finally(() => {
        caller.removeEventListener('abort', giveUp);
      });
    });
  }
}
