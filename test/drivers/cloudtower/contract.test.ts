/** The driver contract over the fake, in both shapes of its answers. */
import type { Capabilities } from '../../../src/drivers/driver.ts';
import type { Shape } from '../../fakes/cloudtower/calls.ts';
import { FakeCloudTower } from '../../fakes/cloudtower/server.ts';
import { describeDriver, type DriverBed } from '../contract.ts';
import { connect } from './connect.ts';

const CAPABILITIES: Capabilities = {
  drains: ['platform'],
  options: [],
  liveMove: true,
  coldMove: false,
  abortMove: false,
  chooseTarget: true,
  stopStart: true,
  maintenanceMode: true,
  moveMbPerSecond: 600,
  shortestPollMs: 1_000,
  limits: [
    {
      label: 'cluster',
      maxHosts: 1,
      why: 'the hosts of a cluster are its storage: with a second one out, data may be lost',
    },
  ],
};

const SITE = { timeout: '2s' };

async function setUp(shape: Shape): Promise<DriverBed> {
  const fake = await FakeCloudTower.start({
    shape,
    hosts: [
      { name: 'smtx-01', vms: [{ name: 'web-1', group: 'web' }, { name: 'db-1' }] },
      { name: 'smtx-02', vms: [] },
      {
        name: 'smtx-03',
        vms: [
          { name: 'web-2', group: 'web' },
          { name: 'old', recycled: true },
        ],
      },
    ],
  });
  const { tower } = fake;
  const driver = connect(fake.url, SITE);
  const deafDriver = connect('http://127.0.0.1:9', SITE);
  return {
    driver,
    deafDriver,
    busyHost: 'smtx-01',
    instance: fake.vm('web-1').id,
    spareHost: 'smtx-02',
    operator: {
      cordon: async (host, reason) => {
        fake.label(host, reason);
      },
      deleteInstance: async (id) => {
        const vm = tower.vms.get(id);
        if (vm) tower.deleteVm(vm);
      },
    },
    keepMovesRunning: async () => {
      tower.timings.moveMs = 3_600_000;
    },
    failMoves: async () => {
      const words = 'ELF_VM_MIGRATE_FAILED';
      tower.taskFaults.push({ mutation: 'migrateVm', kind: 'fail', words });
      return { words, mend: async () => undefined };
    },
    trouble: async (kind) => {
      fake.trouble = kind;
    },
    close: async () => {
      await Promise.all([driver.close(), deafDriver.close(), fake.close()]);
    },
  };
}

for (const shape of ['sdk', 'docs'] as const) {
  describeDriver(`cloudtower, ${shape} answers`, CAPABILITIES, () => setUp(shape));
}
