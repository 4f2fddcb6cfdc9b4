/** The driver contract over the OpenStack of the bed. */
import { openstack } from '../../../src/drivers/openstack/driver.ts';
import type { Driver } from '../../../src/drivers/driver.ts';
import { describeDriver, type DriverBed, RETRY_AFTER_SECONDS } from '../../drivers/contract.ts';
import { Bed } from './bed.ts';
import { layOut, remove } from './fleet.ts';
import { Nova } from './nova.ts';
import { Proxy } from '../proxy.ts';

const BUSY_HOST = 'compute-1';
const SPARE_HOST = 'compute-2';
const OTHER_HOST = 'compute-3';

/** Longer than any request takes on a busy machine; a test waits it out. */
const TIMEOUT = '30s';

const bed = new Bed();
const nova = new Nova(bed.cloud);

async function setUp(): Promise<DriverBed> {
  const servers = await layOut(bed, nova, [
    { name: 'web-1', host: BUSY_HOST, flavor: 'm1.tiny', group: 'web' },
    { name: 'web-2', host: OTHER_HOST, flavor: 'm1.tiny', group: 'web' },
    { name: 'db', host: BUSY_HOST, flavor: 'm1.tiny' },
    { name: 'asleep', host: OTHER_HOST, flavor: 'm1.tiny', stopped: true },
  ]);
  const instance = servers.get('web-1')?.id;
  if (instance === undefined) throw new Error('web-1 was not made');
  const proxy = await Proxy.start(await addresses(), RETRY_AFTER_SECONDS);
  const driver = connect((service) => proxy.address(service));
  const deafDriver = connect(() => 'http://127.0.0.1:9');
  return {
    driver,
    deafDriver,
    busyHost: BUSY_HOST,
    instance,
    spareHost: SPARE_HOST,
    operator: {
      cordon: (host, reason) => nova.setService(host, 'disabled', reason),
      deleteInstance: async (id) => {
        await remove(nova, id);
        await nova.until(
          `${id} is gone`,
          () => nova.servers(),
          (left) => left.every((server) => server.id !== id),
        );
      },
    },
    keepMovesRunning: () => bed.turn({ lm_seconds: 3600 }),
    failMoves: async () => {
      await bed.turn({ hosts: { [SPARE_HOST]: { fail_pre: true } } });
      return { words: 'Migration pre-check error', mend: () => bed.turn({}) };
    },
    trouble: async (kind) => {
      proxy.trouble = kind;
    },
    close: async () => {
      await Promise.all([driver.close(), deafDriver.close(), bed.turn({})]);
      await proxy.close();
    },
  };
}

/** Of the services that the driver talks to, without the versions: it knows those. */
async function addresses(): Promise<Map<string, string>> {
  const all = [...(await nova.endpoints()), ['identity', bed.cloud.auth.auth_url] as const];
  return new Map(all.map(([type, url]) => [type, url.replace(/\/v\d[\d.]*\/?$/, '')]));
}

function connect(address: (service: string) => string): Driver {
  const { auth, region_name: region } = bed.cloud;
  Object.assign(process.env, {
    OS_AUTH_URL: address('identity'),
    OS_USERNAME: auth.username,
    OS_PASSWORD: auth.password,
    OS_PROJECT_NAME: auth.project_name,
    OS_REGION_NAME: region,
    OS_COMPUTE_ENDPOINT_OVERRIDE: address('compute'),
    OS_PLACEMENT_ENDPOINT_OVERRIDE: address('placement'),
  });
  return openstack.create(openstack.configSchema.parse({ timeout: TIMEOUT }), { site: 'bed' });
}

describeDriver(
  'openstack',
  {
    drains: ['engine'],
    options: [],
    liveMove: true,
    coldMove: true,
    abortMove: true,
    chooseTarget: true,
    stopStart: true,
    maintenanceMode: false,
    moveMbPerSecond: 300,
    shortestPollMs: 250,
  },
  setUp,
);
