/** The driver contract over the cluster of the bed. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { parse, stringify } from 'yaml';
import type { Capabilities, Driver } from '../../../src/drivers/driver.ts';
import { mosk } from '../../../src/drivers/mosk/driver.ts';
import { describeDriver, RETRY_AFTER_SECONDS, type DriverBed } from '../../drivers/contract.ts';
import { Proxy } from '../proxy.ts';
import { apply, kubectl, KUBECONFIG } from './bed.ts';
import { clear, newNode } from './fleet.ts';

const BUSY = 'contract-busy';
const SPARE = 'contract-spare';
const CAPABILITIES: Capabilities = {
  drains: ['platform'],
  options: ['mosk'],
  liveMove: false,
  coldMove: false,
  abortMove: false,
  chooseTarget: false,
  stopStart: false,
  maintenanceMode: true,
  moveMbPerSecond: 1_000,
  shortestPollMs: 200,
  limits: [
    {
      label: 'role',
      value: 'control-plane',
      maxHosts: 1,
      why: 'the control plane needs a majority of its nodes',
    },
    {
      label: 'role',
      value: 'gateway',
      maxHosts: 1,
      why: 'networks of tenants fail over from gateway to gateway',
    },
    { label: 'zone', maxGroups: 1, why: 'applications spread their replicas over availability zones' },
  ],
};

/** A pod that comes back where it was, as long as that node takes pods. */
const DEPLOYMENT = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'contract', namespace: 'default' },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'contract' } },
    template: {
      metadata: { labels: { app: 'contract' } },
      spec: {
        nodeSelector: { 'kubernetes.io/hostname': BUSY },
        containers: [
          { name: 'app', image: 'none', resources: { requests: { cpu: '250m', memory: '64Mi' } } },
        ],
      },
    },
  },
};

const server = (parse(readFileSync(KUBECONFIG, 'utf8')) as { clusters: [{ cluster: { server: string } }] })
  .clusters[0].cluster.server;

async function setUp(): Promise<DriverBed> {
  await clear();
  await apply(newNode(BUSY), newNode(SPARE), DEPLOYMENT);
  await kubectl('rollout', 'status', 'deployment/contract', '--timeout=60s');
  const pod = await kubectl('get', 'pods', '-l', 'app=contract', '-o', 'jsonpath={.items[0].metadata.name}');
  const proxy = await Proxy.start(new Map([['api', server]]), RETRY_AFTER_SECONDS);
  const driver = await connect(proxy.address('api'));
  const deafDriver = await connect('http://127.0.0.1:9');
  return {
    driver,
    deafDriver,
    busyHost: BUSY,
    spareHost: SPARE,
    instance: `default/${pod}`,
    operator: {
      cordon: (host, reason) =>
        apply({
          apiVersion: 'lcm.mirantis.com/v1alpha1',
          kind: 'NodeMaintenanceRequest',
          metadata: { name: `by-hand-${host}`, annotations: { 'kubernetes.io/description': reason } },
          spec: { nodeName: host, scope: 'drain' },
        }),
      deleteInstance: async (id) => {
        await kubectl('delete', 'pod', path.basename(id), '--now', '--wait');
      },
    },
    // No pod is ever moved: these are of tests that are skipped.
    keepMovesRunning: () => Promise.resolve(),
    failMoves: () => Promise.reject(new Error('pods do not move')),
    trouble: (kind) => {
      proxy.trouble = kind;
      return Promise.resolve();
    },
    close: async () => {
      proxy.trouble = undefined;
      await Promise.all([driver.close(), deafDriver.close()]);
      await proxy.close();
    },
  };
}

/** A driver that goes to this address, with the credentials of the bed. */
async function connect(address: string): Promise<Driver> {
  const config = parse(readFileSync(KUBECONFIG, 'utf8')) as { clusters: { cluster: object }[] };
  for (const one of config.clusters) one.cluster = { server: address, 'insecure-skip-tls-verify': true };
  const directory = await mkdtemp(path.join(tmpdir(), 'haulout-kubernetes-'));
  const kubeconfig = path.join(directory, 'kubeconfig');
  await writeFile(kubeconfig, stringify(config));
  const driver = mosk.create(mosk.configSchema.parse({ kubeconfig, timeout: '3s' }), { site: 'bed' });
  await rm(directory, { recursive: true });
  return driver;
}

describeDriver('mosk', CAPABILITIES, setUp);

after(clear);
