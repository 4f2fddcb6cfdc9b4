import assert from 'node:assert/strict';
import test from 'node:test';
import type { Group, Host, Instance } from '../../../src/core/inventory.ts';
import {
  nextHosts,
  type ChosenHost,
  type NextHosts,
  type NextHostsRequest,
} from '../../../src/core/planning/next-hosts.ts';
import { Snapshot } from '../../../src/core/planning/snapshot.ts';
import type { HostStatus, OutHost } from '../../../src/core/standing.ts';
import { BUDGET, GB, makeGroup, makeHost, makeInstance, WISHES } from './fleet.ts';

interface Site {
  hosts: Host[];
  instances?: Instance[];
  groups?: Group[];
  /** Not named: pending. `outside`: not a host of the session. */
  scope?: Record<string, HostStatus | 'outside'>;
}

function choose(
  { hosts, instances = [], groups = [], scope = {} }: Site,
  more: Partial<NextHostsRequest> = {},
): NextHosts {
  const statuses = new Map<string, HostStatus>();
  for (const name of new Set([...hosts.map((host) => host.name), ...Object.keys(scope)])) {
    const status = scope[name] ?? 'pending';
    if (status !== 'outside') statuses.set(name, status);
  }
  return nextHosts({
    snapshot: new Snapshot({ hosts, instances, groups }),
    scope: statuses,
    inFlight: [],
    freeSlots: 1,
    budget: BUDGET,
    wishes: WISHES,
    moveMbPerSecond: 1024,
    workSeconds: { compute: 0, controller: 0, other: 0 },
    ...more,
  });
}

const names = ({ start }: NextHosts): string[] => start.map(({ host }) => host);
const targets = ({ start }: NextHosts): string[] => [
  ...new Set(start.flatMap(({ placement }) => placement.map(({ target }) => target))),
];
const inZone = (name: string, zone: string, more: Partial<Host> = {}): Host =>
  makeHost(name, { labels: { zone }, ...more });
const vm = (name: string, host: string, gb: number, more: Partial<Instance> = {}): Instance =>
  makeInstance(name, host, gb * GB, more);
const outing = (host: string, more: Partial<OutHost> = {}): OutHost => ({
  host,
  placement: [],
  moveSlots: 1,
  groupShares: {},
  drained: false,
  ...more,
});

test('empty hosts go first, in natural order, all the slots at once', () => {
  const hosts = ['compute-10', 'compute-2', 'compute-1', 'compute-3'].map((name) => makeHost(name));
  const given = { hosts, instances: [vm('a', 'compute-1', 8)] };
  assert.deepEqual(names(choose(given, { freeSlots: 2 })), ['compute-2', 'compute-3']);
});

test('a host that fits onto hosts already done goes there, tightest first', () => {
  const given = {
    hosts: ['c-1', 'c-2', 'c-3', 'c-4'].map((name) => makeHost(name)),
    instances: [vm('a', 'c-1', 8), vm('b', 'c-2', 16), vm('c', 'c-4', 40)],
    scope: { 'c-3': 'done', 'c-4': 'done' } as const,
  };
  const { start } = choose(given);
  assert.deepEqual(start, [
    {
      host: 'c-1',
      role: 'compute',
      placement: [{ instance: 'id-a', target: 'c-4' }],
      moves: 1,
      stops: 0,
      moveSlots: 1,
      groupShares: {},
      blockers: [],
      estimateMs: 25_000,
    },
  ]);
});

test('hosts that are never taken out are as good as hosts that are done', () => {
  const given = {
    hosts: [makeHost('c-1'), makeHost('spare')],
    instances: [vm('a', 'c-1', 8)],
    scope: { spare: 'outside' } as const,
  };
  assert.deepEqual(targets(choose(given)), ['spare']);
});

test('a target that is about to enter maintenance is none, whatever its platform says', () => {
  const given = {
    hosts: ['c-1', 'c-2', 'c-3'].map((name) => makeHost(name)),
    instances: [vm('a', 'c-1', 8)],
    scope: { 'c-2': 'out', 'c-3': 'done' } as const,
  };
  assert.deepEqual(targets(choose(given, { inFlight: [outing('c-2')] })), ['c-3']);
});

test('hosts that are chosen together do not get instances of each other', () => {
  const given = {
    hosts: ['c-1', 'c-2', 'spare'].map((name) => makeHost(name)),
    instances: [vm('a', 'c-1', 8), vm('b', 'c-2', 8)],
    scope: { spare: 'outside' } as const,
  };
  const chosen = choose(given, { freeSlots: 2 });
  assert.deepEqual(names(chosen), ['c-1', 'c-2']);
  assert.deepEqual(targets(chosen), ['spare']);
});

