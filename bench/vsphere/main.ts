/**
 * `npm run bench:vsphere`: eight hosts with 24 VMs on the vCenter model of test/beds/vsphere, taken through maintenance
 * by a plain loop of govc and by sessions, one after another; then how much of its API it takes to read 1,000 hosts with
 * 20,000 VMs. Needs the bed to be built, and a Temporal server at TEMPORAL_ADDRESS.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { table } from '../../src/cli/table.ts';
import { startBed, type Operation, type Timings } from '../../test/beds/vsphere/bed.ts';
import { connect } from '../../test/beds/vsphere/hosts.ts';
import { Site } from '../../test/beds/vsphere/site.ts';
import { countsOf, leastSeconds } from '../counting.ts';
import { rounded } from '../section.ts';

const HOSTS = Array.from({ length: 8 }, (_, index) => `DC0_C0_H${index}`);
const WORK_SECONDS = 5;
const TIMINGS: Partial<Timings> = { relocateMs: 3_000, enterMs: 1_000, exitMs: 1_000 };

interface Figures {
  contender: string;
  hostsAtOnce: number;
  seconds: number;
  moves: number;
  mostMoves: number;
  /** Over VI/JSON; govc speaks SOAP, which is not counted. */
  callsPerHost: number;
  /** Least time that these very tasks, as long as vCenter says they took, and the work allow. */
  boundSeconds: number;
}

interface Contender {
  name: string;
  hostsAtOnce: number;
  drs: boolean;
  run: (site: Site) => Promise<void>;
}

const session = (name: string, hostsAtOnce: number, drs: boolean, drain?: 'platform'): Contender => ({
  name,
  hostsAtOnce,
  drs,
  run: async (site) => {
    const actions = [{ plugin: 'wait', type: 'host' as const, metadata: { seconds: WORK_SECONDS } }];
    const budget = { maxConcurrentHosts: hostsAtOnce };
    await site.report(
      await site.session({ hosts: HOSTS, actions, budget, ...(drain === undefined ? {} : { drain }) }),
    );
  },
});

const CONTENDERS: readonly Contender[] = [
  {
    name: 'govc loop, DRS',
    hostsAtOnce: 1,
    drs: true,
    run: async (site) => {
      for (const host of HOSTS) {
        const at = `/DC0/host/DC0_C0/${host}`;
        await site.operator('host.maintenance.enter', at);
        await sleep(1000 * WORK_SECONDS);
        await site.operator('host.maintenance.exit', at);
      }
    },
  },
  session('haulout', 1, false),
  session('haulout', 4, false),
  session('haulout, drain: platform', 1, true, 'platform'),
];

/** The last host is empty: each VM can do with one move. */
async function measure({ name, hostsAtOnce, drs, run }: Contender): Promise<Figures> {
  process.stderr.write(`${name}, ${hostsAtOnce} at once\n`);
  const site = await Site.start({ hosts: HOSTS.length, vmsPerHost: 3, drs });
  try {
    for (const number of [0, 1, 2]) {
      await site.operator(
        'vm.migrate',
        '-host',
        `/DC0/host/DC0_C0/${HOSTS[number]}`,
        `DC0_C0_H7_VM${number}`,
      );
    }
    await site.bed.reset();
    await site.bed.turn(TIMINGS);
    const startedAt = Date.now();
    await run(site);
    const seconds = (Date.now() - startedAt) / 1000;
    const log = (await site.bed.log()).filter(({ result }) => result === 'success');
    const moves = log.filter(({ operation }) => operation === 'relocate');
    const calls = Object.values(await site.bed.counters()).reduce((sum, count) => sum + count, 0);
    return {
      contender: name,
      hostsAtOnce,
      seconds,
      moves: moves.length,
      mostMoves: Math.max(0, ...countsOf(moves.map(({ object }) => object)).values()),
      callsPerHost: calls / HOSTS.length,
      boundSeconds: boundOf(log, hostsAtOnce),
    };
  } finally {
    await site.stop();
  }
}

/** One VM at a time leaves a host. DRS moves VMs within the task that enters maintenance: its time is in that of the task. */
function boundOf(log: readonly Operation[], hostsAtOnce: number): number {
  const perHost = new Map(HOSTS.map((host) => [host, WORK_SECONDS]));
  for (const { operation, name, from, by, began, ended } of log) {
    const host = operation === 'relocate' && by !== 'drs' ? from : name;
    const before = perHost.get(host ?? '');
    if (before === undefined || host === undefined || !ended) continue;
    perHost.set(host, before + (ended.getTime() - began.getTime()) / 1000);
  }
  return leastSeconds(perHost, hostsAtOnce);
}

/** Reads whole sites, and says how many calls that takes. */
async function measureInventory(hosts: number, vmsPerHost: number): Promise<string[]> {
  process.stderr.write(`inventory of ${hosts} hosts with ${hosts * vmsPerHost} VMs\n`);
  const { bed, stop } = await startBed({ hosts, vmsPerHost });
  const driver = connect(bed.address, { timeout: '5m' });
  try {
    const startedAt = performance.now();
    const inventory = await driver.inventory({ signal: new AbortController().signal });
    const seconds = (performance.now() - startedAt) / 1000;
    const calls = Object.values(await bed.counters()).reduce((sum, count) => sum + count, 0);
    return [
      String(inventory.hosts.length),
      String(inventory.instances.length),
      String(calls),
      rounded(seconds),
    ];
  } finally {
    await driver.close();
    await stop();
  }
}

const measured: Figures[] = [];
for (const contender of CONTENDERS) measured.push(await measure(contender));
const heads = ['', 'hosts out', 'seconds', 'bound', 'over it', 'moves', 'most a VM', 'calls a host'];
const rows = measured.map((one) => [
  one.contender,
  String(one.hostsAtOnce),
  rounded(one.seconds),
  rounded(one.boundSeconds),
  `${rounded((100 * (one.seconds - one.boundSeconds)) / one.boundSeconds)} %`,
  String(one.moves),
  String(one.mostMoves),
  rounded(one.callsPerHost),
]);
const readings = [await measureInventory(100, 20), await measureInventory(1_000, 20)];
const inventoryHeads = ['hosts', 'VMs', 'calls', 'seconds'];
process.stdout.write(
  [
    ...table(heads, rows, heads.slice(1)),
    '',
    'inventory',
    ...table(inventoryHeads, readings, inventoryHeads),
    '',
  ].join('\n'),
);
