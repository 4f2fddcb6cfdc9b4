import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decideInstance, type Verdict } from '../../src/core/decide-instances.ts';
import type { HostSpec } from '../../src/core/host-run.ts';
import { INSTANCE_STATES, type InstanceAbility, type InstanceState } from '../../src/core/inventory.ts';
import { INSTANCE_MODES, type InstanceMode } from '../../src/core/session-spec.ts';

type Wishes = HostSpec['instances'];
/** Why the platform refuses each way; absent: it can. */
type Refused = Partial<Record<'live' | 'cold' | 'stop', string>>;

const able = (
  instance: Partial<InstanceAbility['instance']> = {},
  refused: Refused = {},
): InstanceAbility => ({
  instance: {
    id: 'id-1',
    name: 'web-1',
    host: 'compute-1',
    state: 'running',
    resources: { vcpus: 1, memoryMb: 1024, diskGb: 1 },
    groups: [],
    requires: {},
    ...instance,
  },
  ...refused,
});

const wish = (wishes: Partial<Wishes> = {}): Wishes => ({
  mode: 'live',
  stopped: 'stay',
  return: false,
  overrides: {},
  ...wishes,
});

const blocked = (asked: string, action: string, reason: string): Verdict => ({
  action: 'blocked',
  code: 'MoveRefused',
  reason: `${asked} asks for ${action}, but ${reason}`,
});

/** What becomes of an instance that the platform can move and stop in every way. */
const UNHINDERED: Record<InstanceState, Record<InstanceMode, Verdict['action']>> = {
  running: { live: 'live', 'live-then-cold': 'live', 'live-then-stop': 'live', cold: 'cold', stop: 'stop' },
  paused: { live: 'live', 'live-then-cold': 'live', 'live-then-stop': 'live', cold: 'cold', stop: 'stop' },
  moving: { live: 'live', 'live-then-cold': 'live', 'live-then-stop': 'live', cold: 'cold', stop: 'stop' },
  stopped: { live: 'stay', 'live-then-cold': 'stay', 'live-then-stop': 'stay', cold: 'stay', stop: 'stay' },
  error: { live: 'stay', 'live-then-cold': 'stay', 'live-then-stop': 'stay', cold: 'stay', stop: 'stay' },
};

describe('where nothing hinders it', () => {
  for (const state of INSTANCE_STATES) {
    for (const mode of INSTANCE_MODES) {
      const action = UNHINDERED[state][mode];
      test(`an instance that is ${state}, mode ${mode}: ${action}`, () => {
        assert.deepEqual(decideInstance(able({ state }), wish({ mode })), { action });
      });
    }
  }
});

describe('what the platform refuses', () => {
  const NO = { live: 'it has a GPU', cold: 'its disk is local', stop: 'it is protected' };
  for (const state of ['running', 'paused'] as const) {
    for (const mode of ['live', 'cold', 'stop'] as const) {
      test(`blocks an instance that is ${state}, mode ${mode}, with the reason, and takes no other way`, () => {
        const verdict = decideInstance(able({ state }, { [mode]: NO[mode] }), wish({ mode }));
        assert.deepEqual(verdict, blocked(`instances.mode "${mode}"`, mode, NO[mode]));
      });

      test(`does not matter to one that is ${state}, mode ${mode}, where it concerns another way`, () => {
        const others = { ...NO };
        delete (others as Refused)[mode];
        assert.deepEqual(decideInstance(able({ state }, others), wish({ mode })), { action: mode });
      });
    }

    test(`live makes one that is ${state}, mode live-then-cold, move cold`, () => {
      const verdict = decideInstance(able({ state }, { live: NO.live }), wish({ mode: 'live-then-cold' }));
      assert.deepEqual(verdict, { action: 'cold' });
    });

    test(`live and cold block one that is ${state}, mode live-then-cold`, () => {
      const verdict = decideInstance(
        able({ state }, { live: NO.live, cold: NO.cold }),
        wish({ mode: 'live-then-cold' }),
      );
      assert.deepEqual(verdict, blocked('instances.mode "live-then-cold"', 'cold', NO.cold));
    });
  }

  test('does not hold up the wait for one that is already moving', () => {
    for (const mode of INSTANCE_MODES) {
      const verdict = decideInstance(able({ state: 'moving' }, NO), wish({ mode }));
      assert.deepEqual(verdict, { action: UNHINDERED.moving[mode] });
    }
  });

  test('does not matter to one that stays', () => {
    for (const state of ['stopped', 'error'] as const) {
      assert.deepEqual(decideInstance(able({ state }, NO), wish()), { action: 'stay' });
    }
  });
});

describe('live moves that failed', () => {
  const TRIES: [InstanceMode, number, Verdict['action']][] = [
    ['live-then-cold', 1, 'live'],
    ['live-then-cold', 2, 'cold'],
    ['live-then-cold', 3, 'cold'],
    ['live', 3, 'live'],
    ['cold', 3, 'cold'],
    ['stop', 3, 'stop'],
  ];
  for (const [mode, tries, action] of TRIES) {
    test(`${tries} times, mode ${mode}: ${action}`, () => {
      assert.deepEqual(decideInstance(able(), wish({ mode }), tries), { action });
    });
  }

  test('block an instance that cannot move cold either', () => {
    assert.deepEqual(
      decideInstance(able({}, { cold: 'its disk is local' }), wish({ mode: 'live-then-cold' }), 2),
      blocked('instances.mode "live-then-cold"', 'cold', 'its disk is local'),
    );
  });
});

