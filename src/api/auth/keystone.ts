/** Tokens of OpenStack, validated by its Keystone. */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { MaintenanceError } from '../../core/errors.ts';
import { Transport } from '../../drivers/transport.ts';
import { ApiError } from '../errors.ts';
import { tokenIn, type Authenticator, type Caller } from './caller.ts';

const TIMEOUT_MS = 5_000;
/** A token that is revoked is good here for this long at most. */
const TRUSTED_MS = 60_000;
const KEPT = 10_000;

const ADMIN = 'admin';
const READER = 'reader';

const validated = z.object({
  token: z.object({
    expires_at: z.iso.datetime({ offset: true }),
    user: z.object({ id: z.string() }),
    project: z.object({ id: z.string() }).optional(),
    roles: z.array(z.object({ name: z.string() })).default([]),
  }),
});

/** How Keystone says what is wrong. */
const refusal = z.object({ error: z.object({ message: z.string() }) });

interface Known {
  caller: Promise<Caller>;
  /** Epoch milliseconds. */
  until: number;
}

export interface KeystoneOptions {
  /** Such as `https://keystone.example.org:5000`, with or without `/v3`. */
  url: string;
  /** PEM file of the CA to trust instead of those of the system. */
  caFile?: string;
}

export class KeystoneTokens implements Authenticator {
  readonly wantsToken = true;
  readonly #transport: Transport;
  /** By digest, so that no token is kept; in the order in which they came. */
  readonly #known = new Map<string, Known>();

  /** Throws when the CA file cannot be read. */
  constructor({ url, caFile }: KeystoneOptions) {
    const base = url.replace(/\/+$/, '');
    this.#transport = new Transport({
      url: base.endsWith('/v3') ? base : `${base}/v3`,
      timeoutMs: TIMEOUT_MS,
      ...(caFile !== undefined && { tls: { caFile } }),
      // A web server that is no Keystone answers 404 too.
      interpret: ({ status, json }) =>
        (status === 401 || status === 404) && !refusal.safeParse(json).success
          ? new MaintenanceError('PlatformGarbled', 'what answers is no Keystone')
          : undefined,
    });
  }

  async authenticate(headers: IncomingHttpHeaders): Promise<Caller> {
    const token = tokenIn(headers);
    const key = createHash('sha256').update(token).digest('base64');
    const known = this.#known.get(key);
    if (known && Date.now() < known.until) return known.caller;
    const caller = this.#validate(token, key);
    this.#keep(key, { caller, until: Date.now() + TRUSTED_MS });
    return caller;
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  /** However many requests come with a token at one time, Keystone is asked once. */
  #keep(key: string, known: Known): void {
    this.#known.delete(key);
    this.#known.set(key, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > KEPT && oldest !== undefined) this.#known.delete(oldest);
    known.caller.catch(() => {
      if (this.#known.get(key) === known) this.#known.delete(key);
    });
  }

  async #validate(token: string, key: string): Promise<Caller> {
    const { user, project, roles, expires_at } = await this.#ask(token);
    const expiry = Date.parse(expires_at);
    const known = this.#known.get(key);
    if (known) known.until = Math.min(known.until, expiry);
    if (expiry <= Date.now()) throw refused();
    const names = roles.map(({ name }) => name);
    return {
      id: user.id,
      isAdmin: names.includes(ADMIN),
      isReader: names.every((name) => name === READER),
      ...(project && { project: project.id }),
    };
  }

  async #ask(token: string): Promise<z.output<typeof validated>['token']> {
    try {
      const { body } = await this.#transport.call({
        method: 'GET',
        path: '/auth/tokens',
        query: { nocatalog: '' },
        // Every token may validate itself, so the service needs no credentials of its own.
        headers: { 'x-auth-token': token, 'x-subject-token': token },
        schema: validated,
        signal: new AbortController().signal,
      });
      return body.token;
    } catch (error) {
      if (!(error instanceof MaintenanceError)) throw error;
      if (error.code === 'NotAuthorized' || error.code === 'NotFound') throw refused();
      throw new ApiError('Unavailable', `Keystone cannot say whose token it is: ${error.message}`, {
        cause: error,
      });
    }
  }
}

const refused = (): ApiError =>
  new ApiError('NotAuthenticated', 'Keystone does not know the token, or it has expired');
