/**
 * HTTP for all drivers: JSON in and out, checked by a schema; a timeout on every call; every failure a
 * `MaintenanceError` of the catalogue. Reads are repeated a few times when the connection fails; writes never are, since
 * nobody knows whether the first one was done: the engine looks, and decides.
 */
import { readFileSync } from 'node:fs';
import { STATUS_CODES } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, type Dispatcher, errors as undici, ProxyAgent, request as send } from 'undici';
import type { z } from 'zod';
import { MaintenanceError } from '../core/errors.ts';
import { parseJson } from '../core/json.ts';

/** Pauses before a read is repeated, in milliseconds; their number is the number of repetitions. */
const READ_PAUSES_MS = [200, 800];
const REPEATED_STATUSES = new Set([502, 503, 504]);
/** Longest Retry-After that is waited out here; a longer one is the engine's to wait for. */
const LONGEST_PAUSE_MS = 5_000;
/** Longest Retry-After that is believed: an hour. */
const LONGEST_RETRY_AFTER_MS = 3_600_000;
const DEFAULT_MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const EXCERPT_CHARS = 300;
const TOKEN_HEADER = /authorization|token|cookie|session|api-?key|secret|password/i;
const CONNECT_TIMEOUT_MS = 10_000;

export interface TransportOptions {
  /** Address that paths are added to: `https://vcenter.example.org/sdk`. */
  url: string;
  /** Time for one try of a call, from connecting to the last byte. */
  timeoutMs: number;
  /** Sent with every request; asked for each time, so that tokens may change. */
  headers?: () => Readonly<Record<string, string>>;
  tls?: {
    /** @default true */
    verify?: boolean;
    /** PEM file of the CA to trust instead of those of the system. */
    caFile?: string;
    /** The same, as PEM. */
    ca?: string;
    /** Certificate and key of this client, as PEM. */
    client?: { cert: string; key: string };
    /** Name that the certificate of the platform has to be for, where that is not the one in the address. */
    serverName?: string;
    /** Where an operator names the CA of a certificate that is not trusted: `caFile of the site`. */
    caField?: string;
  };
  /** Makes something better of a vendor's error answer than its status says; undefined: nothing better. */
  interpret?: (answer: ErrorAnswer) => MaintenanceError | undefined;
  /** Passwords and the like, cut out of whatever an error quotes. Values of headers that carry tokens are too. */
  secrets?: () => readonly string[];
  /** Address of an HTTP proxy to go through. */
  proxy?: string;
  /** Longer answers are refused. @default 64 MiB */
  maxAnswerBytes?: number;
}

/** An answer of status 400 or more. */
export interface ErrorAnswer {
  method: string;
  /** As the caller wrote it. */
  path: string;
  status: number;
  /** Parsed JSON, free of secrets; undefined when the body is something else. */
  json: unknown;
  /** Free of secrets. */
  text: string;
  /** How long the answer asks to wait. */
  retryAfterMs?: number;
}

export interface Call<T> {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Added to the address of the transport; starts with a slash. */
  path: string;
  query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON. */
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  /** What the body of the answer has to be; an empty body is `undefined`. */
  schema: z.ZodType<T>;
  signal: AbortSignal;
  /**
   * It changes nothing on the platform, and may be repeated.
   *
   * @default whether the method is GET
   */
  isRead?: boolean;
  /** Its answer is a secret, such as a token: no error quotes it. */
  isSecret?: boolean;
  /** @default that of the transport */
  timeoutMs?: number;
}

