import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { checkJournal } from '../../src/simulator/checker.ts';
import { reportFrom, startRig, type Rig } from '../support/rig.ts';
import { BOUNDARIES, bringTo } from './boundaries.ts';
import { hardSession, randomMoments, untilChanged } from './hard-session.ts';
import { seed, workerEnds } from './tier.ts';

describe('a worker that is killed at the boundary of an activity is replaced, and nothing is done twice', () => {
  let rig: Rig;
  let sessions: WorkflowHandle[];

  // One kill strikes all boundaries at once: each is held on a site of its own.
  before(async () => {
    rig = await startRig(Object.fromEntries(BOUNDARIES.map(({ name, fleet }) => [name, fleet])));
    const worker = await rig.startWorker();
    sessions = await Promise.all(BOUNDARIES.map((boundary) => bringTo(rig, boundary)));
    await worker.kill();
    await rig.startWorker();
  });
  after(() => rig.stop());

  for (const [index, { name, expectations, cancelAt }] of BOUNDARIES.entries()) {
    test(name, async () => {
      const session = sessions[index];
      assert.ok(session);
      const report = await reportFrom(session);
      assert.equal(report.state, cancelAt ? 'MAINTENANCE_CANCELLED' : 'MAINTENANCE_DONE');
      assert.deepEqual(checkJournal(rig.simulator(name).journal.entries, expectations), []);
    });
  }
});

test(`a session whose workers end at random (${workerEnds} of them, seed ${seed}) comes to its end`, async (t) => {
  const site = 'random';
  const hard = hardSession(site, Math.max(8, Math.ceil(workerEnds / 2)));
  const rig = await startRig({ [site]: hard.fleet });
  t.after(() => rig.stop());
  const simulator = rig.simulator(site);
  let worker = await rig.startWorker();
  const session = await rig.startSession(site, hard.session);
  for (const [index, moment] of randomMoments(hard, workerEnds, seed).entries()) {
    await untilChanged(simulator, moment);
    await (index % 4 === 3 ? worker.stop() : worker.kill());
    worker = await rig.startWorker();
  }
  const report = await reportFrom(session);
  assert.equal(report.state, 'MAINTENANCE_DONE');
  assert.deepEqual(checkJournal(simulator.journal.entries, hard.expectations), []);
});
