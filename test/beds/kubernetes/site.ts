/** A cluster of six nodes with applications on it and controllers for it, and workers that take its nodes out. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { z } from 'zod';
import type { SessionInput } from '../../../src/core/session-spec.ts';
import { hostWorkflowId } from '../../../src/names.ts';
import { Stage, type Inspect, type StageParts } from '../stage.ts';
import { apply, kubectl, KUBECONFIG } from './bed.ts';
import { Controller } from './controller.ts';
import { clear, newNode } from './fleet.ts';
import { judge, recorded, type Judgement } from './witness.ts';

const PATIENCE_MS = 120_000;
const POLL_MS = 100;

/** Who the workers log in as: somebody with the role of deploy/, and no other. */
const DRIVER = 'haulout';

const SLOW_MS = 600;

const ZONE = 'topology.kubernetes.io/zone';

export const CONTROL = 'mosk-control';
export const GATEWAY = 'mosk-gateway';
/** Two in each of two zones. */
export const COMPUTES = ['mosk-cmp-1', 'mosk-cmp-2', 'mosk-cmp-3', 'mosk-cmp-4'];
export const NODES = [CONTROL, GATEWAY, ...COMPUTES];

const nodes = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), annotations: z.record(z.string(), z.string()).default({}) }),
      spec: z.object({ unschedulable: z.boolean().default(false) }),
    }),
  ),
});

const pods = z.object({
  items: z.array(
    z.object({
      metadata: z.object({
        name: z.string(),
        ownerReferences: z.array(z.object({ kind: z.string() })).default([]),
      }),
      spec: z.object({ nodeName: z.string().optional() }),
    }),
  ),
});

const locks = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      spec: z.object({ nodeName: z.string().optional() }),
      status: z.object({ state: z.string() }).optional(),
    }),
  ),
});

/** A controller beside the two of the site. */
export interface Third {
  /** Resolves when it looks after its locks. */
  start(): Promise<unknown>;
  /** What it has against a node that is being worked on. */
  inspect: Inspect;
}

/** A session that takes every node, role after role; its budget leaves it to the platform how many at one time. */
export const WHOLE_FLEET: Omit<SessionInput, 'site'> = {
  hosts: [...NODES],
  budget: { maxConcurrentHosts: 3 },
  order: { label: 'role', values: ['control-plane', 'gateway', 'compute'] },
};

export class Site extends Stage {
  /** One that is quick, and one that takes its time. */
  readonly quick: Controller;
  readonly slow: Controller;
  readonly #client: Client;
  readonly #from: number;
  #begun = new Date();

  private constructor(stage: StageParts, parts: { quick: Controller; slow: Controller; from: number }) {
    super(stage);
    this.quick = parts.quick;
    this.slow = parts.slow;
    this.#client = stage.client;
    this.#from = parts.from;
  }

  static async start(third?: Third): Promise<Site> {
    await clear();
    await addNodes();
    await apply(...applications());
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    const from = await recorded();
    const [quick, slow] = [new Controller('quick', 0), new Controller('slow', SLOW_MS)];
    for (const one of [quick, slow]) one.start();
    await third?.start();
    await bindRole();
    const stage = await Stage.build({
      site: { platform: 'mosk', kubeconfig: KUBECONFIG, context: DRIVER },
      inspect: async (host) => [...(await whatIsWrong(host)), ...((await third?.inspect(host)) ?? [])],
    });
    const site = new Site(stage, { quick, slow, from });
    await site.#whenLocked(third ? 3 : 2);
    await site.startWorker();
    return site;
  }

  /** For the next test: what was before is not judged again, and nothing delays or fails as it did. */
  async begin(): Promise<void> {
    this.#begun = new Date();
    this.takeWorked();
    this.workMs = 0;
    this.slow.delayMs = SLOW_MS;
    this.slow.failure = undefined;
    await limit({ minAvailable: 10 });
  }

  /** Has replicas on every node again; those that a test before has emptied have none. */
  async spread(): Promise<void> {
    await kubectl('delete', 'pods', '-l', 'app=web', '--now');
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
  }

  /** Adds what was taken from the cluster. */
  async refill(): Promise<void> {
    await addNodes();
    await this.#whenLocked(2);
  }

  async locks(): Promise<z.output<typeof locks>['items']> {
    const found = await Promise.all([get(locks, 'nwl'), get(locks, 'cwl')]);
    return found.flatMap(({ items }) => items);
  }

