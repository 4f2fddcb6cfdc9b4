import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { MaintenanceError } from '../../src/core/errors.ts';
import { formatMark } from '../../src/core/mark.ts';
import { PLAIN_REQUEST } from '../../src/core/platform-options.ts';
import type { Driver } from '../../src/drivers/driver.ts';
import { PLATFORMS } from '../../src/drivers/registry.ts';
import { simulator as platform } from '../../src/drivers/simulator/driver.ts';
import { faultSpec } from '../../src/simulator/faults.ts';
import type { FleetInput } from '../../src/simulator/fleet.ts';
import { type Simulator, startSimulator } from '../../src/simulator/server.ts';
import { describeDriver, type DriverBed, RETRY_AFTER_SECONDS } from './contract.ts';

const SIZE = { vcpus: 2, memoryMb: 2048, diskGb: 20 };
const CAPACITY = { vcpus: 16, memoryMb: 16_384, diskGb: 200 };

const FLEET: FleetInput = {
  hosts: ['a1', 'a2', 'b1', 'b2'].map((name) => ({
    name,
    labels: { zone: name.slice(0, 1) },
    capacity: CAPACITY,
  })),
  instances: [
    { name: 'web-1', host: 'a1', project: 'shop', resources: SIZE, groups: ['web'] },
    { name: 'web-2', host: 'b1', project: 'shop', resources: SIZE, groups: ['web'] },
    { name: 'pinned', host: 'a1', resources: SIZE, requires: { zone: 'a' } },
    { name: 'asleep', host: 'b1', state: 'stopped', resources: SIZE },
    { name: 'broken', host: 'b1', state: 'error', resources: SIZE },
  ],
  groups: [{ name: 'web', policy: 'anti-affinity', maxImpacted: 1 }],
  migration: { baseMs: 5, mbPerSecond: 0 },
  durations: { stopMs: 5, startMs: 5, enterMs: 5, exitMs: 5, workMs: 5 },
};

const driverFor = (url: string): Driver => platform.create({ url, timeout: '300ms' }, { site: 'demo' });

const TROUBLES = {
  hang: { kind: 'hang' },
  busy: { kind: 'retryAfter', seconds: RETRY_AFTER_SECONDS },
  error: { kind: 'fail', status: 500, code: 'Oops', message: 'the database is on fire' },
  garbage: { kind: 'garbage' },
} as const;

async function setUp(): Promise<DriverBed> {
  const simulator = await startSimulator({ fleet: FLEET });
  const { datacentre, faults } = simulator;
  const driver = driverFor(simulator.url);
  const deafDriver = driverFor('http://127.0.0.1:9');
  return {
    driver,
    deafDriver,
    busyHost: 'a1',
    instance: 'i-000001',
    spareHost: 'a2',
    operator: {
      cordon: async (host, reason) => datacentre.cordon(host, reason),
      deleteInstance: async (instance) => datacentre.deleteInstance(instance),
    },
    keepMovesRunning: async () => {
      faults.add(faultSpec.parse({ match: { operation: 'migrate' }, effect: { kind: 'neverEnds' } }));
    },
    failMoves: async () => {
      const words = 'qemu unexpectedly closed the monitor';
      const effect = { kind: 'failTask', code: 'LibvirtError', message: words };
      faults.add(faultSpec.parse({ match: { operation: 'migrate' }, effect }));
      return { words, mend: async () => faults.clear() };
    },
    trouble: async (kind) => {
      faults.add(faultSpec.parse({ match: { operation: 'any' }, effect: TROUBLES[kind] }));
    },
    close: async () => {
      await Promise.all([driver.close(), deafDriver.close()]);
      await simulator.close();
    },
  };
}

const CAPABILITIES = {
  drains: ['engine'],
  options: [],
  liveMove: true,
  coldMove: true,
  abortMove: true,
  chooseTarget: true,
  stopStart: true,
  maintenanceMode: true,
  moveMbPerSecond: 8000,
  shortestPollMs: 50,
} as const;

describeDriver('simulator', CAPABILITIES, setUp);

