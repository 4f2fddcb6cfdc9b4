import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { MaintenanceError } from '../../../src/core/errors.ts';
import { PLAIN_REQUEST } from '../../../src/core/platform-options.ts';
import type { Driver } from '../../../src/drivers/driver.ts';
import { connect, context } from './connect.ts';
import { FakeCloud } from './fake-cloud.ts';
import { FakeMasakari } from './fake-masakari.ts';
import { FakeNova, serviceJson } from './fake-nova.ts';

const HOST = 'compute-1';
const MARK = { session: 's', host: HOST };
const OURS = 'haulout session=s host=compute-1';

let cloud: FakeCloud;
let nova: FakeNova;
let driver: Driver;

beforeEach(async () => {
  cloud = await FakeCloud.start();
  nova = new FakeNova(cloud);
  nova.services = [
    serviceJson(),
    serviceJson({ id: 'service-2', binary: 'nova-conductor', host: 'ctl-1', zone: 'internal' }),
  ];
  nova.hypervisors = [{ id: 'p1', hypervisor_hostname: HOST, service: { host: HOST } }];
  driver = connect(cloud);
});
afterEach(async () => {
  await driver.close();
  await cloud.close();
});

const reason = (): unknown => nova.services[0]?.['disabled_reason'];
const cordonReason = async (): Promise<string | undefined> =>
  (await driver.inspect(HOST, context)).host.cordonReason;
const changes = (): unknown[] => cloud.asked('compute', 'PUT').map(({ path, body }) => [path, body]);

describe('a cordon', () => {
  test('disables the compute service for our reason, and takes that back', async () => {
    await driver.cordon(HOST, MARK, PLAIN_REQUEST, context);
    await driver.uncordon(HOST, MARK, context);
    assert.deepEqual(changes(), [
      ['/v2.1/os-services/service-1', { status: 'disabled', disabled_reason: OURS }],
      ['/v2.1/os-services/service-1', { status: 'enabled' }],
    ]);
  });

  test('of a host that somebody disabled without a reason changes nothing', async () => {
    nova.services = [serviceJson({ status: 'disabled' })];
    await driver.cordon(HOST, MARK, PLAIN_REQUEST, context);
    await driver.uncordon(HOST, MARK, context);
    assert.deepEqual(changes(), []);
  });

  test('with a reason that Nova would cut off is refused', async () => {
    await assert.rejects(
      driver.cordon(HOST, { ...MARK, session: 's'.repeat(250) }, PLAIN_REQUEST, context),
      (error) => {
        assert.ok(error instanceof MaintenanceError);
        assert.equal(error.code, 'Unsupported');
        return true;
      },
    );
    assert.deepEqual(changes(), []);
  });

  test('of a controller does nothing: Nova schedules nothing to it, and would not disable a conductor', async () => {
    await driver.cordon('ctl-1', { ...MARK, host: 'ctl-1' }, PLAIN_REQUEST, context);
    await driver.enter('ctl-1', { ...MARK, host: 'ctl-1' }, PLAIN_REQUEST, context);
    await driver.exit('ctl-1', { ...MARK, host: 'ctl-1' }, context);
    assert.deepEqual(changes(), []);
    const { host, instances } = await driver.inspect('ctl-1', context);
    assert.deepEqual(
      [host.role, host.standing, host.takesInstances, instances],
      ['controller', 'in-service', false, []],
    );
    assert.deepEqual((await driver.precheck('ctl-1', PLAIN_REQUEST, context)).blockers, []);
  });
});

describe('Masakari', () => {
  let masakari: FakeMasakari;

  beforeEach(() => {
    masakari = new FakeMasakari(cloud);
    masakari.add('rack-1', 'compute-9');
    masakari.add('rack-2', 'compute-8');
    masakari.add('rack-2', HOST);
  });

  const takeOut = async (): Promise<void> => {
    await driver.cordon(HOST, MARK, PLAIN_REQUEST, context);
    assert.equal(await driver.enter(HOST, MARK, PLAIN_REQUEST, context), undefined);
  };
  const putBack = async (): Promise<void> => {
    assert.equal(await driver.exit(HOST, MARK, context), undefined);
    await driver.uncordon(HOST, MARK, context);
  };

  test('leaves a host alone from entering to leaving, and no other', async () => {
    await driver.cordon(HOST, MARK, PLAIN_REQUEST, context);
    assert.equal(masakari.isOnMaintenance(HOST), false, 'while it is drained it is watched');
    await driver.enter(HOST, MARK, PLAIN_REQUEST, context);
    await driver.enter(HOST, MARK, PLAIN_REQUEST, context);
    assert.equal(masakari.isOnMaintenance(HOST), true);
    await driver.exit(HOST, MARK, context);
    assert.equal(masakari.isOnMaintenance(HOST), false);
    assert.equal(masakari.isOnMaintenance('compute-8'), false);
    assert.equal(cloud.asked('masakari', 'PUT').length, 2);
  });

  test('goes on leaving alone what it was told of before us, whoever puts the host back', async () => {
    masakari.segments.clear();
    masakari.add('rack-1', HOST, true);
    await takeOut();
    assert.equal(await cordonReason(), OURS, 'the mark is ours all the same');
    await driver.close();
    driver = connect(cloud);
    await putBack();
    assert.equal(masakari.isOnMaintenance(HOST), true);
    assert.equal(reason(), null);
  });

  test('is told nothing of a host that somebody else disabled', async () => {
    nova.services = [serviceJson({ status: 'disabled', disabled_reason: 'bad fan' })];
    await takeOut();
    await putBack();
    assert.equal(masakari.isOnMaintenance(HOST), false);
    masakari.segments.clear();
    masakari.add('rack-1', HOST, true);
    await putBack();
    assert.equal(masakari.isOnMaintenance(HOST), true);
  });

  test('is told by another worker what the first one did not live to tell', async () => {
    await takeOut();
    await driver.close();
    driver = connect(cloud);
    await putBack();
    assert.equal(masakari.isOnMaintenance(HOST), false);
  });

  test('that deals with a failure just now is told later', async () => {
    await takeOut();
    masakari.recovering.add('rack-2');
    await assert.rejects(driver.exit(HOST, MARK, context), (error) => {
      assert.ok(error instanceof MaintenanceError);
      assert.equal(error.code, 'PlatformBusy');
      assert.match(error.vendor ?? '', /in-use to process notifications/);
      return true;
    });
    assert.equal(reason(), OURS);
  });

  test('does not matter to hosts that it does not know', async () => {
    masakari.segments.clear();
    await takeOut();
    await putBack();
    assert.equal(reason(), null);
  });

  test('is read page by page', async () => {
    masakari.maxLimit = 1;
    await takeOut();
    assert.equal(masakari.isOnMaintenance(HOST), true);
  });

  test('is known by the older type of its service too', async () => {
    cloud.catalog.splice(
      cloud.catalog.findIndex(({ type }) => type === 'instance-ha'),
      1,
    );
    const old = new FakeMasakari(cloud, 'ha');
    old.add('rack-1', HOST);
    await takeOut();
    assert.equal(old.isOnMaintenance(HOST), true);
  });

  test('is not asked for where the catalog has none', async () => {
    cloud.catalog.splice(
      cloud.catalog.findIndex(({ type }) => type === 'instance-ha'),
      1,
    );
    await takeOut();
    await putBack();
    assert.deepEqual(cloud.asked('masakari'), []);
    assert.equal(reason(), null);
  });
});
