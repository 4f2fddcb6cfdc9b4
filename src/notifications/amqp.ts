/** Notifications of oslo.messaging on RabbitMQ: exchange and queue as its notifier declares them, each message confirmed. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { durationMs } from '../core/duration.ts';
import type { NoticeEvent } from '../core/notice.ts';
import { wordsOf } from '../drivers/transport.ts';
import { renderOsloMessage } from './oslo-message.ts';
import type { AmqpSettings } from './settings.ts';
import { deliveryFailed, type DeliveryContext, type Sink } from './sink.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** A broker that says nothing any more does not take its leave either. */
const CLOSE_TIMEOUT_MS = 2_000;
/** A connection that has died silently is noticed after two of them. */
const HEARTBEAT_SECONDS = 20;

interface Link {
  connection: ChannelModel;
  channel: ConfirmChannel;
}

export class AmqpSink implements Sink {
  readonly #settings: AmqpSettings;
  readonly #apiUrl: string | undefined;
  readonly #queue: string;
  /** Shared by all deliveries; undefined when the next one has to connect. */
  #link: Promise<Link> | undefined;

  constructor(settings: AmqpSettings, apiUrl: string | undefined) {
    this.#settings = settings;
    this.#apiUrl = apiUrl;
    this.#queue = `${settings.topic}.info`;
  }

  async deliver(event: NoticeEvent, { signal }: DeliveryContext): Promise<void> {
    signal.throwIfAborted();
    const { adminProject, timeout } = this.#settings;
    const body = renderOsloMessage(event, { apiUrl: this.#apiUrl, adminProject });
    const timeoutMs = durationMs(timeout);
    const deadline = AbortSignal.timeout(timeoutMs);
    const link = this.#link ?? this.#open();
    try {
      await unlessAborted(this.#publish(link, event.id, body), AbortSignal.any([signal, deadline]));
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      // Whatever is wrong with it, a new connection is the better try. This one may take its time to close.
      void this.#drop(link);
      const words = deadline.aborted ? `no confirmation within ${timeoutMs} ms` : wordsOf(error);
      throw deliveryFailed(words, { retryable: true });
    }
  }

  async close(): Promise<void> {
    if (!this.#link) return;
    await Promise.race([this.#drop(this.#link), sleep(CLOSE_TIMEOUT_MS, undefined, { ref: false })]);
  }

  #open(): Promise<Link> {
    const link = this.#connect(() => {
      this.#forget(link);
    });
    this.#link = link;
    return link;
  }

  #forget(link: Promise<Link>): void {
    if (this.#link === link) this.#link = undefined;
  }

  async #drop(link: Promise<Link>): Promise<void> {
    this.#forget(link);
    try {
      const { connection } = await link;
      await connection.close();
    } catch {
      // It never came to be, or is closed by now.
    }
  }

  async #publish(link: Promise<Link>, id: string, body: string): Promise<void> {
    const { channel } = await link;
    const properties = {
      persistent: true,
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      messageId: id,
    };
    await new Promise<void>((resolve, reject) => {
      const settle = (error: unknown): void => {
        if (error === null) resolve();
        else reject(new Error(wordsOf(error ?? 'the channel was closed')));
      };
      channel.publish(this.#settings.exchange, this.#queue, Buffer.from(body), properties, settle);
    });
  }

  async #connect(whenLost: () => void): Promise<Link> {
    const connection = await this.#reachBroker();
    // What failed is told to whoever waits for it; an error that nobody listens to would end the process.
    connection.on('error', whenLost).on('close', whenLost);
    try {
      const channel = await connection.createConfirmChannel();
      channel.on('error', whenLost).on('close', whenLost);
      await this.#declare(channel);
      return { connection, channel };
    } catch (error) {
      await connection.close().catch(() => undefined);
      throw error;
    }
  }

  async #reachBroker(): Promise<ChannelModel> {
    const { url, ca } = this.#settings;
    const failures: string[] = [];
    for (const address of [url].flat()) {
      try {
        return await connect(withHeartbeat(address), {
          timeout: CONNECT_TIMEOUT_MS,
          ...(ca === undefined ? {} : { ca }),
        });
      } catch (error) {
        failures.push(`${new URL(address).host}: ${wordsOf(error)}`);
      }
    }
    throw new Error(failures.join('; '));
  }

  /** So that no message is lost before the first listener comes. */
  async #declare(channel: ConfirmChannel): Promise<void> {
    const { exchange, queues } = this.#settings;
    const durable = queues !== 'transient';
    await channel.assertExchange(exchange, 'topic', { durable, autoDelete: false });
    await channel.assertQueue(this.#queue, {
      durable,
      autoDelete: false,
      ...(queues === 'quorum' ? { arguments: { 'x-queue-type': 'quorum' } } : {}),
    });
    await channel.bindQueue(this.#queue, exchange, this.#queue);
  }
}

function withHeartbeat(url: string): string {
  const address = new URL(url);
  if (!address.searchParams.has('heartbeat')) {
    address.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS));
  }
  return address.href;
}

/** Settles as the work does, or rejects when the signal aborts first. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = once(signal, 'abort').then(() => Promise.reject(new Error('aborted')));
  await Promise.race([work, aborted]);
}
