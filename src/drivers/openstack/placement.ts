/** Placement: how much the hosts hold, and what they can do. */
import type { z } from 'zod';
import type { CallContext } from '../driver.ts';
import { unlessGone } from '../gone.ts';
import type { Call } from '../transport.ts';
import type { Cloud } from './clouds.ts';
import type { Keystone } from './keystone.ts';
import { Service } from './service.ts';
import { candidates, inventories, traits } from './wire.ts';

/** Candidates name every provider of their trees, with all that it has and its root (Rocky, 2018). */
const VERSION = 'placement 1.29';

/** Requests at one time for hosts that have to be asked after one by one. */
const CONCURRENCY = 8;

export interface Provider {
  /** What may be allocated by class of resource, after ratio and reserve. */
  capacity: Readonly<Record<string, number>>;
  traits: readonly string[];
}

export class Placement {
  readonly #service: Service;

  constructor(options: { keystone: Keystone; cloud: Cloud; timeoutMs: number }) {
    this.#service = new Service({ ...options, types: ['placement'] });
  }

  /**
   * The providers of these ids; those that Placement does not know are left out. One request tells of every host with
   * room for a megabyte, however many there are; the full ones are asked after one by one.
   */
  async providers(ids: readonly string[], context: CallContext): Promise<Map<string, Provider>> {
    const { provider_summaries: summaries } = await this.#get('/allocation_candidates', candidates, context, {
      resources: 'MEMORY_MB:1',
    });
    const found = new Map<string, Provider>();
    const full: string[] = [];
    for (const id of ids) {
      const summary = summaries[id];
      if (summary === undefined) full.push(id);
      else found.set(id, { capacity: capacitiesOf(summary.resources), traits: summary.traits });
    }
    const lane = async (): Promise<void> => {
      for (let id = full.shift(); id !== undefined; id = full.shift()) {
        const provider = await this.#provider(id, context);
        if (provider) found.set(id, provider);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, lane));
    return found;
  }

  close(): Promise<void> {
    return this.#service.close();
  }

  async #provider(id: string, context: CallContext): Promise<Provider | undefined> {
    const path = `/resource_providers/${encodeURIComponent(id)}`;
    const parts = Promise.all([
      this.#get(`${path}/inventories`, inventories, context),
      this.#get(`${path}/traits`, traits, context),
    ]);
    const read = await unlessGone(parts);
    if (!read) return undefined;
    const [held, marked] = read;
    const capacity: Record<string, number> = {};
    for (const [name, { total, reserved, allocation_ratio: ratio }] of Object.entries(held.inventories)) {
      capacity[name] = Math.floor((total - reserved) * ratio);
    }
    return { capacity, traits: marked.traits };
  }

  async #get<T>(
    path: string,
    schema: z.ZodType<T>,
    { signal }: CallContext,
    query: Call<T>['query'] = {},
  ): Promise<T> {
    const headers = { 'OpenStack-API-Version': VERSION };
    return (await this.#service.call({ method: 'GET', path, query, headers, schema, signal })).body;
  }
}

const capacitiesOf = (resources: Readonly<Record<string, { capacity: number }>>): Record<string, number> =>
  Object.fromEntries(Object.entries(resources).map(([name, { capacity }]) => [name, capacity]));
