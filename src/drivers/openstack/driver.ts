/** The driver for OpenStack: Nova's compute services are the hosts, its servers the instances. */
import { z } from 'zod';
import { durationMs } from '../../core/duration.ts';
import { MaintenanceError } from '../../core/errors.ts';
import type { Host, Instance, Inventory } from '../../core/inventory.ts';
import { formatMark, type Mark } from '../../core/mark.ts';
import type { MaintenanceRequest } from '../../core/platform-options.ts';
import type {
  CallContext,
  Capabilities,
  Driver,
  HostCheck,
  PlatformTask,
  TaskKind,
  TaskStatus,
} from '../driver.ts';
import { isGone } from '../gone.ts';
import { type PlatformDefinition, requestTimeout } from '../platform.ts';
import { abilityOf, isMigrationOver, obstaclesOf } from './abilities.ts';
import { findCloud, type Cloud } from './clouds.ts';
import {
  hostServices,
  isBetweenHosts,
  isCompute,
  shapesOf,
  toGroup,
  toHost,
  toInstance,
  type Shape,
} from './inventory.ts';
import { Keystone } from './keystone.ts';
import { Masakari } from './masakari.ts';
import { Membership } from './membership.ts';
import { Migrations } from './migrations.ts';
import { Nova } from './nova.ts';
import { Placement } from './placement.ts';
import { Power } from './power.ts';
import { readReason, reasonOf } from './reason.ts';
import { SingleFlight } from '../../core/single-flight.ts';
import type { WireMigration, WireServer, WireService } from './wire.ts';

const configSchema = z.strictObject({
  cloud: z
    .string()
    .min(1)
    .optional()
    .describe('Name of the cloud in clouds.yaml; absent: that of OS_CLOUD, or the OS_* variables'),
  timeout: requestTimeout('60s', '30s or 2m').describe(
    'Time for one request; a page of 1,000 servers may take a while',
  ),
});

export const openstack: PlatformDefinition<typeof configSchema> = {
  configSchema,
  create: ({ cloud, timeout }) => new OpenStackDriver(findCloud(cloud, process.env), durationMs(timeout)),
};

const CAPABILITIES: Capabilities = {
  drains: ['engine'],
  options: [],
  liveMove: true,
  coldMove: true,
  abortMove: true,
  chooseTarget: true,
  stopStart: true,
  maintenanceMode: false,
  // A quarter of a 10 Gbit/s link: pages that are written meanwhile go over it again, and storage shares it.
  moveMbPerSecond: 300,
  shortestPollMs: 250,
};

/** Capacity and labels of a host change rarely: whoever looks at one host takes those read lately. */
const SHAPES_FRESH_MS = 5 * 60_000;

/** Migrations to and from a host that are looked at, newest first. */
const MIGRATIONS_CHECKED = 100;

class OpenStackDriver implements Driver {
  readonly platform = 'openstack';
  readonly capabilities = CAPABILITIES;
  readonly #keystone: Keystone;
  readonly #nova: Nova;
  readonly #placement: Placement;
  readonly #masakari: Masakari;
  readonly #migrations: Migrations;
  readonly #power: Power;
  readonly #membership: Membership;
  readonly #reading = new SingleFlight<ReadonlyMap<string, Shape>>();
  #shapes: { byHost: ReadonlyMap<string, Shape>; until: number } | undefined;

