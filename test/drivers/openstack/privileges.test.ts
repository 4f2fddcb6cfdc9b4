/** Nova hides what a user may not see, and does not always say so. A host must never look empty for that. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { Driver } from '../../../src/drivers/driver.ts';
import { connect, context } from './connect.ts';
import { FakeCloud } from './fake-cloud.ts';
import { FakeNova, fault, serverJson, serviceJson } from './fake-nova.ts';

let cloud: FakeCloud;
let nova: FakeNova;
let driver: Driver;

beforeEach(async () => {
  cloud = await FakeCloud.start();
  nova = new FakeNova(cloud);
  nova.services = [serviceJson()];
  driver = connect(cloud);
});
afterEach(async () => {
  await driver.close();
  await cloud.close();
});

test('a user who is not told where servers are is not authorized', async () => {
  const { 'OS-EXT-SRV-ATTR:host': _, ...hidden } = serverJson();
  nova.servers = [hidden];
  const refused = { code: 'NotAuthorized', message: /lacks os_compute_api:os-extended-server-attributes/ };
  await assert.rejects(driver.inventory(context), refused);
  await assert.rejects(driver.locate('server-1', context), refused);
});

test('a user who may not filter by host gets the servers of that host all the same', async () => {
  nova.allowsFilters = false;
  nova.servers = [serverJson(), serverJson({ id: 'server-2', 'OS-EXT-SRV-ATTR:host': 'compute-2' })];
  const { instances } = await driver.inspect('compute-1', context);
  assert.deepEqual(
    instances.map(({ id }) => id),
    ['server-1'],
  );
});

test('a user who may not see the servers of all projects is not authorized', async () => {
  const words = "Policy doesn't allow os_compute_api:servers:detail:get_all_tenants to be performed.";
  nova.instead.set('GET /servers/detail', fault(403, words));
  await assert.rejects(driver.inspect('compute-1', context), { code: 'NotAuthorized' });
});
