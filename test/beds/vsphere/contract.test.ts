/** The driver contract over the vCenter of the bed. */
import type { Driver } from '../../../src/drivers/driver.ts';
import { vsphere } from '../../../src/drivers/vsphere/driver.ts';
import { describeDriver, type DriverBed, RETRY_AFTER_SECONDS } from '../../drivers/contract.ts';
import { startBed, type Address, type Fault } from './bed.ts';
import { govc } from './govc.ts';

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

/** A vCenter of its own for each test: three hosts with a VM each, of which the spare one gives its VM away. */
async function setUp(): Promise<DriverBed> {
  const { bed, stop } = await startBed({ hosts: 3, vmsPerHost: 1, otherHosts: 1 });
  const run = (...args: string[]): Promise<string> => govc(bed.address, args);
  await bed.turn({ relocateMs: 100, enterMs: 100, exitMs: 100, powerMs: 50, shutdownMs: 100 });
  await run('vm.migrate', '-host', pathTo('DC0_C0_H2'), `${SPARE_HOST}_VM0`);
  const listed = await run('ls', '-i', `/DC0/vm/${BUSY_HOST}_VM0`);
  const instance = listed.trim().replace(/^VirtualMachine:/, '');
  const driver = connect(bed.address);
  const deafDriver = connect({ ...bed.address, url: 'https://127.0.0.1:9' });
  return {
    driver,
    deafDriver,
    busyHost: BUSY_HOST,
    instance,
    spareHost: SPARE_HOST,
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
      await stop();
    },
  };
}

const pathTo = (host: string): string => `/DC0/host/DC0_C0/${host}`;

function connect({ url, username, password, caFile }: Address): Driver {
  const config = vsphere.configSchema.parse({ url, username, password, caFile, timeout: TIMEOUT });
  return vsphere.create(config, { site: 'bed' });
}

describeDriver(
  'vsphere',
  {
    drains: ['engine', 'platform'],
    options: ['vsphere'],
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
