/** Keystone: the token that every other service asks for, and the catalog that says where those services are. */
import type { z } from 'zod';
import { MaintenanceError } from '../../core/errors.ts';
import type { CallContext } from '../driver.ts';
import { type ErrorAnswer, Transport } from '../transport.ts';
import type { Cloud, Credentials } from './clouds.ts';
import { SingleFlight } from '../../core/single-flight.ts';
import { authenticated } from './wire.ts';
import { wordsIn } from './words.ts';

/** A token is renewed when a fifth of its life is left, and at most so long before its end. */
const RENEW_SHARE = 5;
const RENEW_AT_MOST_MS = 10 * 60_000;

type Catalog = z.output<typeof authenticated>['token']['catalog'];

export interface Token {
  id: string;
  /** Who we are to the other services. */
  userId: string;
  catalog: Catalog;
  /** Epoch milliseconds. */
  renewAt: number;
}

export class Keystone {
  readonly #cloud: Cloud;
  readonly #transport: Transport;
  readonly #renewal = new SingleFlight<Token>();
  #token: Token | undefined;

  constructor(cloud: Cloud, timeoutMs: number) {
    this.#cloud = cloud;
    this.#transport = new Transport({
      url: cloud.authUrl,
      timeoutMs,
      tls: { ...cloud.tls, caField: `cacert of ${cloud.source}` },
      interpret: (answer) => refusal(answer, cloud),
      secrets: () => [secretOf(cloud.credentials)],
    });
  }

  /**
   * A token that is good for a while yet. However many ask, one request gets it.
   *
   * @param refused one that a service has just refused: it is not given again.
   */
  async token({ signal }: CallContext, refused?: Token): Promise<Token> {
    if (this.#token && this.#token !== refused && Date.now() < this.#token.renewAt) return this.#token;
    return this.#renewal.join(signal, (shared) => this.#authenticate(shared));
  }

  /** Address of a service by its type or an alias of it; undefined when the catalog has none. */
  async endpoint(types: readonly string[], context: CallContext): Promise<string | undefined> {
    const override = types.map((type) => this.#cloud.endpoints[type]).find((url) => url !== undefined);
    if (override !== undefined) return override;
    const { catalog } = await this.token(context);
    return endpointOf(catalog, types, this.#cloud);
  }

  /** Whether the catalog has a service in our region. */
  async offers(types: readonly string[], context: CallContext): Promise<boolean> {
    if (types.some((type) => this.#cloud.endpoints[type] !== undefined)) return true;
    const { catalog } = await this.token(context);
    const { region } = this.#cloud;
    return catalog.some(
      ({ type, endpoints }) =>
        types.includes(type) && endpoints.some((one) => region === undefined || one.region === region),
    );
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #authenticate(signal: AbortSignal): Promise<Token> {
    const { headers, body } = await this.#transport.call({
      method: 'POST',
      path: '/auth/tokens',
      body: { auth: requestOf(this.#cloud.credentials) },
      schema: authenticated,
      signal,
    });
    const id = headers['x-subject-token'];
    if (typeof id !== 'string') throw new MaintenanceError('PlatformGarbled', 'Keystone gave no token');
    const { user, catalog, expires_at: expiresAt } = body.token;
    const end = Date.parse(expiresAt);
    const margin = Math.min((end - Date.now()) / RENEW_SHARE, RENEW_AT_MOST_MS);
    this.#token = { id, userId: user.id, catalog, renewAt: end - margin };
    return this.#token;
  }
}

/**
 * Address of a service in a catalog, by interface and region; without a region any will do, if they all agree. Throws
 * Unsupported when the service is there, and only not in this region or on this interface.
 */
export function endpointOf(
  catalog: Catalog,
  types: readonly string[],
  { interface: face, region, source }: Pick<Cloud, 'interface' | 'region' | 'source'>,
): string | undefined {
  const all = catalog.filter(({ type }) => types.includes(type)).flatMap(({ endpoints }) => endpoints);
  if (all.length === 0) return undefined;
  const usable = all.filter(
    (one) => one.interface === face && (region === undefined || one.region === region),
  );
  const [first] = usable;
  if (first !== undefined && usable.every(({ url }) => url === first.url)) return first.url;
  const there = all.map((one) => `${one.interface} in ${one.region ?? 'no region'}`).join(', ');
  const wanted = `${face}${region === undefined ? '' : ` in ${region}`}`;
  throw new MaintenanceError(
    'Unsupported',
    `the catalog has ${first === undefined ? 'no' : 'more than one'} address of ${types[0]} (${wanted}); it has ` +
      `${there}. Set region_name or interface of ${source}`,
  );
}

function requestOf(credentials: Credentials): unknown {
  if (credentials.type === 'application-credential') {
    const { credential, secret } = credentials;
    return {
      identity: {
        methods: ['application_credential'],
        application_credential: { ...credential, secret },
      },
    };
  }
  const { user, password, project } = credentials;
  return {
    identity: { methods: ['password'], password: { user: { ...user, password } } },
    scope: { project },
  };
}

const secretOf = (credentials: Credentials): string =>
  credentials.type === 'password' ? credentials.password : credentials.secret;

/** A 404 must not pass for something that is gone: Keystone gives it for application credentials that it does not know. */
function refusal({ status, text }: ErrorAnswer, { source, authUrl }: Cloud): MaintenanceError | undefined {
  if (status !== 401 && status !== 403 && status !== 404) return undefined;
  const vendor = wordsIn(text)?.words;
  return vendor === undefined
    ? new MaintenanceError('PlatformGarbled', `what answers at ${authUrl} is no Keystone`, { vendor: text })
    : new MaintenanceError('NotAuthorized', `Keystone at ${authUrl} refuses the credentials of ${source}`, {
        vendor,
      });
}