test('a host is not taken out while instances are on their way to it', () => {
  const given = {
    hosts: ['c-1', 'c-2'].map((name) => makeHost(name)),
    instances: [vm('a', 'c-1', 8)],
    scope: { 'c-1': 'out' } as const,
  };
  const inFlight = [outing('c-1', { placement: [{ instance: 'id-a', target: 'c-2' }] })];
  assert.deepEqual(choose(given, { inFlight }), {
    start: [],
    waitFor: 'c-1 to be through: instances of it are on their way to c-2',
  });
});

test('room that hosts in flight have reserved is not given out again', () => {
  const given = {
    hosts: ['c-1', 'c-2', 'c-3'].map((name) => makeHost(name)),
    instances: [vm('a', 'c-1', 40), vm('b', 'c-2', 40)],
    scope: { 'c-1': 'out', 'c-3': 'done' } as const,
  };
  const inFlight = [outing('c-1', { placement: [{ instance: 'id-a', target: 'c-3' }] })];
  assert.deepEqual(choose(given, { inFlight }), {
    start: [],
    waitFor: 'c-1 to come back: until then instances of c-2 would have to move twice',
  });
  const moved = { ...given, instances: [vm('a', 'c-3', 40), vm('b', 'c-2', 20)] };
  assert.deepEqual(names(choose(moved, { inFlight })), ['c-2'], 'what has arrived is counted once');
});

test('with nothing in flight second moves are accepted: the host with fewest, onto the host taken last', () => {
  const given = {
    hosts: ['c-1', 'c-2', 'c-3'].map((name) => makeHost(name)),
    instances: [
      vm('a', 'c-1', 8),
      vm('b', 'c-1', 8),
      vm('c', 'c-2', 20),
      vm('d', 'c-3', 30),
      vm('e', 'c-3', 4),
    ],
  };
  const first = choose(given, { freeSlots: 3 });
  assert.deepEqual(names(first), ['c-2']);
  assert.deepEqual(targets(first), ['c-3']);
  assert.equal(first.waitFor, 'c-2 to come back: until then instances of c-1 would have to move twice');
});

test('each zone whose instances cannot leave it starts a chain of its own', () => {
  const pinned = (name: string, host: string, zone: string): Instance =>
    vm(name, host, 20, { requires: { zone } });
  const given = {
    hosts: [inZone('a-1', 'az1'), inZone('a-2', 'az1'), inZone('b-1', 'az2'), inZone('b-2', 'az2')],
    instances: [
      pinned('a', 'a-1', 'az1'),
      pinned('b', 'a-2', 'az1'),
      pinned('c', 'b-1', 'az2'),
      pinned('d', 'b-2', 'az2'),
    ],
  };
  const chosen = choose(given, { freeSlots: 4 });
  assert.deepEqual(names(chosen), ['a-1', 'b-1']);
  assert.deepEqual(targets(chosen), ['a-2', 'b-2']);
  const later = {
    ...given,
    instances: [
      pinned('a', 'a-2', 'az1'),
      pinned('b', 'a-2', 'az1'),
      pinned('c', 'b-2', 'az2'),
      pinned('d', 'b-2', 'az2'),
    ],
  };
  const back = choose(
    { ...later, scope: { 'a-1': 'done', 'b-1': 'out' } },
    { inFlight: [outing('b-1', { drained: true })] },
  );
  assert.deepEqual(names(back), ['a-2'], 'the zone of the host that came back goes on');
  assert.deepEqual(targets(back), ['a-1']);
});

test('a zone waits where a host without pins can carry the chain over to it', () => {
  const hosts = [inZone('a-1', 'az1'), inZone('b-1', 'az2'), inZone('b-2', 'az2')];
  const instances = [vm('pinned', 'b-1', 4, { requires: { zone: 'az2' } }), vm('free', 'b-2', 8)];
  const inFlight = [outing('a-1')];
  const scope = { 'a-1': 'out' } as const;
  assert.deepEqual(names(choose({ hosts, instances, scope }, { inFlight })), []);
  const bothPinned = instances.map((one) => ({ ...one, requires: { zone: 'az2' } }));
  assert.deepEqual(names(choose({ hosts, instances: bothPinned, scope }, { inFlight })), ['b-1']);
});

