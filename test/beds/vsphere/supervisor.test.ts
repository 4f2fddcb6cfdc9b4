/** The driver contract over hosts of the bed that are nodes of a Supervisor; its REST API is faked. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CallContext, Driver } from '../../../src/drivers/driver.ts';
import { vsphereSupervisor } from '../../../src/drivers/vsphere-supervisor/driver.ts';
import { vsphere } from '../../../src/drivers/vsphere/driver.ts';
import { describeDriver, type DriverBed, RETRY_AFTER_SECONDS } from '../../drivers/contract.ts';
import { FakeSupervisor } from '../../drivers/vsphere-supervisor/fake-supervisor.ts';
import { startBed, type Address, type Fault } from './bed.ts';
import { govc } from './govc.ts';

const CLUSTER_PATH = '/DC0/host/DC0_C0';
const BUSY_HOST = 'DC0_C0_H0';
const SPARE_HOST = 'DC0_C0_H1';

/** Longer than any request takes on a busy machine; a test waits it out. */
const TIMEOUT = '3s';

const ALWAYS = 1_000_000;

const TROUBLES: Readonly<Record<'hang' | 'busy' | 'error' | 'garbage', Fault>> = {
  hang: { action: 'hold', milliseconds: 3_600_000, times: ALWAYS },
  busy: { action: 'status', status: 429, retryAfterSeconds: RETRY_AFTER_SECONDS, times: ALWAYS },
  error: { action: 'status', status: 500, times: ALWAYS },
  garbage: { action: 'html', times: ALWAYS },
};

interface SupervisorBed extends DriverBed {
  supervisor: FakeSupervisor;
  idOf: (host: string) => Promise<string>;
}

/** A vCenter of its own for each test: three hosts that are nodes, and one in another cluster that is none. */
async function setUp(): Promise<SupervisorBed> {
  const { bed, stop } = await startBed({ hosts: 3, vmsPerHost: 1, otherHosts: 1 });
  const run = (...args: string[]): Promise<string> => govc(bed.address, args);
  /** Ids of what is below a path of the inventory, by the letter govc has for its type. */
  const idsBelow = async (at: string, type: 'c' | 'h' | 'm', name = '*'): Promise<string[]> =>
    (await run('find', '-i', at, '-type', type, '-name', name)).split('\n').flatMap(idIn);
  const idOf = async (at: string, type: 'c' | 'h' | 'm', name: string): Promise<string> => {
    const [id, ...others] = await idsBelow(at, type, name);
    assert.ok(id !== undefined && others.length === 0, `there is one ${name}`);
    return id;
  };
  await bed.turn({ relocateMs: 100, enterMs: 100, exitMs: 100, powerMs: 50, shutdownMs: 100 });
  await run('vm.migrate', '-host', pathTo('DC0_C0_H2'), `${SPARE_HOST}_VM0`);
  const cluster = await idOf('/DC0/host', 'c', 'DC0_C0');
  const supervisor = await FakeSupervisor.start({
    cluster,
    nodes: await idsBelow(CLUSTER_PATH, 'h'),
    ...bed.address,
  });
  const driver = connect(bed.address, supervisor, cluster);
  const deafDriver = connect({ ...bed.address, url: 'https://127.0.0.1:9' }, supervisor, cluster);
  return {
    driver,
    deafDriver,
    busyHost: BUSY_HOST,
    instance: await idOf('/DC0/vm', 'm', `${BUSY_HOST}_VM0`),
    spareHost: SPARE_HOST,
    supervisor,
    idOf: (host) => idOf(CLUSTER_PATH, 'h', host),
    operator: {
      cordon: async (host, reason) => {
        await run('fields.add', 'haulout');
        await run('fields.set', 'haulout', reason, pathTo(host));
      },
      deleteInstance: async (id) => {
        await run('vm.destroy', `VirtualMachine:${id}`);
      },
    },
    keepMovesRunning: () => bed.turn({ relocateMs: 3_600_000 }),
    failMoves: async () => {
      const message = 'The VM failed to resume on the destination during early power on.';
      await bed.fail({
        action: 'taskFault',
        method: 'RelocateVM_Task',
        fault: 'MigrationFault',
        message,
        times: ALWAYS,
      });
      return { words: message, mend: () => bed.reset() };
    },
    trouble: (kind) => bed.fail(TROUBLES[kind]),
    close: async () => {
      await bed.reset();
      await Promise.all([driver.close(), deafDriver.close()]);
      await Promise.all([stop(), supervisor.close()]);
      assert.deepEqual(supervisor.complaints, []);
    },
  };
}

/** Of a reference such as `HostSystem:host-21`. */
const idIn = (line: string): string[] => /^\w+:(\S+)$/.exec(line)?.slice(1) ?? [];

const pathTo = (host: string): string => `${CLUSTER_PATH}/${host}`;

function connect(
  { url, username, password, caFile }: Address,
  supervisor: FakeSupervisor,
  cluster: string,
): Driver {
  const options = vsphere.configSchema.parse({ url, username, password, caFile, timeout: TIMEOUT });
  const config = vsphereSupervisor.configSchema.parse({ vsphere: 'below', cluster, url: supervisor.url });
  return vsphereSupervisor.create(config, {
    site: 'bed',
    siteBelow: () => ({ platform: 'vsphere', options }),
  });
}

describeDriver(
  'vsphere-supervisor',
  {
    drains: ['engine', 'platform'],
    options: ['vsphere', 'vsphere-supervisor'],
    liveMove: true,
    coldMove: true,
    abortMove: true,
    chooseTarget: true,
    stopStart: true,
    maintenanceMode: true,
    moveMbPerSecond: 600,
    shortestPollMs: 500,
  },
  setUp,
);

const context: CallContext = { signal: new AbortController().signal };

test('only hosts of the cluster are offered', async () => {
  const bed = await setUp();
  try {
    const { hosts } = await bed.driver.inventory(context);
    assert.deepEqual(hosts.map(({ name }) => name).sort(), ['DC0_C0_H0', 'DC0_C0_H1', 'DC0_C0_H2']);
  } finally {
    await bed.close();
  }
});

test('the node that is taken out is that of the host', async () => {
  const bed = await setUp();
  try {
    const mark = { session: 'rack-12', host: SPARE_HOST };
    await bed.driver.cordon(SPARE_HOST, mark, { drain: 'engine', options: {} }, context);
    const states = [...bed.supervisor.nodes].filter(([, state]) => state !== 'serving');
    assert.deepEqual(states, [[await bed.idOf(SPARE_HOST), 'entering']]);
  } finally {
    await bed.close();
  }
});
