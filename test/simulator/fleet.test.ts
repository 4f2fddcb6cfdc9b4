import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import type { Group } from '../../src/core/inventory.ts';
import { checkJournal } from '../../src/simulator/checker.ts';
import { Datacentre } from '../../src/simulator/datacentre.ts';
import { type FleetInput, fleetSpec, generateFleet } from '../../src/simulator/fleet.ts';
import { Journal } from '../../src/simulator/journal.ts';
import type { Fleet } from '../../src/simulator/model.ts';
import { Refusal } from '../../src/simulator/refusal.ts';
import { NATURAL } from '../../src/simulator/tasks.ts';

const SIZE = { vcpus: 1, memoryMb: 1024, diskGb: 10 };
const SIZES = [SIZE, { ...SIZE, memoryMb: 4096, weight: 2 }];
const CAPACITY = { vcpus: 10, memoryMb: 10_240, diskGb: 100 };
const DEMO = fleetSpec.parse(
  parse(readFileSync(new URL('../../examples/fleets/demo.yaml', import.meta.url), 'utf8')),
);

const countByHost = (fleet: Fleet): Map<string, number> => {
  const counts = new Map(fleet.hosts.map(({ name }) => [name, 0]));
  for (const { host } of fleet.instances) counts.set(host, (counts.get(host) ?? 0) + 1);
  return counts;
};

/** What is wrong with where a fleet's instances are. */
function complaints(fleet: Fleet): string[] {
  const found: string[] = [];
  for (const host of fleet.hosts) {
    const here = fleet.instances.filter((instance) => instance.host === host.name);
    for (const kind of ['vcpus', 'memoryMb', 'diskGb'] as const) {
      const used = here.reduce((sum, { resources }) => sum + resources[kind], 0);
      if (used > host.capacity[kind]) found.push(`${host.name} gives ${used} ${kind}`);
    }
    for (const group of fleet.groups) {
      const members = here.filter(({ groups }) => groups.includes(group.id)).length;
      if (members > most(group)) found.push(`${members} of ${group.id} on ${host.name}`);
    }
    for (const { name, requires } of here) {
      const unmet = Object.entries(requires).some(([label, value]) => host.labels[label] !== value);
      if (unmet) found.push(`${name} on ${host.name}`);
    }
  }
  for (const group of fleet.groups.filter(({ policy }) => policy === 'affinity')) {
    const hosts = fleet.instances.filter(({ groups }) => groups.includes(group.id)).map(({ host }) => host);
    if (new Set(hosts).size > 1) found.push(`${group.id} is scattered`);
  }
  return found;
}

const most = (group: Group): number => group.maxPerHost ?? (group.policy === 'anti-affinity' ? 1 : Infinity);

