/** How many calls it takes to read a large site, and that nothing of it is lost between the pages. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { Driver } from '../../../src/drivers/driver.ts';
import { connect, context } from './connect.ts';
import { FakeCloud } from './fake-cloud.ts';
import { FakeNova, type Json, serverJson, serviceJson } from './fake-nova.ts';

const HOSTS = 1000;
const SERVERS = 20_000;
const GROUPS = 500;
const FULL_HOSTS = 3;

const hostName = (index: number): string => `compute-${index}`;

let cloud: FakeCloud;
let nova: FakeNova;
let driver: Driver;

beforeEach(async () => {
  cloud = await FakeCloud.start();
  nova = new FakeNova(cloud);
  driver = connect(cloud);
});
afterEach(async () => {
  await driver.close();
  await cloud.close();
});

const numbers = (count: number): number[] => [...Array(count).keys()];

function fill(hosts: number, servers: number, groups: number): void {
  nova.services = numbers(hosts).map((index) => serviceJson({ id: `s${index}`, host: hostName(index) }));
  nova.hypervisors = numbers(hosts).map((index) => ({
    id: `p${index}`,
    hypervisor_hostname: `${hostName(index)}.example.org`,
    service: { host: hostName(index) },
  }));
  nova.aggregates = [{ name: 'ssd', hosts: numbers(hosts).map(hostName), metadata: {} }];
  for (const index of numbers(hosts)) {
    const provider = `p${index}`;
    if (index < FULL_HOSTS) {
      const inventories = { MEMORY_MB: { total: 1100, reserved: 100, allocation_ratio: 1.5 } };
      nova.providers[provider] = { inventories, traits: ['CUSTOM_FULL'] };
      continue;
    }
    nova.candidates[provider] = {
      resources: { MEMORY_MB: { capacity: 2000, used: 1 } },
      traits: [],
      root_provider_uuid: provider,
    };
  }
  nova.servers = numbers(servers).map((index) =>
    serverJson({
      id: `server-${index}`,
      name: `vm-${index}`,
      'OS-EXT-SRV-ATTR:host': hostName(index % hosts),
    }),
  );
  nova.groups = numbers(groups).map((index) => ({
    id: `g${index}`,
    name: 'web',
    policy: 'anti-affinity',
    rules: {},
    members: [`server-${2 * index}`, `server-${2 * index + 1}`],
  }));
}

/** Calls by what they ask for. */
function tally(): Json {
  const counts: Record<string, number> = {};
  for (const { service, path } of cloud.requests) {
    const what = path.replace(/^\/v2\.1/, '').replace(/p\d+/, 'ID');
    counts[`${service} ${what}`] = (counts[`${service} ${what}`] ?? 0) + 1;
  }
  return counts;
}

test('1,000 hosts with 20,000 servers are read in pages, not one by one', async () => {
  fill(HOSTS, SERVERS, GROUPS);
  const { hosts, instances, groups } = await driver.inventory(context);
  assert.equal(new Set(hosts.map(({ name }) => name)).size, HOSTS);
  assert.equal(new Set(instances.map(({ id }) => id)).size, SERVERS);
  assert.equal(groups.length, GROUPS);
  assert.equal(instances.filter((one) => one.groups.length === 1).length, 2 * GROUPS);
  assert.deepEqual(
    hosts.filter(({ labels }) => labels['trait:CUSTOM_FULL']).map(({ capacity }) => capacity.memoryMb),
    Array(FULL_HOSTS).fill(1500),
  );
  assert.deepEqual(tally(), {
    'compute /': 1,
    'compute /os-services': 1,
    // A page that is full is followed by another look, which may find nothing.
    'compute /os-hypervisors/detail': 2,
    'compute /os-aggregates': 1,
    'compute /servers/detail': 21,
    'compute /os-server-groups': 1,
    'placement /allocation_candidates': 1,
    'placement /resource_providers/ID/inventories': FULL_HOSTS,
    'placement /resource_providers/ID/traits': FULL_HOSTS,
  });
  assert.equal(cloud.logins.length, 1);
});

test('a Nova that gives short pages is read to the end', async () => {
  nova.maxLimit = 7;
  fill(10, 30, 15);
  const { hosts, instances, groups } = await driver.inventory(context);
  assert.deepEqual([hosts.length, instances.length, groups.length], [10, 30, 15]);
  assert.equal(instances.filter((one) => one.groups.length === 1).length, 30);
});

test('a look at one host asks for its service, its servers and those on their way, once the site was read', async () => {
  fill(10, 30, 3);
  await driver.inventory(context);
  cloud.requests.length = 0;
  const { host, instances } = await driver.inspect('compute-4', context);
  assert.deepEqual([host.name, host.capacity.memoryMb, instances.length], ['compute-4', 2000, 3]);
  assert.deepEqual(tally(), {
    'compute /os-services': 1,
    'compute /servers/detail': 1,
    'compute /os-migrations': 1,
  });
  assert.equal(cloud.asked('compute')[1]?.query.get('host'), 'compute-4');
  assert.equal(cloud.asked('compute')[1]?.query.get('all_tenants'), '1');
});

test('a server that is new is found in its group', async () => {
  fill(10, 30, 3);
  await driver.inventory(context);
  nova.servers.push(serverJson({ id: 'server-new', 'OS-EXT-SRV-ATTR:host': 'compute-4' }));
  nova.groups.push({ id: 'g9', name: 'db', policy: 'affinity', rules: {}, members: ['server-new'] });
  const groupOf = async (): Promise<unknown> =>
    (await driver.inspect('compute-4', context)).instances.find(({ id }) => id === 'server-new')?.groups;
  assert.deepEqual(await groupOf(), ['g9']);
  cloud.requests.length = 0;
  await groupOf();
  await driver.inspect('compute-5', context);
  assert.equal(
    tally()['compute /os-server-groups'],
    undefined,
    'groups are not read again for those that are known',
  );
});

test('a server that is deleted between two pages is worth another try', async () => {
  nova.maxLimit = 10;
  fill(10, 30, 0);
  nova.instead.set('GET /servers/detail', {
    status: 400,
    body: { badRequest: { message: 'marker [x] not found' } },
  });
  await assert.rejects(driver.inventory(context), { code: 'PlatformError', retryable: true });
  assert.equal((await driver.inventory(context)).instances.length, 30);
});
