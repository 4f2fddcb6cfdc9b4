import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { reportOf, SITE, startEngine, type Engine } from '../support/engine.ts';
import { fleetOf, WORK } from '../support/fleets.ts';

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
