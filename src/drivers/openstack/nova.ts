/** Nova's API, call by call, in the best microversion that both sides know. */
import type { z } from 'zod';
import { type ErrorCode, MaintenanceError } from '../../core/errors.ts';
import type { CallContext } from '../driver.ts';
import { unlessGone } from '../gone.ts';
import type { Answer, Call, ErrorAnswer } from '../transport.ts';
import type { Cloud } from './clouds.ts';
import type { Keystone } from './keystone.ts';
import { Service } from './service.ts';
import { SingleFlight } from '../../core/single-flight.ts';
import {
  actionList,
  aggregateList,
  anything,
  apiVersion,
  changedService,
  groupPage,
  hypervisorPage,
  migrationList,
  oneAction,
  oneServer,
  runningMigrations,
  serverPage,
  serviceList,
  type ActionDetails,
  type ListedServer,
  type RunningMigration,
  type WireAction,
  type WireAggregate,
  type WireGroup,
  type WireHypervisor,
  type WireMigration,
  type WireServer,
  type WireService,
} from './wire.ts';
import { wordsIn } from './words.ts';

/** A server says which groups it belongs to (Stein, 2019). */
const LEAST = '2.71';
/** A server says which zone it was asked to be in (2024.1). */
const BEST = '2.96';

/** Nova gives no longer pages than its `max_limit`, which is this unless configured otherwise. */
const PAGE = 1000;

type Query = NonNullable<Call<unknown>['query']>;

export class Nova {
  readonly #service: Service;
  readonly #cloud: Cloud;
  readonly #negotiation = new SingleFlight<string>();
  #version: string | undefined;
  /** The longest page there was: lists are all cut at the same length, so a shorter page was not cut. */
  #longestPage = 0;

