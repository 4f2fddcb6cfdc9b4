/**
 * A stand for tests that end processes: simulated sites in this process, and workers in processes of their own, which
 * can be killed, stopped and started again while the sites keep their journals.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { stringify } from 'yaml';
import type { Report } from '../../src/core/progress.ts';
import type { SessionInput } from '../../src/core/session-spec.ts';
import { startDevServer, type OwnServer } from '../../src/devstack/dev-server.ts';
import { nodeCommand, packageRoot } from '../../src/devstack/node-command.ts';
import { Processes, type ManagedProcess } from '../../src/devstack/processes.ts';
import { MAINTENANCE_QUEUE, QUERIES, WORKFLOWS } from '../../src/names.ts';
import type { FleetInput } from '../../src/simulator/fleet.ts';
import type { JournalEntry } from '../../src/simulator/journal.ts';
import { startSimulator, type Simulator } from '../../src/simulator/server.ts';
import { createNamespace } from './namespace.ts';

/** Longer than any request is held up, so that a held request stays where it is. */
const REQUEST_TIMEOUT = '2m';

export interface Rig {
  client: Client;
  /** Starts a worker for all sites and waits until it is ready. */
  startWorker(): Promise<ManagedProcess>;
  /** Starts a session on a site. */
  startSession(site: string, input: Omit<SessionInput, 'site'>): Promise<WorkflowHandle>;
  simulator(site: string): Simulator;
  stop(): Promise<void>;
}

export type Fleets = Readonly<Record<string, FleetInput>>;

interface Server {
  client: Client;
  /** Environment for workers that are to use this server and namespace. */
  env: NodeJS.ProcessEnv;
}

/** A rig on the server at TEMPORAL_ADDRESS, which `npm test` provides, with a namespace of its own there. */
export async function startRig(fleets: Fleets): Promise<Rig> {
  const address = process.env.TEMPORAL_ADDRESS ?? '127.0.0.1:7233';
  const connection = await Connection.connect({ address });
  const namespace = await createNamespace(connection);
  const env = { ...process.env, TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace };
  return buildRig({ client: new Client({ connection, namespace }), env }, fleets, await openWorkshop());
}

/** A rig with a server of its own, which can be killed too. */
export async function startRigWithServer(fleets: Fleets): Promise<Rig & { server: OwnServer }> {
  const { TEMPORAL_ADDRESS: _, ...env } = process.env;
  const workshop = await openWorkshop();
  const {
    own,
    address,
    settings,
    env: serverEnv,
  } = await startDevServer({ ...workshop, say: () => undefined, env });
  assert.ok(own, 'the server is one of ours');
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, namespace: settings.namespace });
  return { ...(await buildRig({ client, env: serverEnv }, fleets, workshop)), server: own };
}

/** A directory, and the processes that keep their logs there. */
export interface Workshop {
  directory: string;
  processes: Processes;
}

export async function openWorkshop(): Promise<Workshop> {
  const directory = await mkdtemp(path.join(tmpdir(), 'haulout-rig-'));
  const processes = new Processes(directory, (name, how) => {
    process.stderr.write(`the ${name} of ${directory} ended with ${how}\n`);
  });
  return { directory, processes };
}

async function buildRig(
  { client, env }: Server,
  fleets: Fleets,
  { directory, processes }: Workshop,
): Promise<Rig> {
  const simulators = new Map<string, Simulator>();
  for (const [site, fleet] of Object.entries(fleets)) simulators.set(site, await startSimulator({ fleet }));
  const workerEnv = {
    ...env,
    HAULOUT_CONFIG: await writeConfig(directory, simulators),
    HAULOUT_WORKFLOW_BUNDLE: process.env.HAULOUT_WORKFLOW_BUNDLE ?? (await writeBundle(directory)),
  };
  let workers = 0;
  return {
    client,
    simulator: (site) => {
      const found = simulators.get(site);
      assert.ok(found, `the rig has no site ${site}`);
      return found;
    },
    startWorker: async () => {
      workers += 1;
      const { process: worker } = await processes.start({
        name: `worker-${workers}`,
        ...nodeCommand('src/worker.ts'),
        env: workerEnv,
        ready: (line) => line(/^worker ready/),
      });
      return worker;
    },
    startSession: (site, input) =>
      client.workflow.start(WORKFLOWS.maintenanceSession, {
        taskQueue: MAINTENANCE_QUEUE,
        workflowId: `${site}-${randomUUID().slice(0, 8)}`,
        args: [{ site, ...input }],
      }),
    stop: async () => {
      await client.connection.close();
      await processes.stop();
      for (const simulator of simulators.values()) await simulator.close();
      await rm(directory, { recursive: true });
    },
  };
}

async function writeConfig(directory: string, simulators: ReadonlyMap<string, Simulator>): Promise<string> {
  const file = path.join(directory, 'haulout.yaml');
  const sites = [...simulators].map(([site, { url }]) => [
    site,
    { platform: 'simulator', reconcileEvery: 'off', url, timeout: REQUEST_TIMEOUT },
  ]);
  const endpoints = [...simulators].map(([site, { url }]) => [site, { url: `${url}/v1/work` }]);
  const config = {
    sites: Object.fromEntries(sites) as object,
    actions: { webhook: { endpoints: Object.fromEntries(endpoints) as object } },
  };
  await writeFile(file, stringify(config));
  return file;
}

/** Bundled once for all workers of the rig, where `npm test` has not done so for all tests. */
export async function writeBundle(directory: string): Promise<string> {
  const file = path.join(directory, 'workflow-bundle.js');
  const { code } = await bundleWorkflowCode({
    workflowsPath: path.join(packageRoot, 'workflows/index.ts'),
    logger: new DefaultLogger('ERROR'),
  });
  await writeFile(file, code);
  return file;
}

/** The action on each host that the journal of the site records as work. */
export const workAt = (site: string) =>
  ({ plugin: 'webhook', type: 'host', metadata: { endpoint: site } }) as const;

/** The final report of a session; a session that stays open fails by its deadline, with what it says of itself. */
export async function reportFrom(session: WorkflowHandle, timeoutMs = 90_000): Promise<Report> {
  const ended = session.result() as Promise<Report>;
  const inTime = await Promise.race([ended, sleep(timeoutMs, undefined, { ref: false })]);
  if (inTime) return inTime;
  ended.catch(() => undefined);
  assert.fail(
    `the session has not ended: ${JSON.stringify(await session.query(QUERIES.progress), undefined, 1)}`,
  );
}

/** Waits until the journal has an entry as wished; `what` says which in the message when it never has. */
export async function untilJournal(
  { journal }: Simulator,
  wish: (entry: JournalEntry) => boolean,
  what: string,
  timeoutMs = 120_000,
): Promise<JournalEntry> {
  const deadline = Date.now() + timeoutMs;
  for (let read = 0; Date.now() < deadline; await sleep(10)) {
    for (; read < journal.entries.length; read += 1) {
      const entry = journal.entries[read];
      if (entry && wish(entry)) return entry;
    }
  }
  const last = journal.entries.slice(-8).map((entry) => JSON.stringify(entry));
  assert.fail(`the journal never showed ${what}; it ends with\n${last.join('\n')}`);
}
