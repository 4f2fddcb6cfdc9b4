import assert from 'node:assert/strict';
import test from 'node:test';
import type { Host, Instance, Inventory } from '../../../src/core/inventory.ts';
import { placeInstances } from '../../../src/core/planning/place-instances.ts';
import type { PlacementRequest } from '../../../src/core/planning/placement-rules.ts';
import { Snapshot } from '../../../src/core/planning/snapshot.ts';
import { Targets } from '../../../src/core/planning/targets.ts';
import type { HostStatus } from '../../../src/core/standing.ts';
import { GB, makeGroup, makeHost, makeInstance } from './fleet.ts';

interface Case extends Partial<Omit<PlacementRequest, 'room' | 'targets'>> {
  hosts: Host[];
  others?: Instance[];
  leaving: Instance[];
  groups?: Inventory['groups'];
  /** Not named: done. */
  scope?: Record<string, HostStatus>;
  reserved?: { instance: string; target: string }[];
}

/** `{ 'web-1': 'compute-2' }`, and for those that have no target the reason. */
function place(given: Case): { targets: Record<string, string>; reasons: Record<string, string> } {
  const { hosts, others = [], leaving, groups = [], scope = {}, reserved = [], ...more } = given;
  const source = makeHost('source', { labels: { zone: 'az1' } });
  const instances = [...others, ...leaving.filter((one) => !others.includes(one))];
  const snapshot = new Snapshot({ hosts: [source, ...hosts], instances, groups });
  const status = new Map<string, HostStatus>([
    ['source', 'out'],
    ...hosts.map(({ name }) => [name, 'done'] as const),
  ]);
  for (const [host, one] of Object.entries(scope)) status.set(host, one);
  const result = placeInstances({
    room: snapshot.withReservations(reserved),
    host: 'source',
    instances: leaving,
    targets: new Targets(snapshot, status),
    allowUnsafe: false,
    ...more,
  });
  return {
    targets: Object.fromEntries(
      result.placements.map(({ instance, target }) => [instance.replace('id-', ''), target]),
    ),
    reasons: Object.fromEntries(result.unplaced.map(({ instance, reason }) => [instance.name, reason])),
  };
}

const leaving = (name: string, gb: number, more: Partial<Instance> = {}): Instance =>
  makeInstance(name, 'source', gb * GB, more);
const sized = (name: string, gb: number, more: Partial<Host> = {}): Host =>
  makeHost(name, { capacity: { vcpus: 64, memoryMb: gb * GB, diskGb: 1000 }, ...more });
const inZone = (name: string, gb: number, zone: string): Host => sized(name, gb, { labels: { zone } });

test('the tightest host that fits is taken, the largest instance first', () => {
  const { targets } = place({
    hosts: [sized('c-1', 32), sized('c-2', 16), sized('c-3', 8)],
    leaving: [leaving('small', 4), leaving('large', 14), leaving('huge', 30)],
  });
  assert.deepEqual(targets, { huge: 'c-1', large: 'c-2', small: 'c-3' });
});

test('every resource has to fit, at once', () => {
  const hosts = [
    makeHost('c-1', { capacity: { vcpus: 2, memoryMb: 64 * GB, diskGb: 1000 } }),
    makeHost('c-2', { capacity: { vcpus: 8, memoryMb: 8 * GB, diskGb: 1000 } }),
  ];
  const big = leaving('big', 16, { resources: { vcpus: 4, memoryMb: 16 * GB, diskGb: 10 } });
  assert.deepEqual(place({ hosts, leaving: [big] }).reasons, {
    big: 'no host has 16384 MB, 4 vCPUs and 10 GB of disk free at once',
  });
  assert.deepEqual(place({ hosts: hosts.slice(0, 1), leaving: [big] }).reasons, {
    big: 'no host has 4 vCPUs free: best is c-1 with 2',
  });
});

test('what an instance does not need may be overdrawn on its target', () => {
  const full = makeInstance('full', 'c-1', GB, { resources: { vcpus: 1, memoryMb: GB, diskGb: 2000 } });
  const diskless = leaving('diskless', 1, { resources: { vcpus: 1, memoryMb: GB, diskGb: 0 } });
  assert.deepEqual(place({ hosts: [sized('c-1', 8)], others: [full], leaving: [diskless] }).targets, {
    diskless: 'c-1',
  });
});

test('a host that is out, held or not in service never gets anything, also where its platform does not show it yet', () => {
  const hosts = [
    sized('out', 64),
    sized('held', 64),
    sized('cordoned', 64, { standing: 'cordoned' }),
    sized('down', 64, { standing: 'down' }),
  ];
  const scope = { out: 'out', held: 'held' } as const;
  assert.deepEqual(place({ hosts, scope, leaving: [leaving('vm', 1)], allowUnsafe: true }), {
    targets: {},
    reasons: { vm: 'every other host is out, held or not in service' },
  });
});

