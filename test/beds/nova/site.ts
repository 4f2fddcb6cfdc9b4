/** A site on the bed: workers as processes of their own, which reach Nova through a gateway, and the work on its hosts. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { stringify } from 'yaml';
import type { ActionInput } from '../../../src/core/host-run.ts';
import type { Progress, Report } from '../../../src/core/progress.ts';
import type { SessionInput } from '../../../src/core/session-spec.ts';
import type { SessionState } from '../../../src/core/session-state.ts';
import { nodeCommand } from '../../../src/devstack/node-command.ts';
import type { ManagedProcess } from '../../../src/devstack/processes.ts';
import { MAINTENANCE_QUEUE, QUERIES, WORKFLOWS } from '../../../src/names.ts';
import { createNamespace } from '../../support/namespace.ts';
import { openWorkshop, writeBundle, type Workshop } from '../../support/rig.ts';
import { Bed, type Cloud } from './bed.ts';
import { Gateway } from './gateway.ts';
import { Nova } from './nova.ts';

const SITE = 'bed';

/** The bed is slow, and slower on a machine that does other things too. */
const PATIENCE_MS = 240_000;
const POLL_MS = 300;

const SETTLED: readonly SessionState[] = ['MAINTENANCE_DONE', 'MAINTENANCE_CANCELLED', 'MAINTENANCE_FAILED'];

/** The action on each host; the site sees it, and whether the host was empty and out then. */
const WORK = { plugin: 'webhook', type: 'host', metadata: { endpoint: 'work' } } as const;

/** What every test on the bed stands on. Start it once a file. */
export class Site {
  readonly bed: Bed;
  readonly nova: Nova;
  readonly gateway: Gateway;
  readonly #client: Client;
  readonly #workshop: Workshop;
  readonly #workplace: Workplace;
  readonly #env: NodeJS.ProcessEnv;
  #worker: ManagedProcess | undefined;
  #workers = 0;

  private constructor(parts: {
    bed: Bed;
    nova: Nova;
    gateway: Gateway;
    client: Client;
    workshop: Workshop;
    workplace: Workplace;
    env: NodeJS.ProcessEnv;
  }) {
    this.bed = parts.bed;
    this.nova = parts.nova;
    this.gateway = parts.gateway;
    this.#client = parts.client;
    this.#workshop = parts.workshop;
    this.#workplace = parts.workplace;
    this.#env = parts.env;
  }

  /**
   * On the Temporal server at TEMPORAL_ADDRESS, with a namespace of its own there, and one worker, which logs in as the
   * administrator unless told otherwise.
   */
  static async start(cloud?: Cloud): Promise<Site> {
    const bed = new Bed();
    const nova = new Nova(bed.cloud);
    const compute = (await nova.endpoints()).get('compute');
    assert.ok(compute, 'Nova is in the catalog');
    const gateway = await Gateway.start(compute);
    const workplace = await Workplace.open(nova);
    const address = process.env.TEMPORAL_ADDRESS ?? '127.0.0.1:7233';
    const connection = await Connection.connect({ address });
    const namespace = await createNamespace(connection);
    const workshop = await openWorkshop();
    const { directory } = workshop;
    const env = {
      ...process.env,
      TEMPORAL_ADDRESS: address,
      TEMPORAL_NAMESPACE: namespace,
      HAULOUT_CONFIG: await writeConfig(directory, workplace.url),
      OS_CLIENT_CONFIG_FILE: await writeClouds(directory, cloud ?? bed.cloud, gateway.url),
      HAULOUT_WORKFLOW_BUNDLE: process.env.HAULOUT_WORKFLOW_BUNDLE ?? (await writeBundle(directory)),
    };
    const client = new Client({ connection, namespace });
    const site = new Site({ bed, nova, gateway, client, workshop, workplace, env });
    await site.startWorker();
    return site;
  }

  async startWorker(): Promise<void> {
    this.#workers += 1;
    const { process: worker } = await this.#workshop.processes.start({
      name: `worker-${this.#workers}`,
      ...nodeCommand('src/worker.ts'),
      env: this.#env,
      ready: (line) => line(/^worker ready/),
    });
    this.#worker = worker;
  }

  /** Ends the worker as a crash would. */
  async killWorker(): Promise<void> {
    await this.#worker?.kill();
  }

  session(input: Omit<SessionInput, 'site'>): Promise<WorkflowHandle> {
    return this.#client.workflow.start(WORKFLOWS.maintenanceSession, {
      taskQueue: MAINTENANCE_QUEUE,
      workflowId: `session-${randomUUID().slice(0, 8)}`,
      args: [{ site: SITE, actions: [WORK], ...input }],
    });
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
    this.#workplace.workMs = milliseconds;
  }

  isWorkedOn(host: string): boolean {
    return this.#workplace.busy.has(host);
  }

  /** Hosts that were worked on since the last call, in order; and what was wrong with them then. */
  takeWorked(): { worked: string[]; wrong: string[] } {
    return this.#workplace.take();
  }

  async stop(): Promise<void> {
    await this.#client.connection.close();
    await this.#workshop.processes.stop();
    await this.gateway.close();
    await this.#workplace.close();
    await rm(this.#workshop.directory, { recursive: true });
  }
}

/** Where the action sends its webhook: it asks Nova at once whether the host may be worked on. */
class Workplace {
  readonly #nova: Nova;
  readonly #server: http.Server;
  readonly #known = new Map<string, Promise<void>>();
  /** Hosts that are worked on now. */
  readonly busy = new Set<string>();
  #worked: string[] = [];
  #wrong: string[] = [];
  workMs = 0;

  private constructor(nova: Nova) {
    this.#nova = nova;
    this.#server = http.createServer((request, response) => {
      this.#take(request).then(
        () => response.writeHead(204).end(),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    });
  }

  static async open(nova: Nova): Promise<Workplace> {
    const workplace = new Workplace(nova);
    workplace.#server.listen(0, '127.0.0.1');
    await once(workplace.#server, 'listening');
    return workplace;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  take(): { worked: string[]; wrong: string[] } {
    const taken = { worked: this.#worked, wrong: this.#wrong };
    this.#worked = [];
    this.#wrong = [];
    return taken;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
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
    const { status } = await this.#nova.service(host);
    if (status !== 'disabled') this.#wrong.push(`${host} is worked on while it takes servers`);
    const running = (await this.#nova.servers(host)).filter((server) => server.status !== 'SHUTOFF');
    if (running.length > 0) {
      this.#wrong.push(`${host} is worked on with ${running.map(({ name }) => name).join(', ')} on it`);
    }
  }
}

async function writeConfig(directory: string, work: string): Promise<string> {
  const file = path.join(directory, 'haulout.yaml');
  const sites = { [SITE]: { platform: 'openstack', cloud: 'bed', reconcileEvery: 'off' } };
  await writeFile(file, stringify({ sites, actions: { webhook: { endpoints: { work: { url: work } } } } }));
  return file;
}

async function writeClouds(directory: string, cloud: Cloud, compute: string): Promise<string> {
  const file = path.join(directory, 'clouds.yaml');
  await writeFile(file, stringify({ clouds: { bed: { ...cloud, compute_endpoint_override: compute } } }));
  return file;
}