test('the one host that can be emptied is found among many that cannot', () => {
  const stuck = Array.from({ length: 40 }, (_, index) => `stuck-${index}`);
  const hosts = [...stuck, 'c-1', 'done'].map((name) => makeHost(name, { labels: { name } }));
  const instances = [
    ...stuck.map((name) => vm(`on-${name}`, name, 1, { requires: { name } })),
    vm('heavy', 'c-1', 30, { requires: { name: 'done' } }),
  ];
  assert.deepEqual(names(choose({ hosts, instances, scope: { done: 'done' } })), ['c-1']);
  const alike = hosts.map((host) => ({ ...host, labels: { zone: 'az1' } }));
  const large = [
    ...stuck.map((name) => vm(`on-${name}`, name, 2, { requires: { gpu: 'yes' } })),
    vm('heavy', 'c-1', 30),
  ];
  assert.deepEqual(names(choose({ hosts: alike, instances: large, scope: { done: 'done' } })), ['c-1']);
});

test('hosts are spread over zones, and the zone with most left goes on', () => {
  const hosts = [
    ...['a-1', 'a-2', 'a-3', 'a-4'].map((name) => inZone(name, 'az1')),
    ...['b-1', 'b-2'].map((name) => inZone(name, 'az2')),
  ];
  assert.deepEqual(names(choose({ hosts }, { freeSlots: 4 })), ['a-1', 'b-1', 'a-2', 'a-3']);
  const one = { ...BUDGET, perDomain: { label: 'zone', max: 1 } };
  assert.deepEqual(
    choose({ hosts }, { freeSlots: 6, budget: one }).start.map(({ host }) => host),
    ['a-1', 'b-1'],
  );
});

test('a held host counts in its failure domain, and is named', () => {
  const given = { hosts: [inZone('a-1', 'az1'), inZone('a-2', 'az1')], scope: { 'a-1': 'held' } as const };
  assert.deepEqual(choose(given, { budget: { ...BUDGET, perDomain: { label: 'zone', max: 1 } } }), {
    start: [],
    waitFor: 'a-1 to come back: at most 1 of the hosts of zone az1 may be out',
  });
});

test('a host that gets no move slot, or no share of a group, is not started now', () => {
  const given = {
    hosts: ['c-1', 'c-2', 'c-3'].map((name) => makeHost(name)),
    instances: [vm('a', 'c-1', 8, { groups: ['db'] }), vm('b', 'c-2', 8, { groups: ['db'] })],
    groups: [makeGroup('db', 'anti-affinity', { maxImpacted: 1 })],
    scope: { 'c-1': 'out', 'c-3': 'done' } as const,
  };
  const placement = [{ instance: 'id-a', target: 'c-3' }];
  const budget = { ...BUDGET, maxConcurrentMoves: 1 };
  const moving = choose({ ...given, groups: [] }, { budget, inFlight: [outing('c-1', { placement })] });
  assert.equal(moving.waitFor, 'c-1 to be empty: maxConcurrentMoves is 1');
  const shares = { placement, groupShares: { db: 1 } };
  assert.equal(
    choose(given, { inFlight: [outing('c-1', shares)] }).waitFor,
    'c-1 to be through: group db lets at most 1 of its members move or be stopped at one time',
  );
});

test('an empty host gives its shares back, but for the members that are stopped on it', () => {
  const given = (stopped: Partial<Instance>) => ({
    hosts: ['c-1', 'c-2', 'c-3'].map((name) => makeHost(name)),
    instances: [vm('a', 'c-1', 8, { groups: ['db'], ...stopped }), vm('b', 'c-2', 8, { groups: ['db'] })],
    groups: [makeGroup('db', 'none', { maxImpacted: 1 })],
    scope: { 'c-1': 'out', 'c-3': 'done' } as const,
  });
  const inFlight = [outing('c-1', { groupShares: { db: 1 }, drained: true })];
  assert.deepEqual(names(choose(given({ host: 'c-3' }), { inFlight })), ['c-2']);
  assert.deepEqual(names(choose(given({ state: 'stopped', stoppedBy: 'ours' }), { inFlight })), []);
  const wishes = { ...WISHES, overrides: { a: 'stop' } as const };
  assert.deepEqual(names(choose(given({}), { inFlight, wishes })), [], 'seen before it was stopped');
});

