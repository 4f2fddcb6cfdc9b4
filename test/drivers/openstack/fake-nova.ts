/** Nova and Placement as data of a test, in the shapes of their APIs; lists are cut into pages as Nova cuts them. */
import type { Answer, FakeCloud, Request } from './fake-cloud.ts';

export type Json = Record<string, unknown>;

/** A server as Nova lists it. */
export const serverJson = (over: Json = {}): Json & { id: string } => ({
  id: 'server-1',
  name: 'web-1',
  status: 'ACTIVE',
  tenant_id: 'shop',
  image: { id: 'debian' },
  flavor: { vcpus: 2, ram: 4096, disk: 20, ephemeral: 0, swap: 0, extra_specs: {} },
  metadata: {},
  tags: [],
  locked: false,
  'OS-EXT-AZ:availability_zone': 'az1',
  'OS-EXT-SRV-ATTR:host': 'compute-1',
  'OS-EXT-STS:vm_state': 'active',
  'OS-EXT-STS:task_state': null,
  'OS-EXT-STS:power_state': 1,
  ...over,
});

export const serviceJson = (over: Json = {}): Json => ({
  id: 'service-1',
  binary: 'nova-compute',
  host: 'compute-1',
  zone: 'az1',
  status: 'enabled',
  state: 'up',
  forced_down: false,
  disabled_reason: null,
  ...over,
});

export const migrationJson = (over: Json = {}): Json => ({
  id: 1,
  instance_uuid: 'server-1',
  status: 'running',
  migration_type: 'live-migration',
  source_compute: 'compute-1',
  dest_compute: 'compute-2',
  created_at: utc(0),
  updated_at: null,
  ...over,
});

/** A moment so many seconds ago, as Nova writes it. */
export const utc = (secondsAgo: number): string =>
  new Date(Date.now() - secondsAgo * 1000).toISOString().replace('Z', '000');

export class FakeNova {
  maxLimit = 1000;
  newestVersion = '2.93';
  services: Json[] = [];
  hypervisors: Json[] = [];
  aggregates: Json[] = [];
  servers: (Json & { id: string })[] = [];
  groups: Json[] = [];
  /** Newest first. */
  migrations: Json[] = [];
  /** By id of the server, newest first; each with its events. */
  actions: Record<string, Json[]> = {};
  /** Candidates that Placement lists, by id of the provider. */
  candidates: Record<string, Json> = {};
  /** Those it has to be asked after one by one. */
  providers: Record<string, { inventories: Json; traits: string[] }> = {};
  /** Whether the user may narrow lists of servers to a host; Nova then leaves a filter out, and says nothing. */
  allowsFilters = true;
  /** Answers given instead, once each, by `METHOD path`. */
  readonly instead = new Map<string, Answer>();

