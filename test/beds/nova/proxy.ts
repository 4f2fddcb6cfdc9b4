/** Stands between the driver and the services of a bed, and makes trouble when it is told to. */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

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
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** Where a service is to be found here. */
  address(service: string): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/${service}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
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
    const onward = http.request(url, { method: request.method ?? 'GET', headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  }
}
