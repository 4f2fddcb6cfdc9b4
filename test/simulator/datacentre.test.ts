import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkJournal, type Rule } from '../../src/simulator/checker.ts';
import { Datacentre } from '../../src/simulator/datacentre.ts';
import { generateFleet } from '../../src/simulator/fleet.ts';
import { Journal } from '../../src/simulator/journal.ts';
import { Refusal } from '../../src/simulator/refusal.ts';
import { NATURAL } from '../../src/simulator/tasks.ts';

const HOSTS = 6;
const INSTANCES = 16;

const FLEET = generateFleet({
  seed: 5,
  hosts: { count: HOSTS, zones: 2, capacity: { vcpus: 8, memoryMb: 8192, diskGb: 80 } },
  instances: {
    count: INSTANCES,
    pinned: 3,
    stopped: 2,
    sizes: [
      { vcpus: 1, memoryMb: 1024, diskGb: 10 },
      { vcpus: 2, memoryMb: 3072, diskGb: 10 },
    ],
  },
  groups: [
    { name: 'apart', policy: 'anti-affinity', members: 3 },
    { name: 'pair', policy: 'affinity', members: 2 },
    { name: 'few', policy: 'none', maxPerHost: 2, members: 4 },
  ],
  migration: { baseMs: 0, mbPerSecond: 0 },
  durations: { stopMs: 0, startMs: 0, enterMs: 0, exitMs: 0, workMs: 0 },
});

/** What an operator may do in any order; the platform may refuse, and may never break a rule of placement. */
const PLATFORM_RULES: ReadonlySet<Rule> = new Set([
  'journal',
  'capacity',
  'requirement',
  'spread',
  'affinity',
  'target-out-of-service',
]);

const host = fc.integer({ min: 1, max: HOSTS }).map((number) => `compute-0${number}`);
const instance = fc
  .integer({ min: 1, max: INSTANCES })
  .map((number) => `i-${String(number).padStart(6, '0')}`);
const operation = fc.oneof(
  fc.record({
    do: fc.constant('migrate'),
    instance,
    target: host,
    lasts: fc.boolean(),
    isLive: fc.boolean(),
  }),
  fc.record({ do: fc.constant('choose'), instance }),
  fc.record({ do: fc.constant('abort'), instance }),
  fc.record({ do: fc.constantFrom('cordon', 'uncordon', 'enter', 'exit', 'die', 'revive', 'shrink'), host }),
  fc.record({ do: fc.constantFrom('stop', 'start', 'delete'), instance }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

function perform(datacentre: Datacentre, order: Operation): void {
  if ('target' in order) {
    const mode = order.isLive ? 'live' : 'cold';
    datacentre.migrate(
      order.instance,
      { mode, target: order.target },
      order.lasts ? { kind: 'neverEnds' } : NATURAL,
    );
    return;
  }
  if ('host' in order) {
    const { host: name } = order;
    const actions: Record<string, () => unknown> = {
      cordon: () => datacentre.cordon(name, 'by hand'),
      uncordon: () => datacentre.uncordon(name),
      enter: () => datacentre.enter(name, 'by hand', NATURAL),
      exit: () => datacentre.exit(name, NATURAL),
      die: () => datacentre.die(name),
      revive: () => datacentre.revive(name),
      shrink: () => datacentre.setCapacity(name, { memoryMb: 5000 }),
    };
    actions[order.do]?.();
    return;
  }
  const { instance: id } = order;
  const actions: Record<string, () => unknown> = {
    choose: () => datacentre.migrate(id, { mode: 'live' }, NATURAL),
    abort: () => {
      for (const task of datacentre.tasks.list({ subject: id, state: 'running' }))
        datacentre.tasks.abort(task.id);
    },
    stop: () => datacentre.stop(id, undefined, NATURAL),
    start: () => datacentre.start(id, NATURAL),
    delete: () => datacentre.deleteInstance(id),
  };
  actions[order.do]?.();
}

test('whatever is asked of it, the datacentre and the checker agree on what is allowed', () => {
  let moves = 0;
  let refusals = 0;
  fc.assert(
    fc.property(fc.array(operation, { minLength: 20, maxLength: 60 }), (orders) => {
      const journal = new Journal();
      const datacentre = new Datacentre(FLEET, journal);
      for (const order of orders) {
        try {
          perform(datacentre, order);
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          refusals += 1;
        }
      }
      moves += journal.entries.filter(({ type }) => type === 'instance.migration.ended').length;
      const broken = checkJournal(journal.entries, { maxMovesPerInstance: Infinity }).filter(({ rule }) =>
        PLATFORM_RULES.has(rule),
      );
      assert.deepEqual(broken, []);
    }),
    { numRuns: 150 },
  );
  assert.ok(moves > 100 && refusals > 100, `${moves} moves and ${refusals} refusals are enough to tell`);
});
