/**
 * vCenter's REST API (`/rest`): one session for all who ask, renewed once when it is lost, and ended at the end. It is
 * another session than that of VI/JSON.
 */
import { z } from 'zod';
import { type ErrorCode, MaintenanceError } from '../../core/errors.ts';
import type { CallContext } from '../driver.ts';
import { Login, SessionLost } from '../login.ts';
import { type Call, type ErrorAnswer, Transport } from '../transport.ts';
import type { Connection } from '../vsphere/settings.ts';
import { errorKind, identifier, wordsInText } from './wire.ts';

const SESSION_PATH = '/rest/com/vmware/cis/session';
const SESSION_HEADER = 'vmware-api-session-id';

/** Ending the session is a courtesy: it must not keep a worker from ending. */
const LOGOUT_MS = 3_000;

/** Errors that say more than their status does, by the end of their type. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  already_in_desired_state: 'PlatformRefused',
  error: 'PlatformError',
  invalid_element_configuration: 'PlatformRefused',
  not_found: 'NotFound',
  unauthorized: 'NotAuthorized',
  unsupported: 'Unsupported',
};

/** An error of the API; `kind` is the end of its type, such as `not_found`. */
export class VapiError extends MaintenanceError {
  readonly kind: string;

  constructor(kind: string, code: ErrorCode, message: string, vendor: string) {
    super(code, message, { vendor });
    this.kind = kind;
  }
}

type RestCall<T> = Omit<Call<T>, 'headers' | 'signal'>;

export class Rest {
  readonly #connection: Connection;
  readonly #transport: Transport;
  /** The session is its id. */
  readonly #login = new Login<string>((context) => this.#logIn(context));

  constructor(connection: Connection, timeoutMs: number) {
    this.#connection = connection;
    this.#transport = new Transport({
      url: connection.origin,
      timeoutMs,
      tls: { ...connection.tls, caField: 'caFile of the vSphere site beneath, or GOVC_TLS_CA_CERTS' },
      interpret: (answer) => interpretError(answer, connection),
      secrets: () => [connection.password],
    });
  }

  /** Makes a call, and once more with a new session when the one there is is not known any more. */
  call<T>(call: RestCall<T>, context: CallContext): Promise<T> {
    return this.#login.use(context, (session) => this.#callAs(session, call, context));
  }

  /** Ends the session, if there is one, and closes the connections. */
  async close(): Promise<void> {
    const end = { method: 'DELETE', path: SESSION_PATH, schema: z.unknown() } as const;
    await this.#login.end((session) =>
      this.#callAs(session, end, { signal: AbortSignal.timeout(LOGOUT_MS) }),
    );
    await this.#transport.close();
  }

  async #callAs<T>(session: string, call: RestCall<T>, { signal }: CallContext): Promise<T> {
    const { body } = await this.#transport.call({ ...call, headers: { [SESSION_HEADER]: session }, signal });
    return body;
  }

  async #logIn({ signal }: CallContext): Promise<string> {
    const { username, password } = this.#connection;
    const credentials = Buffer.from(`${username}:${password}`).toString('base64');
    const { body } = await this.#transport.call({
      method: 'POST',
      path: SESSION_PATH,
      headers: { authorization: `Basic ${credentials}` },
      schema: identifier,
      signal,
    });
    return body;
  }
}

function interpretError(
  { method, path, status, json, text }: ErrorAnswer,
  { origin, username }: Connection,
): MaintenanceError | undefined {
  const kind = errorKind.safeParse(json).data;
  // The text is free of secrets.
  const vendor = wordsInText(text) ?? text.slice(0, 200);
  if (status === 401) {
    return path === SESSION_PATH
      ? new MaintenanceError('NotAuthorized', `${origin} refuses the credentials of ${username}`, { vendor })
      : new SessionLost('NotAuthorized', `${origin} does not know the session of ${username}`, { vendor });
  }
  const code = CODES[kind ?? ''];
  if (kind !== undefined && code) return new VapiError(kind, code, `${method} ${path}: ${kind}`, vendor);
  if (kind !== undefined || status !== 404) return undefined;
  // Not "gone": an object that is gone is an error of its own.
  return new MaintenanceError(
    'Unsupported',
    `${method} ${path}: nothing speaks vCenter's REST API at ${origin}; namespace management needs vCenter 7.0`,
    { vendor },
  );
}
