import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, RawValue } from '@temporalio/common';
import type { Plan, Report } from '../../src/core/progress.ts';
import { MAINTENANCE_QUEUE, WORKFLOWS } from '../../src/names.ts';
import { reportOf, SITE, startEngine, type Engine } from '../support/engine.ts';
import { fleetOf, hostNames, WORK } from '../support/fleets.ts';

describe('a session', () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine(fleetOf(4, 3));
  });
  after(() => engine.stop());

  test('takes every host out and back, and moves each instance once', async () => {
    const session = await engine.start({ actions: [WORK] });
    const report = await reportOf(session);
    assert.equal(report.state, 'MAINTENANCE_DONE');
    assert.deepEqual(report.hosts, {
      total: 4,
      pending: 0,
      inFlight: 0,
      done: 4,
      held: 0,
      skipped: 0,
      rolledBack: 0,
    });
    assert.deepEqual(report.instances, { total: 9, moved: 9, stopped: 0 });
    assert.deepEqual(
      engine.violations({ maxConcurrentHosts: 1, maxConcurrentMovesPerHost: 1, worked: hostNames(4) }),
      [],
    );
  });

  test('is found by its state in the list of workflows', async () => {
    const found: string[] = [];
    const query = 'MaintenanceState="MAINTENANCE_DONE" AND MaintenanceSite="lab"';
    const deadline = Date.now() + 10_000;
    while (found.length === 0 && Date.now() < deadline) {
      for await (const { workflowId } of engine.client.workflow.list({ query })) found.push(workflowId);
    }
    assert.equal(found.length, 1);
  });

  test('as a dry run shows the plan and touches nothing', async () => {
    const requests = engine.simulator.journal.entries.filter(({ type }) => type !== 'request').length;
    const session = await engine.start({ dryRun: true, actions: [WORK] });
    const report = await reportOf(session);
    assert.equal(report.reason, 'dry run: nothing was touched');
    const plan = report.plan as Plan;
    assert.equal(plan.hostCount, 4);
    assert.equal(plan.hosts.length, 4);
    assert.equal(plan.movesBound, 9);
    assert.equal(engine.simulator.journal.entries.filter(({ type }) => type !== 'request').length, requests);
  });

  test('takes only the hosts that a selector means', async () => {
    const session = await engine.start({ hosts: { selector: { zone: 'az1' } }, dryRun: true });
    assert.equal((await reportOf(session)).hosts.total, 4);
    const none = await engine.start({ hosts: { selector: { zone: 'az9' } } });
    await assert.rejects(
      none.result(),
      hasFailed('InvalidSession', /no host of the site has the labels zone=az9/),
    );
  });

  test('waits for maintenanceAt', async () => {
    const at = new Date(Date.now() + 3_000).toISOString();
    const session = await engine.start({ hosts: ['compute-01'], maintenanceAt: at });
    const waiting = await engine.until(session, ({ hosts }) => hosts.total === 1);
    assert.equal(waiting.state, 'MAINTENANCE');
    assert.match(waiting.reason, /waits for maintenanceAt/);
    await reportOf(session);
    const cordoned = engine.simulator.journal.entries.findLast(({ type }) => type === 'host.cordoned');
    assert.ok(
      cordoned && Date.parse(cordoned.time) >= Date.parse(at),
      'the host was touched before its time',
    );
  });

  const wrong: [string, Record<string, unknown>, RegExp][] = [
    ['an unknown site', { site: 'atlantis' }, /site: no worker serves a site named "atlantis".*lab/],
    [
      'an unknown host',
      { hosts: ['compute-01', 'compute-99'] },
      /hosts\.1: the site has no host "compute-99"/,
    ],
    [
      'a host that is listed twice',
      { hosts: ['compute-01', 'compute-01'] },
      /hosts\.1: "compute-01" is listed twice/,
    ],
    ['a date in the past', { maintenanceAt: '2020-01-01T00:00:00Z' }, /maintenanceAt: .*is in the past/],
    [
      'a window that ends before it begins',
      { maintenanceAt: '2999-01-02T00:00:00Z', maintenanceUntil: '2999-01-01T00:00:00Z' },
      /maintenanceUntil: .*is not after/,
    ],
    [
      'a budget that contradicts itself',
      { budget: { maxConcurrentMoves: 1, maxConcurrentMovesPerHost: 5 } },
      /budget\.maxConcurrentMovesPerHost: 5 is more than/,
    ],
    [
      'notes within notes within notes …',
      { metadata: { note: nested(101) } },
      /metadata: must not nest deeper than 100 levels/,
    ],
    ['an unknown key', { budjet: {} }, /budjet: is not a key of a session/],
    ['a wrong type', { budget: { maxConcurrentHosts: 'many' } }, /budget\.maxConcurrentHosts: /],
    [
      'an unknown action',
      { actions: [{ plugin: 'pray', type: 'host' }] },
      /actions\.0\.plugin: there is no action "pray"/,
    ],
    [
      'an endpoint that is not configured',
      { actions: [{ plugin: 'webhook', type: 'host', metadata: { endpoint: 'nowhere' } }] },
      /actions\.0\.metadata\.endpoint: "nowhere" is not in the configuration/,
    ],
    [
      'a webhook that is told too much',
      { actions: [{ plugin: 'webhook', type: 'host', metadata: { endpoint: 'work', bodi: {} } }] },
      /actions\.0\.metadata: .*"bodi"/,
    ],
    [
      'a wait that is no number',
      { actions: [{ plugin: 'wait', type: 'host', metadata: { seconds: 'five' } }] },
      /actions\.0\.metadata\.seconds: must be a number/,
    ],
    [
      'an override for nobody',
      { instances: { overrides: { ghost: 'stop' } } },
      /instances\.overrides\.ghost: /,
    ],
    [
      'a session to resume that never was',
      { resumeFrom: 'ghost' },
      /resumeFrom: there is no session "ghost"/,
    ],
    [
      'a drain by a platform that does not empty hosts',
      { drain: 'platform' },
      /drain: "platform" is not possible on platform simulator; possible is engine/,
    ],
    [
      'options for another platform',
      { vsphere: { vsanMode: 'evacuateAllData' } },
      /vsphere: the site is of platform simulator, which does not read it/,
    ],
    [
      'a vSAN mode that there is not',
      { vsphere: { vsanMode: 'all' as never } },
      /vsphere\.vsanMode: .*"noAction"\|"ensureObjectAccessibility"\|"evacuateAllData"/,
    ],
    [
      'to remove a node for good without saying it twice',
      { 'vsphere-supervisor': { action: 'PermanentNodeRemoval' } },
      /vsphere-supervisor\.confirmPermanentNodeRemoval: must be true with action PermanentNodeRemoval/,
    ],
    [
      'to confirm what was not asked for',
      { 'vsphere-supervisor': { confirmPermanentNodeRemoval: true } },
      /vsphere-supervisor\.confirmPermanentNodeRemoval: must be true with action PermanentNodeRemoval/,
    ],
  ];
  for (const [name, input, message] of wrong) {
    test(`refuses ${name} and touches nothing`, async () => {
      const before = changes(engine);
      const session = await engine.start(input);
      await assert.rejects(session.result(), hasFailed('InvalidSession', message));
      assert.equal(changes(engine), before);
    });
  }

  test('refuses notes that nest deeper than any stack, instead of trying for ever', async () => {
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    const data = bytes(
      `{"site": "${SITE}", "metadata": {"note": ${'['.repeat(50_000)}${']'.repeat(50_000)}}}`,
    );
    const session = await engine.client.workflow.start(WORKFLOWS.maintenanceSession, {
      taskQueue: MAINTENANCE_QUEUE,
      workflowId: 'bottomless',
      args: [RawValue.fromPayload({ metadata: { encoding: bytes('json/plain') }, data })],
    });
    await assert.rejects(session.result(), hasFailed('InvalidSession', /metadata: must not nest deeper/));
  });

  test('refuses an input that is no session at all', async () => {
    for (const input of [null, 'rack-12', 42, []]) {
      const handle = await engine.client.workflow.start('maintenanceSession', {
        taskQueue: 'maintenance',
        workflowId: `odd-${JSON.stringify(input)}`,
        args: [input],
      });
      await assert.rejects(
        handle.result(),
        hasFailed('InvalidSession', input === null ? /the input is missing/ : /expected object/),
      );
    }
  });

  test('pauses, refuses to be continued with nonsense, and goes on', async () => {
    const session = await engine.start({ hosts: ['compute-01', 'compute-02'], pauseBetweenHosts: '300ms' });
    await session.signal('pause', { reason: 'coffee' });
    const paused = await engine.until(
      session,
      ({ state, hosts }) => state === 'MAINTENANCE_PAUSED' && hosts.total === 2 && hosts.inFlight === 0,
    );
    assert.match(paused.reason, /coffee/);
    await assert.rejects(
      session.executeUpdate('continueSession', { args: [{ retry: ['compute-77'] }] }),
      refusedWith(/retry\.0: "compute-77" is not a host of this session/),
    );
    await session.signal('continue', { retry: ['compute-77'] });
    const refused = await engine.until(session, ({ reason }) => reason.includes('changed nothing'));
    assert.equal(refused.state, 'MAINTENANCE_PAUSED');
    const answer = await session.executeUpdate<{ state: string }, [unknown]>('continueSession', {
      args: [{}],
    });
    assert.notEqual(answer.state, 'MAINTENANCE_PAUSED');
    assert.equal((await reportOf(session)).state, 'MAINTENANCE_DONE');
  });

  test('takes a new budget while it runs, and refuses one that contradicts itself', async () => {
    const session = await engine.start({ hosts: hostNames(3), pauseBetweenHosts: '200ms' });
    await session.executeUpdate('setBudget', {
      args: [{ maxConcurrentHosts: 2, maxConcurrentMovesPerHost: 3 }],
    });
    await assert.rejects(
      session.executeUpdate('setBudget', { args: [{ maxConcurrentMoves: 2 }] }),
      refusedWith(/maxConcurrentMovesPerHost: 3 is more than/),
    );
    assert.equal((await reportOf(session)).state, 'MAINTENANCE_DONE');
    assert.deepEqual(engine.violations({ maxConcurrentHosts: 2, maxMovesPerInstance: 99 }), []);
  });

  test('stops starting hosts that would not be done before the window ends', async () => {
    const until = new Date(Date.now() + 4_000).toISOString();
    const session = await engine.start({
      hosts: hostNames(3),
      maintenanceUntil: until,
      actions: [{ plugin: 'wait', type: 'host', metadata: { seconds: 2 } }],
    });
    const paused = await engine.until(
      session,
      ({ state, hosts }) => state === 'MAINTENANCE_PAUSED' && hosts.total === 3 && hosts.inFlight === 0,
    );
    assert.match(paused.reason, /WindowClosed/);
    assert.ok(paused.hosts.pending > 0);
    await assert.rejects(
      session.executeUpdate('continueSession', { args: [{}] }),
      refusedWith(/maintenance window has ended/),
    );
    await session.signal('continue', { maintenanceUntil: new Date(Date.now() + 600_000).toISOString() });
    assert.equal((await reportOf(session)).hosts.done, 3);
  });

  test('describes its signals and queries', async () => {
    const session = await engine.start({
      hosts: ['compute-01'],
      maintenanceAt: new Date(Date.now() + 60_000).toISOString(),
    });
    const metadata = await session.query<{
      definition: { signalDefinitions: { name: string; description: string }[] };
    }>('__temporal_workflow_metadata');
    for (const name of ['cancel', 'continue', 'pause', 'approve']) {
      assert.ok(
        metadata.definition.signalDefinitions.find((signal) => signal.name === name)?.description,
        name,
      );
    }
    await engine.until(session, ({ hosts }) => hosts.total === 1);
    await session.signal('cancel', { reason: 'only looking' });
    const report: Report = await reportOf(session);
    assert.equal(report.state, 'MAINTENANCE_CANCELLED');
    assert.equal(report.hosts.pending, 1);
  });
});

const changes = (engine: Engine): number =>
  engine.simulator.journal.entries.filter(({ type }) => type !== 'request').length;

const hasFailed =
  (type: string, message: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(
      error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure,
      String(error),
    );
    assert.equal(error.cause.type, type);
    assert.match(error.cause.message, message);
    return true;
  };

function nested(depth: number): unknown {
  return depth === 0 ? 'at last' : [nested(depth - 1)];
}

/** An update is refused with these words. */
const refusedWith =
  (message: RegExp) =>
  (error: Error): boolean => {
    assert.match(error.cause instanceof Error ? error.cause.message : error.message, message);
    return true;
  };
