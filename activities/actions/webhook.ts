/** The action `webhook`: asks an endpoint of the worker's configuration to do something, and waits until it is done. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { ActionsConfig } from '../../src/config.ts';
import { MaintenanceError, type ErrorCode } from '../../src/core/errors.ts';
import type { ActionInput } from '../../src/core/host-run.ts';
import { parseRetryAfter, Transport, type Answer, type ErrorAnswer } from '../../src/drivers/transport.ts';
import { readMetadata, type Action, type ActionContext } from './action.ts';

const REQUEST_TIMEOUT_MS = 30_000;
/** Pauses between two polls, where the endpoint does not say how long to wait. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 15_000;
const MAX_ANSWER_BYTES = 1024 * 1024;
/** Statuses of a refusal that passes by itself: a timeout, the same key still being worked on, too early. */
const PASSING = new Set([408, 409, 425]);

type Endpoint = ActionsConfig['webhook']['endpoints'][string];

/** What a session may tell the action. */
export const webhookMetadata = z.strictObject({
  endpoint: z.string(),
  /** Sent beside the action input, whose own fields win. */
  body: z.record(z.string(), z.unknown()).optional(),
});

const answerBody = z
  .looseObject({
    status: z.enum(['running', 'done', 'failed']).optional(),
    /** Where to ask how it goes on; the Location header says the same. */
    poll: z.string().optional(),
    message: z.string().optional(),
  })
  .optional();

type WebhookAnswer = Answer<z.output<typeof answerBody>>;

/** What a new attempt needs of an earlier one: it goes on asking, and does not post again. */
const resumable = z.object({ poll: z.string() });

/** A job that the endpoint has taken on and not ended. */
interface RunningJob {
  poll: URL;
  /** How long the endpoint asks to wait before the next poll. */
  waitMs?: number | undefined;
}

/**
 * An action that posts the action input as JSON to `endpoints[metadata.endpoint].url`, with an Idempotency-Key header.
 * The answer ends it (2xx, without a `status` or with `done`), or takes it on (202, or `running`) and names an address of
 * the same origin, in Location or `poll`, which is then asked until its `status` is `done` or `failed`.
 *
 * Throws ActionNotAllowed for an endpoint that is not configured; ActionFailed when the job failed or a request is refused;
 * retryable codes when the endpoint cannot be reached, is busy, has failed itself, or answers something else.
 */
export function createWebhookAction({ endpoints }: ActionsConfig['webhook']): Action {
  return async (input, context) => {
    const { endpoint: name, body } = readMetadata(webhookMetadata, input);
    const endpoint = Object.hasOwn(endpoints, name) ? endpoints[name] : undefined;
    if (!endpoint) {
      throw new MaintenanceError(
        'ActionNotAllowed',
        `actions.webhook.endpoints of the worker's configuration has no "${name}"`,
      );
    }
    const webhook = new Webhook(name, endpoint, context.signal);
    try {
      await runJob(webhook, { ...body, ...input }, context);
    } finally {
      await webhook.close();
    }
  };
}

/** Posts, or takes up what an earlier attempt posted, and polls until it is done. */
async function runJob(webhook: Webhook, input: ActionInput, context: ActionContext): Promise<void> {
  let job = webhook.resume(context.resumed) ?? (await webhook.post(input));
  for (let pause = FIRST_PAUSE_MS; job; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    context.heartbeat({ poll: job.poll.href });
    await rest(job.waitMs ?? pause, context.signal);
    job = await webhook.poll(job);
  }
}

/** The requests of one job. Each answers with the job while it runs, and with undefined when it is done. */
class Webhook {
  readonly #name: string;
  readonly #url: URL;
  readonly #transport: Transport;
  readonly #signal: AbortSignal;

  constructor(name: string, { url, headers }: Endpoint, signal: AbortSignal) {
    this.#name = name;
    this.#url = new URL(url);
    this.#signal = signal;
    this.#transport = new Transport({
      url: this.#url.origin,
      timeoutMs: REQUEST_TIMEOUT_MS,
      headers: () => headers,
      maxAnswerBytes: MAX_ANSWER_BYTES,
      interpret: (answer) => this.#interpret(answer),
    });
  }

  /** The job in the heartbeat of an earlier attempt. */
  resume(details: unknown): RunningJob | undefined {
    const parsed = resumable.safeParse(details);
    return parsed.success ? { poll: this.#ownAddress(parsed.data.poll) } : undefined;
  }

  async post(input: ActionInput): Promise<RunningJob | undefined> {
    const answer = await this.#transport.call({
      method: 'POST',
      ...addressOf(this.#url),
      headers: { 'idempotency-key': encodeURI(input.idempotencyKey) },
      body: input,
      schema: answerBody,
      signal: this.#signal,
    });
    const done = answer.status !== 202 && answer.body?.status === undefined;
    return done ? undefined : this.#read(answer);
  }

  async poll({ poll }: RunningJob): Promise<RunningJob | undefined> {
    const answer = await this.#transport.call({
      method: 'GET',
      ...addressOf(poll),
      schema: answerBody,
      signal: this.#signal,
    });
    return this.#read(answer, poll);
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  #read({ status: httpStatus, headers, body }: WebhookAnswer, asked?: URL): RunningJob | undefined {
    switch (body?.status) {
      case 'done':
        return undefined;
      case 'failed':
        throw this.#error('ActionFailed', body.message ?? 'it failed, and does not say why');
      case 'running':
        break;
      case undefined:
        if (httpStatus !== 202) throw this.#error('PlatformGarbled', 'the answer has no status');
    }
    const address = [headers.location].flat()[0] ?? body?.poll;
    const poll = address === undefined ? asked : this.#ownAddress(address);
    if (!poll) throw this.#error('PlatformGarbled', 'it runs, but where to ask is not said');
    return { poll, waitMs: parseRetryAfter(headers['retry-after']) };
  }

  /** The headers of the endpoint may hold credentials, so they go to its own origin only. */
  #ownAddress(address: string): URL {
    const { href, origin } = this.#url;
    const url = URL.canParse(address, href) ? new URL(address, href) : undefined;
    if (url?.origin !== origin) {
      throw this.#error('ActionFailed', `it is to be polled at "${address}", outside ${origin}`);
    }
    return url;
  }

  /** Refusals that no retry can change, and those that pass; for the rest the status says enough. */
  #interpret({ method, path, status, text }: ErrorAnswer): MaintenanceError | undefined {
    if (status >= 500 || status === 429) return undefined;
    const code = PASSING.has(status) ? 'PlatformBusy' : 'ActionFailed';
    return this.#error(code, `${method} ${path} was answered with ${status}`, text);
  }

  #error(code: ErrorCode, what: string, vendor = ''): MaintenanceError {
    return new MaintenanceError(code, `webhook "${this.#name}": ${what}`, vendor === '' ? {} : { vendor });
  }
}

const addressOf = (url: URL): { path: string; query: Record<string, string> } => ({
  path: url.pathname,
  query: Object.fromEntries(url.searchParams),
});

async function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => {
    throw signal.reason;
  });
}
