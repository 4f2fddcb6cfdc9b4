/** How the cost of a host grows with the number of hosts. */
import { table } from '../src/cli/table.ts';
import type { Bed } from './bed.ts';
import { haulout } from './contenders.ts';
import { measureRun, type RunFigures } from './measure.ts';
import { rounded, type Section } from './section.ts';
import type { SessionShape } from './shape.ts';

export async function measureGrowth(
  bed: Bed,
  shape: Omit<SessionShape, 'hosts'>,
  sizes: readonly number[],
  say: (line: string) => void,
): Promise<Section> {
  const runs: { hosts: number; run: RunFigures }[] = [];
  for (const hosts of sizes) {
    say(`growth: ${hosts} hosts`);
    runs.push({ hosts, run: await measureRun(bed, haulout, { ...shape, hosts }) });
  }
  const msPerHost = runs.map(({ hosts, run }) => (1000 * run.seconds) / hosts);
  const [smallest = NaN] = msPerHost;
  const figures = runs.map(({ hosts, run }, index) => ({
    hosts,
    msPerHost: msPerHost[index],
    ratio: (msPerHost[index] ?? NaN) / smallest,
    run,
  }));
  const rows = figures.map(({ hosts, ratio, run }) => [
    String(hosts),
    rounded(run.seconds),
    rounded((1000 * run.seconds) / hosts),
    rounded(ratio, 2),
    run.cpuSeconds.worker ? rounded((1000 * run.cpuSeconds.worker) / hosts, 0) : '',
    String(run.workerPeakRssMb ?? ''),
    String(Math.max(run.session.longest, run.hosts.longest)),
    String(run.session.runs),
  ]);
  const heads = [
    'hosts',
    'seconds',
    'ms / host',
    'ratio',
    'worker CPU ms / host',
    'peak RSS MiB',
    'longest run, events',
    'runs',
  ];
  return {
    figures,
    lines: [
      `${shape.instancesPerHost} instances a host, ${shape.window} hosts at once`,
      ...table(heads, rows, heads),
      'aims: ratio 1.25 for 10000 hosts, RSS below 1024 MiB, longest run below 10000 events',
    ],
  };
}
