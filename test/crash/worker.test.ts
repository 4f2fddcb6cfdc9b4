import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { checkJournal } from '../../src/simulator/checker.ts';
import { reportFrom, startRig, untilJournal, type Rig } from '../support/rig.ts';
import { BOUNDARIES, type Boundary } from './boundaries.ts';

describe('a worker that is killed at the boundary of an activity is replaced, and nothing is done twice', () => {
  let rig: Rig;
  let sessions: Map<string, WorkflowHandle>;

  // One kill strikes all boundaries at once: each is held on a site of its own.
  before(async () => {
    rig = await startRig(Object.fromEntries(BOUNDARIES.map(({ name, fleet }) => [name, fleet])));
    const worker = await rig.startWorker();
    sessions = new Map(
      await Promise.all(
        BOUNDARIES.map(async (boundary) => [boundary.name, await bringTo(boundary)] as const),
      ),
    );
    await worker.kill();
    await rig.startWorker();
  });
  after(() => rig.stop());

  async function bringTo(boundary: Boundary): Promise<WorkflowHandle> {
    const { name, session: input, unanswered, reached, cancelAt } = boundary;
    const simulator = rig.simulator(name);
    if (unanswered) {
      const { operation, after = 0, host } = unanswered;
      simulator.faults.add({
        match: { operation, after, probability: 1, times: 1, ...(host === undefined ? {} : { host }) },
        effect: { kind: 'hang' },
      });
    }
    const session = await rig.startSession(name, input);
    if (cancelAt) {
      await untilJournal(simulator, cancelAt, { what: `when to cancel ${name}` });
      await session.signal('cancel', {});
    }
    await untilJournal(simulator, reached, { what: name });
    return session;
  }

  for (const { name, expectations, cancelAt } of BOUNDARIES) {
    test(name, async () => {
      const session = sessions.get(name);
      assert.ok(session);
      const report = await reportFrom(session);
      assert.equal(report.state, cancelAt ? 'MAINTENANCE_CANCELLED' : 'MAINTENANCE_DONE');
      assert.deepEqual(checkJournal(rig.simulator(name).journal.entries, expectations), []);
    });
  }
});
