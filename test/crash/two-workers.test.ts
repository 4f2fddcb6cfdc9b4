import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { checkJournal } from '../../src/simulator/checker.ts';
import { reportFrom, startRig, untilJournal, type Rig } from '../support/rig.ts';
import { boundary, bringAllTo, fleetsOf, HOST, STOP, type } from './boundaries.ts';
import { hardSession } from './hard-session.ts';

const STANDSTILL_MS = 10_000;

/** The answers are there before the worker goes on: it has then seen what is no longer so. */
const ANSWER_AFTER_MS = 8_000;

/** The last look before an order: the worst place to stand still, since the order is what comes next. */
const LOOKS = [
  boundary('looked-before-cordon', {
    unanswered: { operation: 'inventory', host: HOST, after: 2 },
    reached: type('fault.injected'),
  }),
  boundary('looked-before-move', {
    unanswered: { operation: 'tasks' },
    reached: type('fault.injected'),
  }),
  boundary('looked-before-stop', {
    instances: STOP,
    unanswered: { operation: 'tasks' },
    reached: type('fault.injected'),
  }),
  boundary('looked-before-enter', {
    unanswered: { operation: 'inventory', host: HOST, after: 4 },
    reached: type('fault.injected'),
  }),
  boundary('looked-before-exit', {
    unanswered: { operation: 'tasks', after: 2 },
    reached: type('fault.injected'),
  }),
];

describe('a worker that stands still between a look and an order, while another takes over', () => {
  let rig: Rig;
  let sessions: Map<string, WorkflowHandle>;

  before(async () => {
    rig = await startRig(fleetsOf(LOOKS));
    const frozen = await rig.startWorker();
    sessions = await bringAllTo(rig, LOOKS, ANSWER_AFTER_MS);
    process.kill(frozen.pid, 'SIGSTOP');
    const standstill = sleep(STANDSTILL_MS);
    await rig.startWorker();
    for (const session of sessions.values()) await reportFrom(session);
    await standstill;
    process.kill(frozen.pid, 'SIGCONT');
    // It ends only after its activities have: then it has done what it meant to.
    await frozen.stop();
  });
  after(() => rig.stop());

  for (const { name, expectations } of LOOKS) {
    test(`gives no order that is out of date: ${name}`, () => {
      assert.deepEqual(checkJournal(rig.simulator(name).journal.entries, expectations), []);
    });
  }
});

test('a worker that stands still in the middle of a drain, and comes back, repeats nothing', async (t) => {
  const site = 'partition';
  const hard = hardSession(site, 4);
  const rig = await startRig({ [site]: hard.fleet });
  t.after(() => rig.stop());
  const simulator = rig.simulator(site);
  const [frozen] = await Promise.all([rig.startWorker(), rig.startWorker()]);
  const session = await rig.startSession(site, hard.session);
  await untilJournal(simulator, type('instance.migration.started'), 'a move');
  process.kill(frozen.pid, 'SIGSTOP');
  await sleep(STANDSTILL_MS);
  process.kill(frozen.pid, 'SIGCONT');
  const report = await reportFrom(session);
  assert.equal(report.state, 'MAINTENANCE_DONE');
  assert.deepEqual(checkJournal(simulator.journal.entries, hard.expectations), []);
});
