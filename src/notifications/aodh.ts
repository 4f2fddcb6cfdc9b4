/**
 * Posts what AODH would post. Clients of Fenix act on each post, a SCALE_IN scales again, so an event is sent a second
 * time only when it is certain that the first never left.
 */
import { durationMs } from '../core/duration.ts';
import type { NoticeEvent } from '../core/notice.ts';
import { renderAlarm } from './aodh-alarm.ts';
import { NotSentError, Poster, SilenceError, type PostAnswer } from './http.ts';
import type { AodhSettings } from './settings.ts';
import { deliveryFailed, type DeliveryContext, type Sink } from './sink.ts';

export class AodhSink implements Sink {
  readonly #settings: AodhSettings;
  readonly #apiUrl: string | undefined;
  readonly #poster: Poster;

  constructor(settings: AodhSettings, apiUrl: string | undefined) {
    this.#settings = settings;
    this.#apiUrl = apiUrl;
    this.#poster = new Poster({ timeoutMs: durationMs(settings.timeout), ca: settings.ca });
  }

  async deliver(event: NoticeEvent, { signal, interrupted }: DeliveryContext): Promise<void> {
    if (interrupted) throw maybeReceived('an attempt ended without a word');
    const { adminProject } = this.#settings;
    const answer = await this.#post(this.#addressFor(event), {
      headers: { 'content-type': 'application/json', 'x-openstack-request-id': `req-${event.id}` },
      body: renderAlarm(event, { apiUrl: this.#apiUrl, adminProject }),
      signal,
    });
    if (answer.status >= 200 && answer.status < 300) return;
    throw maybeReceived(`the answer is ${answer.line}`, answer.excerpt);
  }

  close(): Promise<void> {
    return this.#poster.close();
  }

  async #post(url: string, options: Parameters<Poster['post']>[1]): Promise<PostAnswer> {
    try {
      return await this.#poster.post(url, options);
    } catch (error) {
      if (error instanceof NotSentError) throw deliveryFailed(error.message, { retryable: true });
      if (error instanceof SilenceError) throw maybeReceived(error.message);
      throw error;
    }
  }

  #addressFor(event: NoticeEvent): string {
    const { url, urls = {} } = this.#settings;
    const own =
      event.type === 'maintenance.scheduled' && Object.hasOwn(urls, event.project)
        ? urls[event.project]
        : undefined;
    const address = own ?? url;
    if (address === undefined)
      throw deliveryFailed('there is no address for this project', { retryable: false });
    return address;
  }
}

const maybeReceived = (what: string, vendor?: string): Error =>
  deliveryFailed(`${what}; the client may have acted on it, so it is not sent again`, {
    retryable: false,
    ...(vendor === undefined ? {} : { vendor }),
  });