  constructor(cloud: Cloud, timeoutMs: number) {
    this.#keystone = new Keystone(cloud, timeoutMs);
    const options = { keystone: this.#keystone, cloud, timeoutMs };
    this.#nova = new Nova(options);
    this.#placement = new Placement(options);
    this.#masakari = new Masakari(options);
    this.#migrations = new Migrations(
      this.#nova,
      async (context) => (await this.#keystone.token(context)).userId,
    );
    this.#power = new Power(this.#nova);
    this.#membership = new Membership(this.#nova);
  }

  async inventory(context: CallContext): Promise<Inventory> {
    const [services, shapes, servers] = await Promise.all([
      this.#nova.services({}, context),
      this.#readShapes(context),
      this.#nova.servers({}, context),
    ]);
    // After the servers: whichever of them is in a group is then in the list.
    const groups = await this.#membership.read(servers, context);
    return {
      hosts: [...hostServices(services).values()].map((service) => toHost(service, shapes.get(service.host))),
      instances: await this.#toInstances(servers, shapes, context),
      groups: groups.map(toGroup),
    };
  }

  async inspect(host: string, context: CallContext): Promise<{ host: Host; instances: Instance[] }> {
    const { service, shapes, servers } = await this.#look(host, context);
    return {
      host: toHost(service, shapes.get(host)),
      instances: await this.#toInstances(servers, shapes, context),
    };
  }

  async locate(instance: string, context: CallContext): Promise<Instance | undefined> {
    const server = await this.#nova.server(instance, context);
    if (!server) return undefined;
    const [found] = await this.#toInstances([server], await this.#shapesWith(server.host, context), context);
    return found;
  }

  async precheck(name: string, _request: MaintenanceRequest, context: CallContext): Promise<HostCheck> {
    const { service, shapes, servers, migrations } = await this.#look(name, context);
    const host = toHost(service, shapes.get(name));
    const instances = await this.#toInstances(servers, shapes, context);
    const byId = new Map(servers.map((server) => [server.id, server]));
    return {
      host,
      instances: instances.flatMap((instance) => {
        const server = byId.get(instance.id);
        return server ? [abilityOf(server, instance)] : [];
      }),
      ...obstaclesOf({ service, host, servers, hasHypervisor: shapes.has(name), migrations }),
    };
  }

  async cordon(
    host: string,
    mark: Mark,
    _request: MaintenanceRequest,
    context: CallContext,
  ): Promise<undefined> {
    const service = await this.#service(host, context);
    if (!isCompute(service) || service.status !== 'enabled') return undefined;
    const wasOnMaintenance = (await this.#masakari.isOnMaintenance(host, context)) === true;
    await this.#nova.disableService(service.id, reasonOf(mark, wasOnMaintenance), context);
  }

  async uncordon(host: string, mark: Mark, context: CallContext): Promise<undefined> {
    const service = await this.#service(host, context);
    if (isOurs(service, mark)) await this.#nova.enableService(service.id, context);
  }

  move(
    instance: string,
    request: { how: 'live' | 'cold'; target?: string },
    context: CallContext,
  ): Promise<PlatformTask> {
    return this.#migrations.start(instance, request, context);
  }

  async stop(instance: string, mark: Mark, context: CallContext): Promise<PlatformTask> {
    return this.#power.stop(await this.#server(instance, context), mark, context);
  }

  async start(instance: string, mark: Mark, context: CallContext): Promise<PlatformTask> {
    return this.#power.start(await this.#server(instance, context), mark, context);
  }

  /** Nova has no maintenance mode; Masakari is told to leave the host alone while it carries our mark. */
  async enter(
    host: string,
    mark: Mark,
    _request: MaintenanceRequest,
    context: CallContext,
  ): Promise<undefined> {
    await this.#tellMasakari(host, mark, true, context);
  }

  async exit(host: string, mark: Mark, context: CallContext): Promise<undefined> {
    await this.#tellMasakari(host, mark, false, context);
  }

  async findTask(kind: TaskKind, subject: string, context: CallContext): Promise<PlatformTask | undefined> {
    // What is done to hosts is done at once.
    if (kind !== 'move' && kind !== 'stop' && kind !== 'start') return undefined;
    const server = await this.#nova.server(subject, context);
    if (!server) return undefined;
    return kind === 'move' ? this.#migrations.find(server, context) : this.#power.find(kind, server, context);
  }

  async pollTask(task: PlatformTask, context: CallContext): Promise<TaskStatus> {
    try {
      switch (task.kind) {
        case 'move':
          return await this.#migrations.poll(task, context);
        case 'stop':
        case 'start':
          return await this.#power.poll(task.kind, task, context);
        default:
          return { state: 'vanished' };
      }
    } catch (error) {
      // The server was deleted.
      if (isGone(error)) return { state: 'vanished' };
      throw error;
    }
  }

  async cancelTask(task: PlatformTask, context: CallContext): Promise<void> {
    if (task.kind === 'move') await this.#migrations.cancel(task, context);
  }

  async close(): Promise<void> {
    await Promise.all(
      [this.#keystone, this.#nova, this.#placement, this.#masakari].map((client) => client.close()),
    );
  }

  /** What there is to see of one host. */
  async #look(
    host: string,
    context: CallContext,
  ): Promise<{
    service: WireService;
    shapes: ReadonlyMap<string, Shape>;
    servers: WireServer[];
    /** To and from the host, finished ones too. */
    migrations: WireMigration[];
  }> {
    const service = await this.#service(host, context);
    if (!isCompute(service)) return { service, shapes: new Map(), servers: [], migrations: [] };
    const [shapes, servers, migrations] = await Promise.all([
      this.#shapesWith(host, context),
      this.#nova.servers({ host }, context),
      this.#nova.migrations({ host }, MIGRATIONS_CHECKED, context),
    ]);
    const arriving = await this.#arrivingAt(host, servers, migrations, context);
    return { service, shapes, servers: [...servers, ...arriving], migrations };
  }

  /** Servers that are on their way to the host count as there: they would arrive while it is worked on. */
  async #arrivingAt(
    host: string,
    there: readonly WireServer[],
    migrations: readonly WireMigration[],
    context: CallContext,
  ): Promise<WireServer[]> {
    const known = new Set(there.map(({ id }) => id));
    const found: WireServer[] = [];
    for (const { dest_compute: to, status, instance_uuid: id } of migrations) {
      if (to !== host || isMigrationOver(status) || known.has(id)) continue;
      known.add(id);
      // A record may stay open for ever; the server says whether it moves.
      const server = await this.#nova.server(id, context);
      if (server && isBetweenHosts(server)) found.push({ ...server, host });
    }
    return found;
  }

  async #service(host: string, context: CallContext): Promise<WireService> {
    const service = hostServices(await this.#nova.services({ host }, context)).get(host);
    if (!service)
      throw new MaintenanceError('UnknownHost', `Nova has no compute service or conductor on ${host}`);
    return service;
  }

  async #server(id: string, context: CallContext): Promise<WireServer> {
    const server = await this.#nova.server(id, context);
    if (!server) throw new MaintenanceError('NotFound', `Nova has no server ${id} on any host`);
    return server;
  }

