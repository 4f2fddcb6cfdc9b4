/** What a session costs beside a bare workflow of the same shape, on the same server and in turns with it. */
import { table } from '../src/cli/table.ts';
import type { Bed } from './bed.ts';
import { bare, haulout } from './contenders.ts';
import { measureRun, type RunFigures } from './measure.ts';
import { quantile, rounded, type Section } from './section.ts';
import type { SessionShape } from './shape.ts';

interface Round {
  haulout: RunFigures;
  bare: RunFigures;
}

/** @param rounds how often both are run; who is first changes, and the ratio is that of the round in the middle. */
export async function measureThroughput(
  bed: Bed,
  shape: SessionShape,
  rounds: number,
  say: (line: string) => void,
): Promise<Section> {
  const measured: Round[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    say(`throughput: round ${round} of ${rounds}`);
    measured.push(await measureRound(bed, shape, round % 2 === 0));
  }
  const ratios = measured.map(ratioOf);
  const ratio = quantile(ratios, 0.5);
  const figures = { shape, rounds: measured, ratios, ratio };
  const typical = measured[ratios.indexOf(ratio)];
  return { figures, lines: typical ? describe(shape, typical, ratios) : [] };
}

async function measureRound(bed: Bed, shape: SessionShape, bareFirst: boolean): Promise<Round> {
  if (bareFirst) {
    const first = await measureRun(bed, bare, shape);
    return { bare: first, haulout: await measureRun(bed, haulout, shape) };
  }
  return { haulout: await measureRun(bed, haulout, shape), bare: await measureRun(bed, bare, shape) };
}

const ratioOf = ({ haulout, bare }: Round): number => haulout.hostsPerSecond / bare.hostsPerSecond;

function describe(shape: SessionShape, { haulout, bare }: Round, ratios: readonly number[]): string[] {
  const row = (name: string, digits: number, value: (run: RunFigures) => number | undefined): string[] => {
    const [ours, theirs] = [value(haulout), value(bare)];
    const show = (number: number | undefined): string =>
      number === undefined ? '' : rounded(number, digits);
    const share = ours === undefined || theirs === undefined ? '' : rounded(ours / theirs, 2);
    return [name, show(ours), show(theirs), share];
  };
  const perHost = (total: number): number => total / shape.hosts;
  const cpuMsPerHost = (cpuSeconds: number | undefined): number | undefined =>
    cpuSeconds && perHost(1000 * cpuSeconds);
  const rows = [
    row('seconds', 1, ({ seconds }) => seconds),
    row('hosts / s', 2, ({ hostsPerSecond }) => hostsPerSecond),
    row('activities / s', 1, ({ activitiesPerSecond }) => activitiesPerSecond),
    row('activities of the session itself', 0, ({ sessionActivities }) => sessionActivities),
    row('events per host: its own', 1, ({ hosts }) => perHost(hosts.events)),
    row('events per host: share of the session', 1, ({ session }) => perHost(session.events)),
    row('history bytes per host: its own', 0, ({ hosts }) => perHost(hosts.bytes)),
    row('history bytes per host: share of the session', 0, ({ session }) => perHost(session.bytes)),
    row('worker: CPU ms per host', 0, ({ cpuSeconds }) => cpuMsPerHost(cpuSeconds.worker)),
    row('server: CPU ms per host', 0, ({ cpuSeconds }) => cpuMsPerHost(cpuSeconds.server)),
    row('simulator: CPU ms per host', 0, ({ cpuSeconds }) => cpuMsPerHost(cpuSeconds.simulator)),
    row('worker: peak RSS MiB', 0, ({ workerPeakRssMb }) => workerPeakRssMb),
  ];
  const heads = ['', 'haulout', 'bare', 'ratio'];
  const { hosts, instancesPerHost, window, movesAtOnce } = shape;
  return [
    `${hosts} hosts × ${instancesPerHost} instances, ${window} hosts at once, ${movesAtOnce} move at once on each`,
    ...table(heads, rows, heads.slice(1)),
    `hosts / s over bare, by round: ${ratios.map((ratio) => rounded(ratio, 2)).join(', ')}; aim 0.8`,
  ];
}
