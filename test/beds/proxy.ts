/** Stands between the driver and the services of a bed, and makes trouble when it is told to. */
import http from 'node:http';
import https from 'node:https';
import { closeServer, listenOnLoopback, originOf } from '../support/loopback.ts';

/** What every request is answered from now on. `hang`: nothing at all. */
export type Trouble = 'hang' | 'busy' | 'error' | 'garbage';

export class Proxy {
  readonly #server: http.Server;
  readonly #services: ReadonlyMap<string, string>;
  readonly #retryAfterSeconds: number;
  trouble: Trouble | undefined;

  private constructor(services: ReadonlyMap<string, string>, retryAfterSeconds: number) {
    this.#services = services;
    this.#retryAfterSeconds = retryAfterSeconds;
    this.#server = http.createServer((request, response) => {
      this.#answer(request, response);
    });
  }

  /** `services`: addresses by a name of one word. */
  static async start(services: ReadonlyMap<string, string>, retryAfterSeconds: number): Promise<Proxy> {
    const proxy = new Proxy(services, retryAfterSeconds);
    await listenOnLoopback(proxy.#server);
    return proxy;
  }

  /** Where a service is to be found here. */
  address(service: string): string {
    return `${originOf(this.#server)}/${service}`;
  }

  close(): Promise<void> {
    return closeServer(this.#server);
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    switch (this.trouble) {
      case 'hang':
        return;
      case 'busy':
        response.writeHead(429, { 'retry-after': String(this.#retryAfterSeconds) }).end();
        return;
      case 'error':
        response.writeHead(500, { 'content-type': 'application/json' });
        response.end('{"computeFault": {"code": 500, "message": "the database is on fire"}}');
        return;
      case 'garbage':
        response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in to the hotel</html>');
        return;
      case undefined:
        this.#forward(request, response);
    }
  }

  #forward(request: http.IncomingMessage, response: http.ServerResponse): void {
    const [, service = '', rest = ''] = /^\/([^/?]+)(.*)$/.exec(request.url ?? '') ?? [];
    const url = new URL((this.#services.get(service) ?? '').replace(/\/$/, '') + rest);
    const headers = { ...request.headers, host: url.host };
    const { request: send } = url.protocol === 'https:' ? https : http;
    const options = { method: request.method ?? 'GET', headers, rejectUnauthorized: false };
    const onward = send(url, options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  }
}
