/**
 * vCenter over VI/JSON (`/sdk/vim25/RELEASE/TYPE/ID/METHOD`): one login for all who ask, kept alive, renewed once when it
 * is lost, and given back at the end. A method fault is an answer of status 500 whose body is the fault.
 */
import { z } from 'zod';
import { MaintenanceError } from '../../core/errors.ts';
import type { CallContext } from '../driver.ts';
import { Login, SessionLost } from '../login.ts';
import { type ErrorAnswer, Transport } from '../transport.ts';
import { toError } from './fault.ts';
import type { Connection } from './settings.ts';
import { fault, ref, serviceContent, type Ref, type ServiceContent } from './wire.ts';

const SESSION_HEADER = 'vmware-api-session-id';

/** vCenter forgets a session that was idle for 30 minutes, unless it is configured otherwise. */
const KEEP_ALIVE_MS = 5 * 60_000;

const SERVICE_INSTANCE: Ref = { type: 'ServiceInstance', value: 'ServiceInstance' };

/** Logging out is a courtesy: it must not keep a worker from ending. */
const LOGOUT_MS = 3_000;

export interface Invocation<T> {
  on: Ref;
  method: string;
  args?: Readonly<Record<string, unknown>>;
  schema: z.ZodType<T>;
  /** It changes nothing, so it may be repeated when nobody knows whether it was carried out. */
  isRead?: boolean;
}

export class Vim {
  readonly #connection: Connection;
  readonly #release: string;
  readonly #transport: Transport;
  /** The session is its key. */
  readonly #login = new Login<string>((context) => this.#logIn(context));
  #content: ServiceContent | undefined;
  #keepAlive: NodeJS.Timeout | undefined;

  constructor(connection: Connection, { release, timeoutMs }: { release: string; timeoutMs: number }) {
    this.#connection = connection;
    this.#release = release;
    this.#transport = new Transport({
      url: connection.origin,
      timeoutMs,
      tls: { ...connection.tls, caField: 'caFile of the site, or GOVC_TLS_CA_CERTS' },
      interpret: (answer) => interpretError(answer, this.#release),
      secrets: () => [connection.password, ...(this.#login.session ? [this.#login.session] : [])],
    });
  }

  /** References to vCenter's managers and its root folder. */
  async content(context: CallContext): Promise<ServiceContent> {
    if (this.#content) return this.#content;
    const { body } = await this.#transport.call({
      method: 'GET',
      path: this.#path(SERVICE_INSTANCE, 'content'),
      schema: serviceContent,
      signal: context.signal,
    });
    if (body.about.apiType !== 'VirtualCenter') {
      throw new MaintenanceError(
        'Unsupported',
        `${this.#connection.origin} is ${body.about.fullName}, not a vCenter: a host alone cannot be drained`,
      );
    }
    this.#content = body;
    return body;
  }

  /** Calls a method of an object. Throws the fault as an error of the catalogue. */
  async invoke<T>(
    { on, method, args = {}, schema, isRead = false }: Invocation<T>,
    context: CallContext,
  ): Promise<T> {
    return this.#login.use(context, async (session) => {
      const { body } = await this.#transport.call({
        method: 'POST',
        path: this.#path(on, method),
        body: args,
        schema,
        headers: { [SESSION_HEADER]: session },
        isRead,
        signal: context.signal,
      });
      return body;
    });
  }

  /** Makes calls of which the later ones use what the earlier ones were given; all again when the session is lost. */
  async inOneSession<T>(context: CallContext, calls: () => Promise<T>): Promise<T> {
    return this.#login.within(context, calls);
  }

  /** Starts a task; resolves to its reference. */
  async startTask(
    on: Ref,
    method: string,
    args: Readonly<Record<string, unknown>>,
    context: CallContext,
  ): Promise<Ref> {
    return this.invoke({ on, method, args, schema: ref }, context);
  }

  /** Reads one property of an object. */
  async property<T>(on: Ref, name: string, schema: z.ZodType<T>, context: CallContext): Promise<T> {
    return this.#login.use(context, async (session) => {
      const { body } = await this.#transport.call({
        method: 'GET',
        path: this.#path(on, name),
        schema: z.preprocess(unwrap, schema),
        headers: { [SESSION_HEADER]: session },
        signal: context.signal,
      });
      return body;
    });
  }

  /** Logs out, if it was logged in, and closes the connections. */
  async close(): Promise<void> {
    clearInterval(this.#keepAlive);
    const manager = this.#content?.sessionManager;
    await this.#login.end(
      async (session) =>
        manager &&
        this.#transport.call({
          method: 'POST',
          path: this.#path(manager, 'Logout'),
          schema: z.unknown(),
          headers: { [SESSION_HEADER]: session },
          signal: AbortSignal.timeout(LOGOUT_MS),
        }),
    );
    await this.#transport.close();
  }

  async #logIn(context: CallContext): Promise<string> {
    const { username, password, origin } = this.#connection;
    const { sessionManager } = await this.content(context);
    if (!sessionManager) throw new MaintenanceError('PlatformGarbled', `${origin} names no session manager`);
    const { headers } = await this.#transport.call({
      method: 'POST',
      path: this.#path(sessionManager, 'Login'),
      body: { userName: username, password },
      schema: z.unknown(),
      signal: context.signal,
    });
    const key = headers[SESSION_HEADER];
    if (typeof key !== 'string')
      throw new MaintenanceError('PlatformGarbled', `${origin} gave no session key`);
    this.#keepAlive ??= setInterval(() => void this.#stayAlive(), KEEP_ALIVE_MS).unref();
    return key;
  }

  async #stayAlive(): Promise<void> {
    if (this.#login.session === undefined) return;
    const context = { signal: AbortSignal.timeout(KEEP_ALIVE_MS) };
    const ping = { on: SERVICE_INSTANCE, method: 'CurrentTime', schema: z.unknown(), isRead: true };
    // Whoever asks next finds out what is the matter.
    await this.invoke(ping, context).catch(() => undefined);
  }

  #path({ type, value }: Ref, member: string): string {
    return `/sdk/vim25/${this.#release}/${type}/${encodeURIComponent(value)}/${member}`;
  }
}

/** A value that stands alone, or where its type is not declared, comes in an envelope: `{_typeName, _value}`. */
export function unwrap(value: unknown): unknown {
  return typeof value === 'object' && value !== null && '_value' in value ? value._value : value;
}

function interpretError(
  { method, path, status, json, text }: ErrorAnswer,
  release: string,
): MaintenanceError | undefined {
  const parsed = fault.safeParse(json);
  if (parsed.success) {
    const doing = path
      .split('/')
      .slice(-3)
      .reverse()
      .join(' of ')
      .replace(/ of (\w+)$/, ' ($1)');
    if (parsed.data._typeName === 'NotAuthenticated') {
      return new SessionLost('NotAuthorized', `${doing}: the session is not known any more`, {
        vendor: 'NotAuthenticated',
      });
    }
    return toError(parsed.data, doing);
  }
  if (status !== 404) return undefined;
  // Not "gone": an object that is gone is a fault of its own.
  return new MaintenanceError(
    'Unsupported',
    `${method} ${path}: nothing speaks VI/JSON ${release} there: it needs vCenter 8.0 U1, and a release that this one knows`,
    { vendor: text.slice(0, 200) },
  );
}
