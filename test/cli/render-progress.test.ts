import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeChanges, renderProgress } from '../../src/cli/render-progress.ts';
import { HOLD, progressOf } from './progress.ts';

const AT = { columns: 120, now: new Date('2027-03-01T22:01:00Z') };

test('the picture has a bar in all and one for each host that is out', () => {
  const [head, all, host, next, ...rest] = renderProgress(progressOf({ eta: '2027-03-01T22:04:00Z' }), AT);
  assert.equal(head, 'rack-12 at demo · PLANNED_MAINTENANCE');
  assert.equal(
    all,
    '████████░░░░░░░░░░░░░░░░░░░░░░ 25 % · 3 of 12 hosts done · 1 out · 15 of 60 instances moved · about 3 min to go',
  );
  assert.equal(host, '  compute-3  █████░░░░░░░░░░░  drain, 2 of 4 instances have left');
  assert.equal(next, '  next: compute-4');
  assert.deepEqual(rest, []);
});

test('what is held and what blocks is told once, by name', () => {
  const held = progressOf({
    state: 'MAINTENANCE_FAILED',
    reason: '1 held',
    inFlight: [],
    held: [HOLD],
    next: [],
    blockedBy: [HOLD.message, 'no room for db-1'],
  });
  assert.deepEqual(renderProgress(held, AT).slice(2), [
    '  compute-7  held at work · ActionFailed: the image is corrupt',
    '  blocked by: no room for db-1',
  ]);
});

test('many hosts are cut, and so are long lines', () => {
  const inFlight = Array.from({ length: 50 }, (_, index) => ({
    host: `compute-${index}`,
    step: 'work' as const,
    moved: 0,
    total: 0,
    since: '2027-03-01T22:00:00Z',
    waitsFor: 'x'.repeat(200),
  }));
  const { hosts } = progressOf();
  const lines = renderProgress(progressOf({ inFlight, hosts: { ...hosts, inFlight: 300 } }), {
    ...AT,
    columns: 80,
  });
  assert.equal(lines.length, 24);
  assert.ok(lines.includes('  and 280 more out'), lines.join('\n'));
  assert.ok(lines.every((line) => line.length <= 80));
});

test('before anything is known there is nothing to count', () => {
  const { hosts } = progressOf();
  const [, all] = renderProgress(progressOf({ hosts: { ...hosts, total: 0 }, percent: 0, inFlight: [] }), AT);
  assert.match(all ?? '', /0 % · its hosts are not known yet$/);
});

test('without a picture, what changed is told a line each', () => {
  const first = progressOf();
  assert.deepEqual(describeChanges(undefined, first), [
    'PLANNED_MAINTENANCE',
    'compute-3: drain, 2 of 4 instances have left',
    '25 % · 3 of 12 hosts done · 1 out · 15 of 60 instances moved',
  ]);
  assert.deepEqual(describeChanges(first, first), []);

  const waiting = progressOf({
    inFlight: first.inFlight.map((host) => ({ ...host, moved: 3, waitsFor: 'web-1 on compute-4' })),
  });
  assert.deepEqual(describeChanges(first, waiting), [
    'compute-3: drain, 3 of 4 instances have left',
    'compute-3 waits for web-1 on compute-4',
  ]);

  const { hosts } = first;
  const next = progressOf({
    percent: 33,
    hosts: { ...hosts, done: 4 },
    inFlight: [{ host: 'compute-4', step: 'precheck', moved: 0, total: 0, since: '2027-03-01T22:00:30Z' }],
  });
  assert.deepEqual(describeChanges(waiting, next), [
    'compute-4: precheck',
    'compute-3: back in service',
    '33 % · 4 of 12 hosts done · 1 out · 15 of 60 instances moved',
  ]);
});

test('a host that is held, and held again, is told each time', () => {
  const out = progressOf({ inFlight: [{ host: 'compute-7', step: 'work', moved: 0, total: 0, since: 'x' }] });
  const held = progressOf({ state: 'MAINTENANCE_FAILED', reason: '1 held', inFlight: [], held: [HOLD] });
  const line = 'compute-7: held at work · ActionFailed: the image is corrupt';
  assert.deepEqual(describeChanges(out, held), ['MAINTENANCE_FAILED: 1 held', line]);
  assert.deepEqual(describeChanges(held, held), []);
  const again = { ...held, held: [{ ...HOLD, since: '2027-03-01T22:05:00Z' }] };
  assert.deepEqual(describeChanges(held, again), [line]);
});

test('what blocks beside hosts is told once', () => {
  const before = progressOf({});
  const blocked = progressOf({ blockedBy: ['the cluster to be released by ceph'] });
  assert.deepEqual(describeChanges(before, blocked), ['blocked by: the cluster to be released by ceph']);
  assert.deepEqual(describeChanges(blocked, blocked), []);
});
