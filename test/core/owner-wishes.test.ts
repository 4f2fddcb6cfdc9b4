import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decideInstance, type Verdict } from '../../src/core/decide-instances.ts';
import type { InstanceAbility, OwnerWish } from '../../src/core/inventory.ts';
import { DepartureLoads, departuresOf } from '../../src/core/planning/departures.ts';
import { Snapshot } from '../../src/core/planning/snapshot.ts';
import type { InstanceMode, InstanceWishes } from '../../src/core/session-spec.ts';
import { makeHost, makeInstance } from './planning/fleet.ts';

const TAG = 'its tag maintenance=notify';
const wishOf = (mode: OwnerWish['mode']): { wish: OwnerWish } => ({ wish: { mode, saidBy: TAG } });

const session = (over: Partial<InstanceWishes> = {}): InstanceWishes => ({
  mode: 'live',
  stopped: 'stay',
  return: false,
  overrides: {},
  ...over,
});

function decide(
  mode: OwnerWish['mode'],
  wishes: Partial<InstanceWishes> = {},
  more: Partial<InstanceAbility> & { state?: 'running' | 'moving' | 'stopped' } = {},
): Verdict {
  const { state = 'running', ...reasons } = more;
  const instance = { ...makeInstance('web-1', 'a', 1), state, ...wishOf(mode) };
  return decideInstance({ instance, ...reasons }, session(wishes));
}

const ASK: Verdict = {
  action: 'blocked',
  code: 'MoveRefused',
  reason: `${TAG} asks that its owner be asked first; let the owner act, or name it in instances.overrides`,
};

describe('the wish of its owner', () => {
  for (const mode of ['live', 'live-then-cold', 'cold', 'stop'] as const) {
    test(`outranks the session's mode "${mode}"`, () => {
      assert.deepEqual(decide('stop', { mode }), { action: 'stop' });
      assert.deepEqual(decide('live', { mode }), { action: 'live' });
      assert.deepEqual(decide('ask', { mode }), ASK);
    });

    for (const key of ['web-1', 'id-web-1']) {
      test(`is outranked by "${mode}" for ${key}`, () => {
        const action = mode === 'live-then-cold' ? 'live' : mode;
        for (const wish of ['stop', 'live', 'ask'] as const) {
          assert.deepEqual(decide(wish, { overrides: { [key]: mode } }), { action });
        }
      });
    }
  }

  test('that cannot be met blocks, and is named', () => {
    const verdict = decide('live', { mode: 'live-then-cold' }, { live: 'is SHUTOFF' });
    assert.ok(verdict.action === 'blocked');
    assert.equal(verdict.reason, `${TAG} asks for live, but is SHUTOFF`);
  });

  test('does not keep one that is moving already from being seen to its end', () => {
    assert.deepEqual(decide('ask', {}, { state: 'moving' }), { action: 'live' });
  });

  test('keeps one that is stopped where it is, unless the operator names it', () => {
    const moving: Partial<InstanceWishes> = { stopped: 'move' };
    assert.deepEqual(decide('ask', {}, { state: 'stopped' }), { action: 'stay' });
    assert.deepEqual(decide('ask', moving, { state: 'stopped' }), ASK);
    assert.deepEqual(decide('ask', { ...moving, overrides: { 'web-1': 'live' } }, { state: 'stopped' }), {
      action: 'cold',
    });
  });
});

describe('a plan', () => {
  const plan = (mode: OwnerWish['mode'] | undefined, wishes: InstanceMode) => {
    const own = { ...makeInstance('web-1', 'a', 1), ...(mode === undefined ? {} : wishOf(mode)) };
    const instances = [own, makeInstance('web-2', 'a', 1), makeInstance('web-3', 'b', 1)];
    const snapshot = new Snapshot({ hosts: [makeHost('a'), makeHost('b')], instances, groups: [] });
    const index = snapshot.indexOf('a') ?? -1;
    const loads = new DepartureLoads(snapshot, session({ mode: wishes }));
    const { moves, stops } = departuresOf(snapshot, index, session({ mode: wishes }));
    assert.deepEqual([loads.moves(index).count, loads.stops(index).count], [moves.length, stops.length]);
    return { moves: moves.length, stops: stops.length };
  };

  test('counts on what the owners wish', () => {
    assert.deepEqual(plan(undefined, 'live'), { moves: 2, stops: 0 });
    assert.deepEqual(plan('stop', 'live'), { moves: 1, stops: 1 });
    assert.deepEqual(plan('live', 'stop'), { moves: 1, stops: 1 });
    assert.deepEqual(plan('ask', 'stop'), { moves: 1, stops: 1 });
  });
});
