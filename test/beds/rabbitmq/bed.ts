/** The RabbitMQ that `run.ts` has brought up, and the real oslo.messaging beside it. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { z } from 'zod';
import { bedDirectory } from '../directory.ts';

const run = promisify(execFile);

const HEARD_WITHIN_MS = 60_000;

/** oslo.messaging imports what it warns of. */
const QUIET = { ...process.env, PYTHONWARNINGS: 'ignore' };

/** A notification as a listener gets it. */
const heard = z.object({
  publisher_id: z.string(),
  event_type: z.string(),
  payload: z.record(z.string(), z.unknown()),
  metadata: z.object({ message_id: z.string(), timestamp: z.string() }),
});
export type Heard = z.output<typeof heard>;

export interface Listener {
  /** Resolves to the next notification. */
  next(): Promise<Heard>;
  close(): Promise<void>;
}

/** Where OpenStack's side listens or sends. */
export interface Place {
  exchange: string;
  topic: string;
  /** Of [oslo_messaging_rabbit]: `rabbit_quorum_queue=true`. */
  options?: readonly string[];
}

export class Bed {
  readonly amqp: string;
  readonly amqps: string;
  readonly #python: string;

  /** The bed that the environment variable BED names, or the one at the usual place. Throws when it is not up. */
  constructor(env: NodeJS.ProcessEnv = process.env) {
    const directory = bedDirectory('rabbitmq', env);
    const address = z.object({ amqp: z.string(), amqps: z.string(), python: z.string() });
    const found = address.parse(JSON.parse(readFileSync(path.join(directory, 'bed.json'), 'utf8')));
    this.amqp = found.amqp;
    this.amqps = found.amqps;
    this.#python = found.python;
  }

  /** Both resolve when it is done. */
  async broker(action: 'start' | 'stop'): Promise<void> {
    await run(path.join(import.meta.dirname, 'service.sh'), [action]);
  }

  /** A listener of oslo.messaging; resolves when it listens. */
  async listen(place: Place): Promise<Listener> {
    const child = spawn(this.#python, this.#arguments('listen', place), {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: QUIET,
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const read = async (): Promise<unknown> => {
      const timeout = AbortSignal.timeout(HEARD_WITHIN_MS);
      const late = once(timeout, 'abort').then(() => {
        throw new Error('the listener hears nothing');
      });
      const line = await Promise.race([lines.next(), late]);
      if (line.done) throw new Error('the listener has ended');
      return JSON.parse(line.value);
    };
    z.literal('listening').parse(await read());
    return {
      next: async () => heard.parse(await read()),
      close: async () => {
        child.kill('SIGKILL');
        await once(child, 'exit');
      },
    };
  }

  /** Sends a notification as an OpenStack service does. */
  async notify(place: Place, payload: unknown): Promise<void> {
    await this.#ask(this.#arguments('notify', place), payload);
  }

  /** What Python's `str()` makes of the values, cut as Ceilometer cuts it. */
  async texts(values: readonly unknown[]): Promise<string[]> {
    return z.array(z.string()).parse(JSON.parse(await this.#ask(this.#arguments('text'), values)));
  }

  /** The body of a webhook, if its signature holds. */
  async verify(secret: string, post: { headers: unknown; body: string }): Promise<unknown> {
    return JSON.parse(await this.#ask([...this.#arguments('verify'), secret], post));
  }

  #arguments(command: string, place?: Place): string[] {
    const url = this.amqp.replace('amqp:', 'rabbit:');
    return [
      ...[path.join(import.meta.dirname, 'oslo.py'), command],
      ...(place ? [url, place.exchange, place.topic, ...(place.options ?? [])] : []),
    ];
  }

  async #ask(argv: readonly string[], input: unknown): Promise<string> {
    const child = spawn(this.#python, argv, { stdio: ['pipe', 'pipe', 'inherit'], env: QUIET });
    child.stdin.end(JSON.stringify(input));
    const [output, [code]] = (await Promise.all([text(child.stdout), once(child, 'exit')])) as [
      string,
      [number | null],
    ];
    if (code !== 0) throw new Error(`${argv[1]} ended with ${code}`);
    return output;
  }
}