describe('the generator', () => {
  test('the same seed gives the same fleet, another one another', () => {
    assert.deepEqual(generateFleet(DEMO), generateFleet(DEMO));
    assert.notDeepEqual(generateFleet(DEMO), generateFleet({ ...DEMO, seed: 99 }));
  });

  test('respects capacity, groups and requirements, or says what does not fit', () => {
    const spec = fc.record({
      seed: fc.nat(),
      hosts: fc.record({
        count: fc.integer({ min: 3, max: 12 }),
        zones: fc.integer({ min: 1, max: 3 }),
        capacity: fc.constant(CAPACITY),
      }),
      emptyHosts: fc.integer({ min: 0, max: 2 }),
      instances: fc.record({
        count: fc.integer({ min: 12, max: 80 }),
        pinned: fc.integer({ min: 0, max: 3 }),
        sizes: fc.constant(SIZES),
      }),
      groups: fc.constant<FleetInput['groups']>([
        { name: 'apart', policy: 'anti-affinity', members: 3 },
        { name: 'pair', policy: 'affinity', members: 2 },
        { name: 'few', maxPerHost: 2, members: 4 },
      ]),
    });
    fc.assert(
      fc.property(spec, (input) => {
        let fleet: Fleet;
        try {
          fleet = generateFleet(input);
        } catch (error) {
          assert.match(String(error), /instance \d+ of \d+ does not fit: /);
          return;
        }
        assert.deepEqual(complaints(fleet), []);
        assert.equal(fleet.instances.length, input.instances.count);
      }),
      { numRuns: 60 },
    );
  });

  test('perHost puts as many on every host, and none on the empty ones and the controllers', () => {
    const fleet = generateFleet({
      hosts: { count: 6, controllers: 1, zones: 2, capacity: CAPACITY },
      emptyHosts: 2,
      instances: { perHost: 5, sizes: [SIZE] },
    });
    const counts = countByHost(fleet);
    assert.equal(counts.get('controller-01'), 0);
    assert.deepEqual(
      [...counts].filter(([name]) => name.startsWith('compute')).map(([, count]) => count),
      [5, 5, 5, 5, 0, 0],
    );
  });

  test('takes hosts and instances as they are written', () => {
    const fleet = generateFleet({
      hosts: [{ name: 'h', labels: { zone: 'z' }, capacity: CAPACITY }],
      instances: [{ name: 'i', host: 'h', resources: SIZE, groups: ['g'], requires: { zone: 'z' } }],
      groups: [{ name: 'g', policy: 'anti-affinity', maxImpacted: 1 }],
    });
    assert.deepEqual(fleet.hosts, [
      { name: 'h', role: 'compute', labels: { zone: 'z' }, capacity: CAPACITY },
    ]);
    assert.deepEqual(fleet.groups, [{ id: 'g', name: 'g', policy: 'anti-affinity', maxImpacted: 1 }]);
    assert.equal(fleet.instances[0]?.host, 'h');
  });

  const host = { name: 'h', capacity: CAPACITY };
  const guest = { name: 'i', host: 'h', resources: SIZE };
  const apart = { name: 'g', policy: 'anti-affinity' } as const;
  const wrong: [what: string, spec: FleetInput, words: RegExp][] = [
    ['a host twice', { hosts: [host, host], instances: [] }, /host h is listed twice/],
    ['an instance twice', { hosts: [host], instances: [guest, guest] }, /instance i is listed twice/],
    ['an unknown host', { hosts: [host], instances: [{ ...guest, host: 'x' }] }, /there is no host x/],
    ['an unknown group', { hosts: [host], instances: [{ ...guest, groups: ['x'] }] }, /there is no group x/],
    [
      'too much on a host',
      { hosts: [host], instances: [{ ...guest, resources: { ...SIZE, vcpus: 11 } }] },
      /vcpus/,
    ],
    [
      'a broken group',
      {
        hosts: [host],
        groups: [apart],
        instances: [
          { ...guest, groups: ['g'] },
          { ...guest, name: 'j', groups: ['g'] },
        ],
      },
      /at most 1/,
    ],
    [
      'more members than instances',
      {
        hosts: { count: 3, capacity: CAPACITY },
        groups: [{ ...apart, members: 3 }],
        instances: { count: 2, sizes: [SIZE] },
      },
      /too few/,
    ],
    [
      'count and perHost',
      { hosts: [host], instances: { count: 1, perHost: 1, sizes: [SIZE] } },
      /either count or perHost/,
    ],
  ];
  for (const [what, spec, words] of wrong) {
    test(`refuses ${what}`, () => assert.throws(() => generateFleet(spec), words));
  }
});

describe('the demo fleet', () => {
  test('is twelve hosts in three zones with sixty instances, an empty host in each zone', () => {
    const fleet = generateFleet(DEMO);
    const counts = countByHost(fleet);
    assert.equal(fleet.hosts.length, 12);
    assert.equal(fleet.instances.length, 60);
    assert.deepEqual(complaints(fleet), []);
    const empty = fleet.hosts.filter(({ name }) => counts.get(name) === 0);
    assert.deepEqual(empty.map(({ labels }) => labels['zone']).sort(), ['az1', 'az2', 'az3']);
    assert.equal(fleet.instances.filter(({ state }) => state === 'stopped').length, 3);
    assert.ok(fleet.groups.some(({ maxImpacted }) => maxImpacted !== undefined));
  });

  test('can be maintained host by host with one move for each instance', () => {
    const fleet = generateFleet({
      ...DEMO,
      migration: { baseMs: 0, mbPerSecond: 0 },
      durations: { stopMs: 0, startMs: 0, enterMs: 0, exitMs: 0, workMs: 0 },
    });
    const journal = new Journal();
    const datacentre = new Datacentre(fleet, journal);
    const counts = countByHost(fleet);
    const order = [...datacentre.hosts()].sort(
      (a, b) => (counts.get(a.name) ?? 0) - (counts.get(b.name) ?? 0),
    );
    const done: string[] = [];
    for (const { name } of order) {
      const reason = `haulout session=s host=${name}`;
      datacentre.cordon(name, reason);
      for (const { id, state } of datacentre.instancesOn(name)) {
        if (state === 'running') moveToOneOf(datacentre, id, done);
      }
      assert.equal(datacentre.enter(name, reason, NATURAL).state, 'done');
      datacentre.exit(name, NATURAL);
      datacentre.uncordon(name);
      done.unshift(name);
    }
    assert.deepEqual(checkJournal(journal.entries, { maxConcurrentHosts: 1, maxConcurrentMoves: 1 }), []);
  });
});

function moveToOneOf(datacentre: Datacentre, instance: string, targets: string[]): void {
  for (const target of targets) {
    try {
      datacentre.migrate(instance, { mode: 'live', target }, NATURAL);
      return;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
  }
  assert.fail(`no host that is done can take ${instance}`);
}
