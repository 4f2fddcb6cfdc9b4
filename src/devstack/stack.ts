/**
 * The whole of Haulout on one machine, to try it and to test it: a Temporal server, a simulated datacentre as the site
 * `demo`, and a worker that serves it. Begins empty each time.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { connectTemporal, type TemporalConnection } from '../client.ts';
import { startDevServer, type DevServer } from './dev-server.ts';
import { nodeCommand, packageRoot } from './node-command.ts';
import { freePort } from './ports.ts';
import { Processes, ProcessError, type ManagedProcess, type OnLost } from './processes.ts';
import { SimulatorControl } from './simulator-control.ts';
import type { Say } from './temporal-cli.ts';

/** The site that the worker of a stack serves. */
const STACK_SITE = 'demo';

const SIMULATOR_PORT = 7070;

export interface StackOptions {
  /** Where database, configuration, journal and logs go; emptied first. */
  directory: string;
  say: Say;
  /** YAML file that describes the simulated fleet; default examples/fleets/demo.yaml. */
  fleet?: string;
  /** A part ended by itself; `name` is `temporal`, `simulator` or `worker`. */
  onLost: OnLost;
  env?: NodeJS.ProcessEnv;
}

/** A stack whose parts are ready for work. */
export interface Stack {
  directory: string;
  server: DevServer;
  temporal: TemporalConnection;
  simulator: SimulatorControl;
  /** The worker that was started last. */
  worker: ManagedProcess;
  /** Starts another worker, and does not end the one before. */
  startWorker(): Promise<void>;
  /** Stops worker, simulator and server, in this order. */
  stop(): Promise<void>;
}

/** Starts all parts. When one fails, those that run are stopped, and the error is thrown. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const directory = path.resolve(options.directory);
  await claim(directory);
  const processes = new Processes(directory, options.onLost);
  try {
    return await startParts(processes, { ...options, directory });
  } catch (error) {
    await processes.stop();
    throw error;
  }
}

async function startParts(processes: Processes, options: StackOptions): Promise<Stack> {
  const { directory, say, env = process.env } = options;
  const fleet = options.fleet ?? path.join(packageRoot, 'examples/fleets/demo.yaml');
  const server = await startDevServer({ processes, directory, say, env });
  const simulator = await startSimulator(processes, { directory, fleet, env: server.env });
  const config = await writeConfig(directory, simulator.url);
  const startWorker = async (): Promise<ManagedProcess> => {
    const { process: worker } = await processes.start({
      name: 'worker',
      ...nodeCommand('src/worker.ts'),
      env: { ...server.env, HAULOUT_CONFIG: config },
      ready: (line) => line(/^worker ready/),
    });
    return worker;
  };
  const worker = await startWorker();
  const temporal = await connectTemporal(server.settings);
  const stack: Stack = {
    directory,
    server,
    temporal,
    simulator,
    worker,
    startWorker: async () => {
      stack.worker = await startWorker();
    },
    stop: async () => {
      await temporal.connection.close();
      await processes.stop();
    },
  };
  return stack;
}

async function startSimulator(
  processes: Processes,
  { directory, fleet, env }: { directory: string; fleet: string; env: NodeJS.ProcessEnv },
): Promise<SimulatorControl> {
  const { program, args } = nodeCommand('src/simulator/main.ts');
  const port = String(await freePort(SIMULATOR_PORT));
  const { learnt: url } = await processes.start({
    name: 'simulator',
    program,
    args: [...args, '--port', port, '--fleet', fleet, '--journal', path.join(directory, 'journal.jsonl')],
    env,
    ready: async (line) => (await line(/^simulator listening on (\S+)/))[1] ?? '',
  });
  return new SimulatorControl(url);
}

/** The configuration of the worker, with the ports that were free. */
async function writeConfig(directory: string, simulator: string): Promise<string> {
  const file = path.join(directory, 'haulout.yaml');
  const config = {
    sites: { [STACK_SITE]: { platform: 'simulator', url: simulator } },
    actions: { webhook: { endpoints: { firmware: { url: `${simulator}/v1/work` } } } },
  };
  await writeFile(file, stringify(config));
  return file;
}

/** Empties the directory and takes it, unless a stack that runs has it. */
async function claim(directory: string): Promise<void> {
  const pidFile = path.join(directory, 'stack.pid');
  const owner = Number(await readFile(pidFile, 'utf8').catch(() => ''));
  if (owner > 0 && isRunning(owner)) {
    throw new ProcessError(`A stack runs in ${directory} already (process ${owner}); stop it first`);
  }
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  await writeFile(pidFile, String(process.pid));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
