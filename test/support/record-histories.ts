/**
 * Run as `npm run histories` with a server at TEMPORAL_ADDRESS: records the histories that every later version has to
 * replay, one file a case, named by the version that made it. Never overwrite those of a released version.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import packageJson from '../../package.json' with { type: 'json' };
import { ConstraintStore } from '../../src/constraint-store.ts';
import { constraintShard } from '../../src/core/constraints.ts';
import { HostTable } from '../../src/core/host-table.ts';
import { sessionSpec, type SessionInput } from '../../src/core/session-spec.ts';
import { cloudtower } from '../../src/drivers/cloudtower/driver.ts';
import { simulator } from '../../src/drivers/simulator/driver.ts';
import {
  constraintsWorkflowId,
  deliveryWorkflowId,
  dialogueWorkflowId,
  hostWorkflowId,
  MAINTENANCE_QUEUE,
  WORKFLOWS,
} from '../../src/names.ts';
import type { Carried } from '../../workflows/session/session-record.ts';
import { FLEET } from '../beds/cloudtower/fleet.ts';
import { FakeCloudTower } from '../fakes/cloudtower/server.ts';
import { groupConstraintOf } from './constraints.ts';
import { SITE, startEngine, type Engine } from './engine.ts';
import { fleetOf, WORK } from './fleets.ts';
import { SILENT, startTenants, type Tenants } from './tenants.ts';
import { Windows } from './windows.ts';

const directory = path.join(import.meta.dirname, '../histories', packageJson.version);

const ONE = ['compute-01'];
const TWO = ['compute-01', 'compute-02'];

/** A host waits for room for minutes. */
const PATIENCE_MS = 300_000;

async function recordDone(engine: Engine): Promise<void> {
  const session = await engine.start({ actions: [WORK], budget: { maxConcurrentHosts: 2 } });
  await ended(session);
  await save('session-done', session);
  await save('host-done', hostOf(engine, 'compute-02'));
}

async function recordHeld(engine: Engine): Promise<void> {
  await engine.fault({
    match: { operation: 'work', times: 1 },
    effect: { kind: 'failTask', code: 'FlashFailed', message: 'checksum mismatch' },
  });
  const session = await engine.start({ hosts: TWO, actions: [WORK] });
  const { held } = await engine.until(session, ({ state }) => state === 'MAINTENANCE_FAILED');
  const host = hostOf(engine, held[0]?.host ?? '');
  await save('host-held', host);
  await session.signal('continue');
  await ended(session);
  await save('session-held-and-continued', session);
  await save('host-continued', host);
}

async function recordHeldForRoom(engine: Engine): Promise<void> {
  await engine.fault({
    match: { operation: 'migrate' },
    effect: { kind: 'fail', status: 409, code: 'NoValidHost', message: 'no valid host was found' },
  });
  const session = await engine.start({ hosts: ONE });
  await engine.until(session, ({ state }) => state === 'MAINTENANCE_FAILED', PATIENCE_MS);
  await save('host-held-for-room', hostOf(engine, 'compute-01'));
  await session.terminate('recorded');
}

async function recordCancelled(engine: Engine): Promise<void> {
  const session = await engine.start({
    hosts: ONE,
    instances: { mode: 'stop' },
    actions: [{ plugin: 'approval', type: 'host' }],
  });
  await engine.until(session, ({ blockedBy }) => blockedBy.length > 0);
  await session.signal('cancel', { reason: 'recorded' });
  await ended(session);
  await save('session-cancelled', session);
  await save('host-rolled-back', hostOf(engine, 'compute-01'));
}

async function recordPaused(engine: Engine): Promise<void> {
  const session = await engine.start({ hosts: TWO, pauseBetweenHosts: '100ms' });
  await session.signal('pause', { reason: 'recorded' });
  await engine.until(session, ({ state }) => state === 'MAINTENANCE_PAUSED');
  await session.executeUpdate('setBudget', { args: [{ maxConcurrentMovesPerHost: 2 }] });
  await session.executeUpdate('continueSession', { args: [{}] });
  await ended(session);
  await save('session-paused', session);
}

