/** Tacker's plug-in through a whole session: the fleet is full, so its VNF has to be scaled in first. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { StaticTokens } from '../../../src/api/auth/tokens.ts';
import { ConstraintStore } from '../../../src/constraint-store.ts';
import type { ConstraintsState } from '../../../src/core/constraints.ts';
import { freePort } from '../../../src/devstack/ports.ts';
import { startService, type Service } from '../../api/service.ts';
import { SITE, startEngine, type Engine } from '../../support/engine.ts';
import { fleetOf, hostNames, WORK } from '../../support/fleets.ts';
import { HeatStack } from '../../support/heat-stack.ts';
import { startOpenstack, type Openstack } from './openstack.ts';
import { Tacker, type ClientRequest } from './tacker.ts';

const PATIENCE_MS = 150_000;
/** Until the first host; Tacker has to have answered by then. */
const NOTICE_MS = 15_000;
const HOSTS = hostNames(3);
const PER_HOST = 2;

const project = randomUUID().replaceAll('-', '');
const vnf = randomUUID();
const group = randomUUID();
const ADMIN = { 'x-auth-token': 'admin-0123456789abcdef' };
const TOKEN = 'tacker-0123456789abcdef';

let engine: Engine;
let service: Service;
let openstack: Openstack;
let tacker: Tacker;
let stack: HeatStack;
/** Ends what runs, the last one first. */
const ends: (() => Promise<void>)[] = [];
before(async () => {
  const apiPort = await freePort(25_712);
  const alarmPort = await freePort(27_720);
  const { instances, ...fleet } = fleetOf(HOSTS.length, PER_HOST, {
    // Two of the instances fill it.
    hosts: { count: HOSTS.length, zones: 1, capacity: { vcpus: 4, memoryMb: 98_304, diskGb: 1_200 } },
    emptyHosts: 0,
  });
  const api = `http://127.0.0.1:${apiPort}`;
  const alarm = `http://127.0.0.1:${alarmPort}/v1.0/vnfs/${vnf}/maintenance/${project}/k3y`;
  engine = await startEngine({ ...fleet, instances: { ...instances, projects: [project] } }, (config) => ({
    ...config,
    notifications: {
      apiUrl: api,
      sinks: {
        tacker: {
          kind: 'aodh',
          events: ['maintenance.scheduled'],
          urls: { [project]: alarm },
          timeout: '1m',
        },
      },
    },
  }));
  ends.unshift(() => engine.stop());
  service = await startService({
    client: engine.client,
    site: SITE,
    port: apiPort,
    authenticator: new StaticTokens(
      `tokens: [{ name: operator, token: ${ADMIN['x-auth-token']}, admin: true },` +
        `{ name: tacker, token: ${TOKEN}, project: ${project} }]`,
    ),
  });
  ends.unshift(() => service.close());
  stack = new HeatStack(engine.simulator.url, project);
  const stackId = randomUUID();
  openstack = await startOpenstack({ api, project, token: TOKEN, stackId, stack });
  ends.unshift(() => openstack.close());
  tacker = await Tacker.start({
    port: alarmPort,
    apiPort,
    keystone: openstack.url,
    vim: {
      vim_type: 'openstack',
      vim_auth: {
        auth_url: `${openstack.url}/v3`,
        username: 'tacker',
        password: 'secret',
        project_name: 'nfv',
        user_domain_name: 'Default',
        project_domain_name: 'Default',
      },
    },
    vnf: {
      id: vnf,
      tenant_id: project,
      vim_id: 'vim',
      instance_id: stackId,
      status: 'ACTIVE',
      attributes: {
        maintenance_group: group,
        scaling_group_names: '{"SP1": "SP1_group"}',
        // The comma is in Tacker's own guide.
        config:
          'maintenance: {max_impacted_members: 1, recovery_time: "1,", lead_time: 1, migration_type: MIGRATE}',
      },
    },
  });
  ends.unshift(() => tacker.stop());
});
after(async () => {
  for (const end of ends) await end();
});

async function untilDone(session: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (let last: unknown; ; await sleep(300)) {
    const { body } = await service.ask<{ state: string }>('GET', session, undefined, ADMIN);
    if (body.state === 'MAINTENANCE_DONE') return;
    last = body;
    const isHopeless = body.state === 'MAINTENANCE_FAILED' || Date.now() > deadline;
    if (!isHopeless) continue;
    const detail = await service.ask('GET', `${session}/detail`, undefined, ADMIN);
    assert.fail(JSON.stringify([last, detail.body, await tacker.ask('requests')], undefined, 1));
  }
}

const constraintsOf = ({ instances, groups }: ConstraintsState) => ({
  instances: new Map(instances.map((one) => [one.instance, one])),
  groups: new Map(groups.map((one) => [one.group, one])),
});

test('a VNF of Tacker goes through a session: scaled in, asked about each instance, and whole again', async () => {
  const store = new ConstraintStore(engine.client, SITE);
  await tacker.ask('protect');
  assert.equal((await store.list()).instances.length, HOSTS.length * PER_HOST);

  const created = await service.ask<{ session_id: string }>(
    'POST',
    '/v1/maintenance',
    {
      maintenance_at: new Date(Date.now() + NOTICE_MS).toISOString(),
      workflow: 'vnf',
      hosts: HOSTS,
      actions: [WORK],
      metadata: { openstack_version: 'Train' },
      haulout: { projects: {} },
    },
    ADMIN,
  );
  assert.equal(created.status, 200, JSON.stringify(created.body));
  await untilDone(`/v1/maintenance/${created.body.session_id}`);

  const asked = await tacker.ask('requests');
  const gone = engine.simulator.journal.entries.filter(({ type }) => type === 'instance.deleted');
  assert.equal(gone.length, 2, 'it was scaled in once');
  const kept = await store.list();
  assert.equal((await stack.servers()).length, HOSTS.length * PER_HOST, 'it is as large as it was');
  assert.deepEqual(
    kept.instances.map(({ instance }) => instance).sort(),
    (await stack.servers()).map(({ id }) => id).sort(),
    'who was scaled away has no constraints left, and who came has',
  );
  assert.deepEqual(
    engine.violations({ constraints: constraintsOf(kept), worked: HOSTS, maxMovesPerInstance: 9 }),
    [],
  );
  if (refusedOf(asked).length) assert.deepEqual(refusedOf(asked), []);
  assert.deepEqual(refusedOf(asked), []);
  assert.deepEqual(await deliveriesThatFailed(), []);

  const everything = await tacker.ask('release');
  assert.deepEqual(refusedOf(everything), []);
  assert.deepEqual(await store.list(), { instances: [], groups: [] });
  assert.deepEqual(openstack.unknown, []);
});

const refusedOf = (requests: readonly ClientRequest[]): ClientRequest[] =>
  requests.filter(({ status }) => status !== 200);

/** Notices that Tacker did not take, or took with an error. */
async function deliveriesThatFailed(): Promise<string[]> {
  const failed: string[] = [];
  const query = "WorkflowType = 'delivery' AND ExecutionStatus = 'Failed'";
  for await (const { workflowId } of engine.client.workflow.list({ query })) failed.push(workflowId);
  return failed;
}
