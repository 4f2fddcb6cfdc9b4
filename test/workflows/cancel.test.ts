import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { CancelledFailure, WorkflowFailedError } from '@temporalio/client';
import type { JournalEntry } from '../../src/simulator/journal.ts';
import { reportOf, SITE, startEngine, type Engine } from '../support/engine.ts';
import { fleetOf, WORK } from '../support/fleets.ts';

/** The machine may be busy. */
const PATIENCE_MS = 60_000;

/** Where a host can be when the session is cancelled: a fault that keeps it there, and how the journal shows that it is. */
const MOMENTS: { step: string; operation: string; reached: (entry: JournalEntry) => boolean }[] = [
  { step: 'precheck', operation: 'inventory', reached: (entry) => entry.type === 'fault.injected' },
  { step: 'cordon', operation: 'cordon', reached: (entry) => entry.type === 'fault.injected' },
  { step: 'drain', operation: 'migrate', reached: (entry) => entry.type === 'instance.migration.started' },
  { step: 'enter', operation: 'enter', reached: (entry) => entry.type === 'host.entering' },
  { step: 'work', operation: 'work', reached: (entry) => entry.type === 'work.started' },
  { step: 'exit', operation: 'exit', reached: (entry) => entry.type === 'host.exiting' },
];

describe('a session that is cancelled', () => {
  let engine: Engine;
  let mark = 0;
  before(async () => {
    engine = await startEngine(
      fleetOf(3, 2, {
        durations: { stopMs: 10, startMs: 10, enterMs: 1500, exitMs: 1500, workMs: 1500 },
        migration: { baseMs: 1500, mbPerSecond: 0 },
      }),
    );
  });
  beforeEach(async () => {
    await engine.clearFaults();
    mark = engine.simulator.journal.entries.length;
  });
  after(() => engine.stop());

  const reached = (wish: (entry: JournalEntry) => boolean): Promise<JournalEntry> =>
    engine.seen((entry) => entry.seq > mark && wish(entry));
  const backInService = (): void => {
    assert.deepEqual(engine.violations({ maxMovesPerInstance: 99 }), []);
  };

  for (const { step, operation, reached: isThere } of MOMENTS) {
    test(`rolls back a host in ${step}`, async () => {
      const slowed = ['inventory', 'cordon'].includes(operation);
      const session = await engine.start({ hosts: ['compute-01'], actions: [WORK] }, `cancel-in-${step}`);
      if (operation === 'inventory') await engine.until(session, ({ hosts }) => hosts.inFlight === 1);
      if (slowed) await engine.fault({ match: { operation, times: 1 }, effect: { kind: 'slow', ms: 700 } });
      await reached(isThere).catch(() => undefined);
      await session.signal('cancel', { reason: `in ${step}` });
      const report = await reportOf(session);
      assert.equal(report.state, 'MAINTENANCE_CANCELLED');
      assert.equal(report.hosts.done + report.hosts.rolledBack, 1);
      backInService();
    });
  }

  test('finishes hosts in flight where that is the mode, and starts no more', async () => {
    const session = await engine.start({ actions: [WORK] });
    await reached((entry) => entry.type === 'host.cordoned');
    await session.signal('cancel', { mode: 'finish', reason: 'enough for today' });
    const report = await reportOf(session);
    assert.equal(report.state, 'MAINTENANCE_CANCELLED');
    assert.equal(report.hosts.done, 1);
    assert.equal(report.hosts.pending, 2);
    backInService();
  });

  test('by temporal workflow cancel ends as cancelled, after its hosts are back', async () => {
    const session = await engine.start({ hosts: ['compute-01', 'compute-02'], actions: [WORK] });
    await reached((entry) => entry.type === 'work.started');
    await session.cancel();
    await assert.rejects(
      session.result(),
      (error) => error instanceof WorkflowFailedError && error.cause instanceof CancelledFailure,
    );
    backInService();
  });

  test('by temporal workflow terminate leaves its hosts time to roll back', async () => {
    const session = await engine.start({ hosts: ['compute-01'], actions: [WORK] });
    await reached((entry) => entry.type === 'work.started');
    await session.terminate('pulled the plug');
    await closed(engine.client.workflow.getHandle(`host/${SITE}/compute-01`));
    backInService();
  });

  test('whose host workflow is terminated is put right by reconcile', async () => {
    const rest = { plugin: 'wait', type: 'host', metadata: { seconds: 60 } } as const;
    const session = await engine.start({
      hosts: ['compute-01'],
      instances: { mode: 'stop' },
      actions: [rest],
    });
    await reached((entry) => entry.type === 'host.entered');
    await session.terminate('pulled the plug');
    await engine.client.workflow.getHandle(`host/${SITE}/compute-01`).terminate('and the other one');
    assert.notDeepEqual(engine.violations({ maxMovesPerInstance: 99 }), [], 'something is left to put right');
    const report: unknown = await engine.client.workflow.execute('reconcile', {
      taskQueue: 'maintenance',
      workflowId: 'reconcile-now',
      args: [{ site: SITE }],
    });
    assert.deepEqual(report, { site: SITE, putBack: ['compute-01'], failed: [] });
    backInService();
  });

  for (const again of ['cancel', 'continue']) {
    test(`has failed while a host cannot be put back, and tries again by ${again}`, async () => {
      await engine.fault({
        match: { operation: 'exit', host: 'compute-01' },
        effect: { kind: 'failTask', code: 'StuckBmc', message: 'the controller does not answer' },
      });
      const session = await engine.start({ hosts: ['compute-01', 'compute-02'], actions: [WORK] });
      await reached((entry) => entry.type === 'work.started');
      await session.signal('cancel', { reason: 'enough' });
      const failed = await engine.until(session, ({ state }) => state === 'MAINTENANCE_FAILED', PATIENCE_MS);
      const [hold] = failed.held;
      assert.equal(hold?.host, 'compute-01');
      assert.equal(hold.code, 'RollbackFailed');
      assert.match(hold.message, /could not be put back.*the controller does not answer/);
      assert.deepEqual(failed.blockedBy, [hold.message]);
      assert.equal(failed.reason, 'being cancelled (rollback): enough');
      assert.deepEqual(engine.violations({ maxMovesPerInstance: 99, held: ['compute-01'] }), []);

      await engine.clearFaults();
      await session.signal(again);
      const report = await reportOf(session);
      assert.equal(report.state, 'MAINTENANCE_CANCELLED');
      assert.deepEqual([report.hosts.rolledBack, report.hosts.pending, report.hosts.held], [1, 1, 0]);
      backInService();
    });
  }

  test('resumes as a new session where it was terminated', async () => {
    const first = await engine.start({ hosts: ['compute-01', 'compute-02'], actions: [WORK] }, 'first');
    await engine.until(first, ({ hosts }) => hosts.done === 1 && hosts.inFlight === 1);
    await first.terminate('pulled the plug');
    const second = await engine.start(
      { hosts: ['compute-01', 'compute-02'], actions: [WORK], resumeFrom: 'first' },
      'second',
    );
    const report = await reportOf(second);
    assert.equal(report.hosts.done, 2);
    const done = engine.simulator.journal.entries.filter(
      (entry) => entry.seq > mark && entry.type === 'work.ended' && entry.outcome === 'ok',
    );
    assert.ok(done.length <= 3, 'the host that was done is not done again');
    backInService();
  });

  test('goes on after its workflow is reset, and repeats no host', async () => {
    const session = await engine.start(
      { hosts: ['compute-01', 'compute-02'], actions: [WORK] },
      'to-be-reset',
    );
    await engine.until(session, ({ hosts }) => hosts.done === 1 && hosts.inFlight === 1);
    const { runId } = await session.describe();
    await engine.client.workflowService.resetWorkflowExecution({
      namespace: engine.namespace,
      workflowExecution: { workflowId: 'to-be-reset', runId },
      reason: 'try',
      requestId: 'reset-1',
      workflowTaskFinishEventId: 4 as never,
    });
    const report = await reportOf(engine.client.workflow.getHandle('to-be-reset'));
    assert.equal(report.hosts.done, 2);
    const works = engine.simulator.journal.entries.filter(
      (entry) => entry.seq > mark && entry.type === 'work.started',
    );
    assert.equal(works.length, 2, 'each host is worked on once');
    backInService();
  });
});

/** Waits until a workflow has closed, however it ended. */
async function closed(handle: WorkflowHandle): Promise<void> {
  await handle.result().catch(() => undefined);
}
