/** The REST service as its clients meet it: over HTTP, on a free port of 127.0.0.1. */
import type { Client } from '@temporalio/client';
import { pino } from 'pino';
import type { Authenticator } from '../../src/api/auth/caller.ts';
import { noAuthentication } from '../../src/api/auth/none.ts';
import type { ErrorBody } from '../../src/api/errors.ts';
import { createApi } from '../../src/api/server.ts';

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

export interface Service {
  url: string;
  /** Sends a body as JSON; a text as it is. The answer is JSON. */
  ask<T = Partial<ErrorBody>>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer<T>>;
  /** Lines of its log so far. */
  log: string[];
  close(): Promise<void>;
}

export interface ServiceOptions {
  client: Client;
  site: string;
  authenticator?: Authenticator;
  rateLimit?: number;
  /** Where it listens; else on any free port. */
  port?: number;
}

export async function startService({
  client,
  site,
  authenticator = noAuthentication,
  rateLimit = 100_000,
  port = 0,
}: ServiceOptions): Promise<Service> {
  const log: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line: string) => void log.push(line) });
  const app = await createApi({ client, site, authenticator, rateLimit, log: logger });
  const url = await app.listen({ host: '127.0.0.1', port });
  return {
    url,
    log,
    ask: (method, path, body, headers = {}) => ask(`${url}${path}`, method, body, headers),
    close: () => app.close(),
  };
}

async function ask<T>(
  url: string,
  method: string,
  body: unknown,
  headers: Record<string, string>,
): Promise<Answer<T>> {
  const answer = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    body: (text === '' ? undefined : JSON.parse(text)) as T,
  };
}
