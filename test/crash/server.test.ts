import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkJournal } from '../../src/simulator/checker.ts';
import { reportFrom, startRigWithServer } from '../support/rig.ts';
import { hardSession, randomMoments, untilChanged } from './hard-session.ts';
import { seed, serverKills } from './tier.ts';

test(`a Temporal server that is killed (${serverKills} times, seed ${seed}) and comes back has lost nothing`, async (t) => {
  const site = 'outage';
  const hard = hardSession(site, Math.max(4, serverKills));
  const rig = await startRigWithServer({ [site]: hard.fleet });
  t.after(() => rig.stop());
  const simulator = rig.simulator(site);
  await rig.startWorker();
  const session = await rig.startSession(site, hard.session);
  for (const moment of randomMoments(hard, serverKills, seed)) {
    await untilChanged(simulator, moment);
    await rig.server.kill();
    await rig.server.restart();
  }
  const report = await reportFrom(session);
  assert.equal(report.state, 'MAINTENANCE_DONE');
  assert.deepEqual(checkJournal(simulator.journal.entries, hard.expectations), []);
});
