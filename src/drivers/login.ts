/** A session with a platform: one login for all who ask, and one more when a call shows that the session is lost. */
import { MaintenanceError } from '../core/errors.ts';
import { SingleFlight } from '../core/single-flight.ts';
import type { CallContext } from './driver.ts';

/** The session is not known any more: it was idle too long, was ended by somebody, or the platform was started anew. */
export class SessionLost extends MaintenanceError {}

export class Login<Session> {
  readonly #flight = new SingleFlight<Session>();
  readonly #logIn: (context: CallContext) => Promise<Session>;
  #session: Session | undefined;

  constructor(logIn: (context: CallContext) => Promise<Session>) {
    this.#logIn = logIn;
  }

  /** The session there is. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** Makes a call with the session there is, and once more with a new one when it throws SessionLost. */
  async use<T>(context: CallContext, call: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.#current(context);
    try {
      return await call(session);
    } catch (error) {
      if (!(error instanceof SessionLost)) throw error;
      if (this.#session === session) this.#session = undefined;
      return await call(await this.#current(context));
    }
  }

  /**
   * Does work whose calls hold only within one session, and once more from its beginning when the session was lost
   * meanwhile: the new one does not know what the old one was given.
   */
  async within<T>(context: CallContext, work: () => Promise<T>): Promise<T> {
    const session = await this.#current(context);
    try {
      return await work();
    } catch (error) {
      if (this.#session === session || !(error instanceof MaintenanceError)) throw error;
      return await work();
    }
  }

  /** Forgets the session; resolves when `logOut` has ended it, if there was one. An end that fails is no error. */
  async end(logOut: (session: Session) => Promise<unknown>): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    try {
      if (session !== undefined) await logOut(session);
    } catch {
      // It ends by itself when it has been idle.
    }
  }

  async #current({ signal }: CallContext): Promise<Session> {
    return this.#session ?? this.#flight.join(signal, (shared) => this.#begin(shared));
  }

  async #begin(signal: AbortSignal): Promise<Session> {
    this.#session = await this.#logIn({ signal });
    return this.#session;
  }
}
