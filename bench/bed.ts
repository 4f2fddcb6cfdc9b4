/** What every measurement stands on: one Temporal server for all, and namespaces and processes for each. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from '@temporalio/client';
import { stringify } from 'yaml';
import { connectTemporal, type TemporalConnection } from '../src/client.ts';
import { startDevServer, type DevServer } from '../src/devstack/dev-server.ts';
import { nodeCommand } from '../src/devstack/node-command.ts';
import { Processes, type ManagedProcess } from '../src/devstack/processes.ts';
import { SimulatorControl } from '../src/devstack/simulator-control.ts';
import type { FleetInput } from '../src/simulator/fleet.ts';
import { createNamespace } from '../test/support/namespace.ts';

/** A namespace that nothing else uses, and the environment of processes that are to work in it. */
export interface Namespace {
  client: Client;
  env: NodeJS.ProcessEnv;
}

export interface BedOptions {
  say: (line: string) => void;
  /** Where workers write CPU profiles; absent: they are not profiled. */
  profiles?: string;
}

export class Bed {
  readonly directory: string;
  readonly server: DevServer;
  readonly #processes: Processes;
  readonly #profiles: string | undefined;
  readonly #temporal: TemporalConnection;

  private constructor(
    directory: string,
    server: DevServer,
    temporal: TemporalConnection,
    processes: Processes,
    profiles: string | undefined,
  ) {
    this.directory = directory;
    this.server = server;
    this.#temporal = temporal;
    this.#processes = processes;
    this.#profiles = profiles;
  }

  /** The server is the one at TEMPORAL_ADDRESS, or a dev server of its own with an empty database. */
  static async start({ say, profiles }: BedOptions): Promise<Bed> {
    const directory = await mkdtemp(path.join(tmpdir(), 'haulout-bench-'));
    const processes = new Processes(directory, (name, how) => {
      say(`The ${name} ended with ${how}; see ${directory}/${name}.log`);
    });
    try {
      const server = await startDevServer({ processes, directory, say });
      return new Bed(directory, server, await connectTemporal(server.settings), processes, profiles);
    } catch (error) {
      await processes.stop();
      throw error;
    }
  }

  async openNamespace(): Promise<Namespace> {
    const { connection } = this.#temporal;
    const namespace = await createNamespace(connection);
    return {
      client: new Client({ connection, namespace }),
      env: { ...this.server.env, TEMPORAL_NAMESPACE: namespace },
    };
  }

  async startSimulator(
    fleet: FleetInput,
    env: NodeJS.ProcessEnv,
  ): Promise<{ process: ManagedProcess; control: SimulatorControl }> {
    const file = path.join(this.directory, 'fleet.yaml');
    await writeFile(file, stringify(fleet));
    const { program, args } = nodeCommand('src/simulator/main.ts');
    const { process, learnt: url } = await this.#processes.start({
      name: 'simulator',
      program,
      args: [...args, '--port', '0', '--fleet', file],
      env,
      ready: async (line) => (await line(/^simulator listening on (\S+)/))[1] ?? '',
    });
    return { process, control: new SimulatorControl(url) };
  }

  /** Starts a worker from its source, such as `src/worker.ts`, as a process of its own. */
  async startWorker(source: string, env: NodeJS.ProcessEnv): Promise<ManagedProcess> {
    const { program, args } = nodeCommand(source);
    const profiling = this.#profiles === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', this.#profiles];
    const { process } = await this.#processes.start({
      name: 'worker',
      program,
      args: [...profiling, ...args],
      env,
      ready: (line) => line(/^worker ready/),
    });
    return process;
  }

  async stop(): Promise<void> {
    await this.#temporal.connection.close();
    await this.#processes.stop();
    await rm(this.directory, { recursive: true });
  }
}
