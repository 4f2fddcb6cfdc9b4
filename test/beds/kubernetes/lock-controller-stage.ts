/**
 * What tests of the lock controller stand on: nodes and requests of the bed, written by kubectl; an engine with a simulated
 * site whose hosts the nodes are; and controllers as processes of their own, with the rights of deploy/ and no others.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { parse, stringify } from 'yaml';
import { nodeCommand, packageRoot } from '../../../src/devstack/node-command.ts';
import type { ManagedProcess } from '../../../src/devstack/processes.ts';
import { lockSessionId } from '../../../src/names.ts';
import type { Host, HostStanding, Instance } from '../../../src/core/inventory.ts';
import type { FleetInput } from '../../../src/simulator/fleet.ts';
import { SITE, startEngine, type Engine } from '../../support/engine.ts';
import { openWorkshop, type Workshop } from '../../support/rig.ts';
import { apply, BED, KUBECONFIG, kubectl } from './bed.ts';

export const CONTROLLER = 'lc';

/** Nodes of these tests, and no others of the bed, carry this label. */
const OURS = { 'haulout.test/lock-controller': 'yes' };

/** Beds are slow, and slower on a machine that does other things too. */
const PATIENCE_MS = 120_000;
const POLL_MS = 100;

const MANIFEST = path.join(packageRoot, 'deploy/lock-controller.yaml');

const apiVersion = 'lcm.mirantis.com/v1alpha1';

/** A lock as kubectl shows it. */
export interface SeenLock {
  metadata: { name: string; uid: string; annotations?: Record<string, string> };
  spec: { controllerName: string; nodeName?: string };
  status?: {
    state: string;
    errorMessage?: string;
    release?: string;
    inactivationProgress?: { percentage: number; description: string };
  };
}

export interface RequestOptions {
  scope?: 'drain' | 'os';
  release?: string;
  /** Absent: the name of the node. */
  nodeName?: string;
}

export class LockStage {
  readonly engine: Engine;
  readonly #workshop: Workshop;
  #controllers = 0;

  private constructor(engine: Engine, workshop: Workshop) {
    this.engine = engine;
    this.#workshop = workshop;
  }

  /** The role and account of deploy/ are there; no controller runs yet. */
  static async build(fleet: FleetInput): Promise<LockStage> {
    await kubectl('apply', '-f', MANIFEST);
    const stage = new LockStage(await startEngine(fleet), await openWorkshop());
    await stage.clear();
    return stage;
  }

  /** Nodes that the controllers serve, each with the name of a host unless its labels say otherwise. */
  async addNodes(...names: string[]): Promise<void> {
    await apply(
      ...names.map((name) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels: OURS } })),
    );
  }

  /** Starts a controller and waits until it is ready; `more` goes into its section of the configuration. */
  async startController(more: object = {}): Promise<ManagedProcess> {
    this.#controllers += 1;
    const name = `lock-controller-${this.#controllers}`;
    const { directory, processes } = this.#workshop;
    const config = path.join(directory, `${name}.yaml`);
    const lockController = {
      controllerName: CONTROLLER,
      site: SITE,
      kubernetes: { kubeconfig: await this.#leastKubeconfig() },
      nodes: { selector: OURS },
      // So that each round finds the hosts as they were.
      session: { instances: { return: true } },
      ...more,
    };
    await writeFile(config, stringify({ lockController }));
    const { process: started } = await processes.start({
      name,
      ...nodeCommand('src/lock-controller/main.ts'),
      env: {
        ...process.env,
        TEMPORAL_ADDRESS: process.env.TEMPORAL_ADDRESS ?? '127.0.0.1:7233',
        TEMPORAL_NAMESPACE: this.engine.namespace,
        HAULOUT_CONFIG: config,
      },
      ready: (line) => line(/^lock-controller ready/),
    });
    return started;
  }

  /** Asks for a node, as a lifecycle manager does; resolves to the uid of the request. */
  async request(
    name: string,
    node: string,
    { scope = 'os', release, nodeName = node }: RequestOptions = {},
  ): Promise<string> {
    await apply({
      apiVersion,
      kind: 'NodeMaintenanceRequest',
      metadata: { name },
      spec: { nodeName, scope, ...(release !== undefined && { release }) },
    });
    return kubectl('get', 'nodemaintenancerequest', name, '-o', 'jsonpath={.metadata.uid}');
  }

  async withdraw(name: string): Promise<void> {
    await kubectl('delete', 'nodemaintenancerequest', name, '--wait=false');
  }

  async requestCluster(name: string, release?: string): Promise<void> {
    await apply({
      apiVersion,
      kind: 'ClusterMaintenanceRequest',
      metadata: { name },
      spec: { scope: 'os', ...(release !== undefined && { release }) },
    });
  }

  async withdrawCluster(name: string): Promise<void> {
    await kubectl('delete', 'clustermaintenancerequest', name);
  }

  /** Polls the lock of a node until it is as wished; throws with the last one when it never is. */
  untilNode(node: string, wish: (lock: SeenLock) => boolean, controller = CONTROLLER): Promise<SeenLock> {
    return until('nodeworkloadlock', `${controller}-${node}`, wish);
  }

  untilCluster(wish: (lock: SeenLock) => boolean, controller = CONTROLLER): Promise<SeenLock> {
    return until('clusterworkloadlock', controller, wish);
  }

  async locks(): Promise<SeenLock[]> {
    return itemsOf(await kubectl('get', 'nodeworkloadlocks', '-o', 'json'));
  }

  /** The session for a request. */
  session(node: string, uid: string): WorkflowHandle {
    return this.engine.client.workflow.getHandle(lockSessionId(CONTROLLER, node, uid));
  }

  /** How many sessions this stage's engine has ever had. */
  async sessions(): Promise<string[]> {
    const found: string[] = [];
    const query = "WorkflowType = 'maintenanceSession'";
    for await (const { workflowId } of this.engine.client.workflow.list({ query })) found.push(workflowId);
    return found;
  }

  /** Where the host stands at the site, and the instances that are on it. */
  async host(name: string): Promise<{ standing: HostStanding; instances: number }> {
    const [host, all] = await Promise.all(
      [`/v1/hosts/${name}`, `/v1/instances?host=${name}`].map(async (where) =>
        (await this.engine.simulate('GET', where)).json(),
      ),
    );
    const { instances } = all as { instances: Instance[] };
    return {
      standing: (host as Host).standing,
      instances: instances.length,
    };
  }

  /** Deletes everything that these tests make in the cluster. */
  async clear(): Promise<void> {
    for (const kind of [
      'nodemaintenancerequests',
      'clustermaintenancerequests',
      'nodeworkloadlocks',
      'clusterworkloadlocks',
    ]) {
      await kubectl('delete', kind, '--all');
    }
    await kubectl(
      'delete',
      'nodes',
      '-l',
      Object.entries(OURS)
        .map(([key, value]) => `${key}=${value}`)
        .join(','),
    );
  }

  async stop(): Promise<void> {
    await this.#workshop.processes.stop();
    await this.clear();
    await this.engine.stop();
    await kubectl('-n', 'haulout', 'delete', 'deployment', 'lock-controller');
    await rm(this.#workshop.directory, { recursive: true });
  }

  /** Of the service account of deploy/, which may do what its role says. */
  async #leastKubeconfig(): Promise<string> {
    const token = await kubectl('-n', 'haulout', 'create', 'token', 'lock-controller', '--duration', '2h');
    const config = parse(await readFile(KUBECONFIG, 'utf8')) as {
      users: unknown[];
      contexts: { context: { user: string } }[];
    };
    config.users = [{ name: 'least', user: { token: token.trim() } }];
    for (const { context } of config.contexts) context.user = 'least';
    const file = path.join(this.#workshop.directory, 'kubeconfig');
    await writeFile(file, stringify(config));
    return file;
  }
}

async function until(kind: string, name: string, wish: (lock: SeenLock) => boolean): Promise<SeenLock> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await kubectl('get', kind, name, '-o', 'json').catch((error: unknown) => String(error));
    const lock = found.startsWith('{') ? (JSON.parse(found) as SeenLock) : undefined;
    if (lock && wish(lock)) return lock;
    assert.ok(Date.now() < deadline, `it never came to that: ${found}`);
    await sleep(POLL_MS);
  }
}

