/** The driver contract over hosts of the bed that are nodes of a Supervisor; its REST API is faked. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CallContext, Driver } from '../../../src/drivers/driver.ts';
import { vsphereSupervisor } from '../../../src/drivers/vsphere-supervisor/driver.ts';
import { vsphere } from '../../../src/drivers/vsphere/driver.ts';
import { describeDriver, type DriverBed } from '../../drivers/contract.ts';
import { FakeSupervisor } from '../../drivers/vsphere-supervisor/fake-supervisor.ts';
import type { Address } from './bed.ts';
import { BUSY_HOST, CAPABILITIES, CLUSTER_PATH, deaf, SPARE_HOST, startHosts, TIMEOUT } from './hosts.ts';

interface SupervisorBed extends DriverBed {
  supervisor: FakeSupervisor;
  idOf: (host: string) => Promise<string>;
}

/** A vCenter of its own for each test: three hosts that are nodes, and one in another cluster that is none. */
async function setUp(): Promise<SupervisorBed> {
  const { address, run, bed, close } = await startHosts();
  /** Ids of what is below a path of the inventory, by the letter govc has for its type. */
  const idsBelow = async (at: string, type: 'c' | 'h' | 'm', name = '*'): Promise<string[]> =>
    (await run('find', '-i', at, '-type', type, '-name', name)).split('\n').flatMap(idIn);
  const idOf = async (at: string, type: 'c' | 'h' | 'm', name: string): Promise<string> => {
    const [id, ...others] = await idsBelow(at, type, name);
    assert.ok(id !== undefined && others.length === 0, `there is one ${name}`);
    return id;
  };
  const cluster = await idOf('/DC0/host', 'c', 'DC0_C0');
  const supervisor = await FakeSupervisor.start({
    cluster,
    nodes: await idsBelow(CLUSTER_PATH, 'h'),
    ...address,
  });
  const driver = connect(address, supervisor, cluster);
  const deafDriver = connect(deaf(address), supervisor, cluster);
  return {
    ...bed,
    driver,
    deafDriver,
    instance: await idOf('/DC0/vm', 'm', `${BUSY_HOST}_VM0`),
    supervisor,
    idOf: (host) => idOf(CLUSTER_PATH, 'h', host),
    close: async () => {
      await close(driver, deafDriver);
      await supervisor.close();
      assert.deepEqual(supervisor.complaints, []);
    },
  };
}

/** Of a reference such as `HostSystem:host-21`. */
const idIn = (line: string): string[] => /^\w+:(\S+)$/.exec(line)?.slice(1) ?? [];

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

describeDriver('vsphere-supervisor', { ...CAPABILITIES, options: ['vsphere', 'vsphere-supervisor'] }, setUp);

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
