import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import type { Progress } from '../../src/core/progress.ts';
import { reportOf, SITE, startEngine, type Engine } from '../support/engine.ts';
import { fleetOf, WORK } from '../support/fleets.ts';

/** The machine may be busy. */
const PATIENCE_MS = 60_000;
const REST = { plugin: 'approval', type: 'host' } as const;

describe('one host, one session', () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine(fleetOf(3, 2));
  });
  beforeEach(() => engine.clearFaults());
  after(() => engine.stop());

  const clean = (): void => {
    assert.deepEqual(engine.violations({ maxMovesPerInstance: 99 }), []);
  };

  test('the second session waits, and names the first', async () => {
    const first = await engine.start({ hosts: ['compute-01'], actions: [REST] }, 'lock-first');
    await engine.until(first, ({ blockedBy }) => blockedBy.some((what) => what.startsWith('approval')));
    const second = await engine.start({ hosts: ['compute-01'] }, 'lock-second');
    const waiting = await engine.until(second, ({ blockedBy }) => blockedBy.length > 0);
    assert.match(waiting.blockedBy.join(), /compute-01.*session lock-first/);
    await first.signal('approve', { host: 'compute-01', by: 'me' });
    assert.equal((await reportOf(first)).hosts.done, 1);
    assert.equal((await reportOf(second)).hosts.done, 1);
    clean();
  });

  test('the second session holds the host where it is told not to wait', async () => {
    const first = await engine.start({ hosts: ['compute-01'], actions: [REST] }, 'busy-first');
    await engine.until(first, ({ blockedBy }) => blockedBy.some((what) => what.startsWith('approval')));
    const second = await engine.start({ hosts: ['compute-01'], onBusyHost: 'fail' }, 'busy-second');
    const failed = await engine.until(second, ({ state }) => state === 'MAINTENANCE_FAILED');
    const [hold] = failed.held;
    assert.equal(hold?.code, 'HostBusy');
    assert.match(hold.message, /session busy-first/);
    await first.signal('cancel', {});
    await reportOf(first);
    await second.signal('continue');
    assert.equal((await reportOf(second)).hosts.done, 1);
    clean();
  });

  test('a host that another session holds is waited for too', async () => {
    await engine.fault({
      match: { operation: 'work', times: 1 },
      effect: { kind: 'failTask', code: 'FlashFailed', message: 'checksum mismatch' },
    });
    const first = await engine.start({ hosts: ['compute-01'], actions: [WORK] }, 'held-first');
    await engine.until(first, ({ state }) => state === 'MAINTENANCE_FAILED');
    const second = await engine.start({ hosts: ['compute-01'] }, 'held-second');
    const waiting = await engine.until(second, ({ blockedBy }) => blockedBy.length > 0);
    assert.match(waiting.blockedBy.join(), /compute-01.*session held-first/);
    await first.signal('continue');
    assert.equal((await reportOf(first)).hosts.done, 1);
    assert.equal((await reportOf(second)).hosts.done, 1);
    clean();
  });

  const asks = (session: WorkflowHandle): Promise<Progress> =>
    engine.until(
      session,
      ({ inFlight }) => inFlight.some(({ waitsFor }) => waitsFor?.startsWith('approval') === true),
      PATIENCE_MS,
    );
  /** Somebody's own cordon takes the place of a session's mark, so that only the workflow of the host says whose it is. */
  const cordonByHand = async (host: string): Promise<void> => {
    const answer = await engine.simulate('POST', `/v1/hosts/${host}/cordon`, { reason: 'Jo looks at a fan' });
    assert.ok(answer.ok, await answer.text());
  };
  const uncordonByHand = (host: string): Promise<unknown> =>
    engine.simulate('POST', `/v1/hosts/${host}/uncordon`, {});

  for (const marked of [true, false]) {
    const which = marked ? 'carries the mark of another session' : 'has its workflow run by another session';

    test(`a host that ${which} does not keep the others, and is left alone`, async () => {
      if (!marked) await cordonByHand('compute-01');
      const first = await engine.start({ hosts: ['compute-01'], actions: [REST] }, `waited-for-${marked}`);
      await asks(first);
      const second = await engine.start({ hosts: ['compute-01', 'compute-02'] });
      const waiting = await engine.until(
        second,
        ({ hosts, blockedBy }) => hosts.done === 1 && blockedBy.length > 0,
        PATIENCE_MS,
      );
      assert.match(waiting.blockedBy.join(), new RegExp(`compute-01.*session waited-for-${marked}`));
      await second.signal('cancel', { reason: 'no time' });
      const report = await reportOf(second);
      assert.equal(report.state, 'MAINTENANCE_CANCELLED');
      assert.deepEqual(
        [report.hosts.done, report.hosts.pending, report.hosts.rolledBack],
        [1, 1, 0],
        'it counts as not started',
      );

      await asks(first);
      await first.signal('approve', {});
      const done = await reportOf(first);
      assert.deepEqual([done.state, done.hosts.done], ['MAINTENANCE_DONE', 1]);
      if (!marked) await uncordonByHand('compute-01');
      clean();
    });
  }

  test('cancelled while it waits for a host that is still being put back, a session leaves it alone', async () => {
    const first = await engine.start({ hosts: ['compute-01'], actions: [REST] }, 'still-puts-back');
    await asks(first);
    await engine.fault({
      match: { operation: 'exit', host: 'compute-01' },
      effect: { kind: 'fail', status: 500, code: 'Boom', message: 'a bad day' },
    });
    await first.terminate('pulled the plug');
    const second = await engine.start({ hosts: ['compute-01'], resumeFrom: 'still-puts-back' });
    const waiting = await engine.until(second, ({ blockedBy }) => blockedBy.length > 0, PATIENCE_MS);
    assert.match(waiting.blockedBy.join(), /compute-01: session still-puts-back has it/);
    await second.signal('cancel', { reason: 'no time' });
    const report = await reportOf(second);
    assert.deepEqual([report.state, report.hosts.pending], ['MAINTENANCE_CANCELLED', 1]);
    await engine.clearFaults();
    const host = engine.client.workflow.getHandle(`host/${SITE}/compute-01`);
    await assert.rejects(host.result(), 'it ends as cancelled, when the host is back');
    clean();
  });

  test('a host that is not waited for does not keep the others', async () => {
    const first = await engine.start({ hosts: ['compute-01'], actions: [REST] }, 'keeps-one');
    await asks(first);
    const second = await engine.start({
      hosts: ['compute-01', 'compute-02', 'compute-03'],
      onBusyHost: 'fail',
      budget: { maxFailedHosts: 1 },
    });
    const failed = await engine.until(
      second,
      ({ state, hosts }) => state === 'MAINTENANCE_FAILED' && hosts.inFlight === 0,
      PATIENCE_MS,
    );
    assert.equal(failed.hosts.done, 2);
    assert.deepEqual(
      failed.held.map(({ host, code }) => [host, code]),
      [['compute-01', 'HostBusy']],
    );
    await first.signal('approve', {});
    assert.equal((await reportOf(first)).hosts.done, 1);
    await second.signal('continue');
    assert.equal((await reportOf(second)).hosts.done, 3);
    clean();
  });

  test('a session that is open cannot be resumed by another', async () => {
    const first = await engine.start({ hosts: ['compute-01'], actions: [REST] }, 'still-open');
    const second = await engine.start({ hosts: ['compute-01'], resumeFrom: 'still-open' });
    await assert.rejects(second.result(), (error: Error) => {
      assert.match(error.cause instanceof Error ? error.cause.message : '', /"still-open" is still open/);
      return true;
    });
    await first.signal('cancel', {});
    await reportOf(first);
    clean();
  });

  test('a host whose workflow is terminated is held, and taken up again', async () => {
    const session = await engine.start({ hosts: ['compute-01'], actions: [REST, WORK] });
    await engine.until(session, ({ blockedBy }) => blockedBy.some((what) => what.startsWith('approval')));
    await engine.client.workflow.getHandle(`host/${SITE}/compute-01`).terminate('by mistake');
    const failed = await engine.until(session, ({ state }) => state === 'MAINTENANCE_FAILED');
    assert.equal(failed.held[0]?.code, 'HostWorkflowLost');
    await session.signal('continue');
    await engine.until(session, ({ blockedBy }) => blockedBy.some((what) => what.startsWith('approval')));
    await session.signal('approve', {});
    assert.equal((await reportOf(session)).hosts.done, 1);
    clean();
  });
});