const itemsOf = (json: string): SeenLock[] => (JSON.parse(json) as { items: SeenLock[] }).items;

/**
 * Sees every change of the locks, beside the controller and its client: asks the journal of the site at once whether a lock
 * that has become inactive, or active again, tells the truth.
 */
export class LockWitness {
  /** States of each lock in the order they were seen. */
  readonly seen = new Map<string, string[]>();
  readonly #engine: Engine;
  #wrong: string[] = [];
  #child: ChildProcess | undefined;
  #ended = false;

  constructor(engine: Engine) {
    this.#engine = engine;
    void this.#watch();
  }

  /** What was wrong since the last call, each a sentence. */
  takeWrong(): string[] {
    const wrong = this.#wrong;
    this.#wrong = [];
    return wrong;
  }

  close(): void {
    this.#ended = true;
    this.#child?.kill();
  }

  /** A watch of kubectl ends with the API server; it is begun again. */
  async #watch(): Promise<void> {
    const args = ['get', 'nodeworkloadlocks', '--watch', '--output-watch-events', '-o', 'json'];
    while (!this.#ended) {
      const child = spawn(path.join(BED, 'bin/kubectl'), ['--kubeconfig', KUBECONFIG, ...args], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      this.#child = child;
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.#take(JSON.parse(line) as { type: string; object: SeenLock });
      });
      await once(child, 'close');
      await sleep(POLL_MS);
    }
  }

  #take({ type, object }: { type: string; object: SeenLock }): void {
    const { metadata, spec, status } = object;
    if (spec.controllerName !== CONTROLLER) return;
    const states = type === 'DELETED' ? [] : (this.seen.get(metadata.name) ?? []);
    const before = states.at(-1);
    if (type !== 'DELETED' && status && status.state !== before) {
      states.push(status.state);
      // What is listed anew may have been so for long.
      if (type === 'MODIFIED') this.#judge(object, before);
    }
    this.seen.set(metadata.name, states);
  }

  #judge(
    { metadata: { name }, spec: { nodeName = '' }, status }: SeenLock,
    before: string | undefined,
  ): void {
    const host = nodeName.split('.', 1)[0] ?? '';
    const last = this.#engine.simulator.journal.entries
      .filter((entry) => entry.type.startsWith('host.') && 'host' in entry && entry.host === host)
      .at(-1)?.type;
    if (status?.state === 'inactive' && last !== 'host.entered') {
      this.#wrong.push(`${name} is inactive, and the last of ${host} is ${last}`);
    }
    // With a message it only says that nobody is to touch the node any more.
    const isBack = status?.state === 'active' && status.errorMessage === undefined && before === 'inactive';
    if (isBack && last !== 'host.uncordoned') {
      this.#wrong.push(`${name} is active again, and the last of ${host} is ${last}`);
    }
  }
}
