import assert from 'node:assert/strict';
import test from 'node:test';
import { NO_DEPARTURES } from '../../../src/core/planning/departures.ts';
import { drainSeconds, hostSeconds, workSeconds } from '../../../src/core/planning/estimate.ts';
import type { ActionSpec } from '../../../src/core/session-spec.ts';
import { GB, makeInstance } from './fleet.ts';

const wait = (type: ActionSpec['type'], seconds: number): ActionSpec => ({
  plugin: 'wait',
  type,
  metadata: { seconds },
});
const action = (plugin: string, type: ActionSpec['type']): ActionSpec => ({
  plugin,
  type,
  metadata: { seconds: 600 },
});

test('the work on a host takes as long as its waits, by role', () => {
  const actions = [
    wait('host', 10),
    wait('compute', 5),
    wait('controller', 7),
    wait('pre', 100),
    action('webhook', 'host'),
  ];
  assert.deepEqual(workSeconds(actions), { compute: 15, controller: 17, other: 10 });
  assert.deepEqual(workSeconds([{ plugin: 'wait', type: 'host' }]), { compute: 0, controller: 0, other: 0 });
});

const moves = (...gb: number[]) =>
  gb.map((size, index) => makeInstance(`vm-${index}`, 'c-1', size * GB, { groups: ['db'] }));
const cases: [string, Parameters<typeof drainSeconds>[0], number, Record<string, number>, number, number?][] =
  [
    ['nothing leaves', NO_DEPARTURES, 1, {}, 0],
    ['one after the other', { ...NO_DEPARTURES, moves: moves(10, 20, 30) }, 1, {}, 66],
    ['three at once: the longest', { ...NO_DEPARTURES, moves: moves(10, 20, 30) }, 3, {}, 32],
    ['two at once', { ...NO_DEPARTURES, moves: moves(10, 20, 30) }, 2, {}, 33],
    [
      'slots enough, but one of the group at once',
      { ...NO_DEPARTURES, moves: moves(10, 20, 30) },
      3,
      { db: 1 },
      66,
    ],
    [
      'one of the group at once, which then recovers for a minute',
      { ...NO_DEPARTURES, moves: moves(10, 20, 30) },
      3,
      { db: 1 },
      186,
      60,
    ],
    [
      'as many of the group as there are, which then recover',
      { ...NO_DEPARTURES, moves: moves(10) },
      1,
      { db: 1 },
      12,
      60,
    ],
    ['stopped', { ...NO_DEPARTURES, stops: moves(10, 20, 30) }, 1, {}, 6],
  ];
for (const [name, departures, moveSlots, groupShares, expected, recovery = 0] of cases) {
  test(`a drain at 1 GB/s, ${name}: ${expected} s`, () => {
    assert.equal(
      drainSeconds(departures, { moveSlots, groupShares }, GB, { recoveryOf: () => recovery }),
      expected,
    );
  });
}

test('a host lasts until what it moved has recovered, and once more where instances return', () => {
  assert.equal(hostSeconds(10, 30, false, 60) - hostSeconds(10, 30, false), 30);
  assert.equal(hostSeconds(10, 90, false, 60) - hostSeconds(10, 90, false), 0);
  assert.equal(hostSeconds(10, 90, true, 60) - hostSeconds(10, 90, true), 60);
});
