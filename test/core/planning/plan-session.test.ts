import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Inventory } from '../../../src/core/inventory.ts';
import { nextHosts } from '../../../src/core/planning/next-hosts.ts';
import { planSession, type PlanRequest } from '../../../src/core/planning/plan-session.ts';
import { Snapshot } from '../../../src/core/planning/snapshot.ts';
import type { Plan } from '../../../src/core/progress.ts';
import type { HostStatus } from '../../../src/core/standing.ts';
import {
  BUDGET,
  GB,
  makeGroup,
  makeHost,
  makeInstance,
  randomFleet,
  randomNumbers,
  uniformFleet,
  WISHES,
} from './fleet.ts';

interface Given extends Partial<PlanRequest['spec']> {
  scope?: readonly string[];
}

const namesOf = ({ hosts }: Inventory): string[] => hosts.map(({ name }) => name);

function plan(inventory: Inventory, { scope = namesOf(inventory), ...spec }: Given = {}): Plan {
  const steps = planSession({
    snapshot: new Snapshot(inventory),
    scope,
    spec: { budget: BUDGET, instances: WISHES, actions: [], ...spec },
    capabilities: { moveMbPerSecond: GB },
  });
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

const wait = (seconds: number): PlanRequest['spec']['actions'] => [
  { plugin: 'wait', type: 'host', metadata: { seconds } },
];

test('three hosts, one at a time: what each costs, and when', () => {
  const inventory = {
    hosts: ['c-1', 'c-2', 'c-3'].map((name) => makeHost(name)),
    instances: [makeInstance('a', 'c-1', 8 * GB), makeInstance('b', 'c-2', 18 * GB)],
    groups: [],
  };
  const host = { stops: 0, blockers: [] };
  assert.deepEqual(plan(inventory, { actions: wait(100) }), {
    hosts: [
      { host: 'c-3', moves: 0, targets: [], startsAfter: 0, seconds: 115, ...host },
      { host: 'c-1', moves: 1, targets: ['c-3'], startsAfter: 115, seconds: 125, ...host },
      { host: 'c-2', moves: 1, targets: ['c-3'], startsAfter: 240, seconds: 135, ...host },
    ],
    hostCount: 3,
    moves: 2,
    movesBound: 2,
    makespan: 375,
    makespanBound: 375,
    blockers: [],
  });
});

test('a pause after each host delays the next one, and the bound knows it', () => {
  const { makespan, makespanBound } = plan(uniformFleet({ hosts: 3, instancesPerHost: 0, fill: 0 }), {
    pauseBetweenHosts: '1m',
  });
  assert.deepEqual([makespan, makespanBound], [3 * 15 + 2 * 60, 3 * 15 + 2 * 60]);
});

test('instances that return move twice, and the bound says so', () => {
  const inventory = uniformFleet({ hosts: 4, instancesPerHost: 3, fill: 0.3 });
  const { moves, movesBound, hosts } = plan(inventory, { instances: { ...WISHES, return: true } });
  assert.deepEqual([moves, movesBound], [24, 24]);
  assert.equal(hosts[3]?.moves, 3, 'no host has guests when it is taken out');
});

test('a plan leaves the snapshot as it was', () => {
  const snapshot = new Snapshot(uniformFleet({ hosts: 4, instancesPerHost: 3, fill: 0.3 }));
  const request = {
    snapshot,
    scope: ['compute-1'],
    spec: { budget: BUDGET, instances: WISHES, actions: [] },
    capabilities: { moveMbPerSecond: GB },
  };
  assert.deepEqual([...planSession(request)].length > 0, true);
  assert.equal(snapshot.instancesOn(snapshot.indexOf('compute-1') ?? -1).length, 3);
});

test('hosts that cannot be emptied come last with their blockers, and count in no figure', () => {
  const inventory = {
    hosts: [makeHost('c-1', { labels: { gpu: 'yes' } }), makeHost('c-2'), makeHost('c-3')],
    instances: [makeInstance('gpu-1', 'c-1', GB, { requires: { gpu: 'yes' } }), makeInstance('a', 'c-2', GB)],
    groups: [],
  };
  const { hosts, blockers, moves, movesBound } = plan(inventory, { scope: [...namesOf(inventory), 'c-9'] });
  assert.deepEqual(
    hosts.map(({ host }) => host),
    ['c-3', 'c-2', 'c-1', 'c-9'],
  );
  assert.deepEqual(blockers, [
    'gpu-1 cannot leave c-1: there is no other host in gpu yes',
    'c-9 is not in the inventory of the site',
  ]);
  assert.deepEqual([moves, movesBound], [1, 1]);
});

test('a plan lists 500 hosts and counts all', () => {
  const { hosts, hostCount } = plan(uniformFleet({ hosts: 600, instancesPerHost: 0, fill: 0 }), {
    budget: { ...BUDGET, maxConcurrentHosts: '10%' },
  });
  assert.deepEqual(
    [hosts.length, hostCount, hosts[59]?.startsAfter, hosts[60]?.startsAfter],
    [500, 600, 0, 15],
  );
});

/** Sizes in GB of the instances on each of some hosts, as far as they fit. */
const loads = fc.array(fc.array(fc.integer({ min: 1, max: 64 }), { maxLength: 8 }), {
  minLength: 1,
  maxLength: 15,
});

test('with an empty host, and all hosts alike, nothing moves twice however many are out at once', () => {
  fc.assert(
    fc.property(loads, fc.integer({ min: 1, max: 6 }), (sizes, maxConcurrentHosts) => {
      const hosts = ['empty', ...sizes.keys()].map((name) => makeHost(String(name)));
      const instances = sizes.flatMap((onHost, host) => {
        let left = 64;
        const fitting = onHost.filter((gb) => gb <= left && (left -= gb) >= 0);
        return fitting.map((gb, index) => makeInstance(`vm-${host}-${index}`, String(host), gb * GB));
      });
      const { moves, blockers } = plan(
        { hosts, instances, groups: [] },
        { budget: { ...BUDGET, maxConcurrentHosts } },
      );
      assert.deepEqual(blockers, []);
      assert.equal(moves, instances.length);
    }),
    { numRuns: 200 },
  );
});

const anyFleet = fc
  .record({
    seed: fc.nat(),
    hosts: fc.integer({ min: 1, max: 20 }),
    zones: fc.integer({ min: 1, max: 3 }),
    fill: fc.constantFrom(0.4, 0.7, 0.85),
    instancesPerHost: fc.integer({ min: 1, max: 8 }),
    pinned: fc.constantFrom(0, 0.5),
    grouped: fc.constantFrom(0, 0.5),
    stopped: fc.constantFrom(0, 0.1),
    cordoned: fc.constantFrom(0, 0.1),
  })
  .map(randomFleet);
const alike = fc
  .record({
    hosts: fc.integer({ min: 1, max: 12 }),
    instancesPerHost: fc.integer({ min: 1, max: 5 }),
    fill: fc.constantFrom(0.4, 0.8),
    zones: fc.integer({ min: 1, max: 3 }),
  })
  .map(uniformFleet);

test('a plan has every host once, never beats its bounds, and never starts more than may be out', () => {
  fc.assert(
    fc.property(
      anyFleet,
      fc.integer({ min: 1, max: 5 }),
      fc.boolean(),
      (inventory, maxConcurrentHosts, back) => {
        const given = {
          budget: { ...BUDGET, maxConcurrentHosts },
          instances: { ...WISHES, return: back },
          actions: wait(60),
        };
        const { hosts, hostCount, moves, movesBound, makespan, makespanBound } = plan(inventory, given);
        assert.equal(hostCount, inventory.hosts.length);
        assert.deepEqual(new Set(hosts.map(({ host }) => host)), new Set(namesOf(inventory)));
        assert.ok(moves >= movesBound, `${moves} moves, ${movesBound} at least`);
        assert.ok(makespan >= makespanBound - 1e-6, `${makespan} s, ${makespanBound} s at least`);
        const going = hosts.filter(({ blockers }) => blockers.length === 0);
        for (const { startsAfter: time } of going) {
          const out = going.filter(
            ({ startsAfter, seconds }) => startsAfter <= time && time < startsAfter + seconds - 1e-6,
          );
          assert.ok(out.length <= maxConcurrentHosts);
        }
      },
    ),
    { numRuns: 150 },
  );
});

function shuffled<T>(items: readonly T[], next: () => number): T[] {
  return items
    .map((item) => ({ item, at: next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

test('the order in which a site lists things changes nothing', () => {
  fc.assert(
    fc.property(
      fc.oneof(anyFleet, alike),
      fc.nat(),
      fc.integer({ min: 1, max: 5 }),
      (inventory, seed, freeSlots) => {
        const next = randomNumbers(seed);
        const other = {
          hosts: shuffled(inventory.hosts, next),
          instances: shuffled(inventory.instances, next),
          groups: shuffled(inventory.groups, next),
        };
        const choice = (site: Inventory) =>
          nextHosts({
            snapshot: new Snapshot(site),
            scope: new Map<string, HostStatus>(namesOf(site).map((name) => [name, 'pending'])),
            inFlight: [],
            freeSlots,
            budget: BUDGET,
            wishes: WISHES,
            moveMbPerSecond: GB,
            workSeconds: { compute: 0, controller: 0, other: 0 },
          });
        assert.deepEqual(choice(other), choice(inventory));
        assert.deepEqual(plan(other), plan(inventory));
      },
    ),
    { numRuns: 100 },
  );
});

test('a group that is spread over the fleet is never moved as a whole', () => {
  const inventory = uniformFleet({ hosts: 6, instancesPerHost: 2, fill: 0.4, empty: 1 });
  const instances = inventory.instances.map((instance, index) =>
    index % 2 ? instance : { ...instance, groups: ['db'] },
  );
  const groups = [makeGroup('db', 'anti-affinity', { maxImpacted: 1 })];
  const { hosts } = plan(
    { ...inventory, instances, groups },
    { budget: { ...BUDGET, maxConcurrentHosts: 6 } },
  );
  const starts = hosts.slice(1).map(({ startsAfter }) => startsAfter);
  assert.equal(new Set(starts).size, 5, 'one host with a member after the other');
});

test('a thousand hosts with twenty instances each are planned in seconds', () => {
  const inventory = uniformFleet({ hosts: 1000, instancesPerHost: 20, fill: 0.75, zones: 3 });
  const startedAt = performance.now();
  const { moves, movesBound, blockers } = plan(inventory, {
    budget: { ...BUDGET, maxConcurrentHosts: '5%' },
  });
  assert.ok(performance.now() - startedAt < 30_000, 'twenty times what it takes on a slow machine');
  assert.deepEqual(blockers, []);
  assert.ok(moves / movesBound < 1.01);
});
