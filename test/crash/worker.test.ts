import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { checkJournal } from '../../src/simulator/checker.ts';
import { reportFrom, startRig, type Rig } from '../support/rig.ts';
import { BOUNDARIES, bringAllTo, fleetsOf } from './boundaries.ts';
import { hardSession, randomMoments, untilChanged } from './hard-session.ts';

/** The soak tier asks for more, and for others. */
const KILLS = Number(process.env.CRASH_KILLS ?? 8);
const SEED = Number(process.env.CRASH_SEED ?? 1);

describe('a worker that is killed at the boundary of an activity is replaced, and nothing is done twice', () => {
  let rig: Rig;
  let sessions: Map<string, WorkflowHandle>;

  // One kill strikes all boundaries at once: each is held on a site of its own.
  before(async () => {
    rig = await startRig(fleetsOf(BOUNDARIES));
    const worker = await rig.startWorker();
    sessions = await bringAllTo(rig, BOUNDARIES);
    await worker.kill();
    await rig.startWorker();
  });
  after(() => rig.stop());

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

test(`a worker that is killed ${KILLS} times at random (seed ${SEED}) brings its session to the end`, async (t) => {
  const site = 'random';
  const hard = hardSession(site, Math.max(8, KILLS / 2));
  const rig = await startRig({ [site]: hard.fleet });
  t.after(() => rig.stop());
  const simulator = rig.simulator(site);
  let worker = await rig.startWorker();
  const session = await rig.startSession(site, hard.session);
  for (const moment of randomMoments(hard, KILLS, SEED)) {
    await untilChanged(simulator, moment);
    await worker.kill();
    worker = await rig.startWorker();
  }
  const report = await reportFrom(session);
  assert.equal(report.state, 'MAINTENANCE_DONE');
  assert.deepEqual(checkJournal(simulator.journal.entries, hard.expectations), []);
});
