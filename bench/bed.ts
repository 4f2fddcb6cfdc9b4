/** What every measurement stands on: one Temporal server for all, and namespaces and processes for each. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { stringify } from 'yaml';
import { connectTemporal, type TemporalConnection } from '../src/client.ts';
import { startDevServer, type DevServer } from '../src/devstack/dev-server.ts';
import { nodeCommand, packageRoot } from '../src/devstack/node-command.ts';
import { Processes, type ManagedProcess } from '../src/devstack/processes.ts';
import type { FleetInput } from '../src/simulator/fleet.ts';
import { createNamespace } from '../test/support/namespace.ts';

/** A namespace that nothing else uses, and the environment of processes that are to work in it. */
export interface Namespace {
  client: Client;
  env: NodeJS.ProcessEnv;
}

export interface BedOptions {
  say: (line: string) => void;
  /** Directory where workers write CPU profiles when they end; absent: they are not profiled. */
  profiles?: string;
}

interface Parts {
  directory: string;
  processes: Processes;
  server: DevServer;
  temporal: TemporalConnection;
  profiles: string | undefined;
}

export class Bed {
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The server is the one at TEMPORAL_ADDRESS, or else a dev server of its own with an empty database. */
  static async start({ say, profiles }: BedOptions): Promise<Bed> {
    const directory = await mkdtemp(path.join(tmpdir(), 'haulout-bench-'));
    const processes = new Processes(directory, (name, how) => {
      say(`The ${name} ended with ${how}; see ${directory}/${name}.log`);
    });
    try {
      const server = await startDevServer({ processes, directory, say });
      const temporal = await connectTemporal(server.settings);
      return new Bed({ directory, processes, server, temporal, profiles });
    } catch (error) {
      await processes.stop();
      throw error;
    }
  }

  get server(): DevServer {
    return this.#parts.server;
  }

  /** For files of a measurement; removed at the end. */
  get directory(): string {
    return this.#parts.directory;
  }

  async openNamespace(): Promise<Namespace> {
    const { connection } = this.#parts.temporal;
    const namespace = await createNamespace(connection);
    return {
      client: new Client({ connection, namespace }),
      env: { ...this.server.env, TEMPORAL_NAMESPACE: namespace },
    };
  }

  async startSimulator(
    fleet: FleetInput,
    env: NodeJS.ProcessEnv,
  ): Promise<{ process: ManagedProcess; url: string }> {
    const file = path.join(this.directory, 'fleet.yaml');
    await writeFile(file, stringify(fleet));
    const { program, args } = nodeCommand('src/simulator/main.ts');
    const { process, learnt: url } = await this.#parts.processes.start({
      name: 'simulator',
      program,
      args: [...args, '--port', '0', '--fleet', file],
      env,
      ready: async (line) => (await line(/^simulator listening on (\S+)/))[1] ?? '',
    });
    return { process, url };
  }

  /** Starts a worker from its source, such as `src/worker.ts`, as a process of its own. */
  async startWorker(source: string, env: NodeJS.ProcessEnv): Promise<ManagedProcess> {
    const { processes, profiles } = this.#parts;
    const { program, args } = nodeCommand(source);
    const profiling = profiles === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profiles];
    const { process } = await processes.start({
      name: 'worker',
      program,
      args: [...profiling, ...args],
      env,
      ready: (line) => line(/^worker ready/),
    });
    return process;
  }

  /** Bundles the workflows, as for production; a worker that is given the file starts sooner. */
  async bundleWorkflows(): Promise<string> {
    const file = path.join(this.directory, 'workflow-bundle.js');
    const { code } = await bundleWorkflowCode({
      workflowsPath: path.join(packageRoot, 'workflows/index.ts'),
      logger: new DefaultLogger('ERROR'),
    });
    await writeFile(file, code);
    return file;
  }

  async stop(): Promise<void> {
    const { temporal, processes, directory } = this.#parts;
    await temporal.connection.close();
    await processes.stop();
    await rm(directory, { recursive: true });
  }
}
