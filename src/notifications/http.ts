/** POST for sinks: no keep-alive, no redirection, no retry, and an error that says whether the request can have arrived. */
import { STATUS_CODES } from 'node:http';
import { Agent, buildConnector, request as send, type Dispatcher } from 'undici';
import { parseRetryAfter, wordsOf } from '../drivers/transport.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const EXCERPT_BYTES = 500;

export interface PostOptions {
  headers: Readonly<Record<string, string>>;
  body: string;
  signal: AbortSignal;
}

export interface PostAnswer {
  status: number;
  /** `503 Service Unavailable` */
  line: string;
  /** Beginning of the body of an answer that is no success; the path of the address, which may be a secret, is cut out. */
  excerpt: string;
  retryAfterMs: number | undefined;
}

/** No connection was made: nothing of the request has left. */
export class NotSentError extends Error {
  override readonly name = 'NotSentError';
}

/** Nobody knows whether the request has arrived. */
export class SilenceError extends Error {
  override readonly name = 'SilenceError';
}

export class Poster {
  readonly #timeoutMs: number;
  readonly #agent: Agent;

  constructor({ timeoutMs, ca }: { timeoutMs: number; ca?: string | undefined }) {
    this.#timeoutMs = timeoutMs;
    this.#agent = new Agent({
      connect: connectorOf(ca),
      // A connection each: one that was kept might be closed by the other side just when it is used again.
      pipelining: 0,
      // The deadline of the request covers both.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** Whatever the answer is. Throws NotSentError, SilenceError, or the reason of the signal. */
  async post(url: string, { headers, body, signal }: PostOptions): Promise<PostAnswer> {
    signal.throwIfAborted();
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    try {
      const answer = await send(url, {
        dispatcher: this.#agent,
        method: 'POST',
        headers,
        body,
        signal: AbortSignal.any([signal, deadline]),
      });
      return await readAnswer(url, answer);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (deadline.aborted) throw new SilenceError(`no answer within ${this.#timeoutMs} ms`);
      if (error instanceof NotSentError) throw error;
      throw new SilenceError(wordsOf(error), { cause: error });
    }
  }

  /** Cuts what is still under way. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** undici's own, whose failures are told apart from those of a request. */
function connectorOf(ca: string | undefined): buildConnector.connector {
  const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS, ...(ca === undefined ? {} : { ca }) });
  return (options, callback) => {
    connect(options, (error, socket) => {
      if (error) callback(new NotSentError(wordsOf(error), { cause: error }), null);
      else callback(null, socket);
    });
  };
}

async function readAnswer(url: string, answer: Dispatcher.ResponseData): Promise<PostAnswer> {
  const { statusCode: status, headers, body } = answer;
  const hasFailed = status >= 300;
  // The status says all that counts.
  if (!hasFailed) body.on('error', () => undefined).destroy();
  return {
    status,
    line: `${status} ${STATUS_CODES[status] ?? ''}`.trim(),
    excerpt: hasFailed ? withoutPath(url, await readExcerpt(body)) : '',
    retryAfterMs: parseRetryAfter(headers['retry-after']),
  };
}

async function readExcerpt(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= EXCERPT_BYTES) break;
    }
  } catch {
    // Cut off: what came before is enough.
  }
  return Buffer.concat(chunks).toString('utf8').slice(0, EXCERPT_BYTES);
}

function withoutPath(url: string, text: string): string {
  const { pathname, search } = new URL(url);
  return [`${pathname}${search}`, pathname]
    .filter((secret) => secret.length > 1)
    .reduce((cleaned, secret) => cleaned.replaceAll(secret, '[path]'), text);
}