async function recordInvalid(engine: Engine): Promise<void> {
  const session = await engine.start({ hosts: ['nowhere'] });
  await ended(session);
  await save('session-invalid', session);
}

/** A session that is handed a history limit of a few events, as a run hands it to the next one. */
async function recordContinuedAsNew(engine: Engine): Promise<void> {
  const input: SessionInput = { site: SITE, hosts: TWO };
  const carried: Carried = {
    table: HostTable.of(TWO, 4).toState(),
    state: 'START_MAINTENANCE',
    startedAt: Date.now(),
    actions: [],
    actionsDone: [],
    actionFailures: 0,
    failedAndRolledBack: 0,
    adopts: [],
    budget: sessionSpec.parse(input).budget,
    historyLimit: 20,
  };
  const { workflow } = engine.client;
  const first = await workflow.start(WORKFLOWS.maintenanceSession, {
    taskQueue: MAINTENANCE_QUEUE,
    workflowId: 'long',
    args: [input, carried],
  });
  await ended(first);
  await save('session-continued-as-new', workflow.getHandle('long', first.firstExecutionRunId));
  await save('session-continued', workflow.getHandle('long'));
}

async function recordReconcile(engine: Engine): Promise<void> {
  const mark = engine.simulator.journal.entries.length;
  const session = await engine.start({
    hosts: ONE,
    instances: { mode: 'stop' },
    actions: [{ plugin: 'wait', type: 'host', metadata: { seconds: 600 } }],
  });
  await engine.seen(({ seq, type }) => seq > mark && type === 'host.entered');
  const host = hostOf(engine, 'compute-01');
  await host.terminate('recorded');
  await session.terminate('recorded');
  const reconcile = await engine.client.workflow.start(WORKFLOWS.reconcile, {
    taskQueue: MAINTENANCE_QUEUE,
    workflowId: 'reconcile',
    args: [{ site: SITE }],
  });
  await ended(reconcile);
  await save('reconcile', reconcile);
  await save('host-put-back', host);
}

/** A part that is handed a history limit of a few events, and the run that follows it. */
async function recordConstraints(engine: Engine): Promise<void> {
  const shard = constraintShard('vnf');
  const { workflow } = engine.client;
  const first = await workflow.start(WORKFLOWS.constraints, {
    taskQueue: MAINTENANCE_QUEUE,
    workflowId: constraintsWorkflowId(SITE, shard),
    args: [
      { site: SITE, shard },
      { state: { instances: [], groups: [] }, historyLimit: 20 },
    ],
  });
  const store = new ConstraintStore(engine.client, SITE);
  for (const recoverySeconds of [1, 2, 3, 4, 5]) {
    await store.put({ kind: 'group', value: groupConstraintOf('vnf', { recoverySeconds }) });
  }
  await store.delete({ kind: 'group', id: 'vnf' });
  await save('constraints-continued-as-new', workflow.getHandle(first.workflowId, first.firstExecutionRunId));
  await save('constraints', workflow.getHandle(first.workflowId));
}

/** Of two projects one agrees to everything, and the other is silent until its host is held. */
async function recordProjects(engine: Engine, tenants: Tenants): Promise<void> {
  tenants.opinions.set('blue', SILENT);
  const session = await engine.start({
    hosts: ONE,
    actions: [WORK],
    projects: { replyWithin: '15s', makeRoomWithin: '15s' },
  });
  await engine.until(session, ({ hosts }) => hosts.held === 1, PATIENCE_MS);
  await save('host-held-by-silence', hostOf(engine, 'compute-01'));
  tenants.opinions.delete('blue');
  await session.signal('continue');
  await ended(session);
  await save('session-asking-projects', session);
  await save('host-asking-projects', hostOf(engine, 'compute-01'));
  const { workflow } = engine.client;
  await save('dialogue', workflow.getHandle(dialogueWorkflowId(session.workflowId, 'red')));
  const [told] = tenants.notices;
  const delivery = workflow.getHandle(deliveryWorkflowId(told?.id ?? '', 'tenants'));
  await ended(delivery);
  await save('delivery', delivery);
}

