/** Webhooks: CloudEvents with a signature of Standard Webhooks. Receivers know one that comes twice by its webhook-id. */
import { Webhook } from 'standardwebhooks';
import { durationMs } from '../core/duration.ts';
import type { NoticeEvent } from '../core/notice.ts';
import { renderCloudEvent } from './cloud-event.ts';
import { NotSentError, Poster, SilenceError, type PostAnswer } from './http.ts';
import type { WebhookSettings } from './settings.ts';
import { deliveryFailed, type DeliveryContext, type Sink } from './sink.ts';

/** "Gone": the receiver wants no more of them. */
const GONE = 410;

export class WebhookSink implements Sink {
  readonly #url: string;
  readonly #apiUrl: string | undefined;
  readonly #signer: Webhook;
  readonly #poster: Poster;

  constructor({ url, secret, timeout, ca }: WebhookSettings, apiUrl: string | undefined) {
    this.#url = url;
    this.#apiUrl = apiUrl;
    this.#signer = new Webhook(secret);
    this.#poster = new Poster({ timeoutMs: durationMs(timeout), ca });
  }

  async deliver(event: NoticeEvent, { signal }: DeliveryContext): Promise<void> {
    const { contentType, body } = renderCloudEvent(event, { apiUrl: this.#apiUrl });
    const now = new Date();
    const headers = {
      'content-type': contentType,
      'webhook-id': event.id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': this.#signer.sign(event.id, now, body),
    };
    const answer = await this.#post({ headers, body, signal });
    if (answer.status >= 200 && answer.status < 300) return;
    throw deliveryFailed(`the answer is ${answer.line}`, {
      retryable: answer.status !== GONE,
      vendor: answer.excerpt,
      retryAfterMs: answer.retryAfterMs,
    });
  }

  close(): Promise<void> {
    return this.#poster.close();
  }

  async #post(options: Parameters<Poster['post']>[1]): Promise<PostAnswer> {
    try {
      return await this.#poster.post(this.#url, options);
    } catch (error) {
      if (!(error instanceof NotSentError || error instanceof SilenceError)) throw error;
      throw deliveryFailed(error.message, { retryable: true });
    }
  }
}
