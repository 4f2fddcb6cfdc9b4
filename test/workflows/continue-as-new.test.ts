/** A session whose history has grown long goes on in a new run, and nobody who watches it notices. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle, WorkflowHandleWithFirstExecutionRunId as Started } from '@temporalio/client';
import type { Progress } from '../../src/core/progress.ts';
import { HostTable } from '../../src/core/host-table.ts';
import type { SessionState } from '../../src/core/session-state.ts';
import { sessionSpec, type SessionInput } from '../../src/core/session-spec.ts';
import { MAINTENANCE_QUEUE, SIGNALS, UPDATES, WORKFLOWS } from '../../src/names.ts';
import { sessionAttributes } from '../../workflows/search-attributes.ts';
import type { Carried } from '../../workflows/session/session-record.ts';
import { reportOf, SITE, startEngine, type Engine } from '../support/engine.ts';
import { fleetOf, hostNames, WORK } from '../support/fleets.ts';
import { taskFailures } from '../support/task-failures.ts';

/** The machine may be busy. */
const PATIENCE_MS = 60_000;
/** So few events that no run takes more than one round of hosts. */
const HISTORY_LIMIT = 20;
const STARTED_AT = Date.parse('2026-01-01T22:00:00Z');

const HOSTS = hostNames(4);
const APPROVAL = { plugin: 'approval', type: 'host' } as const;