async function recordCalledOff(engine: Engine): Promise<void> {
  const session = await engine.start({
    hosts: ['compute-02'],
    actions: [{ plugin: 'approval', type: 'host' }],
    projects: {},
    workflow: 'vnf',
  });
  const isAsked = (what: string): boolean => what.includes('approval');
  await engine.until(session, ({ blockedBy }) => blockedBy.some(isAsked), PATIENCE_MS);
  await session.signal('cancel', { reason: 'recorded' });
  await ended(session);
  await save('session-called-off', session);
  await save('host-called-off', hostOf(engine, 'compute-02'));
}

/** The platform keeps the session waiting, and is left open by another one that is terminated. */
async function recordWindows(engine: Engine, windows: Windows): Promise<void> {
  windows.waitsFor = 'a controller';
  const session = await engine.start({ hosts: ONE });
  await engine.until(session, ({ blockedBy }) => blockedBy.includes('a controller'));
  windows.waitsFor = undefined;
  await ended(session);
  await save('session-with-window', session);
  windows.open.add(session.workflowId);
  const reconcile = await engine.client.workflow.start(WORKFLOWS.reconcile, {
    taskQueue: MAINTENANCE_QUEUE,
    workflowId: 'reconcile',
    args: [{ site: SITE }],
  });
  await ended(reconcile);
  await save('reconcile-window', reconcile);
}

async function recordWaits(engine: Engine, letGo: () => void): Promise<void> {
  const session = await engine.start({ hosts: ONE });
  await engine.until(session, ({ blockedBy }) => blockedBy.length > 0, PATIENCE_MS);
  letGo();
  await ended(session);
  await save('host-kept-waiting', hostOf(engine, 'compute-01'));
}

/** The platform checks and empties hosts by itself, and says what to give back only as a host leaves. */
async function recordEmptiedByPlatform(engine: Engine, tower: FakeCloudTower): Promise<void> {
  const refused = await engine.start({ hosts: ['smtx-01'] });
  await engine.until(refused, ({ hosts }) => hosts.held === 1, PATIENCE_MS);
  await refused.signal('cancel', { reason: 'recorded' });
  await ended(refused);
  await save('host-held-over-stops', hostOf(engine, 'smtx-01'));

  const input: Omit<SessionInput, 'site'> = {
    hosts: ['smtx-01'],
    instances: { mode: 'live-then-stop', return: true },
  };
  const session = await engine.start({
    ...input,
    actions: [{ plugin: 'wait', type: 'host', metadata: { seconds: 1 } }],
  });
  await ended(session);
  await save('session-emptied-by-platform', session);
  await save('host-emptied-by-platform', hostOf(engine, 'smtx-01'));

  Object.assign(tower.tower.timings, { enterMs: 10_000 });
  const cancelled = await engine.start(input);
  const isEntering = (): boolean => tower.host('smtx-01').state === 'ENTERING_MAINTENANCE_MODE';
  await engine.until(cancelled, isEntering, PATIENCE_MS);
  await cancelled.signal('cancel', { reason: 'recorded' });
  await ended(cancelled);
  await save('host-told-what-ends', hostOf(engine, 'smtx-01'));
}

/** It breaks while it is worked on, and is taken from the cluster. */
async function recordGone(engine: Engine, tower: FakeCloudTower): Promise<void> {
  const session = await engine.start({
    hosts: ['smtx-04'],
    actions: [{ plugin: 'approval', type: 'host' }],
  });
  await engine.until(session, ({ blockedBy }) => blockedBy.length > 0, PATIENCE_MS);
  tower.tower.hosts.delete(tower.host('smtx-04').id);
  await session.signal('approve', { by: 'recorded' });
  await engine.until(session, ({ hosts }) => hosts.held === 1, PATIENCE_MS);
  await session.signal('continue', { skip: ['smtx-04'] });
  await ended(session);
  await save('host-gone', hostOf(engine, 'smtx-04'));
}

