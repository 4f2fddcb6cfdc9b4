/** A service of the catalog: finds its address, sends the token along, and gets a new one when that is refused. */
import { MaintenanceError } from '../../core/errors.ts';
import type { CallContext } from '../driver.ts';
import { type Answer, type Call, type ErrorAnswer, Transport } from '../transport.ts';
import type { Cloud } from './clouds.ts';
import type { Keystone, Token } from './keystone.ts';
import { wordsIn } from './words.ts';

export interface ServiceOptions {
  keystone: Keystone;
  cloud: Cloud;
  timeoutMs: number;
  /** Type in the catalog, then its aliases. */
  types: readonly [string, ...string[]];
  /** Makes the address that paths are added to of the one in the catalog. */
  rootOf?: (url: string) => string;
  interpret?: (answer: ErrorAnswer) => MaintenanceError | undefined;
}

/** The token was refused: it may have been revoked, or Keystone was set up anew. */
class TokenRefused extends MaintenanceError {}

export class Service {
  readonly #options: ServiceOptions;
  #transport: Transport | undefined;

  constructor(options: ServiceOptions) {
    this.#options = options;
  }

  /** Whether the catalog has it in our region. */
  exists(context: CallContext): Promise<boolean> {
    return this.#options.keystone.offers(this.#options.types, context);
  }

  async call<T>(call: Call<T>): Promise<Answer<T>> {
    const { keystone } = this.#options;
    const token = await keystone.token(call);
    try {
      return await this.#send(call, token);
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error;
      return await this.#send(call, await keystone.token(call, token));
    }
  }

  async close(): Promise<void> {
    await this.#transport?.close();
  }

  async #send<T>(call: Call<T>, token: Token): Promise<Answer<T>> {
    this.#transport ??= await this.#connect(call);
    return this.#transport.call({ ...call, headers: { ...call.headers, 'x-auth-token': token.id } });
  }

  async #connect(context: CallContext): Promise<Transport> {
    const { keystone, cloud, timeoutMs, types, rootOf = (url) => url, interpret } = this.#options;
    const url = await keystone.endpoint(types, context);
    if (url === undefined) {
      throw new MaintenanceError('Unsupported', `the catalog of ${cloud.source} has no ${types[0]} service`);
    }
    return new Transport({
      url: rootOf(url),
      timeoutMs,
      tls: { ...cloud.tls, caField: `cacert of ${cloud.source}` },
      interpret: (answer) => tokenRefusal(answer) ?? versionRefusal(answer) ?? interpret?.(answer),
    });
  }
}

function tokenRefusal({ method, path, status, text }: ErrorAnswer): MaintenanceError | undefined {
  if (status !== 401) return undefined;
  return new TokenRefused('NotAuthorized', `${method} ${path}: the token is refused`, { vendor: text });
}

function versionRefusal({ method, path, status, text }: ErrorAnswer): MaintenanceError | undefined {
  if (status !== 406) return undefined;
  return new MaintenanceError('Unsupported', `${method} ${path}: the release of the service is too old`, {
    vendor: wordsIn(text)?.words ?? text,
  });
}