describe('simulator driver', () => {
  const context = { signal: new AbortController().signal };
  const mark = { session: 's', host: 'a1' };
  let simulator: Simulator;
  let driver: Driver;

  beforeEach(async () => {
    simulator = await startSimulator({ fleet: FLEET });
    driver = driverFor(simulator.url);
  });
  afterEach(async () => {
    await driver.close();
    await simulator.close();
  });

  const code = (expected: string) => (error: unknown) => {
    assert.ok(error instanceof MaintenanceError, String(error));
    assert.equal(error.code, expected);
    return true;
  };

  test('is registered under its name, with a configuration that has defaults', () => {
    const definition = PLATFORMS['simulator'];
    assert.ok(definition, 'there is one');
    assert.deepEqual(definition.configSchema.parse({ url: 'http://127.0.0.1:7070' }), {
      url: 'http://127.0.0.1:7070',
      timeout: '10s',
    });
    for (const wrong of [
      {},
      { url: 'nowhere' },
      { url: 'http://x', timeout: 'soon' },
      { url: 'http://x', extra: 1 },
    ]) {
      assert.equal(definition.configSchema.safeParse(wrong).success, false, JSON.stringify(wrong));
    }
  });

  test('a target that breaks a constraint is NoTarget, and names the constraint', async () => {
    simulator.datacentre.setCapacity('a2', { memoryMb: 1024 });
    for (const [instance, target, words] of [
      ['i-000001', 'b1', /AntiAffinity: b1 has 1 of group web/],
      ['i-000003', 'b2', /RequirementUnmet: b2 does not carry the label zone=a/],
      ['i-000001', 'a2', /CapacityExceeded: a2 has 1024 memoryMb free/],
    ] as const) {
      await assert.rejects(driver.move(instance, { how: 'live', target }, context), (error) => {
        assert.ok(error instanceof MaintenanceError);
        assert.equal(error.code, 'NoTarget');
        assert.match(error.vendor ?? '', words);
        return true;
      });
    }
  });

  test('precheck says why an instance cannot leave', async () => {
    const { instances } = await driver.precheck('b1', PLAIN_REQUEST, context);
    const reasons = Object.fromEntries(
      instances.map(({ instance, live, cold, stop }) => [instance.name, { live, cold, stop }]),
    );
    assert.deepEqual(reasons, {
      'web-2': { live: undefined, cold: undefined, stop: undefined },
      asleep: { live: 'is stopped', cold: undefined, stop: undefined },
      broken: { live: 'is in an error state', cold: 'is in an error state', stop: 'is in an error state' },
    });
  });

  test('precheck is blocked by a host that is down, or in maintenance of somebody else', async () => {
    simulator.datacentre.die('a2');
    assert.deepEqual((await driver.precheck('a2', PLAIN_REQUEST, context)).blockers, ['a2 is down']);
    simulator.datacentre.enter('b2', 'bad fan', { kind: 'neverEnds' });
    assert.deepEqual((await driver.precheck('b2', PLAIN_REQUEST, context)).blockers, [
      "b2 is in somebody else's maintenance: bad fan",
    ]);
  });

  test('maintenance of somebody else is neither taken over nor ended', async () => {
    simulator.datacentre.enter('b2', 'bad fan', { kind: 'neverEnds' });
    await assert.rejects(driver.enter('b2', mark, PLAIN_REQUEST, context), code('OperatorInterfered'));
    await assert.rejects(driver.exit('b2', mark, context), code('OperatorInterfered'));
    assert.equal((await driver.inspect('b2', context)).host.cordonReason, 'bad fan');
    await driver.cordon('b2', mark, PLAIN_REQUEST, context);
    const { host } = await driver.inspect('b2', context);
    assert.deepEqual([host.cordonReason, host.maintenanceReason], [formatMark(mark), 'bad fan']);
  });

  test('a second enter or exit finds the task of the first', async () => {
    simulator.faults.add(faultSpec.parse({ match: { operation: 'any' }, effect: { kind: 'neverEnds' } }));
    const entering = await driver.enter('a2', mark, PLAIN_REQUEST, context);
    assert.deepEqual(await driver.enter('a2', mark, PLAIN_REQUEST, context), entering);
    assert.equal(await driver.exit('a2', mark, context), undefined, 'leaving ends an entry that runs');
    assert.equal((await driver.inspect('a2', context)).host.standing, 'in-service');
  });

  test('entering with an instance on the host fails as HostNotEmpty', async () => {
    const task = await driver.enter('a1', mark, PLAIN_REQUEST, context);
    assert.ok(task);
    const deadline = Date.now() + 5000;
    let status = await driver.pollTask(task, context);
    while (status.state === 'running' && Date.now() < deadline) status = await driver.pollTask(task, context);
    assert.ok(status.state === 'failed');
    assert.equal(status.error.code, 'HostNotEmpty');
  });

  test('an instance that somebody else stopped is not started', async () => {
    await assert.rejects(driver.start('i-000004', mark, context), code('OperatorInterfered'));
    assert.equal((await driver.locate('i-000004', context))?.state, 'stopped');
  });

  test('a lost answer leaves the work done and the engine told that nobody answered', async () => {
    const fault = { match: { operation: 'migrate', times: 1 }, effect: { kind: 'loseAnswer' } };
    simulator.faults.add(faultSpec.parse({ match: { operation: 'cordon' }, effect: { kind: 'loseAnswer' } }));
    simulator.faults.add(faultSpec.parse(fault));
    await assert.rejects(driver.cordon('a1', mark, PLAIN_REQUEST, context), code('PlatformUnreachable'));
    assert.equal((await driver.inspect('a1', context)).host.standing, 'cordoned');
    await driver.cordon('a1', mark, PLAIN_REQUEST, context);
  });

  test('lists come complete, however many pages they take', async () => {
    await simulator.close();
    simulator = await startSimulator({
      fleet: {
        hosts: { count: 1100, capacity: CAPACITY },
        instances: { perHost: 2, sizes: [SIZE] },
      },
    });
    await driver.close();
    driver = driverFor(simulator.url);
    const { hosts, instances } = await driver.inventory(context);
    assert.equal(hosts.length, 1100);
    assert.equal(new Set(instances.map(({ id }) => id)).size, 2200);
  });
});