describe('an instance found stopped', () => {
  for (const mode of INSTANCE_MODES) {
    test(`moves cold where that is asked for, mode ${mode}`, () => {
      const verdict = decideInstance(able({ state: 'stopped' }), wish({ mode, stopped: 'move' }));
      assert.deepEqual(verdict, { action: 'cold' });
    });
  }

  test('is blocked where it is to move and cannot', () => {
    assert.deepEqual(
      decideInstance(able({ state: 'stopped' }, { cold: 'its disk is local' }), wish({ stopped: 'move' })),
      blocked('instances.stopped "move"', 'cold', 'its disk is local'),
    );
  });

  test('stays where we stopped it ourselves, to be started there again', () => {
    const stoppedBy = 'haulout session=rack-12 host=compute-1';
    for (const mode of INSTANCE_MODES) {
      const verdict = decideInstance(able({ state: 'stopped', stoppedBy }), wish({ mode, stopped: 'move' }));
      assert.deepEqual(verdict, { action: 'stay' });
    }
  });

  test('is moved, one in an error state is not', () => {
    assert.deepEqual(decideInstance(able({ state: 'error' }), wish({ stopped: 'move' })), { action: 'stay' });
  });
});

describe('a mode of its own', () => {
  const decide = (
    overrides: Wishes['overrides'],
    instance: Partial<InstanceAbility['instance']> = {},
  ): Verdict => decideInstance(able(instance), wish({ mode: 'live', overrides }));

  test('is found by id and by name', () => {
    assert.deepEqual(decide({ 'id-1': 'stop' }), { action: 'stop' });
    assert.deepEqual(decide({ 'web-1': 'cold' }), { action: 'cold' });
  });

  test('by id counts more than by name, for names are not unique', () => {
    assert.deepEqual(decide({ 'web-1': 'cold', 'id-1': 'stop' }), { action: 'stop' });
  });

  test('of another instance does not matter', () => {
    assert.deepEqual(decide({ 'web-10': 'stop', 'id-10': 'cold', 'WEB-1': 'stop' }), { action: 'live' });
  });

  test('is named in the reason, not the mode of the session', () => {
    assert.deepEqual(
      decideInstance(able({}, { cold: 'its disk is local' }), wish({ overrides: { 'web-1': 'cold' } })),
      blocked('instances.mode "cold"', 'cold', 'its disk is local'),
    );
  });

  test('concerns those that run, not those found stopped', () => {
    assert.deepEqual(decide({ 'web-1': 'stop' }, { state: 'stopped' }), { action: 'stay' });
    const wishes = wish({ stopped: 'move', overrides: { 'web-1': 'stop' } });
    assert.deepEqual(decideInstance(able({ state: 'stopped' }), wishes), { action: 'cold' });
  });

  for (const odd of ['constructor', 'toString', '__proto__', 'hasOwnProperty', 'prototype', '']) {
    test(`is not found by accident for an instance called "${odd}"`, () => {
      assert.deepEqual(decide({}, { id: odd, name: odd }), { action: 'live' });
    });

    test(`is found for an instance called "${odd}"`, () => {
      const overrides = JSON.parse(`{${JSON.stringify(odd)}: "stop"}`) as Wishes['overrides'];
      assert.deepEqual(decide(overrides, { name: odd }), { action: 'stop' });
      assert.deepEqual(decide(overrides, { id: odd }), { action: 'stop' });
    });
  }
});

test('in no combination is an instance taken in a way that was not asked for, or that the platform refuses', () => {
  const ways = ['live', 'cold', 'stop'] as const;
  /** Ways that a mode allows. */
  const allowed: Record<InstanceMode, readonly string[]> = {
    live: ['live'],
    'live-then-cold': ['live', 'cold'],
    'live-then-stop': ['live', 'stop'],
    cold: ['cold'],
    stop: ['stop'],
  };
  for (const state of INSTANCE_STATES)
    for (const mode of INSTANCE_MODES)
      for (const stopped of ['stay', 'move'] as const)
        for (let bits = 0; bits < 8; bits++)
          for (const tries of [0, 1, 2, 3]) {
            const refused: Refused = Object.fromEntries(
              ways.filter((_, bit) => (bits >> bit) & 1).map((way) => [way, `no ${way} here`]),
            );
            const verdict = decideInstance(able({ state }, refused), wish({ mode, stopped }), tries);
            const about = JSON.stringify({ state, mode, stopped, refused, tries, verdict });
            const found = state === 'stopped' && stopped === 'move' ? ['cold'] : allowed[mode];
            if (verdict.action === 'stay') {
              assert.ok(state === 'error' || (state === 'stopped' && stopped === 'stay'), about);
            } else if (verdict.action === 'blocked') {
              assert.ok(
                found.some((way) => verdict.reason.includes(`no ${way} here`)),
                about,
              );
            } else {
              assert.ok(verdict.action !== 'own' && found.includes(verdict.action), about);
              assert.ok(state === 'moving' || refused[verdict.action] === undefined, about);
            }
          }
});