  /** Resolves when that is so; throws when it never is. */
  async when(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!(await isSo())) {
      assert.ok(Date.now() < deadline, `it never came to that: ${what}`);
      await sleep(POLL_MS);
    }
  }

  /** Resolves when the activity that runs for a host says so of itself, as the Web UI shows it. */
  whenTold(host: string, words: RegExp): Promise<void> {
    const run = this.#client.workflow.getHandle(hostWorkflowId('bed', host));
    return this.when(`${host} tells ${String(words)}`, async () => {
      const seen = await run.describe().catch(() => undefined);
      const told = (seen?.raw.pendingActivities ?? []).flatMap(
        ({ heartbeatDetails }) => heartbeatDetails?.payloads ?? [],
      );
      return told.some(({ data }) => words.test(Buffer.from(data ?? []).toString()));
    });
  }

  /** What the record of the API server says of everything since `begin`. */
  judge(): Promise<Judgement> {
    return judge(this.#from, DRIVER, this.#begun);
  }

  /** What is wrong once no session runs: by the record of the API server, and by kubectl. */
  async objections({ cordoned = [] }: { cordoned?: readonly string[] } = {}): Promise<string[]> {
    const [{ objections }, { items }, requests, found] = await Promise.all([
      this.judge(),
      get(nodes, 'nodes'),
      kubectl('get', 'nmr,cmr', '-o', 'name'),
      this.locks(),
    ]);
    return [
      ...objections,
      ...items
        .filter(({ metadata, spec }) => spec.unschedulable !== cordoned.includes(metadata.name))
        .map(
          ({ metadata, spec }) => `${metadata.name} is ${spec.unschedulable ? 'cordoned' : 'not cordoned'}`,
        ),
      ...items
        .filter(({ metadata }) => Object.keys(metadata.annotations).some((key) => key.startsWith('haulout')))
        .map(({ metadata }) => `${metadata.name} is marked`),
      ...requests.split('\n').filter((name) => name !== ''),
      ...found
        .filter(({ status }) => status?.state !== 'active')
        .map(({ metadata, status }) => `${metadata.name} is ${status?.state}`),
    ];
  }

  /** Resolves when every controller has its locks. */
  #whenLocked(controllers: number): Promise<void> {
    return this.when('every lock is there', async () => {
      const found = await this.locks();
      return (
        found.length === controllers * (NODES.length + 1) &&
        found.every(({ status }) => status?.state === 'active')
      );
    });
  }

  override async stop(): Promise<void> {
    await super.stop();
    await Promise.all([this.quick.stop(), this.slow.stop()]);
    await clear();
  }
}

/** How many replicas of the application have to be there, of twelve. */
export async function limit(budget: { minAvailable: number }): Promise<void> {
  await kubectl('patch', 'pdb', 'web', '--type=merge', '-p', JSON.stringify({ spec: budget }));
}

/** The node is worked on: nothing runs there that was to leave, and every lock is released. */
async function whatIsWrong(host: string): Promise<string[]> {
  const [seen, on, held] = await Promise.all([
    get(nodes, 'nodes'),
    get(pods, 'pods', '--field-selector', `spec.nodeName=${host}`),
    get(locks, 'nwl'),
  ]);
  const isCordoned = seen.items.find(({ metadata }) => metadata.name === host)?.spec.unschedulable === true;
  return [
    ...(isCordoned ? [] : [`${host} is worked on, and not cordoned`]),
    ...on.items
      .filter(({ metadata }) => metadata.ownerReferences[0]?.kind !== 'DaemonSet')
      .map(({ metadata }) => `${host} is worked on with ${metadata.name} on it`),
    ...held.items
      .filter(({ spec, status }) => spec.nodeName === host && status?.state !== 'inactive')
      .map(({ metadata }) => `${host} is worked on while ${metadata.name} is held`),
  ];
}

async function get<T extends z.ZodType>(schema: T, ...what: string[]): Promise<z.output<T>> {
  return schema.parse(JSON.parse(await kubectl('get', ...what, '-o', 'json')));
}

/** To the user of the bed instead of the service account of a pod. */
const bindRole = (): Promise<void> =>
  apply({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'haulout-mosk-bed' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'haulout-mosk' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: DRIVER }],
  });

async function addNodes(): Promise<void> {
  await apply(...fleet());
  // Replicas go where there is room, and a node that is not Ready yet has none.
  await kubectl('wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=60s');
}

const fleet = (): object[] => [
  newNode(CONTROL, { 'openstack-control-plane': 'enabled', [ZONE]: 'zone-1' }),
  newNode(GATEWAY, { 'openstack-gateway': 'enabled', [ZONE]: 'zone-2' }),
  ...COMPUTES.map((name, index) =>
    newNode(name, { 'openstack-compute-node': 'enabled', [ZONE]: index < 2 ? 'zone-1' : 'zone-2' }),
  ),
];

/** Twelve replicas of which two may be away, and an agent on every node. */
function applications(): object[] {
  const template = (app: string): object => ({
    metadata: { labels: { app } },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: app, image: 'none', resources: { requests: { cpu: '250m', memory: '64Mi' } } }],
    },
  });
  const selector = (app: string): object => ({ matchLabels: { app } });
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'default' },
      spec: { replicas: 12, selector: selector('web'), template: template('web') },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'agent', namespace: 'default' },
      spec: { selector: selector('agent'), template: template('agent') },
    },
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'web', namespace: 'default' },
      spec: { minAvailable: 10, selector: selector('web') },
    },
  ];
}