  constructor(cloud: FakeCloud) {
    cloud.serve('compute', (request) => this.#compute(request), { suffix: '/v2.1' });
    cloud.serve('placement', (request) => this.#placement(request));
  }

  #compute(request: Request): Answer {
    const { method, query, headers } = request;
    const path = request.path.replace(/^\/v2\.1/, '');
    const instead = this.instead.get(`${method} ${path}`);
    if (instead) {
      this.instead.delete(`${method} ${path}`);
      return instead;
    }
    if (path === '/') return { body: { version: { min_version: '2.1', version: this.newestVersion } } };
    if (headers['openstack-api-version'] === undefined) return fault(406, 'no microversion was asked for');
    const [, server = '', below = ''] = /^\/servers\/(server-[^/]+)(.*)$/.exec(path) ?? [];
    if (server !== '') return this.#server(request, server, below);
    switch (`${method} ${path}`) {
      case 'GET /os-services':
        return {
          body: {
            services: this.services.filter((one) => !query.has('host') || one['host'] === query.get('host')),
          },
        };
      case 'GET /os-hypervisors/detail':
        return this.#page(request, 'hypervisors', this.hypervisors);
      case 'GET /os-aggregates':
        return { body: { aggregates: this.aggregates } };
      case 'GET /servers/detail': {
        const host = query.get('host');
        const isWanted = (one: Json): boolean => host === null || one['OS-EXT-SRV-ATTR:host'] === host;
        const wanted = this.allowsFilters ? this.servers.filter(isWanted) : this.servers;
        return this.#page(request, 'servers', wanted);
      }
      case 'GET /os-server-groups': {
        const offset = Number(query.get('offset') ?? 0);
        return { body: { server_groups: this.groups.slice(offset, offset + this.#limit(query)) } };
      }
      case 'GET /os-migrations': {
        const of = query.get('instance_uuid');
        const host = query.get('host');
        const migrations = this.migrations.filter(
          (one) =>
            (of === null || one['instance_uuid'] === of) &&
            (host === null || one['source_compute'] === host || one['dest_compute'] === host),
        );
        return { body: { migrations: migrations.slice(0, this.#limit(query)) } };
      }
      default:
        return this.#changeService(request, path);
    }
  }

  #server({ method, body }: Request, id: string, below: string): Answer {
    const server = this.servers.find((one) => one.id === id);
    if (!server) return fault(404, `Instance ${id} could not be found.`);
    const actions = this.actions[id] ?? [];
    const [, request = ''] = /^\/os-instance-actions\/(.+)$/.exec(below) ?? [];
    if (request !== '') {
      const action = actions.find((one) => one['request_id'] === request);
      return action ? { body: { instanceAction: action } } : fault(404, `Action ${request} not found`);
    }
    switch (`${method} ${below}`) {
      case 'GET ':
        return { body: { server: { server_groups: [], ...server } } };
      case 'GET /migrations': {
        const inHand = ['queued', 'preparing', 'running', 'post-migrating'];
        const migrations = this.migrations.filter(
          (one) => one['instance_uuid'] === id && inHand.includes(String(one['status'])),
        );
        return { body: { migrations } };
      }
      case 'GET /os-instance-actions':
        return { body: { instanceActions: actions } };
      case 'POST /action':
        return { status: 202, headers: { 'x-openstack-request-id': 'req-new' } };
      case 'POST /metadata':
        server['metadata'] = { ...(server['metadata'] as Json), ...(body as { metadata: Json }).metadata };
        return { body: {} };
      case 'DELETE /metadata/haulout_stopped_by':
        server['metadata'] = {};
        return { status: 204 };
      default:
        return below.startsWith('/migrations/') ? { status: 202 } : { status: 404 };
    }
  }

  #changeService({ method, body }: Request, path: string): Answer {
    const [, id = ''] = /^\/os-services\/(.+)$/.exec(path) ?? [];
    const service = this.services.find((one) => one['id'] === id);
    if (method !== 'PUT' || !service) return { status: 404 };
    const { status, disabled_reason: reason = null } = body as Json;
    Object.assign(service, { status, disabled_reason: reason });
    return { body: { service } };
  }

  #placement({ path, headers }: Request): Answer {
    if (headers['openstack-api-version'] === undefined) return fault(406, 'no microversion was asked for');
    if (path === '/allocation_candidates') {
      return { body: { allocation_requests: [], provider_summaries: this.candidates } };
    }
    const [, id = '', what = ''] = /^\/resource_providers\/([^/]+)\/(.+)$/.exec(path) ?? [];
    const provider = this.providers[id];
    if (!provider) return { status: 404 };
    return { body: what === 'traits' ? { traits: provider.traits } : { inventories: provider.inventories } };
  }

  /** A page as Nova gives it: at most `maxLimit` items behind the marker, and a link to the next when it is full. */
  #page({ query }: Request, key: string, all: Json[]): Answer {
    const marker = query.get('marker');
    const at = marker === null ? 0 : all.findIndex((one) => one['id'] === marker) + 1;
    if (marker !== null && at === 0) return fault(400, `marker [${marker}] not found`);
    const items = all.slice(at, at + this.#limit(query));
    const isFull = items.length === this.#limit(query);
    const links = isFull ? [{ rel: 'next', href: 'http://behind-a-proxy.invalid/next' }] : undefined;
    return { body: { [key]: items, ...(links ? { [`${key}_links`]: links } : {}) } };
  }

  #limit(query: URLSearchParams): number {
    return Math.min(this.maxLimit, Number(query.get('limit') ?? this.maxLimit));
  }
}

/** An error in the way of Nova. */
export const fault = (code: number, message: string): Answer => ({
  status: code,
  body: { [NAMES[code] ?? 'computeFault']: { code, message } },
});

const NAMES: Readonly<Record<number, string>> = {
  400: 'badRequest',
  403: 'forbidden',
  404: 'itemNotFound',
  409: 'conflictingRequest',
};
