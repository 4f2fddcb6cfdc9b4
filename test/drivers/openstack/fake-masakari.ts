/** Masakari's hosts, with what its API insists on. */
import type { Answer, FakeCloud, Request } from './fake-cloud.ts';

interface HaHost {
  uuid: string;
  name: string;
  on_maintenance: boolean;
}

export class FakeMasakari {
  /** Hosts by segment. */
  readonly segments = new Map<string, HaHost[]>();
  maxLimit = 1000;
  /** Segments in which a failure is just being dealt with. */
  readonly recovering = new Set<string>();

  constructor(cloud: FakeCloud, type = 'instance-ha') {
    cloud.serve('masakari', (request) => this.#answer(request), { type, suffix: '/v1/our-project' });
  }

  add(segment: string, name: string, onMaintenance = false): void {
    const hosts = this.segments.get(segment) ?? [];
    hosts.push({ uuid: `ha-${name}`, name, on_maintenance: onMaintenance });
    this.segments.set(segment, hosts);
  }

  isOnMaintenance(name: string): boolean | undefined {
    return [...this.segments.values()].flat().find((one) => one.name === name)?.on_maintenance;
  }

  #answer({ method, path, query, body }: Request): Answer {
    const [, segment, host] =
      /^\/v1\/our-project\/segments(?:\/([^/]+)\/hosts(?:\/([^/]+))?)?$/.exec(path) ?? [];
    if (segment === undefined && method === 'GET') {
      return {
        body: {
          segments: this.#page(
            query,
            [...this.segments.keys()].map((uuid) => ({ uuid })),
          ),
        },
      };
    }
    const hosts = this.segments.get(segment ?? '');
    if (!hosts) return refuse(404, `No segment with id ${segment}`);
    if (host === undefined && method === 'GET') return { body: { hosts: this.#page(query, hosts) } };
    const found = hosts.find(({ uuid }) => uuid === host);
    if (!found || method !== 'PUT') return refuse(404, `No host with id ${host}`);
    const wanted = (body as { host?: Record<string, unknown> } | undefined)?.host;
    const known = Object.keys(wanted ?? {}).join();
    if (known !== 'on_maintenance' || typeof wanted?.['on_maintenance'] !== 'boolean') {
      return refuse(400, `Invalid input for field/attribute host. Value: ${JSON.stringify(wanted)}`);
    }
    if (this.recovering.has(segment ?? '')) {
      return refuse(409, `Host ${host} can't be updated as it is in-use to process notifications.`);
    }
    found.on_maintenance = wanted['on_maintenance'];
    return { body: { host: found } };
  }

  #page<T extends { uuid: string }>(query: URLSearchParams, all: T[]): T[] {
    const start = all.findIndex(({ uuid }) => uuid === query.get('marker')) + 1;
    return all.slice(start, start + Math.min(this.maxLimit, Number(query.get('limit'))));
  }
}

const refuse = (code: number, message: string): Answer => ({
  status: code,
  body: { error: { code, message } },
});
