/** Whom a platform keeps a host waiting for, on its way out and on its way back. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import type { Progress } from '../../src/core/progress.ts';
import { simulator } from '../../src/drivers/simulator/driver.ts';
import { hostWorkflowId } from '../../src/names.ts';
import { reportOf, SITE, startEngine, type Engine } from '../support/engine.ts';
import { fleetOf, WORK } from '../support/fleets.ts';

const PATIENCE_MS = 60_000;
const LOOK_MS = 200;
const HOST = 'compute-01';

/** Whom the tasks of this kind wait for, until it is taken away. */
const waits = new Map<string, string>();

describe('a host that its platform keeps waiting', () => {
  const create = simulator.create.bind(simulator);
  let engine: Engine;
  before(async () => {
    simulator.create = (...args) => {
      const driver = create(...args);
      const poll = driver.pollTask.bind(driver);
      driver.pollTask = async (task, context) => {
        const waitsFor = waits.get(task.kind);
        if (waitsFor === undefined) return poll(task, context);
        await sleep(LOOK_MS);
        return { state: 'running', waited: true, waitsFor };
      };
      return driver;
    };
    engine = await startEngine(fleetOf(4, 2));
  });
  after(async () => {
    simulator.create = create;
    await engine.stop();
  });

  const blockedBy = (session: WorkflowHandle, what: string): Promise<Progress> =>
    engine.until(session, (progress) => progress.blockedBy.includes(what), PATIENCE_MS);

  test('says for whom in its session and on its own page, and no longer once it goes on', async () => {
    waits.set('enter', `${HOST} to be released by ceph (40 %)`);
    const session = await engine.start({ hosts: [HOST], actions: [{ ...WORK, plugin: 'approval' }] });
    const { inFlight } = await blockedBy(session, `${HOST} to be released by ceph (40 %)`);
    assert.equal(inFlight[0]?.waitsFor, `${HOST} to be released by ceph (40 %)`);
    const run = engine.client.workflow.getHandle(hostWorkflowId(SITE, HOST));
    const { currentDetails } = await run.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    assert.match(currentDetails, /Waits for:\*\* compute-01 to be released by ceph \(40 %\)/);

    waits.set('enter', `${HOST} to be released by neutron`);
    await blockedBy(session, `${HOST} to be released by neutron`);

    waits.clear();
    const atWork = await engine.until(
      session,
      (progress) => progress.inFlight[0]?.step === 'work' && progress.blockedBy.length > 0,
      PATIENCE_MS,
    );
    assert.ok(!atWork.blockedBy.some((what) => what.includes('released')), atWork.blockedBy.join('; '));

    waits.set('exit', `${HOST} to be taken back by ceph (failed)`);
    await session.signal('approve', { by: 'jo' });
    await blockedBy(session, `${HOST} to be taken back by ceph (failed)`);
    waits.clear();
    assert.equal((await reportOf(session)).state, 'MAINTENANCE_DONE');
  });

  test('says for whom when it has waited too long', async () => {
    waits.set('enter', `${HOST} to be released by ceph`);
    const session = await engine.start({ hosts: [HOST], timeouts: { enter: '5s' } });
    const { held } = await engine.until(session, ({ hosts }) => hosts.held === 1, PATIENCE_MS);
    assert.match(held[0]?.message ?? '', /took longer than its timeout: it waited for .*released by ceph/);
    waits.clear();
    const history = await engine.client.workflow.getHandle(hostWorkflowId(SITE, HOST)).fetchHistory();
    const signals = history.events?.filter(({ workflowExecutionSignaledEventAttributes: signal }) => signal);
    assert.equal(signals?.length, 1, 'what has not changed is told once');
    await session.signal('cancel');
    assert.equal((await reportOf(session)).state, 'MAINTENANCE_CANCELLED');
  });
});