describe('a session that continues as new', () => {
  let engine: Engine;
  let mark = 0;
  before(async () => {
    engine = await startEngine(fleetOf(5, 2));
  });
  beforeEach(async () => {
    await engine.clearFaults();
    mark = engine.simulator.journal.entries.length;
  });
  after(() => engine.stop());

  /** A session that has begun in an earlier run, and finds its limit soon. */
  function startLate(id: string, more: Omit<SessionInput, 'site'>): Promise<Started> {
    const input: SessionInput = { site: SITE, hosts: HOSTS, ...more };
    const { budget } = sessionSpec.parse(input);
    const instances = HOSTS.reduce(
      (sum, host) => sum + engine.simulator.datacentre.instancesOn(host).length,
      0,
    );
    const carried: Carried = {
      table: HostTable.of(HOSTS, instances).toState(),
      state: 'START_MAINTENANCE',
      startedAt: STARTED_AT,
      actions: sessionSpec.parse(input).actions,
      actionsDone: [],
      actionFailures: 0,
      failedAndRolledBack: 0,
      adopts: [],
      budget,
      historyLimit: HISTORY_LIMIT,
    };
    return engine.client.workflow.start(WORKFLOWS.maintenanceSession, {
      taskQueue: MAINTENANCE_QUEUE,
      workflowId: id,
      args: [input, carried],
      typedSearchAttributes: sessionAttributes(id, SITE, 'START_MAINTENANCE'),
    });
  }

  const breakWork = (host: string): Promise<void> =>
    engine.fault({
      match: { operation: 'work', host },
      effect: { kind: 'failTask', code: 'FlashFailed', message: 'checksum mismatch' },
    });

  /** It took several runs, and none of them came to a task that failed. */
  async function tookRuns(session: Started, atLeast: number): Promise<void> {
    let runs = 0;
    let runId: string | null | undefined = session.firstExecutionRunId;
    while (runId) {
      const run: WorkflowHandle = engine.client.workflow.getHandle(session.workflowId, runId);
      assert.deepEqual(await taskFailures(run), []);
      const { events } = await run.fetchHistory();
      runId = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
      runs += 1;
    }
    assert.ok(runs >= atLeast, `it took only ${runs} runs`);
  }

  /** Waits until the first run has ended. */
  async function laterRun(session: Started): Promise<void> {
    const first = engine.client.workflow.getHandle(session.workflowId, session.firstExecutionRunId);
    const deadline = Date.now() + PATIENCE_MS;
    while ((await first.describe()).status.name === 'RUNNING') {
      assert.ok(Date.now() < deadline, 'it is still the first run');
      await sleep(100);
    }
  }

  /** Waits until the list of workflows has it in this state. */
  async function isListed(id: string, state: SessionState): Promise<void> {
    const query = `MaintenanceState="${state}" AND MaintenanceSite="${SITE}" AND WorkflowId="${id}" AND ExecutionStatus="Running"`;
    const deadline = Date.now() + PATIENCE_MS;
    while ((await engine.client.workflow.count(query)).count !== 1) {
      assert.ok(Date.now() < deadline, `nothing is found by ${query}`);
      await sleep(100);
    }
  }

  const sinceMark = (type: string): { time: string; host?: string }[] =>
    engine.simulator.journal.entries.filter((entry) => entry.seq > mark && entry.type === type);

  /** Work that ended well in this test, by host. */
  const worked = (): string[] =>
    engine.simulator.journal.entries
      .flatMap((entry) =>
        entry.seq > mark && entry.type === 'work.ended' && entry.outcome === 'ok' ? [entry.host] : [],
      )
      .sort();

  const clean = (expectations: { held?: string[]; maxConcurrentHosts?: number } = {}): void => {
    assert.deepEqual(engine.violations({ maxMovesPerInstance: 99, ...expectations }), []);
  };

  test('takes every host once, and reports as one', async () => {
    const session = await startLate('long', { actions: [WORK] });
    const report = await reportOf(session);
    assert.equal(report.state, 'MAINTENANCE_DONE');
    assert.equal(report.startedAt, new Date(STARTED_AT).toISOString());
    assert.equal(report.hosts.done, 4);
    assert.deepEqual(report.slowest.map(({ host }) => host).sort(), HOSTS);
    assert.equal(report.instances.moved, report.instances.total);
    assert.deepEqual(worked(), HOSTS);
    clean({ maxConcurrentHosts: 1 });
    await tookRuns(session, 3);
  });

  test('keeps what it holds and why, and takes it up again', async () => {
    const broken = ['compute-01', 'compute-03'];
    for (const host of broken) await breakWork(host);
    const session = await startLate('long-held', { actions: [WORK], budget: { maxFailedHosts: 2 } });
    const first = await engine.until(session, ({ hosts }) => hosts.held === 1, PATIENCE_MS);
    const failed = await engine.until(
      session,
      ({ state, hosts }) => state === 'MAINTENANCE_FAILED' && hosts.inFlight === 0,
      PATIENCE_MS,
    );
    await laterRun(session);
    assert.deepEqual(failed.held.map(({ host }) => host).sort(), broken);
    const [hold] = first.held;
    assert.ok(hold);
    assert.deepEqual(
      failed.held.find(({ host }) => host === hold.host),
      hold,
    );
    assert.deepEqual(failed.hosts, {
      total: 4,
      pending: 0,
      inFlight: 0,
      done: 2,
      held: 2,
      skipped: 0,
      rolledBack: 0,
    });
    assert.equal(failed.instances.moved, failed.instances.total, 'those that left held hosts count');
    await isListed('long-held', 'MAINTENANCE_FAILED');
    clean({ held: broken });
    const moves = sinceMark('instance.migration.started').length;

    await engine.clearFaults();
    await session.signal(SIGNALS.continue);
    const report = await reportOf(session);
    assert.equal(report.state, 'MAINTENANCE_DONE');
    assert.deepEqual(report.instances, failed.instances);
    assert.equal(sinceMark('instance.migration.started').length, moves, 'nothing is moved again');
    assert.deepEqual(worked(), HOSTS);
    clean();
    await tookRuns(session, 3);
  });

  test('keeps that a host failed and was put back, and waits to be told', async () => {
    await breakWork('compute-01');
    const session = await startLate('long-rolled-back', { actions: [WORK], onFailure: 'rollback' });
    const failed = await engine.until(session, ({ hosts }) => hosts.rolledBack === 1, PATIENCE_MS);
    assert.equal(failed.hosts.done + failed.hosts.pending, 3);
    const later = await engine.until(
      session,
      ({ state, hosts }) => state === 'MAINTENANCE_FAILED' && hosts.inFlight === 0,
      PATIENCE_MS,
    );
    await laterRun(session);
    assert.match(later.reason, /^1 failed and were rolled back: signal continue to /);
    clean();
    await session.signal(SIGNALS.continue);
    const report = await reportOf(session);
    assert.equal(report.state, 'MAINTENANCE_DONE');
    assert.equal(report.hosts.done, 3);
    assert.ok(
      report.warnings.some((warning) => warning.includes('checksum mismatch')),
      'the report says why',
    );
    clean();
  });

  const asked = ({ inFlight }: Progress): number =>
    inFlight.filter(({ waitsFor }) => waitsFor?.startsWith('approval') === true).length;

  test('stays paused, keeps the budget it was given meanwhile, and goes on with it', async () => {
    const session = await startLate('long-paused', { actions: [APPROVAL, WORK] });
    await engine.until(session, (progress) => asked(progress) === 1, PATIENCE_MS);
    await session.executeUpdate(UPDATES.setBudget, { args: [{ maxConcurrentHosts: 3 }] });
    await session.signal(SIGNALS.pause, { reason: 'coffee' });
    await session.signal(SIGNALS.approve);
    const paused = await engine.until(session, ({ hosts }) => hosts.done === 1, PATIENCE_MS);
    assert.equal(paused.state, 'MAINTENANCE_PAUSED');
    await laterRun(session);
    const still = await engine.progress(session);
    assert.equal(still.state, 'MAINTENANCE_PAUSED');
    assert.equal(still.reason, 'paused: coffee; signal continue to go on');
    assert.deepEqual(still.hosts, paused.hosts);
    assert.equal(sinceMark('host.cordoned').length, 1);

    await session.signal(SIGNALS.continue);
    await engine.until(session, (progress) => asked(progress) === 3, PATIENCE_MS);
    await session.signal(SIGNALS.approve);
    const report = await reportOf(session);
    assert.equal(report.hosts.done, 4);
    assert.deepEqual(worked(), HOSTS);
    clean();
  });

  test('keeps the rest between hosts', async () => {
    const session = await startLate('long-rest', { hosts: HOSTS, pauseBetweenHosts: '2s' });
    assert.equal((await reportOf(session)).hosts.done, 4);
    const cordoned = sinceMark('host.cordoned').map(({ time }) => Date.parse(time));
    const uncordoned = sinceMark('host.uncordoned').map(({ time }) => Date.parse(time));
    const rests = cordoned.slice(1).map((time, index) => time - (uncordoned[index] ?? 0));
    assert.equal(rests.length, 3);
    assert.ok(
      rests.every((rest) => rest >= 2_000),
      `rests of ${rests.join(', ')} ms`,
    );
    clean();
    await tookRuns(session, 3);
  });

  test('loses no message, whichever run it comes to', async () => {
    const session = await startLate('long-talk', { actions: [WORK] });
    for (let count = 1; count <= 40; count++) {
      await session.signal(SIGNALS.pause, { reason: `for the ${count}th time` });
      await session.signal(SIGNALS.continue, { retry: [] });
    }
    await session.signal(SIGNALS.pause, { reason: 'that was all' });
    const paused = await engine.until(session, ({ hosts }) => hosts.inFlight === 0, PATIENCE_MS);
    if (paused.hosts.pending > 0) assert.match(paused.reason, /that was all/);
    await session.signal(SIGNALS.continue, { retry: [] });
    assert.equal((await reportOf(session)).hosts.done, 4);
    assert.deepEqual(worked(), HOSTS);
    clean();
    await tookRuns(session, 3);
  });

  test('is cancelled, and puts back what it held in an earlier run', async () => {
    await breakWork('compute-01');
    const session = await startLate('long-cancelled', { actions: [WORK], budget: { maxFailedHosts: 3 } });
    await engine.until(
      session,
      ({ hosts }) => hosts.held === 1 && hosts.inFlight === 0 && hosts.pending === 0,
      PATIENCE_MS,
    );
    await laterRun(session);
    await session.signal(SIGNALS.cancel, { reason: 'enough' });
    const report = await reportOf(session);
    assert.equal(report.state, 'MAINTENANCE_CANCELLED');
    assert.deepEqual([report.hosts.done, report.hosts.rolledBack], [3, 1]);
    clean();
  });
});
