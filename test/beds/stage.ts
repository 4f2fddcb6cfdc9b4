/** What tests on a bed stand on: workers as processes of their own, sessions on one site, and the work on its hosts. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { stringify } from 'yaml';
import type { ActionInput } from '../../src/core/host-run.ts';
import type { Progress, Report } from '../../src/core/progress.ts';
import type { SessionInput } from '../../src/core/session-spec.ts';
import type { SessionState } from '../../src/core/session-state.ts';
import { nodeCommand } from '../../src/devstack/node-command.ts';
import type { ManagedProcess } from '../../src/devstack/processes.ts';
import { hostWorkflowId, MAINTENANCE_QUEUE, QUERIES, WORKFLOWS } from '../../src/names.ts';
import type { ReconcileReport } from '../../workflows/reconcile.ts';
import { createNamespace } from '../support/namespace.ts';
import { openWorkshop, writeBundle, type Workshop } from '../support/rig.ts';
import { closeServer, listenOnLoopback, originOf } from '../support/loopback.ts';

const SITE = 'bed';

/** Beds are slow, and slower on a machine that does other things too. */
const PATIENCE_MS = 240_000;
const POLL_MS = 300;

const SETTLED: readonly SessionState[] = ['MAINTENANCE_DONE', 'MAINTENANCE_CANCELLED', 'MAINTENANCE_FAILED'];

/** The action on each host; the stage sees it, and whether the host was empty and out then. */
const WORK = { plugin: 'webhook', type: 'host', metadata: { endpoint: 'work' } } as const;

/** What is wrong with a host that is being worked on, each a sentence. */
export type Inspect = (host: string) => Promise<string[]>;

export interface StageOptions {
  /** The site in the configuration of the workers: its platform, and the keys of that. */
  site: Readonly<Record<string, unknown>>;
  /** For the workers; whatever names files finds them in this directory. */
  env?: (directory: string) => Promise<NodeJS.ProcessEnv>;
  inspect: Inspect;
}

export interface StageParts {
  client: Client;
  workshop: Workshop;
  workplace: Workplace;
  env: NodeJS.ProcessEnv;
}

export class Stage {
  readonly #parts: StageParts;
  #worker: ManagedProcess | undefined;
  #workers = 0;

  protected constructor(parts: StageParts) {
    this.#parts = parts;
  }

  /** On the Temporal server at TEMPORAL_ADDRESS, with a namespace of its own there. No worker runs yet. */
  static async build({ site, env = async () => ({}), inspect }: StageOptions): Promise<StageParts> {
    const workplace = await Workplace.open(inspect);
    const address = process.env.TEMPORAL_ADDRESS ?? '127.0.0.1:7233';
    const connection = await Connection.connect({ address });
    const namespace = await createNamespace(connection);
    const workshop = await openWorkshop();
    const { directory } = workshop;
    return {
      client: new Client({ connection, namespace }),
      workshop,
      workplace,
      env: {
        ...process.env,
        TEMPORAL_ADDRESS: address,
        TEMPORAL_NAMESPACE: namespace,
        HAULOUT_CONFIG: await writeConfig(directory, site, workplace.url),
        HAULOUT_WORKFLOW_BUNDLE: process.env.HAULOUT_WORKFLOW_BUNDLE ?? (await writeBundle(directory)),
        ...(await env(directory)),
      },
    };
  }

  async startWorker(): Promise<void> {
    this.#workers += 1;
    const { workshop, env } = this.#parts;
    const { process: worker } = await workshop.processes.start({
      name: `worker-${this.#workers}`,
      ...nodeCommand('src/worker.ts'),
      env,
      ready: (line) => line(/^worker ready/),
    });
    this.#worker = worker;
  }

  /** Ends the worker as a crash would. */
  async killWorker(): Promise<void> {
    await this.#worker?.kill();
  }