test('hosts still to be taken out are the last resort: of those, the fullest', () => {
  const hosts = [sized('c-1', 8), sized('c-2', 64), sized('c-3', 64)];
  const others = [makeInstance('guest', 'c-3', 8 * GB)];
  const scope = { 'c-2': 'pending', 'c-3': 'pending' } as const;
  const given = { hosts, others, scope, leaving: [leaving('a', 7), leaving('b', 7)] };
  assert.deepEqual(place({ ...given, allowUnsafe: true }).targets, { a: 'c-1', b: 'c-3' });
  assert.deepEqual(place(given).reasons, { b: 'no host has 7168 MB free: best is c-1 with 1024' });
  assert.deepEqual(place({ ...given, hosts: hosts.slice(1) }).reasons, {
    a: 'every other host is still to be taken out',
    b: 'every other host is still to be taken out',
  });
});

test('room that is reserved is not there, and both sides count for a group', () => {
  const moving = makeInstance('moving', 'c-2', 6 * GB, { groups: ['db'] });
  const given = {
    hosts: [sized('c-1', 8), sized('c-2', 64)],
    others: [moving],
    groups: [makeGroup('db', 'anti-affinity')],
    reserved: [{ instance: 'id-moving', target: 'c-1' }],
  };
  assert.deepEqual(place({ ...given, leaving: [leaving('vm', 4)] }).targets, { vm: 'c-2' });
  assert.deepEqual(place({ ...given, leaving: [leaving('vm', 1, { groups: ['db'] })] }).reasons, {
    vm: 'anti-affinity group db: every other host has a member',
  });
});

test('pinned instances choose before larger ones that could go anywhere', () => {
  const { targets } = place({
    hosts: [inZone('tight', 16, 'az1'), inZone('wide', 64, 'az2')],
    leaving: [leaving('large', 14), leaving('pinned', 8, { requires: { zone: 'az1' } })],
  });
  assert.deepEqual(targets, { pinned: 'tight', large: 'wide' });
});

test('instances that could go anywhere stay in their zone, and keep out of one that needs its room', () => {
  const pinned = makeInstance('pinned', 'b-2', 40 * GB, { requires: { zone: 'az2' } });
  const given = {
    hosts: [inZone('a-1', 64, 'az1'), inZone('b-1', 48, 'az2'), inZone('b-2', 64, 'az2')],
    others: [pinned],
    scope: { 'b-2': 'pending' } as const,
  };
  assert.deepEqual(place({ ...given, leaving: [leaving('vm', 16)] }).targets, { vm: 'a-1' });
  const full = makeInstance('full', 'a-1', 60 * GB);
  const crowded = { ...given, others: [pinned, full], leaving: [leaving('vm', 16)] };
  assert.deepEqual(place(crowded).targets, {}, 'b-1 is left to what has to leave b-2');
  assert.deepEqual(place({ ...crowded, allowUnsafe: true }).targets, { vm: 'b-2' });
  assert.deepEqual(
    place({ ...crowded, scope: {} }).targets,
    { vm: 'b-2' },
    'the tightest of a zone that is done',
  );
});

test('a label nobody in the inventory asks for yet is met all the same', () => {
  const hosts = [makeHost('source'), sized('c-1', 8), sized('c-2', 64, { labels: { rack: 'r7' } })];
  const snapshot = new Snapshot({ hosts, instances: [], groups: [] });
  const request = {
    room: snapshot.withReservations([]),
    host: 'source',
    targets: new Targets(snapshot, new Map()),
    allowUnsafe: false,
  };
  const appeared = (rack: string): Instance[] => [leaving('vm', 1, { requires: { rack } })];
  const { placements } = placeInstances({ ...request, instances: appeared('r7') });
  assert.deepEqual(placements, [{ instance: 'id-vm', target: 'c-2' }]);
  const { unplaced } = placeInstances({ ...request, instances: appeared('r8') });
  assert.equal(unplaced[0]?.reason, 'there is no other host in rack r8');
});

test('members of an affinity group leave together', () => {
  const groups = [makeGroup('pair', 'affinity')];
  const pair = [leaving('one', 6, { groups: ['pair'] }), leaving('two', 6, { groups: ['pair'] })];
  assert.deepEqual(place({ hosts: [sized('c-1', 8), sized('c-2', 16)], groups, leaving: pair }).targets, {
    one: 'c-2',
    two: 'c-2',
  });
  const reason =
    'they have to stay together (affinity group pair), and no host has 12288 MB free: best is c-1 with 8192';
  assert.deepEqual(place({ hosts: [sized('c-1', 8), sized('c-2', 8)], groups, leaving: pair }), {
    targets: {},
    reasons: { one: reason, two: reason },
  });
});

test('affinity groups with a member in common are one', () => {
  const groups = [makeGroup('a', 'affinity'), makeGroup('b', 'affinity')];
  const chain = [
    leaving('one', 4, { groups: ['a'] }),
    leaving('two', 4, { groups: ['b'] }),
    leaving('both', 4, { groups: ['a', 'b'] }),
  ];
  const { targets } = place({ hosts: [sized('c-1', 8), sized('c-2', 16)], groups, leaving: chain });
  assert.deepEqual(targets, { both: 'c-2', one: 'c-2', two: 'c-2' });
});

