/**
 * A client of Nova and Keystone for tests, which knows as little as possible: it shares no code with the driver that it
 * is used to check.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cloud } from './bed.ts';

const MICROVERSION = '2.92';
const PAGE = 500;
const POLL_MS = 300;

export interface Server {
  id: string;
  name: string;
  /** `ACTIVE`, `SHUTOFF`, `MIGRATING`, … */
  status: string;
  locked: boolean;
  metadata: Record<string, string>;
  'OS-EXT-SRV-ATTR:host': string | null;
  'OS-EXT-STS:task_state': string | null;
}

export interface Service {
  id: string;
  host: string;
  status: 'enabled' | 'disabled';
  disabled_reason: string | null;
  state: 'up' | 'down';
}

export interface Migration {
  id: number;
  instance_uuid: string;
  migration_type: string;
  status: string;
  source_compute: string;
  dest_compute: string | null;
  /** In UTC, to the second, without a zone. */
  created_at: string;
  updated_at: string;
}

export interface InstanceAction {
  action: string;
  request_id: string;
  message: string | null;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

interface Session {
  token: string;
  /** Addresses by type of service. */
  endpoints: ReadonlyMap<string, string>;
}

/** An answer that is not 2xx. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly status: number;

  constructor(status: number, request: string, words: string) {
    super(`${request}: ${status} ${words}`);
    this.status = status;
  }
}

export class Nova {
  readonly #cloud: Cloud;
  #session: Promise<Session> | undefined;

  constructor(cloud: Cloud) {
    this.#cloud = cloud;
  }

  /** All servers of all projects, or those on one host. */
  async servers(host?: string): Promise<Server[]> {
    const onHost = host === undefined ? '' : `&host=${host}`;
    return this.#pages<'servers', Server>('servers', `/servers/detail?all_tenants=1${onHost}`);
  }

  async services(): Promise<Service[]> {
    const { services } = await this.call<{ services: Service[] }>('GET', '/os-services?binary=nova-compute');
    return services;
  }

  async service(host: string): Promise<Service> {
    const found = (await this.services()).find((service) => service.host === host);
    if (!found) throw new Error(`Nova has no compute service on ${host}`);
    return found;
  }

  async migrations(): Promise<Migration[]> {
    return this.#pages<'migrations', Migration>('migrations', '/os-migrations?');
  }

  async instanceActions(server: string): Promise<InstanceAction[]> {
    const path = `/servers/${server}/os-instance-actions`;
    return (await this.call<{ instanceActions: InstanceAction[] }>('GET', path)).instanceActions;
  }

  /** Sends an action to a server, such as `{'os-stop': null}`. */
  act(server: string, action: object): Promise<void> {
    return this.call('POST', `/servers/${server}/action`, action);
  }

  /** Disables or enables the compute service of a host. */
  async setService(host: string, status: 'enabled' | 'disabled', reason?: string): Promise<void> {
    const { id } = await this.service(host);
    const disabled = reason === undefined ? {} : { disabled_reason: reason };
    await this.call('PUT', `/os-services/${id}`, { status, ...disabled });
  }

  /** The addresses of all services in the catalog, by type. */
  async endpoints(): Promise<ReadonlyMap<string, string>> {
    return (await this.#logIn()).endpoints;
  }

  /** Asks Nova. Throws Refused. */
  async call<T = void>(method: Method, path: string, body?: unknown): Promise<T> {
    return this.#send(method, ({ endpoints }) => `${endpoints.get('compute') ?? ''}${path}`, body);
  }

  /** Asks Placement. Throws Refused. */
  async placement<T = void>(method: Method, path: string): Promise<T> {
    return this.#send(method, ({ endpoints }) => `${endpoints.get('placement') ?? ''}${path}`);
  }

  /** Id of the one image that there is. */
  async image(): Promise<string> {
    const { images } = await this.#send<{ images: { id: string }[] }>(
      'GET',
      ({ endpoints }) => `${endpoints.get('image') ?? ''}/v2/images`,
    );
    const [image] = images;
    if (!image) throw new Error('the bed has no image');
    return image.id;
  }

  /** The same for Keystone; `path` begins behind `/v3`. */
  async identity<T = void>(
    method: Method,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<T> {
    return this.#send(method, () => this.#cloud.auth.auth_url + path, body, headers);
  }

  /** Id of what Keystone has under a name, such as `ensure('roles', 'role', { name: 'reader' })`; made if it is not there. */
  async ensure(
    list: string,
    kind: string,
    fields: { name: string; domain_id?: string; password?: string },
  ): Promise<string> {
    const known = await this.identity<Record<string, { id: string }[]>>(
      'GET',
      `/${list}?name=${fields.name}`,
    );
    const found = known[list]?.[0]?.id;
    if (found !== undefined) return found;
    const made = await this.identity<Record<string, { id: string }>>('POST', `/${list}`, { [kind]: fields });
    return made[kind]?.id ?? '';
  }

  /** Polls until the answer is as wished, and returns it; throws with the last one when it never is. */
  async until<T>(
    what: string,
    look: () => Promise<T>,
    wish: (seen: T) => boolean,
    timeoutMs = 180_000,
  ): Promise<T> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const seen = await look();
      if (wish(seen)) return seen;
      if (Date.now() > deadline)
        throw new Error(`it never came to "${what}"; last seen: ${JSON.stringify(seen)}`);
      await sleep(POLL_MS);
    }
  }

  async #pages<Key extends string, T extends { id: string | number; uuid?: string }>(
    key: Key,
    path: string,
  ): Promise<T[]> {
    const all: T[] = [];
    for (let marker = ''; ;) {
      const page = await this.call<Record<Key, T[]>>('GET', `${path}&limit=${PAGE}${marker}`);
      const items = page[key];
      all.push(...items);
      const last = items.at(-1);
      if (!last || items.length < PAGE) return all;
      marker = `&marker=${last.uuid ?? last.id}`;
    }
  }

  async #send<T>(
    method: Method,
    address: (session: Session) => string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<T> {
    this.#session ??= this.#logIn();
    const session = await this.#session;
    const url = address(session);
    const answer = await fetch(url, {
      method,
      headers: {
        'X-Auth-Token': session.token,
        'OpenStack-API-Version': `compute ${MICROVERSION}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Refused(answer.status, `${method} ${url}`, text);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  async #logIn(): Promise<Session> {
    const { auth_url: url, username, password, project_name: project } = this.#cloud.auth;
    const domain = { id: 'default' };
    const answer = await fetch(`${url}/auth/tokens`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({
        auth: {
          identity: { methods: ['password'], password: { user: { name: username, domain, password } } },
          scope: { project: { name: project, domain } },
        },
      }),
    });
    if (!answer.ok) throw new Refused(answer.status, `POST ${url}/auth/tokens`, await answer.text());
    const { token } = (await answer.json()) as { token: { catalog: CatalogEntry[] } };
    const endpoints = token.catalog.flatMap(({ type, endpoints: found }) =>
      found
        .filter(({ interface: kind, region }) => kind === 'public' && region === this.#cloud.region_name)
        .map(({ url: address }) => [type, address] as const),
    );
    const compute = this.#cloud.compute_endpoint_override;
    return {
      token: answer.headers.get('x-subject-token') ?? '',
      endpoints: new Map([...endpoints, ...(compute === undefined ? [] : [['compute', compute] as const])]),
    };
  }
}

interface CatalogEntry {
  type: string;
  endpoints: { interface: string; region: string; url: string }[];
}
