/**
 * What tests of the lock controller stand on: nodes and requests of the bed, written by kubectl; an engine with a simulated
 * site whose hosts the nodes are; and controllers as processes of their own, with the rights of deploy/ and no others.
 */
import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
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
import { apply, create, deleteAll, KUBECONFIG, kubectl } from './bed.ts';
import { CONTROLLER, LockWitness, PATIENCE_MS, POLL_MS, type SeenLock } from './lock-witness.ts';

/** Nodes of these tests, and no others of the bed, carry it: the controller that serves them. */
const SERVED_BY = 'haulout.test/served-by';

const SLOW = ['slow-1', 'slow-2', 'slow-3', 'slow-4'];
const QUICK = ['quick-1', 'quick-2', 'quick-3', 'quick-4', 'quick-5', 'quick-6', 'quick-7', 'quick-8'];
const SPARE = ['spare-1', 'spare-2'];

/** Instances leave a slow host one by one, so that it can be seen, and a quick one in no time. */
const FLEET: FleetInput = {
  hosts: [...SLOW, ...QUICK, ...SPARE].map((name) => ({
    name,
    capacity: { vcpus: 48, memoryMb: 262_144, diskGb: 1_200 },
  })),
  instances: [
    ...SLOW.flatMap((host) => [1, 2, 3].map((number) => instance(host, number, 20_000))),
    ...QUICK.flatMap((host) => [1, 2].map((number) => instance(host, number, 100))),
  ],
  migration: { baseMs: 20, mbPerSecond: 8_000 },
  durations: { stopMs: 10, startMs: 10, enterMs: 10, exitMs: 10, workMs: 20 },
};

const MANIFEST = path.join(packageRoot, 'deploy/lock-controller.yaml');

const apiVersion = 'lcm.mirantis.com/v1alpha1';

export interface RequestOptions {
  scope?: 'drain' | 'os';
  release?: string;
  /** Absent: the name of the node. */
  nodeName?: string;
}

export const temporalAddress = (): string => process.env.TEMPORAL_ADDRESS ?? '127.0.0.1:7233';

export class LockStage {
  readonly engine: Engine;
  readonly witness: LockWitness;
  readonly #workshop: Workshop;
  readonly #kubeconfig: string;
  #controllers = 0;

  private constructor(engine: Engine, workshop: Workshop, kubeconfig: string) {
    this.engine = engine;
    this.#workshop = workshop;
    this.#kubeconfig = kubeconfig;
    this.witness = new LockWitness(engine);
  }

  /** The role and account of deploy/ are there; no controller runs yet. */
  static async build(fleet = FLEET): Promise<LockStage> {
    await kubectl('apply', '-f', MANIFEST);
    await clear();
    const workshop = await openWorkshop();
    return new LockStage(await startEngine(fleet), workshop, await leastKubeconfig(workshop.directory));
  }

  /** Nodes that a controller serves. */
  async addNodes(names: readonly string[], controller = CONTROLLER): Promise<void> {
    const labels = { [SERVED_BY]: controller };
    await create(names.map((name) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels } })));
  }

  /**
   * Starts a controller and waits until it is ready.
   *
   * @param more goes into its section of the configuration
   */
  async startController(
    controllerName = CONTROLLER,
    more: object = {},
    temporal = temporalAddress(),
  ): Promise<ManagedProcess> {
    this.#controllers += 1;
    const name = `lock-controller-${this.#controllers}`;
    const { directory, processes } = this.#workshop;
    const config = path.join(directory, `${name}.yaml`);
    const lockController = {
      controllerName,
      site: SITE,
      kubernetes: { kubeconfig: this.#kubeconfig },
      nodes: { selector: { [SERVED_BY]: controllerName } },
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
        TEMPORAL_ADDRESS: temporal,
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

  /** Resolves to the lock of a node when it is as wished; throws with the last one when it never is. */
  untilNode(node: string, wish: (lock: SeenLock) => boolean, controller = CONTROLLER): Promise<SeenLock> {
    return this.witness.until(`${controller}-${node}`, wish);
  }

  async untilCluster(wish: (lock: SeenLock) => boolean, controller = CONTROLLER): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = await kubectl('get', 'clusterworkloadlock', controller, '-o', 'json').catch(String);
      if (found.startsWith('{') && wish(JSON.parse(found) as SeenLock)) return;
      assert.ok(Date.now() < deadline, `it never came to that: ${found}`);
      await sleep(POLL_MS);
    }
  }

  /** The session for a request. */
  session(node: string, uid: string, controller = CONTROLLER): WorkflowHandle {
    return this.engine.client.workflow.getHandle(lockSessionId(controller, node, uid));
  }

  /** Ids of all sessions that a controller has ever started. */
  async sessions(controller: string): Promise<string[]> {
    const found: string[] = [];
    const query = `WorkflowType = 'maintenanceSession' AND WorkflowId STARTS_WITH 'lock/${controller}/'`;
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

  async stop(): Promise<void> {
    this.witness.close();
    await this.#workshop.processes.stop();
    await clear();
    await this.engine.stop();
    await kubectl('-n', 'haulout', 'delete', 'deployment', 'lock-controller');
    await rm(this.#workshop.directory, { recursive: true });
  }
}

/** Of the service account of deploy/, which may do what its role says. */
async function leastKubeconfig(directory: string): Promise<string> {
  const token = await kubectl('-n', 'haulout', 'create', 'token', 'lock-controller', '--duration', '2h');
  const config = parse(await readFile(KUBECONFIG, 'utf8')) as {
    users: unknown[];
    contexts: { context: { user: string } }[];
  };
  config.users = [{ name: 'least', user: { token: token.trim() } }];
  for (const { context } of config.contexts) context.user = 'least';
  const file = path.join(directory, 'least-kubeconfig');
  await writeFile(file, stringify(config));
  return file;
}

/** Deletes everything that these tests make in the cluster. */
async function clear(): Promise<void> {
  const kinds = ['nodemaintenancerequests', 'clustermaintenancerequests'];
  for (const kind of [...kinds, 'nodeworkloadlocks', 'clusterworkloadlocks'])
    await deleteAll(`/apis/${apiVersion}/${kind}`);
  await deleteAll(`/api/v1/nodes?labelSelector=${encodeURIComponent(SERVED_BY)}`);
}

function instance(host: string, number: number, memoryMb: number) {
  return { name: `${host}-vm-${number}`, host, resources: { vcpus: 2, memoryMb, diskGb: 20 } };
}
