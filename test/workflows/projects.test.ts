import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { Report } from '../../src/core/progress.ts';
import { dialogueWorkflowId } from '../../src/names.ts';
import { reportOf, startEngine, type Engine } from '../support/engine.ts';
import { fleetOf, hostNames, WORK } from '../support/fleets.ts';
import { AGREE, REFUSE, reply, SILENT, startTenants, type Tenants } from '../support/tenants.ts';

/** The machine may be busy. */
const PATIENCE_MS = 120_000;

const HOST = 'compute-01';
const ALL = hostNames(4);
const SEVERAL_MOVES = { maxMovesPerInstance: 99 };

let tenants: Tenants;
let engine: Engine;
/** Ids of the instances on the host, of which each project has one. */
let red: string;
let blue: string;
beforeEach(async () => {
  tenants = await startTenants();
  const { instances, ...fleet } = fleetOf(4, 2);
  engine = await startEngine({ ...fleet, instances: { ...instances, projects: ['red', 'blue'] } }, (config) =>
    tenants.told(config),
  );
  tenants.speakThrough(engine.client);
  const answer = await engine.simulate('GET', `/v1/instances?host=${HOST}`);
  const { instances: here } = (await answer.json()) as { instances: { id: string; project: string }[] };
  assert.deepEqual(here.map(({ project }) => project).sort(), ['blue', 'red']);
  [blue = '', red = ''] = ['blue', 'red'].map((project) => here.find((one) => one.project === project)?.id);
});
afterEach(async () => {
  await engine.stop();
  await tenants.close();
});

const statesFor = (project: string): string[] =>
  tenants.notices.filter((notice) => notice.project === project).map(({ state }) => state);

async function done(session: WorkflowHandle): Promise<Report> {
  const report = await reportOf(session);
  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  return report;
}

test('projects are told, asked about each host before it is touched, and told of each instance', async () => {
  const session = await engine.start({ hosts: ALL, actions: [WORK], projects: {} });
  const report = await done(session);
  assert.deepEqual(report.warnings, []);
  for (const project of ['red', 'blue']) {
    const states = statesFor(project);
    assert.equal(states[0], 'MAINTENANCE');
    assert.equal(states.at(-1), 'MAINTENANCE_COMPLETE');
    const moved = tenants.notices.filter(
      (notice) => notice.project === project && notice.state === 'INSTANCE_ACTION_DONE',
    );
    assert.equal(moved.length, report.instances.moved / 2);
  }
  assert.equal(
    new Set(tenants.notices.map(({ id }) => id)).size,
    tenants.notices.length,
    'each notice has its own id',
  );
  assert.deepEqual(engine.violations(), []);
});

test('a session that asks nobody tells nobody', async () => {
  await done(await engine.start({ hosts: ['compute-01'] }));
  assert.deepEqual(tenants.notices, []);
});

test('projects are told when the session is cancelled, and their answers are taken', async () => {
  tenants.opinions.set('blue', (notice) => (notice.state === 'MAINTENANCE' ? SILENT(notice) : AGREE(notice)));
  const session = await engine.start({ hosts: [HOST], projects: { replyWithin: '1h' } }, 'called-off');
  await engine.until(session, () => tenants.notices.length === 2, PATIENCE_MS);
  await session.signal('cancel', {});
  assert.equal((await reportOf(session)).state, 'MAINTENANCE_CANCELLED');
  for (const project of ['red', 'blue']) {
    const dialogue = engine.client.workflow.getHandle(dialogueWorkflowId('called-off', project));
    assert.deepEqual(await dialogue.result(), { answer: 'agreed', actions: {} });
    const told = tenants.notices.filter((notice) => notice.project === project);
    assert.deepEqual(
      told.map(({ state, cancelled }) => [state, cancelled]),
      [
        ['MAINTENANCE', undefined],
        ['MAINTENANCE_COMPLETE', true],
      ],
    );
  }
});

test('projects are told also of a session that starts at once, and their answers are waited for', async () => {
  tenants.opinions.set('blue', SILENT);
  const session = await engine.start({
    hosts: [HOST],
    maintenanceAt: new Date().toISOString(),
    projects: { onSilence: 'fail' },
  });
  const { reason } = await engine.until(session, ({ state }) => state === 'MAINTENANCE_FAILED', PATIENCE_MS);
  assert.match(reason, /ProjectSilent: blue did not answer MAINTENANCE/);
  assert.deepEqual([statesFor('blue'), statesFor('red')], [['MAINTENANCE'], ['MAINTENANCE']]);
  tenants.opinions.clear();
  await session.signal('continue');
  await done(session);
});

