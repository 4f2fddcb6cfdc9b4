/** What the driver contract needs of a vCenter, whatever drives it. */
import type { Capabilities, Driver } from '../../../src/drivers/driver.ts';
import { vsphere } from '../../../src/drivers/vsphere/driver.ts';
import { RETRY_AFTER_SECONDS, type DriverBed } from '../../drivers/contract.ts';
import { startBed, type Address, type Fault } from './bed.ts';
import { govc } from './govc.ts';

export const BUSY_HOST = 'DC0_C0_H0';
export const SPARE_HOST = 'DC0_C0_H1';
export const CLUSTER_PATH = '/DC0/host/DC0_C0';

/** Longer than any request takes on a busy machine; a test waits it out. */
export const TIMEOUT = '3s';

const ALWAYS = 1_000_000;

const TROUBLES: Readonly<Record<'hang' | 'busy' | 'error' | 'garbage', Fault>> = {
  hang: { action: 'hold', milliseconds: 3_600_000, times: ALWAYS },
  busy: { action: 'status', status: 429, retryAfterSeconds: RETRY_AFTER_SECONDS, times: ALWAYS },
  error: { action: 'status', status: 500, times: ALWAYS },
  garbage: { action: 'html', times: ALWAYS },
};

/** What a driver of these hosts says that it can do. */
export const CAPABILITIES: Capabilities = {
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
};

export interface Hosts {
  address: Address;
  run: (...args: string[]) => Promise<string>;
  /** The contract's bed, but for its drivers and for which instance it is about. */
  bed: Omit<DriverBed, 'driver' | 'deafDriver' | 'instance' | 'close'>;
  /** Ends all trouble, so that drivers can log out, then closes these and the vCenter. */
  close: (...drivers: Driver[]) => Promise<void>;
}

/** A vCenter of its own for each test: three hosts with a VM each, of which the spare one gives its VM away. */
export async function startHosts(): Promise<Hosts> {
  const { bed, stop } = await startBed({ hosts: 3, vmsPerHost: 1, otherHosts: 1 });
  const run = (...args: string[]): Promise<string> => govc(bed.address, args);
  await bed.turn({ relocateMs: 100, enterMs: 100, exitMs: 100, powerMs: 50, shutdownMs: 100 });
  await run('vm.migrate', '-host', pathTo('DC0_C0_H2'), `${SPARE_HOST}_VM0`);
  return {
    address: bed.address,
    run,
    bed: {
      busyHost: BUSY_HOST,
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
    },
    close: async (...drivers) => {
      await bed.reset();
      await Promise.all(drivers.map((driver) => driver.close()));
      await stop();
    },
  };
}

/** A vCenter where nothing listens. */
export const deaf = (address: Address): Address => ({ ...address, url: 'https://127.0.0.1:9' });

/** A driver of the vCenter of a bed; `more` are other keys of the site. */
export function connect({ url, username, password, caFile }: Address, more: object = {}): Driver {
  const config = vsphere.configSchema.parse({ url, username, password, caFile, ...more });
  return vsphere.create(config, { site: 'bed' });
}

const pathTo = (host: string): string => `${CLUSTER_PATH}/${host}`;
