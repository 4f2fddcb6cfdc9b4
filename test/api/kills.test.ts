/** The service and the worker are killed while a session waits for answers, in each state that waits. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { stringify } from 'yaml';
import { nodeCommand } from '../../src/devstack/node-command.ts';
import { freePort } from '../../src/devstack/ports.ts';
import type { ManagedProcess } from '../../src/devstack/processes.ts';
import { checkJournal } from '../../src/simulator/checker.ts';
import { startSimulator, type Simulator } from '../../src/simulator/server.ts';
import type { Receiver } from '../notifications/receiver.ts';
import { DoctorClient, startManager, type Alarm } from '../support/doctor.ts';
import { fleetOf } from '../support/fleets.ts';
import { HeatStack } from '../support/heat-stack.ts';
import { createNamespace } from '../support/namespace.ts';
import { openWorkshop, writeBundle, type Workshop } from '../support/rig.ts';

const PATIENCE_MS = 240_000;
/** Longer than it takes to kill and to start both. */
const NOTICE_MS = 30_000;
const SITE = 'lab';
const PROJECT = 'doctor';

let workshop: Workshop;
let simulator: Simulator;
let manager: Receiver;
let env: NodeJS.ProcessEnv;
let api: ManagedProcess;
let worker: ManagedProcess;
let url: string;
let started = 0;
const alarms: Alarm[] = [];
let react = async (alarm: Alarm): Promise<void> => assert.fail(`nobody waits for ${alarm.state}`);

before(async () => {
  const address = process.env.TEMPORAL_ADDRESS ?? '127.0.0.1:7233';
  const connection = await Connection.connect({ address });
  const namespace = await createNamespace(connection);
  await connection.close();
  workshop = await openWorkshop();
  const { instances, ...fleet } = fleetOf(3, 2, {
    hosts: { count: 3, zones: 1, capacity: { vcpus: 4, memoryMb: 98_304, diskGb: 1_200 } },
    emptyHosts: 0,
  });
  simulator = await startSimulator({
    fleet: { ...fleet, instances: { ...instances, projects: [PROJECT] } },
  });
  manager = await startManager((alarm) => {
    alarms.push(alarm);
    return react(alarm);
  });
  const port = await freePort(25_912);
  url = `http://127.0.0.1:${port}`;
  const config = path.join(workshop.directory, 'haulout.yaml');
  await writeFile(
    config,
    stringify({
      sites: { [SITE]: { platform: 'simulator', reconcileEvery: 'off', url: simulator.url } },
      notifications: { apiUrl: url, sinks: { doctor: { kind: 'aodh', url: manager.url } } },
    }),
  );
  env = {
    ...process.env,
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: namespace,
    HAULOUT_CONFIG: config,
    HAULOUT_WORKFLOW_BUNDLE: process.env.HAULOUT_WORKFLOW_BUNDLE ?? (await writeBundle(workshop.directory)),
    HAULOUT_API_SITE: SITE,
    HAULOUT_API_PORT: String(port),
  };
  [worker, api] = await Promise.all([startWorker(), startApi()]);
});
after(async () => {
  await workshop.processes.stop();
  await manager.close();
  await simulator.close();
  await rm(workshop.directory, { recursive: true });
});

const startWorker = (): Promise<ManagedProcess> => launch('worker', 'src/worker.ts', /^worker ready/);
const startApi = (): Promise<ManagedProcess> => launch('api', 'src/api/main.ts', /^api listening/);

async function launch(name: string, source: string, ready: RegExp): Promise<ManagedProcess> {
  started += 1;
  const { process: launched } = await workshop.processes.start({
    name: `${name}-${started}`,
    ...nodeCommand(source),
    env,
    ready: (line) => line(ready),
  });
  return launched;
}

async function ask<T>(method: string, place: string, body?: unknown): Promise<T> {
  const answer = await fetch(`${url}${place}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return (await answer.json()) as T;
}

async function stateOf(session: string): Promise<string> {
  // The service may be dead.
  const answer = await ask<{ state: string }>('GET', session).catch(() => undefined);
  return answer?.state ?? '';
}

test('a session loses nothing when the service and the worker are killed while it waits', async () => {
  const stack = new HeatStack(simulator.url, PROJECT);
  const client = new DoctorClient('none', stack);
  const before = await stack.servers();
  const survived = new Set<string>();
  let turn = Promise.resolve();
  // It answers inside the delivery, but by then the worker that delivers is another one.
  const killFirst = async (alarm: Alarm): Promise<void> => {
    survived.add(alarm.state);
    await Promise.all([api.kill(), worker.kill()]);
    await assert.rejects(client.send('PUT', alarm.replyUrl, { state: `ACK_${alarm.state}` }));
    [worker, api] = await Promise.all([startWorker(), startApi()]);
  };
  react = (alarm) => {
    const mine = turn.then(async () => {
      if (!survived.has(alarm.state)) await killFirst(alarm);
      await client.answerAsSample(alarm);
    });
    turn = mine.catch(() => undefined);
    return mine;
  };

  const { session_id } = await ask<{ session_id: string }>('POST', '/v1/maintenance', {
    maintenance_at: new Date(Date.now() + NOTICE_MS).toISOString(),
    haulout: { projects: {} },
  });
  const session = `/v1/maintenance/${session_id}`;
  const deadline = Date.now() + PATIENCE_MS;
  for (let state = ''; state !== 'MAINTENANCE_DONE'; await sleep(500)) {
    assert.ok(Date.now() < deadline, `the session is ${state} after ${[...survived].join(', ')}`);
    state = await stateOf(session);
  }
  await turn;
  assert.deepEqual(
    survived,
    new Set([
      'MAINTENANCE',
      'SCALE_IN',
      'PREPARE_MAINTENANCE',
      'INSTANCE_ACTION_DONE',
      'PLANNED_MAINTENANCE',
      'MAINTENANCE_COMPLETE',
    ]),
  );
  const ids = alarms.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, 'nothing was sent twice');
  assert.equal(alarms.filter(({ state }) => state === 'SCALE_IN').length, 1);
  assert.equal((await stack.servers()).length, before.length, 'it is as large as it was');
  assert.deepEqual(checkJournal(simulator.journal.entries, { maxMovesPerInstance: 99 }), []);
});