export interface Answer<T> {
  status: number;
  /** Names in lower case. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: T;
}

interface RawAnswer extends Omit<Answer<unknown>, 'body'> {
  text: string;
}

export class Transport {
  readonly #options: TransportOptions;
  readonly #base: string;
  readonly #agent: Dispatcher;

  /** Throws when the address is no URL, or the CA file cannot be read. */
  constructor(options: TransportOptions) {
    this.#options = options;
    this.#base = new URL(options.url).href.replace(/\/+$/, '');
    const connect = { timeout: CONNECT_TIMEOUT_MS, ...tlsOptions(options.tls) };
    const limits = {
      maxResponseSize: options.maxAnswerBytes ?? DEFAULT_MAX_ANSWER_BYTES,
      // The deadline of each try covers both.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    this.#agent =
      options.proxy === undefined
        ? new Agent({ connect, ...limits })
        : new ProxyAgent({ uri: options.proxy, requestTls: connect, ...limits });
  }

  /**
   * Makes a call and checks its answer. Throws `MaintenanceError`, or the reason of the caller's signal when that ends it.
   */
  async call<T>(call: Call<T>): Promise<Answer<T>> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await this.#try(call);
      } catch (error) {
        if (!(error instanceof RepeatableError)) throw error;
        const isRead = call.isRead ?? call.method === 'GET';
        const pauseMs = isRead ? pauseAfter(tries, error.failure.retryAfterMs) : undefined;
        if (pauseMs === undefined) throw error.failure;
        await rest(pauseMs, call.signal);
      }
    }
  }

  /** Cuts what is still under way and closes the connections. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #try<T>(call: Call<T>): Promise<Answer<T>> {
    const answer = await this.#exchange(call);
    if (answer.status >= 400) throw this.#failure(call, answer);
    return { ...answer, body: this.#checked(call, answer) };
  }

  async #exchange(call: Call<unknown>): Promise<RawAnswer> {
    call.signal.throwIfAborted();
    const timeoutMs = call.timeoutMs ?? this.#options.timeoutMs;
    const deadline = AbortSignal.timeout(timeoutMs);
    try {
      const { statusCode, headers, body } = await send(this.#address(call), {
        dispatcher: this.#agent,
        method: call.method,
        headers: this.#headersOf(call),
        body: call.body === undefined ? null : JSON.stringify(call.body),
        signal: AbortSignal.any([call.signal, deadline]),
      });
      return { status: statusCode, headers, text: await body.text() };
    } catch (error) {
      if (call.signal.aborted) throw call.signal.reason;
      if (deadline.aborted) {
        throw new MaintenanceError(
          'PlatformUnreachable',
          `${this.#name(call)}: no answer within ${timeoutMs} ms`,
        );
      }
      throw this.#connectionFailure(call, error);
    }
  }

  #address({ path, query = {} }: Call<unknown>): string {
    const parameters = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) {
      if (value !== undefined) parameters.set(key, String(value));
    }
    return `${this.#base}${path}${parameters.size > 0 ? `?${parameters.toString()}` : ''}`;
  }

  #headersOf(call: Call<unknown>): Record<string, string> {
    return {
      accept: 'application/json',
      ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...this.#options.headers?.(),
      ...call.headers,
    };
  }

  #checked<T>(call: Call<T>, { status, text }: RawAnswer): T {
    const garbled = (what: string): MaintenanceError =>
      new MaintenanceError('PlatformGarbled', `${this.#name(call)}: ${what}`, {
        ...(call.isSecret === true ? {} : { vendor: this.#clean(call, text).slice(0, EXCERPT_CHARS) }),
      });
    if (status >= 300) throw garbled(`answered ${status} and points elsewhere`);
    const json = text === '' ? undefined : parseJson(text);
    if (text !== '' && json === undefined) throw garbled('the answer is not JSON');
    const parsed = call.schema.safeParse(json);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    const where = issue && issue.path.length > 0 ? issue.path.join('.') : 'body';
    throw garbled(`the answer is not as expected: ${where}: ${issue?.message}`);
  }

  #failure(call: Call<unknown>, { status, headers, text }: RawAnswer): Error {
    const retryAfterMs = parseRetryAfter(headers['retry-after']);
    const cleaned = this.#clean(call, text);
    const answer: ErrorAnswer = {
      method: call.method,
      path: call.path,
      status,
      json: parseJson(cleaned),
      text: cleaned,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    };
    const error = this.#options.interpret?.(answer) ?? this.#byStatus(call, answer);
    return REPEATED_STATUSES.has(status) ? new RepeatableError(error) : error;
  }

  #byStatus(call: Call<unknown>, { status, text: vendor, retryAfterMs }: ErrorAnswer): MaintenanceError {
    const message = `${this.#name(call)}: answered ${`${status} ${STATUS_CODES[status] ?? ''}`.trim()}`;
    const options = { vendor, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
    if (status === 429 || (status === 503 && retryAfterMs !== undefined)) {
      return new MaintenanceError('PlatformBusy', message, options);
    }
    if (status >= 500) return new MaintenanceError('PlatformError', message, options);
    if (status === 401 || status === 403) return new MaintenanceError('NotAuthorized', message, options);
    if (status === 404) return new MaintenanceError('NotFound', message, options);
    return new MaintenanceError('PlatformRefused', message, options);
  }

  #connectionFailure(call: Call<unknown>, error: unknown): Error {
    const said = this.#clean(call, wordsOf(error));
    if (error instanceof undici.ResponseExceededMaxSizeError) {
      return new MaintenanceError('PlatformGarbled', `${this.#name(call)}: the answer is too long`, {
        retryable: false,
      });
    }
    if (isTrustFailure(error)) {
      const field = this.#options.tls?.caField;
      const wayOut = field === undefined ? '' : `; name the CA that signed it in ${field}`;
      return new MaintenanceError('NotTrusted', `${this.#name(call)}: ${said}${wayOut}`);
    }
    return new RepeatableError(new MaintenanceError('PlatformUnreachable', `${this.#name(call)}: ${said}`));
  }

  /** What a call is called in errors: without its query and without credentials in its address. */
  #name({ method, path }: Call<unknown>): string {
    const { origin, pathname } = new URL(this.#base);
    return `${method} ${origin}${pathname === '/' ? '' : pathname}${path}`;
  }

  #clean(call: Call<unknown>, text: string): string {
    const tokens = Object.entries(this.#headersOf(call))
      .filter(([name]) => TOKEN_HEADER.test(name))
      .flatMap(([, value]) => [value, value.replace(/^\S+\s+/, '')]);
    return [...tokens, ...(this.#options.secrets?.() ?? [])]
      .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)])
      .filter((secret) => secret !== '')
      .reduce((cleaned, secret) => cleaned.replaceAll(secret, '[secret]'), text);
  }
}

