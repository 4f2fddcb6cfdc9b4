import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { checkJournal } from '../../src/simulator/checker.ts';
import { reportFrom, startRig, type Rig } from '../support/rig.ts';
import { BOUNDARIES, boundary, bringAllTo, fleetsOf, HOST, STOP, type } from './boundaries.ts';

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

const PLAYS = [...LOOKS, ...BOUNDARIES.filter(({ unanswered }) => unanswered !== undefined)];

describe('a worker that stands still while another takes over does no harm when it goes on', () => {
  let rig: Rig;
  let sessions: Map<string, WorkflowHandle>;

  before(async () => {
    rig = await startRig(fleetsOf(PLAYS));
    const frozen = await rig.startWorker();
    sessions = await bringAllTo(rig, PLAYS, ANSWER_AFTER_MS);
    process.kill(frozen.pid, 'SIGSTOP');
    const stands = sleep(STANDSTILL_MS);
    await rig.startWorker();
    await Promise.all([...sessions.values()].map((session) => reportFrom(session)));
    await stands;
    process.kill(frozen.pid, 'SIGCONT');
    // It ends only after its activities have.
    await frozen.stop();
  });
  after(() => rig.stop());

  for (const { name, expectations, cancelAt } of PLAYS) {
    test(name, async () => {
      const session = sessions.get(name);
      assert.ok(session);
      const report = await reportFrom(session);
      assert.equal(report.state, cancelAt ? 'MAINTENANCE_CANCELLED' : 'MAINTENANCE_DONE');
      assert.deepEqual(checkJournal(rig.simulator(name).journal.entries, expectations), []);
    });
  }
});
