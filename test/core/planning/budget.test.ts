import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HostLimit } from '../../../src/core/host-limits.ts';
import { HostSlots, resolveBudget } from '../../../src/core/planning/budget.ts';
import { NO_DEPARTURES } from '../../../src/core/planning/departures.ts';
import { ShareLedger } from '../../../src/core/planning/shares.ts';
import { Snapshot } from '../../../src/core/planning/snapshot.ts';
import type { Instance } from '../../../src/core/inventory.ts';
import { BUDGET, GB, makeGroup, makeHost, makeInstance } from './fleet.ts';

const percentages: [string | number, number, number][] = [
  [3, 100, 3],
  ['10%', 100, 10],
  ['10%', 19, 1],
  ['10%', 5, 1],
  ['1%', 10_000, 100],
  ['100%', 7, 7],
  ['50%', 0, 1],
];
for (const [wanted, hosts, expected] of percentages) {
  test(`${wanted} of ${hosts} hosts is ${expected}`, () => {
    assert.equal(
      resolveBudget({ ...BUDGET, maxConcurrentHosts: wanted }, hosts).maxConcurrentHosts,
      expected,
    );
  });
}

describe('hosts that may go out', () => {
  const zone = (name: string, zone?: string) =>
    makeHost(name, { labels: zone === undefined ? {} : { zone } });
  const hosts = [zone('a1', 'az1'), zone('a2', 'az1'), zone('b1', 'az2'), zone('x1'), zone('x2')];
  const fleet = new Snapshot({ hosts, instances: [], groups: [] });
  const [a1, a2, b1, x1, x2] = [0, 1, 2, 3, 4];
  const perZone: HostLimit = { label: 'zone', maxHosts: 1, why: 'storage is shared' };

  test('in each failure domain, and hosts without the label share one', () => {
    const slots = new HostSlots(fleet, { perDomain: { label: 'zone', max: 1 } });
    slots.take(a1);
    slots.take(x1);
    assert.deepEqual(
      [a2, b1, x2].map((host) => slots.whyNot(host)),
      [
        'a1 to come back: at most 1 of the hosts of zone az1 may be out',
        undefined,
        'x1 to come back: at most 1 of the hosts without the label zone may be out',
      ],
    );
  });

  test('as the platform bears it, beside what the budget allows', () => {
    const slots = new HostSlots(fleet, { perDomain: { label: 'zone', max: 2 } }, [perZone]);
    slots.take(a1);
    assert.equal(
      slots.whyNot(a2),
      'a1 to come back: at most 1 of the hosts of zone az1 may be out: storage is shared',
    );
    assert.equal(slots.whyNot(b1), undefined);
  });

  test('as the platform bears it beside what others have out, who do not count for the budget', () => {
    const domain = { perDomain: { label: 'zone', max: 1 } };
    const others = new Set(['a1', 'gone']);
    assert.match(new HostSlots(fleet, domain, [perZone], others).whyNot(a2) ?? '', /^a1 to come back/);
    assert.equal(new HostSlots(fleet, domain, [], others).whyNot(a2), undefined);
    assert.equal(
      new HostSlots(fleet, { beyondPlatformLimits: true }, [perZone], others).whyNot(a2),
      undefined,
    );
  });

  test('beyond what the platform bears where the session takes the risk, but not beyond its own budget', () => {
    const slots = new HostSlots(fleet, { perDomain: { label: 'zone', max: 2 }, beyondPlatformLimits: true }, [
      perZone,
    ]);
    slots.take(a1);
    assert.equal(slots.whyNot(a2), undefined);
    slots.take(a2);
    assert.match(slots.whyNot(a1) ?? '', /at most 2 of the hosts of zone az1/);
  });

  test('of one group only where the limit is of that one', () => {
    const slots = new HostSlots(fleet, {}, [{ label: 'zone', value: 'az1', maxHosts: 1 }]);
    slots.take(a1);
    slots.take(x1);
    assert.match(slots.whyNot(a2) ?? '', /a1 to come back/);
    assert.equal(slots.whyNot(x2), undefined);
  });

  test('of no second group at one time', () => {
    const slots = new HostSlots(fleet, {}, [{ label: 'zone', maxGroups: 1 }]);
    slots.take(a1);
    assert.equal(slots.whyNot(a2), undefined);
    assert.equal(
      slots.whyNot(b1),
      'hosts of zone az1 to come back: at most 1 zone may have hosts out at one time',
    );
    assert.match(slots.whyNot(x1) ?? '', /hosts of zone az1 to come back/);
  });
});