test('metadata that a client of AODH would get cut is warned of', async () => {
  await engine.stop();
  engine = await startEngine(fleetOf(1, 1), (config) => {
    const { notifications } = tenants.told(config);
    const alarms = {
      kind: 'aodh' as const,
      url: 'http://127.0.0.1:1/',
      projects: ['nobody'],
      events: ['maintenance.scheduled' as const],
      timeout: '1s',
    };
    return { ...config, notifications: { ...notifications, sinks: { ...notifications.sinks, alarms } } };
  });
  const tried = async (note: string): Promise<string[]> =>
    (await reportOf(await engine.start({ dryRun: true, projects: {}, metadata: { note } }))).warnings;
  assert.deepEqual(await tried('x'.repeat(243)), []);
  const [warning = '', ...others] = await tried('x'.repeat(244));
  assert.match(warning, /^metadata is too long for sink alarms/);
  assert.deepEqual(others, []);
});

test('what a project chooses is done: cold, live, or by itself', async () => {
  tenants.opinions.set('red', (notice) =>
    notice.instances.includes(red) && notice.allowedActions.length > 0
      ? { state: `ACK_${notice.state}`, instanceActions: { [red]: 'MIGRATE' } }
      : AGREE(notice),
  );
  tenants.opinions.set('blue', async (notice) => {
    if (notice.allowedActions.length === 0) return AGREE(notice);
    return { state: `ACK_${notice.state}`, instanceAction: 'OWN_ACTION' };
  });
  const before = engine.simulator.journal.entries.length;
  const session = await engine.start({ hosts: [HOST], projects: {} });
  await engine.until(
    session,
    ({ inFlight }) => inFlight[0]?.waitsFor?.includes('their projects to act on') === true,
    PATIENCE_MS,
  );
  await engine.simulate('DELETE', `/v1/instances/${blue}`);
  await done(session);
  const moves = engine.simulator.journal.entries
    .slice(before)
    .flatMap((entry) => (entry.type === 'instance.migration.started' ? [[entry.instance, entry.mode]] : []));
  assert.deepEqual(moves, [[red, 'cold']]);
  assert.ok(statesFor('blue').includes('INSTANCE_ACTION_DONE'));
});

describe('a project that does not agree', () => {
  test('holds the host by its name before anything is touched, and is asked again by continue', async () => {
    tenants.opinions.set('red', (notice) =>
      notice.state === 'MAINTENANCE' ? AGREE(notice) : SILENT(notice),
    );
    const before = engine.simulator.journal.entries.length;
    const session = await engine.start({ hosts: [HOST], projects: { replyWithin: '2s' } });
    const { held } = await engine.until(session, ({ hosts }) => hosts.held === 1, PATIENCE_MS);
    assert.deepEqual([held[0]?.code, held[0]?.step], ['ProjectSilent', 'precheck']);
    assert.match(held[0]?.message ?? '', /red did not answer in time about instances on compute-/);
    const touched = engine.simulator.journal.entries.slice(before).map(({ type }) => type);
    assert.deepEqual(
      touched.filter((type) => /cordon|migration/.test(type)),
      [],
    );

    tenants.opinions.set('red', AGREE);
    const asked = statesFor('blue').length;
    await session.signal('continue');
    await done(session);
    // It has agreed before, and is only told what was done.
    assert.deepEqual(
      [...new Set(statesFor('blue').slice(asked))],
      ['INSTANCE_ACTION_DONE', 'MAINTENANCE_COMPLETE'],
    );
    assert.deepEqual(engine.violations(SEVERAL_MOVES), []);
  });

  test('and says no holds the host too, or is passed over where the session says so', async () => {
    tenants.opinions.set('blue', REFUSE);
    const session = await engine.start({ hosts: [HOST], projects: {} });
    const { held } = await engine.until(session, ({ hosts }) => hosts.held === 1, PATIENCE_MS);
    assert.equal(held[0]?.code, 'ProjectRefused');
    assert.match(held[0].message, /blue answered no/);
    await session.signal('cancel', {});
    await reportOf(session);

    const other = await engine.start({ hosts: [HOST], projects: { onRefusal: 'proceed' } });
    const report = await done(other);
    assert.deepEqual(report.warnings, [
      'blue answered no to MAINTENANCE',
      'blue answered no to MAINTENANCE_COMPLETE',
    ]);
  });

  test('fails the session where that is the policy: no host starts', async () => {
    tenants.opinions.set('blue', REFUSE);
    const session = await engine.start({
      hosts: ALL,
      projects: { onRefusal: 'fail' },
      budget: { maxFailedHosts: 3 },
    });
    const { reason, hosts } = await engine.until(
      session,
      ({ state }) => state === 'MAINTENANCE_FAILED',
      PATIENCE_MS,
    );
    assert.match(reason, /ProjectRefused: blue answered no to MAINTENANCE/);
    assert.equal(hosts.pending, 4);
    tenants.opinions.clear();
    await session.signal('continue');
    await done(session);
  });
});

