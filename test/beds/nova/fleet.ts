/** Servers of a test, laid out on the bed over the API, each on the host where the test wants it. */
import type { Bed } from './bed.ts';
import { Refused, type Nova, type Server } from './nova.ts';

export interface ServerSpec {
  name: string;
  host: string;
  /** Those of the bed: 512 MiB, 2, 4 and 8 GiB; a host has 15.5. @default m1.small */
  flavor?: 'm1.tiny' | 'm1.small' | 'm1.medium' | 'm1.large';
  /** Name of the anti-affinity group that it belongs to. */
  group?: string;
  stopped?: boolean;
  locked?: boolean;
}

type AnyServer = Omit<ServerSpec, 'host'> & { host?: string };

/** Empties the bed, puts every service back to work, and lays these servers out; resolves to them, by name. */
export async function layOut(
  bed: Bed,
  nova: Nova,
  specs: readonly ServerSpec[],
): Promise<Map<string, Server>> {
  await clear(bed, nova);
  const groups = new Map<string, string>();
  for (const name of new Set(specs.flatMap(({ group }) => group ?? []))) {
    const body = { server_group: { name, policy: 'anti-affinity' } };
    const made = await nova.call<{ server_group: { id: string } }>('POST', '/os-server-groups', body);
    groups.set(name, made.server_group.id);
  }
  return make(nova, specs, groups);
}

/** Makes one server and waits until it is there; with no host in the spec the scheduler chooses one. */
export async function addServer(nova: Nova, spec: Omit<AnyServer, 'group'>): Promise<Server> {
  const made = (await make(nova, [spec], new Map())).get(spec.name);
  if (!made) throw new Error(`${spec.name} is not in the list of servers`);
  return made;
}

/** The fleet of a session over six hosts: 24 servers on five of them, two stopped, four anti-affinity groups of three. */
export function fleetOf24(
  hosts: readonly string[],
  flavorOf: (place: number) => ServerSpec['flavor'] = () => 'm1.small',
): ServerSpec[] {
  const loaded = hosts.slice(0, 5);
  return loaded.flatMap((host, row) =>
    Array.from({ length: row === 4 ? 4 : 5 }, (_, place): ServerSpec => {
      const name = `vm-${row + 1}-${place + 1}`;
      const flavor = flavorOf(place);
      const base = { name, host, ...(flavor === undefined ? {} : { flavor }) };
      // The members of a group stand on three hosts in a row; each host has at most three of the four groups.
      const group = place < 3 ? (row - place + loaded.length) % loaded.length : loaded.length;
      if (group < 4) return { ...base, group: `group-${group + 1}` };
      return { ...base, stopped: row < 2 && place === 4 };
    }),
  );
}

async function clear(bed: Bed, nova: Nova): Promise<void> {
  await bed.turn({});
  for (const { id, status, disabled_reason: reason } of await nova.services()) {
    if (status === 'disabled' || reason !== null)
      await nova.call('PUT', `/os-services/${id}`, { status: 'enabled' });
  }
  for (const { id } of await nova.servers()) await remove(nova, id);
  await nova.until(
    'no server is left',
    () => nova.servers(),
    (servers) => servers.length === 0,
  );
  await freeAllocations(nova);
  const { server_groups: groups } = await nova.call<{ server_groups: { id: string }[] }>(
    'GET',
    '/os-server-groups?all_projects=true',
  );
  for (const { id } of groups) await nova.call('DELETE', `/os-server-groups/${id}`);
}

/** What a server was given that was deleted while it migrated, Nova sometimes never gives back. */
async function freeAllocations(nova: Nova): Promise<void> {
  const { resource_providers: hosts } = await nova.placement<{ resource_providers: { uuid: string }[] }>(
    'GET',
    '/resource_providers',
  );
  for (const { uuid } of hosts) {
    const held = await nova.placement<{ allocations: object }>(
      'GET',
      `/resource_providers/${uuid}/allocations`,
    );
    for (const owner of Object.keys(held.allocations)) {
      await unlessGone(nova.placement('DELETE', `/allocations/${owner}`));
    }
  }
}

/** Deletes a server; one that has gone already is no failure. */
export const remove = (nova: Nova, id: string): Promise<void> =>
  unlessGone(nova.call('DELETE', `/servers/${id}`));

async function unlessGone(answer: Promise<void>): Promise<void> {
  try {
    await answer;
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 404) throw error;
  }
}

async function make(
  nova: Nova,
  specs: readonly AnyServer[],
  groups: ReadonlyMap<string, string>,
): Promise<Map<string, Server>> {
  const image = await nova.image();
  const ids = new Map<string, string>();
  for (const { name, host, flavor = 'm1.small', group } of specs) {
    const { server } = await nova.call<{ server: { id: string } }>('POST', '/servers', {
      server: {
        ...{ name, flavorRef: flavor, imageRef: image, networks: 'none' },
        ...(host === undefined ? {} : { host }),
      },
      ...(group === undefined ? {} : { 'os:scheduler_hints': { group: groups.get(group) } }),
    });
    ids.set(name, server.id);
  }
  await allBecome(nova, specs, () => 'ACTIVE');
  for (const { name, locked, stopped } of specs) {
    const id = ids.get(name) ?? '';
    if (stopped === true) await nova.act(id, { 'os-stop': null });
    if (locked === true) await nova.act(id, { lock: null });
  }
  return allBecome(nova, specs, ({ stopped }) => (stopped === true ? 'SHUTOFF' : 'ACTIVE'));
}

/** Waits until each of the servers has the status that is wanted of it; resolves to them by name. */
async function allBecome(
  nova: Nova,
  specs: readonly AnyServer[],
  wanted: (spec: AnyServer) => string,
): Promise<Map<string, Server>> {
  const look = async (): Promise<Map<string, Server>> =>
    new Map((await nova.servers()).map((server) => [server.name, server]));
  return nova.until('all servers are made', look, (servers) => {
    const failed = specs.find(({ name }) => servers.get(name)?.status === 'ERROR');
    if (failed) throw new Error(`${failed.name} cannot be made: ${JSON.stringify(servers.get(failed.name))}`);
    return specs.every((spec) => servers.get(spec.name)?.status === wanted(spec));
  });
}