test('an empty host keeps its shares of groups, but no move slot, while members that left it recover', () => {
  const given = {
    hosts: ['c-1', 'c-2', 'c-3', 'c-4'].map((name) => makeHost(name)),
    instances: [
      vm('a', 'c-3', 8, { groups: ['db'] }),
      vm('b', 'c-2', 8, { groups: ['db'] }),
      vm('c', 'c-4', 8),
    ],
    groups: [makeGroup('db', 'none', { maxImpacted: 1, recoverySeconds: 60 })],
    scope: { 'c-1': 'out', 'c-3': 'done' } as const,
  };
  const budget = { ...BUDGET, maxConcurrentMoves: 1 };
  const left = { groupShares: { db: 1 }, drained: true };
  const later = choose(given, {
    budget,
    inFlight: [outing('c-1', { ...left, recovering: true })],
    freeSlots: 2,
  });
  assert.deepEqual(names(later), ['c-4']);
  const recovered = choose(given, { budget, inFlight: [outing('c-1', left)] });
  assert.deepEqual(names(recovered), ['c-2']);
});

test('what was stopped on a held host still counts in its group', () => {
  const given = (state: Partial<Instance>) => ({
    hosts: ['c-1', 'c-2', 'c-3'].map((name) => makeHost(name)),
    instances: [vm('a', 'c-1', 8, { groups: ['db'], ...state }), vm('b', 'c-2', 8, { groups: ['db'] })],
    groups: [makeGroup('db', 'none', { maxImpacted: 1 })],
    scope: { 'c-1': 'held', 'c-3': 'done' } as const,
  });
  assert.deepEqual(names(choose(given({}))), ['c-2']);
  assert.deepEqual(choose(given({ state: 'stopped', stoppedBy: 'ours' })), {
    start: [],
    waitFor: 'c-1 to be through: group db lets at most 1 of its members move or be stopped at one time',
  });
});

test('instances that are stopped or stay need no target; stopped ones that move do', () => {
  const given = {
    hosts: [makeHost('c-1'), makeHost('c-2')],
    instances: [
      vm('by-name', 'c-1', 60),
      vm('by-id', 'c-1', 1, { id: '42' }),
      vm('found', 'c-1', 1, { state: 'stopped' }),
      vm('broken', 'c-1', 1, { state: 'error' }),
      vm('ours', 'c-1', 1, { state: 'stopped', stoppedBy: 'mark' }),
      vm('mover', 'c-1', 1),
    ],
    scope: { 'c-2': 'done' } as const,
  };
  const overrides = { 'by-name': 'stop', '42': 'stop' } as const;
  const chosen = (wishes: Partial<typeof WISHES>): Partial<ChosenHost> => {
    const [{ moves, stops, placement } = {}] = choose(given, {
      wishes: { ...WISHES, overrides, ...wishes },
    }).start;
    return { moves: moves ?? 0, stops: stops ?? 0, placement: placement ?? [] };
  };
  const to = (...ids: string[]) => ids.map((instance) => ({ instance, target: 'c-2' }));
  assert.deepEqual(chosen({}), { moves: 1, stops: 2, placement: to('id-mover') });
  assert.deepEqual(chosen({ stopped: 'move' }), {
    moves: 2,
    stops: 2,
    placement: to('id-found', 'id-mover'),
  });
  assert.deepEqual(chosen({ mode: 'stop' }), { moves: 0, stops: 3, placement: [] });
});

test('a host that cannot be emptied comes last and alone, with what it can and why not more', () => {
  const given = {
    hosts: ['c-1', 'c-2', 'c-3'].map((name) => makeHost(name)),
    instances: [vm('huge', 'c-1', 60), vm('small', 'c-1', 1), vm('x', 'c-2', 10), vm('y', 'c-3', 10)],
  };
  const done = { 'c-2': 'done', 'c-3': 'done' } as const;
  assert.deepEqual(names(choose(given, { freeSlots: 3 })), ['c-2']);
  const waiting = choose({ ...given, scope: { ...done, 'c-3': 'out' } }, { inFlight: [outing('c-3')] });
  assert.deepEqual(names(waiting), []);
  const [last] = choose({ ...given, scope: done }).start;
  assert.deepEqual(last?.placement, [{ instance: 'id-small', target: 'c-2' }]);
  assert.deepEqual(last.blockers, [
    'huge cannot leave c-1: no host has 61440 MB free: best is c-2 with 55296',
  ]);
});

