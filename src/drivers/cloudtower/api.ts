/**
 * CloudTower's API (`/v2/api`): every call is a POST with a JSON body. One login for all who ask, renewed once when its
 * token is not taken any more.
 */
import { z } from 'zod';
import { type ErrorCode, MaintenanceError } from '../../core/errors.ts';
import type { CallContext } from '../driver.ts';
import { Login, SessionLost } from '../login.ts';
import { type ErrorAnswer, Transport } from '../transport.ts';
import type { Connection } from './settings.ts';
import { authnStrategies, errorBody, login } from './wire.ts';

const BASE = '/v2/api';
const LOGIN_PATH = `${BASE}/login`;
/** GraphQL; the SDK asks it which directory to log in by. */
const DIRECTORIES_PATH = '/api';

const PAGE = 200;

const PASSING: readonly ErrorCode[] = ['PlatformUnreachable', 'PlatformBusy'];

/** Filter of a list, in the words of the API: `{id: "…"}`. */
export type Where = Readonly<Record<string, unknown>>;

/** Lists of the API that are read in pages. */
type ListName = 'hosts' | 'vms' | 'vm-placement-groups' | 'clusters' | 'tasks' | 'labels';

export class Api {
  readonly #connection: Connection;
  readonly #transport: Transport;
  /** The session is its token. */
  readonly #login = new Login<string>((context) => this.#logIn(context));

  constructor(connection: Connection, timeoutMs: number) {
    this.#connection = connection;
    this.#transport = new Transport({
      url: connection.origin,
      timeoutMs,
      tls: { ...connection.tls, caField: 'caFile of the site' },
      interpret: (answer) => interpretError(answer, connection),
      secrets: () => secretsOf(connection),
    });
  }

  /** Makes a call that changes something, so that it is not repeated when nobody knows whether it was carried out. */
  change<T>(name: string, body: unknown, schema: z.ZodType<T>, context: CallContext): Promise<T> {
    return this.#call(name, body, { schema, isRead: false }, context);
  }

  read<T>(name: string, body: unknown, schema: z.ZodType<T>, context: CallContext): Promise<T> {
    return this.#call(name, body, { schema, isRead: true }, context);
  }

  /** All objects of a list that the filter lets through, by id. */
  async list<T>(name: ListName, where: Where, schema: z.ZodType<T>, context: CallContext): Promise<T[]> {
    const found: T[] = [];
    for (;;) {
      const body = { where, orderBy: 'id_ASC', first: PAGE, skip: found.length };
      const page = await this.read(`get-${name}`, body, z.array(schema), context);
      found.push(...page);
      if (page.length < PAGE) return found;
    }
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  #call<T>(
    name: string,
    body: unknown,
    { schema, isRead }: { schema: z.ZodType<T>; isRead: boolean },
    { signal }: CallContext,
  ): Promise<T> {
    return this.#login.use({ signal }, async (token) => {
      // The token as it is: there is no scheme before it.
      const headers = { authorization: token };
      const call = {
        method: 'POST',
        path: `${BASE}/${name}`,
        headers,
        body,
        schema,
        isRead,
        signal,
      } as const;
      return (await this.#transport.call(call)).body;
    });
  }

  async #logIn({ signal }: CallContext): Promise<string> {
    const { credentials } = this.#connection;
    if ('token' in credentials) return credentials.token;
    const { username, password, source } = credentials;
    const directory = source === 'LDAP' ? await this.#findDirectory({ signal }) : undefined;
    const by = directory === undefined ? { source } : { source: 'AUTHN', auth_config_id: directory };
    const { body } = await this.#transport.call({
      method: 'POST',
      path: LOGIN_PATH,
      body: { username, password, ...by },
      schema: login,
      isRead: true,
      isSecret: true,
      signal,
    });
    return body.data.token;
  }

  /** Id of the directory that newer releases want named, as the SDK finds it; undefined on one that knows none. */
  async #findDirectory({ signal }: CallContext): Promise<string | undefined> {
    try {
      const { body } = await this.#transport.call({
        method: 'POST',
        path: DIRECTORIES_PATH,
        body: { query: '{authnStrategies{id type}}', variables: {} },
        schema: authnStrategies,
        isRead: true,
        signal,
      });
      return body.data.authnStrategies.find(({ type }) => type === 'LDAP')?.id;
    } catch (error) {
      // Trouble that passes says nothing of what it knows.
      if (!(error instanceof MaintenanceError) || PASSING.includes(error.code)) throw error;
      return undefined;
    }
  }
}

function interpretError(
  { path, status, json, text, retryAfterMs }: ErrorAnswer,
  { origin, credentials }: Connection,
): MaintenanceError | undefined {
  const body = errorBody.safeParse(json).data;
  const vendor = body?.message ?? text.slice(0, 200);
  const ofWhom = 'username' in credentials ? ` of ${credentials.username}` : '';
  if (path === LOGIN_PATH && [400, 401, 403].includes(status)) {
    return new MaintenanceError('NotAuthorized', `${origin} refuses the credentials${ofWhom}`, { vendor });
  }
  if (status === 401) {
    return new SessionLost('NotAuthorized', `${origin} does not take the token${ofWhom} any more`, {
      vendor,
    });
  }
  const doing = path.replace(`${BASE}/`, '');
  if (body?.code === 'ResourceLocked') {
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    return new MaintenanceError('PlatformBusy', `${doing}: another task works on it`, { vendor, ...wait });
  }
  if (body === undefined && status === 404) {
    // Not "gone": an object that is gone is an error with a body of its own.
    return new MaintenanceError('Unsupported', `${doing}: nothing at ${origin} knows this call`, { vendor });
  }
  const code = body && CODES[status];
  return code && new MaintenanceError(code, `${doing}: answered ${status}`, { vendor });
}

/** What an error whose body is CloudTower's own comes to. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'PlatformRefused',
  403: 'NotAuthorized',
  404: 'NotFound',
  500: 'PlatformError',
};

const secretsOf = ({ credentials }: Connection): string[] => [
  'token' in credentials ? credentials.token : credentials.password,
];
