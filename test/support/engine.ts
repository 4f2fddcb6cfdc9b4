/** A whole engine for a test: a namespace of its own on the shared server, a simulator, and workers in this process. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import type { Config } from '../../src/config.ts';
import type { Progress, Report } from '../../src/core/progress.ts';
import type { SessionInput } from '../../src/core/session-spec.ts';
import { MAINTENANCE_QUEUE, QUERIES, WORKFLOWS } from '../../src/names.ts';
import { ensureSearchAttributes } from '../../src/search-attributes.ts';
import { checkJournal, type Expectations, type Violation } from '../../src/simulator/checker.ts';
import type { JournalEntry } from '../../src/simulator/journal.ts';
import type { FleetInput } from '../../src/simulator/fleet.ts';
import { startSimulator, type Simulator } from '../../src/simulator/server.ts';
import { createWorkers, type Workers } from '../../src/workers.ts';

Runtime.install({ logger: new DefaultLogger('ERROR') });

/** Name of the simulated site. */
export const SITE = 'lab';

export interface Engine {
  client: Client;
  namespace: string;
  simulator: Simulator;
  config: Config;
  /** Starts a session; the site is filled in. */
  start(input: Omit<SessionInput, 'site'> & { site?: string }, id?: string): Promise<WorkflowHandle>;
  progress(session: WorkflowHandle): Promise<Progress>;
  /** Polls the progress until it is as wished; throws with the last one after `timeoutMs`. */
  until(
    session: WorkflowHandle,
    wish: (progress: Progress) => boolean,
    timeoutMs?: number,
  ): Promise<Progress>;
  /** Waits until the simulator has recorded an event; returns it. */
  seen(wish: (entry: JournalEntry) => boolean, timeoutMs?: number): Promise<JournalEntry>;
  /** What the simulator's journal has to say against the run so far. */
  violations(expectations?: Expectations): Violation[];
  fault(rule: unknown): Promise<void>;
  clearFaults(): Promise<void>;
  /** A request of an operator to the simulator, beside the engine. */
  simulate(method: string, path: string, body?: unknown): Promise<Response>;
  stop(): Promise<void>;
}

/** Starts everything; the server is the one at TEMPORAL_ADDRESS, which `npm test` provides. */
export async function startEngine(
  fleet: FleetInput,
  adapt: (config: Config) => Config = (config) => config,
): Promise<Engine> {
  const address = process.env.TEMPORAL_ADDRESS ?? '127.0.0.1:7233';
  const connection = await Connection.connect({ address });
  const namespace = `test-${randomUUID().slice(0, 8)}`;
  await registerNamespace(connection, namespace);
  const native = await NativeConnection.connect({ address });
  const simulator = await startSimulator({ fleet });
  const config = adapt(configFor(simulator));
  const workers = await createWorkers(config, { connection: native, namespace });
  const running = workers.run();
  const client = new Client({ connection, namespace });

  const progress = (session: WorkflowHandle): Promise<Progress> => session.query<Progress>(QUERIES.progress);
  const simulate = (method: string, path: string, body?: unknown): Promise<Response> =>
    fetch(`${simulator.url}${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });

  return {
    client,
    namespace,
    simulator,
    config,
    progress,
    simulate,
    start: (input, id = `session-${randomUUID().slice(0, 8)}`) =>
      client.workflow.start(WORKFLOWS.maintenanceSession, {
        taskQueue: MAINTENANCE_QUEUE,
        workflowId: id,
        args: [{ site: SITE, ...input }],
      }),
    until: async (session, wish, timeoutMs = 30_000) => {
      const startedAt = Date.now();
      for (;;) {
        const now = await progress(session);
        if (wish(now)) return now;
        const elapsed = Date.now() - startedAt;
        assert.ok(
          elapsed < timeoutMs,
          `it never came to that; last seen: ${JSON.stringify(now, undefined, 1)}`,
        );
        // Each question is a task for the workflow, and delays what is waited for.
        await sleep(Math.min(500, Math.max(50, elapsed / 10)));
      }
    },
    seen: async (wish, timeoutMs = 30_000) => {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const found = simulator.journal.entries.find(wish);
        if (found) return found;
        assert.ok(Date.now() < deadline, 'the simulator never recorded it');
        await sleep(20);
      }
    },
    violations: (expectations) => checkJournal(simulator.journal.entries, expectations),
    fault: async (rule) => {
      const answer = await simulate('POST', '/v1/faults', rule);
      assert.ok(answer.ok, `the simulator refuses the fault: ${await answer.text()}`);
    },
    clearFaults: async () => {
      await simulate('DELETE', '/v1/faults');
    },
    stop: async () => {
      await stopWorkers(workers, running);
      await simulator.close();
      await native.close();
      await connection.close();
    },
  };
}

async function stopWorkers(workers: Workers, running: Promise<void>): Promise<void> {
  workers.shutdown();
  await running;
}

function configFor(simulator: Simulator): Config {
  return {
    sites: {
      [SITE]: {
        platform: 'simulator',
        reconcileEvery: 'off',
        options: { url: simulator.url, timeout: '2s' },
      },
    },
    actions: {
      webhook: { endpoints: { work: { url: `${simulator.url}/v1/work`, headers: {} } } },
      command: { allow: {} },
      activities: {},
    },
    notifications: { sinks: {} },
    worker: { maintenance: true, maxConcurrentActivities: 200 },
  };
}

async function registerNamespace(connection: Connection, namespace: string): Promise<void> {
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
  });
  // A new namespace is known everywhere only after a moment.
  const deadline = Date.now() + 30_000;
  for (;;) {
    try {
      await ensureSearchAttributes(connection, namespace);
      await connection.workflowService.listOpenWorkflowExecutions({ namespace });
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(200);
    }
  }
}

/** The final report of a session that ends by itself. */
export const reportOf = async (session: WorkflowHandle): Promise<Report> =>
  (await session.result()) as Report;