  constructor(options: { keystone: Keystone; cloud: Cloud; timeoutMs: number }) {
    this.#cloud = options.cloud;
    this.#service = new Service({
      ...options,
      types: ['compute'],
      rootOf: apiRoot,
      interpret: interpretError,
    });
  }

  /** Services of one host or of all, without those of the API. */
  async services(filter: { host?: string }, context: CallContext): Promise<WireService[]> {
    return (await this.#get('/os-services', filter, serviceList, context)).services;
  }

  async disableService(id: string, reason: string, context: CallContext): Promise<void> {
    await this.#setService(id, { status: 'disabled', disabled_reason: reason }, context);
  }

  async enableService(id: string, context: CallContext): Promise<void> {
    await this.#setService(id, { status: 'enabled' }, context);
  }

  /** What answers in Nova's place may say yes to anything. */
  async #setService(
    id: string,
    wanted: { status: string; disabled_reason?: string },
    context: CallContext,
  ): Promise<void> {
    const { body } = await this.#call('PUT', servicePath(id), wanted, context);
    const { status } = changedService.safeParse(body).data?.service ?? {};
    if (status === wanted.status) return;
    throw new MaintenanceError(
      'PlatformGarbled',
      `Nova was to set service ${id} to ${wanted.status}, and does not say so`,
    );
  }

  hypervisors(context: CallContext): Promise<WireHypervisor[]> {
    return this.#pages(
      (marker) => this.#get('/os-hypervisors/detail', { limit: PAGE, marker }, hypervisorPage, context),
      (page) => ({
        items: page.hypervisors,
        next: hasNext(page.hypervisors_links) ? page.hypervisors.at(-1)?.id : undefined,
      }),
    );
  }

  async aggregates(context: CallContext): Promise<WireAggregate[]> {
    return (await this.#get('/os-aggregates', {}, aggregateList, context)).aggregates;
  }

  /** Servers of all projects that are on a host: on this one, or on any. */
  async servers({ host }: { host?: string }, context: CallContext): Promise<WireServer[]> {
    const all = await this.#pages(
      (marker) =>
        this.#get('/servers/detail', { host, all_tenants: 1, limit: PAGE, marker }, serverPage, context),
      ({ servers, servers_links: links }) => ({
        items: servers,
        next: hasNext(links) ? servers.at(-1)?.id : undefined,
      }),
    );
    // Nova ignores a filter that the user may not use.
    return all
      .flatMap((server) => placedIn(server) ?? [])
      .filter((one) => host === undefined || one.host === host);
  }

  /** Undefined when it is gone, or on no host. */
  async server(id: string, context: CallContext): Promise<WireServer | undefined> {
    const found = await unlessGone(this.#get(serverPath(id), {}, oneServer, context));
    return found && placedIn(found.server);
  }

  /** Server groups of all projects, with their members. */
  async groups(context: CallContext): Promise<WireGroup[]> {
    const groups: WireGroup[] = [];
    for (;;) {
      const query = { all_projects: 'True', limit: PAGE, offset: groups.length };
      const { server_groups: page } = await this.#get('/os-server-groups', query, groupPage, context);
      groups.push(...page);
      if (page.length === 0 || page.length < this.#longestPage) return groups;
    }
  }

  /** The newest migrations of a server, or to and from a host; newest first. */
  async migrations(
    of: { instance_uuid: string } | { host: string },
    limit: number,
    context: CallContext,
  ): Promise<WireMigration[]> {
    return (await this.#get('/os-migrations', { ...of, limit }, migrationList, context)).migrations;
  }

  /** Live migrations of a server that the source host works on or has queued, with their progress. */
  async runningMigrations(server: string, context: CallContext): Promise<RunningMigration[]> {
    return (await this.#get(`${serverPath(server)}/migrations`, {}, runningMigrations, context)).migrations;
  }

  async abortMigration(server: string, migration: number, context: CallContext): Promise<void> {
    await this.#call('DELETE', `${serverPath(server)}/migrations/${migration}`, undefined, context);
  }

  /** Asks for something to be done to a server; the id of the request, by which Nova keeps what comes of it. */
  async act(server: string, body: unknown, context: CallContext): Promise<string> {
    const { headers } = await this.#call('POST', `${serverPath(server)}/action`, body, context);
    const id = headers['x-openstack-request-id'] ?? headers['x-compute-request-id'];
    if (typeof id !== 'string') throw new MaintenanceError('PlatformGarbled', 'Nova gave the request no id');
    return id;
  }

  /** What was lately done to a server, newest first. */
  async actions(server: string, context: CallContext): Promise<WireAction[]> {
    const path = `${serverPath(server)}/os-instance-actions`;
    return (await this.#get(path, { limit: 20 }, actionList, context)).instanceActions;
  }

  /** Undefined when Nova does not know the request, or the server. */
  async action(server: string, request: string, context: CallContext): Promise<ActionDetails | undefined> {
    const path = `${serverPath(server)}/os-instance-actions/${encodeURIComponent(request)}`;
    return (await unlessGone(this.#get(path, {}, oneAction, context)))?.instanceAction;
  }

  async setMetadata(server: string, key: string, value: string, context: CallContext): Promise<void> {
    await this.#call('POST', `${serverPath(server)}/metadata`, { metadata: { [key]: value } }, context);
  }

  /** Removing what is not there is no error. */
  async removeMetadata(server: string, key: string, context: CallContext): Promise<void> {
    const path = `${serverPath(server)}/metadata/${encodeURIComponent(key)}`;
    await unlessGone(this.#call('DELETE', path, undefined, context));
  }

  close(): Promise<void> {
    return this.#service.close();
  }

  async #get<T>(path: string, query: Query, schema: z.ZodType<T>, context: CallContext): Promise<T> {
    const headers = await this.#versionHeader(context);
    const { signal } = context;
    return (await this.#service.call({ method: 'GET', path, query, headers, schema, signal })).body;
  }

  async #call(
    method: 'POST' | 'PUT' | 'DELETE',
    path: string,
    body: unknown,
    context: CallContext,
  ): Promise<Answer<unknown>> {
    const headers = await this.#versionHeader(context);
    return this.#service.call({ method, path, body, headers, schema: anything, signal: context.signal });
  }

  async #pages<P, T>(
    read: (marker: string | undefined) => Promise<P>,
    split: (page: P) => { items: T[]; next: string | undefined },
  ): Promise<T[]> {
    const all: T[] = [];
    let marker: string | undefined;
    do {
      const { items, next } = split(await read(marker));
      all.push(...items);
      this.#longestPage = Math.max(this.#longestPage, items.length);
      marker = next;
    } while (marker !== undefined);
    return all;
  }

  async #versionHeader(context: CallContext): Promise<Record<string, string>> {
    this.#version ??=
      this.#cloud.computeMicroversion ??
      (await this.#negotiation.join(context.signal, (signal) => this.#negotiate(signal)));
    return { 'OpenStack-API-Version': `compute ${this.#version}` };
  }

  async #negotiate(signal: AbortSignal): Promise<string> {
    const { body } = await this.#service.call({ method: 'GET', path: '/', schema: apiVersion, signal });
    const { min_version: oldest, version: newest } = body.version;
    const best = isBefore(newest, BEST) ? newest : BEST;
    if (newest !== '' && !isBefore(best, LEAST) && !isBefore(best, oldest)) return best;
    throw new MaintenanceError(
      'Unsupported',
      `Nova of ${this.#cloud.source} speaks microversions ${oldest || 'none'} to ${newest || 'none'}; ${LEAST} to ` +
        `${BEST} are supported, which Nova has had since Stein (2019)`,
    );
  }
}

/** A host whose servers are hidden would pass for an empty one. */
function placedIn({ id, hidesHost, placed }: ListedServer): WireServer | undefined {
  if (!hidesHost) return placed;
  throw new MaintenanceError(
    'NotAuthorized',
    `Nova does not say which host server ${id} is on: the user lacks os_compute_api:os-extended-server-attributes`,
  );
}

const serverPath = (id: string): string => `/servers/${encodeURIComponent(id)}`;
const servicePath = (id: string): string => `/os-services/${encodeURIComponent(id)}`;

const hasNext = (links: readonly { rel: string }[]): boolean => links.some(({ rel }) => rel === 'next');

/** Catalogs write the address with and without the version, and with the id of a project behind it. */
function apiRoot(url: string): string {
  const base = url.replace(/\/+$/, '');
  return /^.*\/v2\.1(?=\/|$)/.exec(base)?.[0] ?? `${base}/v2.1`;
}

/** Microversions count: 2.9 is before 2.71. */
function isBefore(a: string, b: string): boolean {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA === majorB ? minorA < minorB : majorA < majorB;
}

/** Nova says in words only what is wrong. */
function interpretError({ method, path, status, text }: ErrorAnswer): MaintenanceError | undefined {
  const { kind, words: vendor = text } = wordsIn(text) ?? {};
  const fail = (code: ErrorCode): MaintenanceError =>
    new MaintenanceError(code, `${method} ${path}: ${vendor}`, { vendor });
  switch (status) {
    case 400:
      if (/^(Compute host|Host) .* could not be found|No valid host/.test(vendor)) return fail('NoTarget');
      // What the next page was to follow was deleted meanwhile: the list has to be read anew.
      return /^marker .* not found/i.test(vendor) ? fail('PlatformError') : undefined;
    case 404:
      // Only Nova itself knows what is gone; a gateway before it does not.
      return kind === 'itemNotFound' ? undefined : fail('PlatformGarbled');
    case 409:
      if (/in (task_state (?!None)|vm_state building)/.test(vendor)) return fail('PlatformBusy');
      return path.endsWith('/action') ? fail('MoveRefused') : undefined;
    default:
      return undefined;
  }
}