describe('where no host can be emptied', () => {
  const crowded = async (): Promise<Engine> => {
    await engine.stop();
    const { instances, ...fleet } = fleetOf(2, 2, {
      hosts: { count: 2, zones: 1, capacity: { vcpus: 4, memoryMb: 98_304, diskGb: 1_200 } },
      emptyHosts: 0,
    });
    engine = await startEngine(
      { ...fleet, instances: { ...instances, projects: ['red', 'blue'] } },
      (config) => tenants.told(config),
    );
    tenants.speakThrough(engine.client);
    return engine;
  };

  test('projects are asked to make room, each time by a notice of its own, until there is some', async () => {
    await crowded();
    tenants.opinions.set('red', async (notice) => {
      // Half of its instances at the second time of asking.
      if (
        notice.state === 'SCALE_IN' &&
        statesFor('red').filter((state) => state === 'SCALE_IN').length === 2
      ) {
        await engine.simulate('DELETE', `/v1/instances/${notice.instances[0]}`);
        await engine.simulate('DELETE', `/v1/instances/${notice.instances[1]}`);
      }
      return AGREE(notice);
    });
    await done(await engine.start({ hosts: hostNames(2), actions: [WORK], projects: {} }));
    const asked = tenants.notices.filter(({ state }) => state === 'SCALE_IN');
    assert.deepEqual(asked.map(({ project }) => project).sort(), ['blue', 'blue', 'red', 'red']);
    assert.equal(new Set(asked.map(({ id }) => id)).size, 4);
    assert.deepEqual(engine.violations(SEVERAL_MOVES), []);
  });

  test('they are not asked more often than the session says', async () => {
    await crowded();
    const session = await engine.start({
      hosts: hostNames(2),
      projects: { scaleInRounds: 1 },
      timeouts: { precheck: '1s', host: '5s' },
    });
    await engine.until(session, ({ hosts }) => hosts.held === 1, PATIENCE_MS);
    assert.equal(statesFor('blue').filter((state) => state === 'SCALE_IN').length, 1);
    await session.signal('cancel', {});
    await reportOf(session);
  });
});

test('a project of style vnf is asked about each instance', async () => {
  await done(await engine.start({ hosts: [HOST], workflow: 'vnf', projects: {} }));
  const asked = tenants.notices.filter(({ state }) => /^(PREPARE|PLANNED)_/.test(state));
  assert.deepEqual(asked.map(({ instance }) => instance).sort(), [blue, red].sort());
  assert.ok(asked.every(({ instances: named, instance }) => named.length === 1 && named[0] === instance));
});

test('an answer counts once, while it is waited for, and if it answers what is asked', async () => {
  tenants.opinions.set('red', SILENT);
  const id = 'asks-red';
  const session = await engine.start({ hosts: [HOST], projects: { replyWithin: '1h' } }, id);
  await engine.until(session, () => statesFor('red').includes('MAINTENANCE'), PATIENCE_MS);
  assert.match(
    (await engine.progress(session)).blockedBy.join(),
    /an answer of (blue, )?red.* until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/,
  );
  const ask = (said: object) =>
    reply(engine.client, { session: id, project: 'red', state: 'MAINTENANCE' }, said);
  const wrong = await ask({ state: 'ACK_PLANNED_MAINTENANCE' });
  assert.deepEqual([wrong.verdict, /asked is MAINTENANCE/.test(wrong.reason ?? '')], ['refused', true]);
  const impossible = await ask({ instanceAction: 'MIGRATE' });
  assert.deepEqual(
    [impossible.verdict, /nothing is to be chosen/.test(impossible.reason ?? '')],
    ['refused', true],
  );
  const odd = await ask({ instanceActions: { x: 'FLY' } });
  assert.match(odd.reason ?? '', /instanceActions\.x/);

  // As with the Temporal CLI.
  await engine.client.workflow
    .getHandle(dialogueWorkflowId(id, 'red'))
    .signal('answer', { state: 'ACK_MAINTENANCE' });
  tenants.opinions.set('red', AGREE);
  await done(session);
  const late = reply(engine.client, { session: id, project: 'red', state: 'MAINTENANCE' }, {});
  await assert.rejects(late, 'the dialogue has ended');
});