test('hosts that are down, unknown, or ask too much of a group come last too', () => {
  const hosts = [makeHost('c-1', { standing: 'down' }), makeHost('c-2'), makeHost('c-3')];
  assert.deepEqual(names(choose({ hosts, scope: { gone: 'pending' } }, { freeSlots: 9 })), ['c-2', 'c-3']);
  const scope = { 'c-2': 'done', 'c-3': 'done', gone: 'pending' } as const;
  assert.deepEqual(
    choose({ hosts, scope }, { freeSlots: 9 }).start.map(({ host, blockers }) => [host, blockers]),
    [['c-1', ['c-1 is down']]],
  );
  assert.deepEqual(
    choose({ hosts, scope: { ...scope, 'c-1': 'done' } }).start.map(({ host, blockers }) => [host, blockers]),
    [['gone', ['gone is not in the inventory of the site']]],
  );
  const stuck = {
    hosts: hosts.slice(1),
    instances: [vm('a', 'c-2', 1, { groups: ['db'] }), vm('b', 'c-2', 1, { groups: ['db'] })],
    groups: [makeGroup('db', 'none', { maxImpacted: 1 })],
    scope: { 'c-3': 'done' } as const,
  };
  assert.deepEqual(choose(stuck, { wishes: { ...WISHES, mode: 'stop' } }).start[0]?.blockers, [
    'group db lets at most 1 of its members move or be stopped at one time, and 2 have to',
  ]);
});

test('a host that is to be taken up again goes before all others, without waiting', () => {
  const given = {
    hosts: ['c-1', 'c-2', 'c-3', 'c-4'].map((name) => makeHost(name)),
    instances: [vm('a', 'c-1', 8), vm('b', 'c-3', 8), vm('c', 'c-4', 8)],
    scope: { 'c-4': 'out' } as const,
  };
  const chosen = choose(given, { first: new Set(['c-3']), inFlight: [outing('c-4')] });
  assert.deepEqual(names(chosen), ['c-3']);
  assert.deepEqual(targets(chosen), ['c-1']);
});

test('where instances return, hosts still to be taken out are good targets, but not while they have guests', () => {
  const given = {
    hosts: ['c-1', 'c-2', 'c-3'].map((name) => makeHost(name)),
    instances: [vm('a', 'c-1', 8), vm('b', 'c-2', 10), vm('c', 'c-3', 12)],
  };
  const wishes = { ...WISHES, return: true };
  const first = choose(given, { wishes, freeSlots: 3 });
  assert.deepEqual(names(first), ['c-1', 'c-2'].slice(0, 2));
  assert.deepEqual(targets(first), ['c-3']);
  const guest = {
    ...given,
    instances: [vm('a', 'c-3', 8), ...given.instances.slice(1)],
    scope: { 'c-1': 'out', 'c-2': 'done' } as const,
  };
  const inFlight = [outing('c-1', { placement: [{ instance: 'id-a', target: 'c-3' }], drained: true })];
  assert.deepEqual(names(choose(guest, { wishes, inFlight })), []);
  assert.deepEqual(
    names(choose(guest, { inFlight })),
    ['c-3'],
    'where they do not return, nothing is awaited',
  );
});

test('a host that stays cordoned when it is back is not waited for', () => {
  const hosts = ['c-1', 'c-2', 'c-3'].map((name) => makeHost(name));
  const instances = [vm('a', 'c-2', 8), vm('b', 'c-3', 8)];
  const out = (cordonReason: string): Host => makeHost('c-1', { standing: 'cordoned', cordonReason });
  const given = (reason: string): Site => ({
    hosts: [out(reason), ...hosts.slice(1)],
    instances,
    scope: { 'c-1': 'out' },
  });
  const inFlight = [outing('c-1')];
  assert.deepEqual(names(choose(given('haulout session=s host=c-1'), { inFlight })), []);
  assert.deepEqual(names(choose(given('bad memory, ask Kim'), { inFlight })), ['c-2']);
});

test('no slots, no hosts, no reason to wait', () => {
  assert.deepEqual(choose({ hosts: [makeHost('c-1')] }, { freeSlots: 0 }), { start: [] });
  assert.deepEqual(choose({ hosts: [makeHost('c-1')], scope: { 'c-1': 'done' } }), { start: [] });
});

test('hosts whose turn comes later wait until those of the turn before are through, also where one is held', () => {
  const hosts = ['control-plane', 'compute', 'gateway'].map((role) =>
    makeHost(`${role}-1`, { labels: { role } }),
  );
  const order = { label: 'role', values: ['control-plane', 'gateway'] };
  const next = (scope: Record<string, HostStatus>) => choose({ hosts, scope }, { freeSlots: 3, order });
  assert.deepEqual(names(next({})), ['control-plane-1']);
  assert.deepEqual(names(next({ 'control-plane-1': 'done' })), ['gateway-1']);
  assert.deepEqual(names(next({ 'control-plane-1': 'done', 'gateway-1': 'skipped' })), ['compute-1']);
  assert.deepEqual(next({ 'control-plane-1': 'held' }), {
    start: [],
    waitFor: 'control-plane-1 to be through: hosts of role control-plane come first',
  });
});