function tlsOptions({ verify = true, ca, caFile, client, serverName }: TransportOptions['tls'] = {}): {
  rejectUnauthorized: boolean;
  ca?: string;
  cert?: string;
  key?: string;
  servername?: string;
} {
  return {
    rejectUnauthorized: verify,
    ...(ca === undefined ? {} : { ca }),
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') }),
    ...client,
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}

/** A failure that a read may be repeated after. */
class RepeatableError extends Error {
  readonly failure: MaintenanceError;

  constructor(failure: MaintenanceError) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Milliseconds of a Retry-After header, which holds seconds or a date; undefined when there is none. */
export function parseRetryAfter(header: string | string[] | undefined, now = Date.now()): number | undefined {
  const value = Array.isArray(header) ? header[0] : header;
  if (value === undefined) return undefined;
  const asked = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isNaN(asked) ? undefined : Math.min(Math.max(asked, 0), LONGEST_RETRY_AFTER_MS);
}

/** How long to rest before a read is repeated; undefined: not at all. */
function pauseAfter(tries: number, askedMs = 0): number | undefined {
  const pause = READ_PAUSES_MS[tries];
  return pause === undefined || askedMs > LONGEST_PAUSE_MS ? undefined : Math.max(pause, askedMs);
}

/** Sleeps; throws the reason of the signal when that ends it. */
export async function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(milliseconds, undefined, { signal });
  } catch {
    throw signal.reason;
  }
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** What an error of a connection says. Several addresses may have been tried; the first one says enough. */
export function wordsOf(error: unknown): string {
  if (error instanceof AggregateError) return wordsOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}

/** Codes of OpenSSL and Node for a certificate that does not hold. */
const isTrustFailure = (error: unknown): boolean =>
  /CERT|UNABLE_TO_(GET|VERIFY|DECRYPT)|SELF_SIGNED|INVALID_CA|PATH_LENGTH|HOSTNAME_MISMATCH/.test(
    codeOf(error) ?? '',
  );
