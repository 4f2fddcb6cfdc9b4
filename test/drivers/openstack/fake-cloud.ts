/**
 * A cloud of scripted answers: Keystone as far as a client needs it, and whatever other services a test adds to its
 * catalog. It refuses what carries no good token, and keeps what it was asked.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { closeServer, listenOnLoopback, originOf } from '../../support/loopback.ts';

export interface Request {
  method: string;
  /** Name of the service, `identity` for Keystone. */
  service: string;
  /** Behind the address of the service. */
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: unknown;
}

export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  body?: unknown;
}

export type Service = (request: Request) => Answer;

interface Endpoint {
  interface: string;
  region: string;
  url: string;
}

export class FakeCloud {
  /** Every request but those to Keystone, as they came. */
  readonly requests: Request[] = [];
  /** What was sent to get a token, as it came. */
  readonly logins: unknown[] = [];
  /** Of the tokens given from now on, in milliseconds. */
  tokenLifeMs = 3_600_000;
  /** Keystone's answer instead of a token. */
  loginRefusal: Answer | undefined;
  /** Awaited before a token is given. */
  beforeLogin: Promise<void> | undefined;
  /** The catalog by type of service. */
  readonly catalog: { type: string; endpoints: Endpoint[] }[] = [];
  readonly #services = new Map<string, Service>();
  readonly #tokens = new Set<string>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((incoming, response) => {
      void this.#answer(incoming).then(({ status = 200, headers = {}, body }) => {
        response.writeHead(status, headers).end(body === undefined ? '' : JSON.stringify(body));
      });
    });
  }

  static async start(): Promise<FakeCloud> {
    const cloud = new FakeCloud();
    await listenOnLoopback(cloud.#server);
    return cloud;
  }

  get url(): string {
    return originOf(this.#server);
  }

  /** Adds a service under its name; its type is that unless told otherwise, its address `<url>/<name><suffix>`. */
  serve(name: string, service: Service, { type = name, suffix = '' } = {}): void {
    this.#services.set(name, service);
    const url = `${this.url}/${name}${suffix}`;
    this.catalog.push({ type, endpoints: [{ interface: 'public', region: 'RegionOne', url }] });
  }

  /** From now on no token is good that was given before. */
  revokeTokens(): void {
    this.#tokens.clear();
  }

  /** Requests to a service, or of a method and path. */
  asked(service: string, method?: string, path?: string): Request[] {
    return this.requests.filter(
      (one) =>
        one.service === service &&
        (method === undefined || one.method === method) &&
        (path === undefined || one.path === path),
    );
  }

  close(): Promise<void> {
    return closeServer(this.#server);
  }

  async #answer(incoming: IncomingMessage): Promise<Answer> {
    const url = new URL(incoming.url ?? '/', this.url);
    const [, name = '', path = ''] = /^\/([^/]+)(.*)$/.exec(url.pathname) ?? [];
    const sent = await text(incoming);
    const request: Request = {
      method: incoming.method ?? '',
      service: name,
      path,
      query: url.searchParams,
      headers: incoming.headers,
      body: sent === '' ? undefined : JSON.parse(sent),
    };
    if (name === 'identity') return this.#logIn(request);
    this.requests.push(request);
    const token = incoming.headers['x-auth-token'];
    if (typeof token !== 'string' || !this.#tokens.has(token)) {
      return {
        status: 401,
        body: { error: { code: 401, message: 'The request you have made requires authentication.' } },
      };
    }
    const service = this.#services.get(name);
    return service ? service(request) : { status: 404 };
  }

  async #logIn({ method, path, body }: Request): Promise<Answer> {
    if (method !== 'POST' || path !== '/v3/auth/tokens') return { status: 404 };
    this.logins.push(body);
    await this.beforeLogin;
    if (this.loginRefusal) return this.loginRefusal;
    const token = `token-${this.logins.length}`;
    this.#tokens.add(token);
    const expires = new Date(Date.now() + this.tokenLifeMs).toISOString();
    return {
      status: 201,
      headers: { 'x-subject-token': token },
      body: { token: { expires_at: expires, user: { id: 'our-user' }, catalog: this.catalog } },
    };
  }
}
