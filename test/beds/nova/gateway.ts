/**
 * Stands between a worker and nova-api. It can hold a request, before Nova gets it or after Nova has carried it out, so
 * that a test can do something just then: kill the worker, cancel the session, change the world.
 */
import { once } from 'node:events';
import http from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeServer, listenOnLoopback, originOf } from '../../support/loopback.ts';

export interface Seen {
  method: string;
  /** Behind the address of Nova: `/os-services/…`. */
  path: string;
  body: string;
}

export interface Hold {
  /** Resolves to the request when it is being held. */
  reached: Promise<Seen>;
  /** Lets it go on. Its client may have gone by then. */
  release: () => void;
}

interface Rule {
  matches: (seen: Seen) => boolean;
  when: 'before' | 'after';
  reach: (seen: Seen) => void;
  released: Promise<void>;
}

const REACHED_WITHIN_MS = 120_000;

export class Gateway {
  readonly #nova: string;
  readonly #server: http.Server;
  #rules: Rule[] = [];
  /** The token that came with the last request. */
  token = '';

  private constructor(nova: string) {
    this.#nova = nova;
    this.#server = http.createServer((request, response) => {
      this.#pass(request, response).catch(() => response.destroy());
    });
  }

  /** `nova`: the address in the catalog. */
  static async start(nova: string): Promise<Gateway> {
    const gateway = new Gateway(nova);
    await listenOnLoopback(gateway.#server);
    return gateway;
  }

  get url(): string {
    return `${originOf(this.#server)}${new URL(this.#nova).pathname}`;
  }

  /** Holds the next request that matches: before it gets to Nova, or after Nova has done it and before that is said. */
  hold(when: 'before' | 'after', matches: (seen: Seen) => boolean): Hold {
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const reached = new Promise<Seen>((reach) => this.#rules.push({ matches, when, reach, released }));
    return { reached: inTime(reached, `${when} ${String(matches)}`), release };
  }

  close(): Promise<void> {
    return closeServer(this.#server);
  }

  async #pass(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    this.token = String(request.headers['x-auth-token'] ?? this.token);
    const { method = 'GET', url = '' } = request;
    const body = await text(request);
    const seen: Seen = { method, path: url.slice(new URL(this.#nova).pathname.length), body };
    const rule = this.#rules.find(({ matches }) => matches(seen));
    this.#rules = this.#rules.filter((other) => other !== rule);
    const heldHere = async (when: Rule['when']): Promise<void> => {
      if (rule?.when !== when) return;
      rule.reach(seen);
      await rule.released;
    };
    await heldHere('before');
    // The host header is the client's, so that links to a next page lead here again.
    const onward = http.request(new URL(url, this.#nova), { method, headers: request.headers });
    onward.end(body);
    const [answer] = (await once(onward, 'response')) as [http.IncomingMessage];
    const content = await text(answer);
    await heldHere('after');
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.end(content);
  }
}

async function inTime<T>(promise: Promise<T>, what: string): Promise<T> {
  const late = Symbol();
  const found = await Promise.race([promise, sleep(REACHED_WITHIN_MS, late, { ref: false })]);
  if (found === late) throw new Error(`no request was held ${what}`);
  return found;
}

/** The requests at which tests hold a worker. */
export const REQUESTS = {
  disable: ({ method, path, body }: Seen): boolean =>
    method === 'PUT' && path.startsWith('/os-services/') && body.includes('disabled_reason'),
  enable: ({ method, path, body }: Seen): boolean =>
    method === 'PUT' && path.startsWith('/os-services/') && body.includes('"enabled"'),
  liveMigrate: ({ body }: Seen): boolean => body.includes('os-migrateLive'),
  stop: ({ body }: Seen): boolean => body.includes('os-stop'),
  start: ({ body }: Seen): boolean => body.includes('os-start'),
  /** The servers of one host: precheck, proof and verification begin with it. */
  serversOf:
    (host: string) =>
    ({ method, path }: Seen): boolean =>
      method === 'GET' && path.startsWith('/servers/detail') && path.includes(`host=${host}`),
} as const;