test('a member of an affinity group goes to where the others are, or nowhere', () => {
  const groups = [makeGroup('pair', 'affinity')];
  const other = makeInstance('other', 'c-2', GB, { groups: ['pair'] });
  const given = {
    hosts: [sized('c-1', 8), sized('c-2', 64)],
    groups,
    others: [other],
    leaving: [leaving('one', 1, { groups: ['pair'] })],
  };
  assert.deepEqual(place(given).targets, { one: 'c-2' });
  assert.deepEqual(place({ ...given, scope: { 'c-2': 'out' } }).reasons, {
    one: 'affinity group pair: the others are on c-2, out, held or not in service',
  });
});

test('a member of an affinity group cannot leave one behind that stays, but follows one that has a target', () => {
  const groups = [makeGroup('pair', 'affinity')];
  const stays = makeInstance('stays', 'source', GB, { groups: ['pair'], state: 'stopped' });
  const given = {
    hosts: [sized('c-1', 8), sized('c-2', 64)],
    groups,
    others: [stays],
    leaving: [leaving('one', 1, { groups: ['pair'] })],
  };
  assert.deepEqual(place(given).reasons, { one: 'affinity group pair: another member stays on source' });
  assert.deepEqual(place({ ...given, reserved: [{ instance: 'id-stays', target: 'c-2' }] }).targets, {
    one: 'c-2',
  });
});

test('a group holds so many members on a host as it allows', () => {
  const groups = [makeGroup('db', 'anti-affinity'), makeGroup('web', 'none', { maxPerHost: 2 })];
  const member = (name: string, host: string, group: string) =>
    makeInstance(name, host, GB, { groups: [group] });
  const hosts = [sized('c-1', 8), sized('c-2', 64)];
  const three = ['a', 'b', 'c'].map((name) => leaving(name, 1, { groups: ['db'] }));
  assert.deepEqual(place({ hosts, groups, leaving: three }), {
    targets: { a: 'c-1', b: 'c-2' },
    reasons: { c: 'anti-affinity group db: every other host has a member' },
  });
  const others = [
    member('w-1', 'c-1', 'web'),
    member('w-2', 'c-1', 'web'),
    member('w-3', 'c-2', 'web'),
    member('w-4', 'c-2', 'web'),
  ];
  assert.deepEqual(
    place({ hosts, groups, others, leaving: [leaving('w-5', 1, { groups: ['web'] })] }).reasons,
    {
      'w-5': 'group web: every other host has 2 members, as many as it allows',
    },
  );
  const large = leaving('large', 16, { groups: ['web'] });
  assert.deepEqual(place({ hosts: hosts.slice(0, 1), groups, leaving: [large] }).reasons, {
    large: 'no host that may take a member of web has 16384 MB free: best is c-1 with 8192',
  });
});

test('the reason names the zone and the host that comes closest', () => {
  const given = {
    hosts: [inZone('compute-7', 8, 'az1'), inZone('compute-8', 4, 'az1'), inZone('compute-9', 64, 'az2')],
    leaving: [leaving('vm', 16, { requires: { zone: 'az1' } })],
  };
  assert.deepEqual(place(given).reasons, {
    vm: 'no host in zone az1 has 16384 MB free: best is compute-7 with 8192',
  });
});

test('a reserved target is kept while it is possible', () => {
  const hosts = [sized('c-1', 8), sized('c-2', 64)];
  const given = { hosts, leaving: [leaving('vm', 4)], preferred: new Map([['id-vm', 'c-2']]) };
  assert.deepEqual(place(given).targets, { vm: 'c-2' });
  assert.deepEqual(place({ ...given, scope: { 'c-2': 'out' } }).targets, { vm: 'c-1' });
});

test('a target that has failed comes after other safe ones, before unsafe ones, and not a third time', () => {
  const given = {
    hosts: [sized('c-1', 8), sized('c-2', 64)],
    leaving: [leaving('vm', 4)],
    preferred: new Map([['id-vm', 'c-2']]),
  };
  const after = (...names: string[]) => ({ ...given, failed: new Map([['id-vm', names]]) });
  assert.deepEqual(place(after('c-2')).targets, { vm: 'c-1' });
  const unsafe = { scope: { 'c-1': 'pending' }, allowUnsafe: true } as const;
  assert.deepEqual(place({ ...after('c-2'), ...unsafe }).targets, { vm: 'c-2' });
  assert.deepEqual(place({ ...after('c-2', 'c-2'), ...unsafe }).targets, { vm: 'c-1' });
  assert.deepEqual(place(after('c-1', 'c-1', 'c-2', 'c-2')).reasons, {
    vm: 'no other host is left to try; c-1 and c-2 have failed twice',
  });
  assert.deepEqual(place({ ...after('c-2', 'c-2'), leaving: [leaving('vm', 16)] }).reasons, {
    vm: 'no host has 16384 MB free: best is c-1 with 8192; c-2 has failed twice',
  });
});