  session(input: Omit<SessionInput, 'site'>): Promise<WorkflowHandle> {
    return this.#parts.client.workflow.start(WORKFLOWS.maintenanceSession, {
      taskQueue: MAINTENANCE_QUEUE,
      workflowId: `session-${randomUUID().slice(0, 8)}`,
      args: [{ site: SITE, actions: [WORK], ...input }],
    });
  }

  /** Ends a session and what works on its hosts as nobody should: no code of theirs runs any more. */
  async terminate(session: WorkflowHandle, hosts: readonly string[]): Promise<void> {
    const { workflow } = this.#parts.client;
    await session.terminate();
    for (const host of hosts) await workflow.getHandle(hostWorkflowId(SITE, host)).terminate();
  }

  async reconcile(): Promise<ReconcileReport> {
    const report: unknown = await this.#parts.client.workflow.execute(WORKFLOWS.reconcile, {
      taskQueue: MAINTENANCE_QUEUE,
      workflowId: `reconcile-${randomUUID().slice(0, 8)}`,
      args: [{ site: SITE }],
    });
    return report as ReconcileReport;
  }

  /** Polls the progress until it is as wished; throws with the last one when it never is. */
  async until(session: WorkflowHandle, wish: (progress: Progress) => boolean): Promise<Progress> {
    const deadline = Date.now() + PATIENCE_MS;
    for (let last: Progress | undefined; ; await sleep(POLL_MS)) {
      // Nobody answers while there is no worker.
      const now = await session.query<Progress>(QUERIES.progress).catch(() => undefined);
      if (now && wish(now)) return now;
      last = now ?? last;
      assert.ok(Date.now() < deadline, `it never came to that: ${JSON.stringify(last, undefined, 1)}`);
    }
  }

  /** The final report; fails at once when the session waits for an operator. */
  async report(session: WorkflowHandle): Promise<Report> {
    const { state, blockedBy } = await this.until(session, (progress) => SETTLED.includes(progress.state));
    assert.notEqual(state, 'MAINTENANCE_FAILED', blockedBy.join('; '));
    return (await session.result()) as Report;
  }

  /** From now on the work on a host takes so long. */
  set workMs(milliseconds: number) {
    this.#parts.workplace.workMs = milliseconds;
  }

  isWorkedOn(host: string): boolean {
    return this.#parts.workplace.busy.has(host);
  }

  /** Hosts that were worked on since the last call, in order; and what was wrong with them then. */
  takeWorked(): { worked: string[]; wrong: string[] } {
    return this.#parts.workplace.take();
  }

  async stop(): Promise<void> {
    const { client, workshop, workplace } = this.#parts;
    await client.connection.close();
    await workshop.processes.stop();
    await workplace.close();
    await rm(workshop.directory, { recursive: true });
  }
}

/** Where the action sends its webhook: it asks the platform at once whether the host may be worked on. */
class Workplace {
  readonly #inspectHost: Inspect;
  readonly #server: http.Server;
  readonly #known = new Map<string, Promise<void>>();
  /** Hosts that are worked on now. */
  readonly busy = new Set<string>();
  #worked: string[] = [];
  #wrong: string[] = [];
  workMs = 0;

  private constructor(inspect: Inspect) {
    this.#inspectHost = inspect;
    this.#server = http.createServer((request, response) => {
      this.#take(request).then(
        () => response.writeHead(204).end(),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    });
  }

  static async open(inspect: Inspect): Promise<Workplace> {
    const workplace = new Workplace(inspect);
    await listenOnLoopback(workplace.#server);
    return workplace;
  }

  get url(): string {
    return `${originOf(this.#server)}/`;
  }

  take(): { worked: string[]; wrong: string[] } {
    const taken = { worked: this.#worked, wrong: this.#wrong };
    this.#worked = [];
    this.#wrong = [];
    return taken;
  }

  close(): Promise<void> {
    return closeServer(this.#server);
  }

  /** The same piece of work, asked for again by another worker, is not done again. */
  async #take(request: http.IncomingMessage): Promise<void> {
    const { host = '', idempotencyKey } = (await json(request)) as ActionInput;
    const work = this.#known.get(idempotencyKey) ?? this.#work(host);
    this.#known.set(idempotencyKey, work);
    await work;
  }

  async #work(host: string): Promise<void> {
    this.#worked.push(host);
    this.busy.add(host);
    await this.#inspect(host);
    await sleep(this.workMs);
    await this.#inspect(host);
    this.busy.delete(host);
  }

  async #inspect(host: string): Promise<void> {
    this.#wrong.push(...(await this.#inspectHost(host)));
  }
}

async function writeConfig(
  directory: string,
  site: Readonly<Record<string, unknown>>,
  work: string,
): Promise<string> {
  const file = path.join(directory, 'haulout.yaml');
  const sites = { [SITE]: { reconcileEvery: 'off', ...site } };
  await writeFile(file, stringify({ sites, actions: { webhook: { endpoints: { work: { url: work } } } } }));
  return file;
}
