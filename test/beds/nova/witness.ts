/**
 * What Nova's own record says of a session, told by a client that shares nothing with the driver. It looks on from the
 * beginning, since Nova does not remember when a service was disabled.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Refused, type Migration, type Nova, type Server, type Service } from './nova.ts';

const LOOK_EVERY_MS = 1_000;

/** Nova's times are to the second. */
const BLURRED_MS = 1_500;

/** A cold one is confirmed. */
const DONE = ['completed', 'confirmed'];
const FAILED = ['failed', 'error', 'cancelled'];

export interface Expectations {
  /** What the report of the session says. */
  moved: number;
  /** Names of servers that were deleted meanwhile. */
  deleted?: readonly string[];
  /** Names of servers that may have moved twice, since they moved back. */
  returned?: readonly string[];
  /**
   * Names of servers whose first migration ended with a nova-compute that was killed. Whatever Nova says of it does not
   * count: it may run for ever, or be called completed although the server stayed where it was.
   */
  interrupted?: readonly string[];
}

interface Outage {
  host: string;
  /** Epoch milliseconds, first and last time it was seen disabled. */
  from: number;
  to: number;
}

export class Witness {
  readonly #nova: Nova;
  readonly #before: ReadonlyMap<string, Server>;
  /** Hosts that were disabled by others before. */
  readonly #disabled: ReadonlySet<string>;
  readonly #lastMigration: number;
  readonly #outages: Outage[] = [];
  /** Those that last, by host. */
  readonly #open = new Map<string, Outage>();
  readonly #watching: Promise<void>;
  #over = false;

  private constructor(nova: Nova, servers: Server[], disabled: string[], migrations: Migration[]) {
    this.#nova = nova;
    this.#before = new Map(servers.map((server) => [server.id, server]));
    this.#disabled = new Set(disabled);
    this.#lastMigration = Math.max(0, ...migrations.map(({ id }) => id));
    this.#watching = this.#watch();
  }

  /** Looks at everything once, and then on at the services. */
  static async begin(nova: Nova): Promise<Witness> {
    const services = await nova.services();
    const disabled = services.filter(({ status }) => status === 'disabled').map(({ host }) => host);
    return new Witness(nova, await nova.servers(), disabled, await nova.migrations());
  }

  /** Migrations since the beginning, oldest first. */
  async migrations(): Promise<Migration[]> {
    const all = await this.#nova.migrations();
    return all.filter(({ id }) => id > this.#lastMigration).sort((a, b) => a.id - b.id);
  }

  /** Ends the watch; one sentence for everything that is not as it has to be. */
  async objections(expected: Expectations): Promise<string[]> {
    this.#over = true;
    await this.#watching;
    const [servers, services, all] = await Promise.all([
      this.#nova.servers(),
      this.#nova.services(),
      this.migrations(),
    ]);
    const migrations = this.#without(expected.interrupted ?? [], all);
    const completed = migrations.filter(({ status }) => DONE.includes(status));
    return [
      ...this.#aboutServers(servers, completed, expected),
      ...this.#aboutMigrations(migrations, expected),
      ...services
        .filter(({ host, status }) => status === 'disabled' && !this.#disabled.has(host))
        .map(({ host, disabled_reason: reason }) => `${host} is left disabled: ${reason}`),
      ...this.#aboutArrivals(completed),
      ...(completed.length === expected.moved
        ? []
        : [`the report says ${expected.moved} moves, and Nova has recorded ${completed.length}`]),
    ];
  }

  /** Leaves the first migration of each of these servers out. */
  #without(interrupted: readonly string[], migrations: readonly Migration[]): Migration[] {
    const firsts = [...this.#before.values()]
      .filter(({ name }) => interrupted.includes(name))
      .map(({ id }) => migrations.find(({ instance_uuid: server }) => server === id));
    return migrations.filter((migration) => !firsts.includes(migration));
  }

  /** Each is there, in the state that it was in, and where its last completed migration has put it. */
  #aboutServers(servers: Server[], completed: Migration[], { deleted = [] }: Expectations): string[] {
    const now = new Map(servers.map((server) => [server.id, server]));
    return [...this.#before.values()].flatMap((before) => {
      const { id, name } = before;
      const after = now.get(id);
      if (deleted.includes(name)) return after ? [`${name} was deleted and is there`] : [];
      if (!after) return [`${name} is gone`];
      const last = completed.filter(({ instance_uuid: server }) => server === id).at(-1);
      const expectedHost = last?.dest_compute ?? hostOf(before);
      return [
        ...(after.status === before.status ? [] : [`${name} was ${before.status} and is ${after.status}`]),
        ...(after['OS-EXT-STS:task_state'] === null
          ? []
          : [`${name} is still ${after['OS-EXT-STS:task_state']}`]),
        ...(hostOf(after) === expectedHost ? [] : [`${name} is on ${hostOf(after)}, not on ${expectedHost}`]),
      ];
    });
  }

  /** Not more than one that did not fail, and another one back where that was asked for. */
  #aboutMigrations(migrations: Migration[], { returned = [] }: Expectations): string[] {
    return [...this.#before.values()].flatMap(({ id, name }) => {
      const good = migrations.filter(
        ({ instance_uuid: server, status }) => server === id && !FAILED.includes(status),
      );
      if (good.length <= (returned.includes(name) ? 2 : 1)) return [];
      const way = good.map(({ source_compute: from, dest_compute: to, status }) => `${from}→${to} ${status}`);
      return [`${name} has migrated ${good.length} times: ${way.join(', ')}`];
    });
  }

  /** A server that came to a host while it was out. One that is migrating when its target is disabled may still come. */
  #aboutArrivals(completed: Migration[]): string[] {
    return completed.flatMap(({ instance_uuid: server, dest_compute: to, created_at: at }) => {
      const begun = Date.parse(`${at}Z`);
      const outage = this.#outages.find(
        ({ host, from, to: end }) => host === to && begun > from + BLURRED_MS && begun < end - BLURRED_MS,
      );
      return outage
        ? [`${this.#before.get(server)?.name ?? server} was moved to ${to} while it was out`]
        : [];
    });
  }

  async #watch(): Promise<void> {
    // A test that failed does not end it.
    for (; !this.#over; await sleep(LOOK_EVERY_MS, undefined, { ref: false })) {
      try {
        this.#note(await this.#nova.services());
      } catch (error) {
        // nova-api and Keystone are stopped in some tests.
        if (!(error instanceof TypeError || error instanceof Refused)) throw error;
      }
    }
  }

  #note(services: readonly Service[]): void {
    const now = Date.now();
    for (const { host, status } of services) {
      if (status === 'enabled') {
        this.#open.delete(host);
        continue;
      }
      const outage = this.#open.get(host) ?? { host, from: now, to: now };
      if (!this.#open.has(host)) this.#outages.push(outage);
      this.#open.set(host, outage);
      outage.to = now;
    }
  }
}

const hostOf = (server: Server): string | null => server['OS-EXT-SRV-ATTR:host'];
