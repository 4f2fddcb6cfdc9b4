import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFinal, mayGo, SESSION_STATES, type SessionState } from '../../src/core/session-state.ts';

/** Where each state may go, written down a second time: a change of the table has to be meant. */
const ASKING = ['SCALE_IN', 'PREPARE_MAINTENANCE'];
const RUNNING = ['START_MAINTENANCE', 'PLANNED_MAINTENANCE', 'MAINTENANCE_COMPLETE'];
const STOPPED = ['MAINTENANCE_FAILED', 'MAINTENANCE_PAUSED', 'MAINTENANCE_CANCELLED'];
const ALLOWED: Record<SessionState, string[]> = {
  MAINTENANCE: ['SCALE_IN', 'PREPARE_MAINTENANCE', 'START_MAINTENANCE', ...STOPPED],
  SCALE_IN: ['PREPARE_MAINTENANCE', 'START_MAINTENANCE', 'PLANNED_MAINTENANCE', ...STOPPED],
  PREPARE_MAINTENANCE: ['SCALE_IN', 'START_MAINTENANCE', ...STOPPED],
  START_MAINTENANCE: ['SCALE_IN', 'PLANNED_MAINTENANCE', 'MAINTENANCE_COMPLETE', ...STOPPED],
  PLANNED_MAINTENANCE: ['SCALE_IN', 'START_MAINTENANCE', 'MAINTENANCE_COMPLETE', ...STOPPED],
  MAINTENANCE_COMPLETE: ['MAINTENANCE_DONE', 'MAINTENANCE_FAILED', 'MAINTENANCE_CANCELLED'],
  MAINTENANCE_FAILED: ['MAINTENANCE', ...ASKING, ...RUNNING, 'MAINTENANCE_PAUSED', 'MAINTENANCE_CANCELLED'],
  MAINTENANCE_PAUSED: ['MAINTENANCE', ...ASKING, ...RUNNING, 'MAINTENANCE_FAILED', 'MAINTENANCE_CANCELLED'],
  MAINTENANCE_DONE: [],
  MAINTENANCE_CANCELLED: [],
};

for (const from of SESSION_STATES) {
  for (const to of SESSION_STATES) {
    const allowed = from === to || ALLOWED[from].includes(to);
    test(`from ${from} a session ${allowed ? 'may' : 'may not'} go to ${to}`, () => {
      assert.equal(mayGo(from, to), allowed);
    });
  }
}

test('done and cancelled are the ends, and every other state can reach one', () => {
  assert.deepEqual(SESSION_STATES.filter(isFinal), ['MAINTENANCE_DONE', 'MAINTENANCE_CANCELLED']);
  for (const state of SESSION_STATES) {
    assert.ok(isFinal(state) || mayGo(state, 'MAINTENANCE_CANCELLED'), state);
  }
});
