import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderPlan, renderReport, renderSessions } from '../../src/cli/render-report.ts';
import type { Plan, Report } from '../../src/core/progress.ts';
import { HOLD, progressOf } from './progress.ts';

const { hosts, instances } = progressOf();
const REPORT: Report = {
  session: 'rack-12',
  site: 'demo',
  state: 'MAINTENANCE_DONE',
  reason: '',
  startedAt: '2027-03-01T22:00:00Z',
  endedAt: '2027-03-01T22:05:00Z',
  hosts,
  instances,
  held: [],
  slowest: [{ host: 'compute-3', durationMs: 90_000 }],
  warnings: [],
};

test('a report tells state, duration, counts and the slowest hosts', () => {
  assert.deepEqual(renderReport(REPORT), [
    'rack-12 at demo · MAINTENANCE_DONE',
    'started 2027-03-01T22:00:00Z · took 5 min',
    '3 of 12 hosts done · 1 out · 15 of 60 instances moved',
    '',
    'slowest:',
    '  compute-3 90 s',
  ]);
});

test('a report of a session that stands still says why, and what is held', () => {
  const { endedAt: _, ...open } = REPORT;
  const lines = renderReport({ ...open, state: 'MAINTENANCE_FAILED', reason: '1 held', held: [HOLD] });
  assert.equal(lines[0], 'rack-12 at demo · MAINTENANCE_FAILED · 1 held');
  assert.match(lines[1] ?? '', /not ended/);
  assert.ok(lines.includes('  compute-7 at work · ActionFailed: the image is corrupt'));
});

const PLAN: Plan = {
  hosts: [
    { host: 'compute-10', moves: 0, stops: 0, targets: [], startsAfter: 0, seconds: 5, blockers: [] },
    {
      host: 'compute-1',
      moves: 12,
      stops: 1,
      targets: ['compute-10', 'compute-2', 'compute-3', 'compute-4'],
      startsAfter: 5,
      seconds: 180,
      blockers: ['db-1 has nowhere to go'],
    },
  ],
  hostCount: 70,
  moves: 300,
  movesBound: 290,
  makespan: 4000,
  makespanBound: 3600,
  blockers: ['compute-1: db-1 has nowhere to go'],
};

test('a plan shows order, targets, moves, duration and what would block', () => {
  assert.deepEqual(renderPlan('demo', PLAN), [
    'Plan for 70 hosts at demo; nothing was touched.',
    '300 moves (least possible 290) · about 67 min (least possible 60 min)',
    '',
    '#  HOST        AFTER  TAKES  MOVES  STOPS  TARGETS',
    '1  compute-10    0 s    5 s      0      0',
    '2  compute-1     5 s  3 min     12      1  compute-10, compute-2, compute-3 and 1 more',
    'and 68 more hosts; --json has the first 500',
    '',
    'would block:',
    '  compute-1: db-1 has nowhere to go',
  ]);
});

test('sessions are listed in columns', () => {
  const entry = { session: 'a', site: 'demo', state: 'MAINTENANCE_DONE', status: 'COMPLETED' } as const;
  const open = {
    ...entry,
    session: 'longer-name',
    status: 'RUNNING',
    startedAt: '2027-03-01T22:00:00.123Z',
  } as const;
  assert.deepEqual(
    renderSessions([open, { ...entry, startedAt: '2027-03-01T21:00:00Z', endedAt: '2027-03-01T21:30:00Z' }]),
    [
      'SESSION      SITE  STATE             STATUS     STARTED (UTC)        ENDED (UTC)',
      'longer-name  demo  MAINTENANCE_DONE  RUNNING    2027-03-01T22:00:00',
      'a            demo  MAINTENANCE_DONE  COMPLETED  2027-03-01T21:00:00  2027-03-01T21:30:00',
    ],
  );
  assert.deepEqual(renderSessions([]), ['No sessions.']);
});