const hostOf = (engine: Engine, name: string): WorkflowHandle =>
  engine.client.workflow.getHandle(hostWorkflowId(SITE, name));

const ended = (handle: WorkflowHandle): Promise<unknown> => handle.result().catch(() => undefined);

async function save(name: string, handle: WorkflowHandle): Promise<void> {
  const history = JSON.stringify(
    JSON.parse(historyToJSON(await handle.fetchHistory()), anywhere),
    undefined,
    2,
  );
  await writeFile(path.join(directory, `${name}.json`), `${history}\n`);
}

/** Leaves out what only says on which machine and in which directory it was recorded; no replay reads it. */
function anywhere(key: string, value: unknown): unknown {
  if (key === 'stackTrace') return undefined;
  const isProcess = typeof value === 'string' && /^\d+@/.test(value);
  return isProcess ? 'worker' : value;
}

/** Three hosts with two instances each, on a site of their own. */
async function withFleet(record: (engine: Engine) => Promise<void>): Promise<void> {
  const engine = await startEngine(fleetOf(3, 2));
  try {
    await record(engine);
  } finally {
    await engine.stop();
  }
}

/** Four hosts with an instance of either project on each. */
async function withTenants(record: (engine: Engine, tenants: Tenants) => Promise<void>): Promise<void> {
  const tenants = await startTenants();
  const { instances, ...fleet } = fleetOf(4, 2);
  const engine = await startEngine(
    { ...fleet, instances: { ...instances, projects: ['red', 'blue'] } },
    (config) => tenants.told(config),
  );
  tenants.speakThrough(engine.client);
  try {
    await record(engine, tenants);
  } finally {
    await engine.stop();
    await tenants.close();
  }
}

/** Hosts enter maintenance only when somebody lets them. */
async function withWaits(record: (engine: Engine, letGo: () => void) => Promise<void>): Promise<void> {
  let waitsFor: string | undefined = 'compute-01 to be released by a controller';
  const create = simulator.create.bind(simulator);
  simulator.create = (...args) => {
    const driver = create(...args);
    const poll = driver.pollTask.bind(driver);
    driver.pollTask = async (task, context) =>
      task.kind === 'enter' && waitsFor !== undefined ? { state: 'running', waitsFor } : poll(task, context);
    return driver;
  };
  try {
    await withFleet((engine) => record(engine, () => (waitsFor = undefined)));
  } finally {
    simulator.create = create;
  }
}

/** Four hosts of a CloudTower in the place of the simulator's. */
async function withCloudTower(
  record: (engine: Engine, tower: FakeCloudTower) => Promise<void>,
): Promise<void> {
  const tower = await FakeCloudTower.start({ hosts: FLEET });
  const { username, password } = FakeCloudTower;
  const options = cloudtower.configSchema.parse({ url: tower.url, username, password });
  const site = { platform: 'cloudtower', reconcileEvery: 'off', options } as const;
  const engine = await startEngine(fleetOf(1, 0), (config) => ({ ...config, sites: { [SITE]: site } }));
  try {
    await record(engine, tower);
  } finally {
    await engine.stop();
    await tower.close();
  }
}

await mkdir(directory, { recursive: true });
await withFleet(async (engine) => {
  await recordDone(engine);
  await recordHeld(engine);
  await recordCancelled(engine);
  await recordPaused(engine);
  await recordInvalid(engine);
  await recordContinuedAsNew(engine);
  await recordReconcile(engine);
  await recordConstraints(engine);
});
await withFleet(recordHeldForRoom);

await withTenants(async (engine, tenants) => {
  await recordProjects(engine, tenants);
  await recordCalledOff(engine);
});

const windows = new Windows();
windows.install();
await withFleet((engine) => recordWindows(engine, windows));
windows.remove();

await withCloudTower(recordEmptiedByPlatform);
await withCloudTower(recordGone);

await withWaits(recordWaits);