const snapshot = new Snapshot({
  hosts: [makeHost('compute-1')],
  instances: [],
  groups: [makeGroup('db', 'anti-affinity', { maxImpacted: 2 }), makeGroup('web', 'anti-affinity')],
});
const members = (count: number, ...groups: string[]): Instance[] =>
  Array.from({ length: count }, (_, index) => makeInstance(`vm-${index}`, 'compute-1', GB, { groups }));
const ledger = (maxConcurrentMoves?: number, maxConcurrentMovesPerHost = 4): ShareLedger =>
  new ShareLedger(snapshot, {
    maxConcurrentMovesPerHost,
    ...(maxConcurrentMoves !== undefined && { maxConcurrentMoves }),
  });

test('move slots go to hosts as far as they can use them, until none are left', () => {
  const shares = ledger(5);
  const first = shares.offer('a', { ...NO_DEPARTURES, moves: members(9) });
  assert.deepEqual(first, { shares: { moveSlots: 4, groupShares: {} } });
  shares.hold('a', first.shares);
  const second = shares.offer('b', { ...NO_DEPARTURES, moves: members(9) });
  assert.equal(second.shares.moveSlots, 1);
  shares.hold('b', second.shares);
  const third = shares.offer('c', NO_DEPARTURES);
  assert.equal(third.shares.moveSlots, 0);
  assert.deepEqual(third.lack, {
    reason: 'a and b to be empty: maxConcurrentMoves is 5',
    forGood: false,
  });
  assert.equal(ledger(5).offer('a', { ...NO_DEPARTURES, moves: members(2) }).shares.moveSlots, 2);
});

test('members of a limited group are shared out; a host that gets none waits for the one that holds them', () => {
  const shares = ledger();
  const first = shares.offer('a', { ...NO_DEPARTURES, moves: members(3, 'db', 'web') });
  assert.deepEqual(first.shares.groupShares, { db: 2 });
  shares.hold('a', first.shares);
  assert.deepEqual(shares.offer('b', { ...NO_DEPARTURES, moves: members(1, 'db') }).lack, {
    reason: 'a to be through: group db lets at most 2 of its members move or be stopped at one time',
    forGood: false,
  });
  shares.holdStopped('a', NO_DEPARTURES);
  shares.hold('a', { moveSlots: 0, groupShares: { db: 0 } });
  assert.equal(shares.offer('b', { ...NO_DEPARTURES, moves: members(1, 'db') }).lack, undefined);
});

test('members that are stopped are all down at once, until their host is back', () => {
  const stops = members(2, 'db');
  const offer = ledger(undefined, 1).offer('a', { ...NO_DEPARTURES, stops });
  assert.deepEqual(offer, { shares: { moveSlots: 1, groupShares: { db: 2 } } });
  const shares = ledger();
  shares.holdStopped('a', { ...NO_DEPARTURES, stops: members(1, 'db') });
  assert.equal(shares.offer('b', { ...NO_DEPARTURES, moves: members(4, 'db') }).shares.groupShares['db'], 1);
  assert.equal(shares.offer('b', { ...NO_DEPARTURES, stops }).lack?.forGood, false);
  assert.deepEqual(shares.offer('b', { ...NO_DEPARTURES, stops: members(3, 'db') }).lack, {
    reason: 'group db lets at most 2 of its members move or be stopped at one time, and 3 have to',
    forGood: true,
  });
});

test('a host that is taken up again holds its stopped members already', () => {
  const shares = ledger();
  const down = members(2, 'db');
  shares.holdStopped('a', { ...NO_DEPARTURES, down });
  shares.hold('b', { moveSlots: 1, groupShares: { db: 1 } });
  const offer = shares.offer('a', { ...NO_DEPARTURES, down });
  assert.deepEqual(offer, { shares: { moveSlots: 1, groupShares: { db: 2 } } }, 'it touches no more');
  assert.equal(shares.offer('a', { ...NO_DEPARTURES, down, moves: members(1, 'db') }).lack?.forGood, true);
});
