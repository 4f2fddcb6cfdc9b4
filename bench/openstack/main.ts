/**
 * `npm run bench:openstack`: a fleet on the real Nova of test/beds/nova, taken through maintenance by a plain script, by
 * a random loop and by sessions, one after another. Needs the bed, and a Temporal server at TEMPORAL_ADDRESS.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { table } from '../../src/cli/table.ts';
import { fleetOf24, layOut } from '../../test/beds/nova/fleet.ts';
import { Nova, type Migration } from '../../test/beds/nova/nova.ts';
import { Site } from '../../test/beds/nova/site.ts';
import { countsOf, leastSeconds, secondsCovered } from '../counting.ts';
import { rounded } from '../section.ts';
import { plainScript } from './plain-script.ts';
import { randomLoop } from './random-loop.ts';

const HOSTS = [1, 2, 3, 4, 5, 6].map((number) => `compute-${number}`);
const MIGRATION_SECONDS = 5;
const WORK_SECONDS = 5;

interface Figures {
  contender: string;
  hostsAtOnce: number;
  seconds: number;
  moves: number;
  failedMoves: number;
  /** The most often that one server has moved. */
  mostMoves: number;
  /** Of Nova's API, by whatever the contender is made of. */
  requests: number;
  /** Least time that these very migrations, as long as Nova says they took, and the work allow. */
  boundSeconds: number;
}

interface Contender {
  name: string;
  hostsAtOnce: number;
  run: () => Promise<void>;
}

async function measure(site: Site, { name, hostsAtOnce, run }: Contender): Promise<Figures> {
  process.stderr.write(`${name}, ${hostsAtOnce} at once\n`);
  await layOut(site.bed, site.nova, fleetOf24(HOSTS));
  await site.bed.turn({ lm_seconds: MIGRATION_SECONDS });
  const before = new Set((await site.nova.migrations()).map(({ id }) => id));
  const requestsBefore = await site.bed.requestsAnswered();
  const startedAt = Date.now();
  await run();
  const seconds = (Date.now() - startedAt) / 1000;
  const requests = (await site.bed.requestsAnswered()) - requestsBefore;
  const migrations = (await site.nova.migrations()).filter(({ id }) => !before.has(id));
  const moved = migrations.filter(({ status }) => status === 'completed');
  return {
    contender: name,
    hostsAtOnce,
    seconds,
    moves: moved.length,
    failedMoves: migrations.length - moved.length,
    mostMoves: Math.max(0, ...countsOf(moved.map(({ instance_uuid: server }) => server)).values()),
    requests,
    boundSeconds: boundOf(moved, hostsAtOnce),
  };
}

/**
 * One migration at a time leaves a host; those that are asked for early wait in Nova's queue, and count as long as the one
 * before. Nova's record is to the second, which evens out over many of them.
 */
function boundOf(moved: readonly Migration[], hostsAtOnce: number): number {
  const perHost = HOSTS.map((host): [string, number] => {
    const spans = moved
      .filter(({ source_compute: source }) => source === host)
      .map(({ created_at: from, updated_at: to }) => ({
        from: new Date(`${from}Z`),
        to: new Date(`${to}Z`),
      }));
    return [host, WORK_SECONDS + secondsCovered(spans)];
  });
  return leastSeconds(new Map(perHost), hostsAtOnce);
}

async function contendersOf(site: Site, directory: string): Promise<Contender[]> {
  const { cloud } = site.bed;
  const clouds = path.join(directory, 'clouds.yaml');
  await writeFile(clouds, stringify({ clouds: { bed: cloud } }));
  const work = (): Promise<void> => sleep(1000 * WORK_SECONDS);
  const session = (maxConcurrentHosts: number, maxConcurrentMovesPerHost = 1): Contender => ({
    name: `haulout, ${maxConcurrentMovesPerHost} asked of a host`,
    hostsAtOnce: maxConcurrentHosts,
    run: async () => {
      const actions = [{ plugin: 'wait', type: 'host' as const, metadata: { seconds: WORK_SECONDS } }];
      const budget = { maxConcurrentHosts, maxConcurrentMovesPerHost };
      await site.report(await site.session({ hosts: HOSTS, actions, budget }));
    },
  });
  return [
    { name: 'plain script', hostsAtOnce: 1, run: () => plainScript(HOSTS, clouds, work) },
    { name: 'random loop', hostsAtOnce: 2, run: () => randomLoop(HOSTS, new Nova(cloud), 2, work) },
    session(1),
    session(2),
    // Nova does one at a time and queues the other, which then begins at once.
    session(1, 2),
    session(2, 2),
  ];
}

const directory = await mkdtemp(path.join(tmpdir(), 'haulout-bench-'));
const site = await Site.start();
const measured: Figures[] = [];
try {
  for (const contender of await contendersOf(site, directory)) measured.push(await measure(site, contender));
} finally {
  await site.stop();
  await rm(directory, { recursive: true });
}
if (process.argv.includes('--json')) {
  process.stdout.write(`${JSON.stringify(measured, undefined, 2)}\n`);
} else {
  const heads = [
    '',
    'hosts out',
    'seconds',
    'bound',
    'over it',
    'moves',
    'failed',
    'most a server',
    'requests',
  ];
  const rows = measured.map((one) => [
    one.contender,
    String(one.hostsAtOnce),
    rounded(one.seconds),
    rounded(one.boundSeconds),
    `${rounded((100 * (one.seconds - one.boundSeconds)) / one.boundSeconds)} %`,
    String(one.moves),
    String(one.failedMoves),
    String(one.mostMoves),
    String(one.requests),
  ]);
  process.stdout.write(`${table(heads, rows, heads.slice(1)).join('\n')}\n`);
}
