/**
 * `npm run bench`: what sessions cost, how that grows, what constraints and projects add, how good plans are, and how soon
 * a killed worker is replaced.
 */
import os from 'node:os';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { runProgram } from '../src/cli/program.ts';
import { Bed } from './bed.ts';
import { measureConstraints } from './constraints.ts';
import { measureGrowth } from './growth.ts';
import { planFleets } from './planning.ts';
import { measureProjects } from './projects.ts';
import { measureRecovery } from './recovery.ts';
import { rounded, type Section } from './section.ts';
import { measureThroughput } from './throughput.ts';

interface Options {
  hosts: number;
  instances: number;
  window: number;
  moves: number;
  rounds: number;
  kills: number;
  large: boolean;
  profiles?: string;
  json: boolean;
}

/** Those that need a server. */
const ON_SERVER = ['throughput', 'growth', 'constraints', 'projects', 'recovery'] as const;
const SECTIONS = ['planning', ...ON_SERVER] as const;
type SectionName = (typeof SECTIONS)[number];
type Sections = Partial<Record<SectionName, Section>>;

const count = (text: string): number => {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('must be a whole number from 1 on');
  return Number(text);
};

const number = (flags: string, description: string, value: number): Option =>
  new Option(flags, description).argParser(count).default(value);

const program = new Command('bench')
  .description(
    'Measures sessions on a Temporal server: the one at TEMPORAL_ADDRESS, or a dev server of its own',
  )
  .addArgument(
    new Argument('[sections...]', 'what to measure; all by default').choices(SECTIONS).default(SECTIONS),
  )
  .addOption(number('--hosts <n>', 'throughput: hosts', 500))
  .addOption(number('--instances <n>', 'throughput, growth: instances on each host', 5))
  .addOption(number('--window <n>', 'throughput, growth: hosts out at one time', 50))
  .addOption(number('--moves <n>', 'throughput, growth: instances leaving one host at one time', 1))
  .addOption(number('--rounds <n>', 'throughput: how often session and bare workflow take turns', 2))
  .addOption(number('--kills <n>', 'recovery: how often the worker is killed', 10))
  .option('--large', 'growth: also 10000 hosts', false)
  .option('--profiles <directory>', 'workers write CPU profiles there')
  .option('--json', 'print JSON instead of tables', false)
  .action(bench);

async function bench(names: readonly SectionName[], options: Options): Promise<void> {
  const say = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  const sections: Sections = {};
  if (names.includes('planning')) {
    say('planning');
    sections.planning = planFleets();
  }
  const onServer = ON_SERVER.filter((name) => names.includes(name));
  if (onServer.length > 0) {
    const { profiles } = options;
    const bed = await Bed.start({ say, ...(profiles === undefined ? {} : { profiles }) });
    try {
      for (const name of onServer) sections[name] = await MEASURES[name](bed, options, say);
    } finally {
      await bed.stop();
    }
  }
  print(sections, options);
}

const MEASURES: Record<
  (typeof ON_SERVER)[number],
  (bed: Bed, options: Options, say: (line: string) => void) => Promise<Section>
> = {
  throughput: (bed, { hosts, rounds, ...options }, say) =>
    measureThroughput(bed, { hosts, ...shapeOf(options) }, rounds, say),
  growth: (bed, { large, ...options }, say) =>
    measureGrowth(bed, shapeOf(options), large ? [100, 1_000, 10_000] : [100, 1_000], say),
  constraints: (bed, _options, say) => measureConstraints(bed, say),
  projects: (bed, _options, say) => measureProjects(bed, say),
  recovery: (bed, { kills }, say) => measureRecovery(bed, kills, say),
};

const shapeOf = ({ instances, window, moves }: Pick<Options, 'instances' | 'window' | 'moves'>) => ({
  instancesPerHost: instances,
  window,
  movesAtOnce: moves,
});

function print(sections: Sections, { json }: Options): void {
  const machine = { cpus: os.cpus().length, node: process.version, load: os.loadavg()[0] ?? NaN };
  const measured = Object.entries(sections);
  if (json) {
    const figures = Object.fromEntries(measured.map(([name, section]) => [name, section.figures]));
    process.stdout.write(`${JSON.stringify({ machine, ...figures }, undefined, 2)}\n`);
    return;
  }
  const lines = [
    `${machine.cpus} CPUs, Node.js ${machine.node}, load ${rounded(machine.load)} in the last minute`,
    ...measured.flatMap(([name, section]) => ['', `== ${name}`, ...section.lines]),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

await runProgram(program);
