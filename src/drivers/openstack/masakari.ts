/**
 * Masakari, where the catalog has it: it evacuates hosts that stop answering, and must be told of those that are only
 * rebooted by us.
 */
import { MaintenanceError } from '../../core/errors.ts';
import type { CallContext } from '../driver.ts';
import type { ErrorAnswer } from '../transport.ts';
import type { Cloud } from './clouds.ts';
import type { Keystone } from './keystone.ts';
import { Service } from './service.ts';
import { anything, haHostPage, segmentPage } from './wire.ts';
import { wordsIn } from './words.ts';

const PAGE = 1000;

interface HaHost {
  path: string;
  onMaintenance: boolean;
}

export class Masakari {
  readonly #service: Service;

  constructor(options: { keystone: Keystone; cloud: Cloud; timeoutMs: number }) {
    this.#service = new Service({ ...options, types: ['instance-ha', 'ha'], interpret: interpretError });
  }

  /** Whether it leaves the host alone already; undefined when it does not watch the host. */
  async isOnMaintenance(host: string, context: CallContext): Promise<boolean | undefined> {
    return (await this.#find(host, context))?.onMaintenance;
  }

  /** Tells it to leave the host alone, or to watch it again; nothing to tell when it does not know the host. */
  async setOnMaintenance(host: string, value: boolean, context: CallContext): Promise<void> {
    const found = await this.#find(host, context);
    if (found === undefined || found.onMaintenance === value) return;
    await this.#service.call({
      method: 'PUT',
      path: found.path,
      body: { host: { on_maintenance: value } },
      schema: anything,
      signal: context.signal,
    });
  }

  close(): Promise<void> {
    return this.#service.close();
  }

  async #find(host: string, context: CallContext): Promise<HaHost | undefined> {
    if (!(await this.#service.exists(context))) return undefined;
    for await (const segment of this.#segments(context)) {
      for await (const one of this.#hosts(segment, context)) {
        if (one.name !== host) continue;
        return { path: `/segments/${segment}/hosts/${one.uuid}`, onMaintenance: one.on_maintenance };
      }
    }
    return undefined;
  }

  async *#segments({ signal }: CallContext): AsyncGenerator<string> {
    for (let marker: string | undefined; ;) {
      const query = { limit: PAGE, marker };
      const { body } = await this.#service.call({
        method: 'GET',
        path: '/segments',
        query,
        schema: segmentPage,
        signal,
      });
      for (const { uuid } of body.segments) yield (marker = uuid);
      if (body.segments.length === 0) return;
    }
  }

  async *#hosts(
    segment: string,
    { signal }: CallContext,
  ): AsyncGenerator<{ uuid: string; name: string; on_maintenance: boolean }> {
    for (let marker: string | undefined; ;) {
      const path = `/segments/${segment}/hosts`;
      const query = { limit: PAGE, marker };
      const { body } = await this.#service.call({ method: 'GET', path, query, schema: haHostPage, signal });
      yield* body.hosts;
      marker = body.hosts.at(-1)?.uuid;
      if (marker === undefined) return;
    }
  }
}

/** It changes nothing of a host while it deals with a failure in its segment. */
function interpretError({ method, path, status, text }: ErrorAnswer): MaintenanceError | undefined {
  if (status !== 409) return undefined;
  const vendor = wordsIn(text)?.words ?? text;
  return new MaintenanceError('PlatformBusy', `${method} ${path}: ${vendor}`, { vendor });
}