  async #toInstances(
    servers: readonly WireServer[],
    shapes: ReadonlyMap<string, Shape>,
    context: CallContext,
  ): Promise<Instance[]> {
    const groupsOf = await this.#membership.of(servers, context);
    const left = new Map<string, string>();
    for (const server of servers) {
      const from = await this.#migrations.awaitsUsFrom(server, context);
      if (from !== undefined) left.set(server.id, from);
    }
    return servers.map((server) =>
      toInstance(server, {
        groups: groupsOf(server),
        labels: shapes.get(server.host)?.labels ?? {},
        leaving: left.get(server.id),
      }),
    );
  }

  /** Shapes read lately, if the host is among them. */
  async #shapesWith(host: string, context: CallContext): Promise<ReadonlyMap<string, Shape>> {
    const known = this.#shapes;
    if (known && Date.now() < known.until && known.byHost.has(host)) return known.byHost;
    return this.#reading.join(context.signal, (signal) => this.#readShapes({ signal }));
  }

  async #readShapes(context: CallContext): Promise<ReadonlyMap<string, Shape>> {
    const [hypervisors, aggregates] = await Promise.all([
      this.#nova.hypervisors(context),
      this.#nova.aggregates(context),
    ]);
    const providers = await this.#placement.providers(
      hypervisors.map(({ id }) => id),
      context,
    );
    const byHost = shapesOf(hypervisors, aggregates, providers);
    this.#shapes = { byHost, until: Date.now() + SHAPES_FRESH_MS };
    return byHost;
  }

  /** Only of a host that is disabled by us, and not where it was told so by somebody else before. */
  async #tellMasakari(host: string, mark: Mark, onMaintenance: boolean, context: CallContext): Promise<void> {
    const service = await this.#service(host, context);
    if (!isOurs(service, mark) || readReason(service.reason ?? '').wasOnMaintenance) return;
    await this.#masakari.setOnMaintenance(host, onMaintenance, context);
  }
}

const isOurs = ({ status, reason }: WireService, mark: Mark): boolean =>
  status === 'disabled' && reason !== undefined && readReason(reason).cordonReason === formatMark(mark);
