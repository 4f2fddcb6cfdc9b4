import test from 'node:test';
import fc from 'fast-check';
import { randomFleet } from './fleet.ts';
import { PlayedSession } from './played-session.ts';

const share = (max: number): fc.Arbitrary<number> => fc.constantFrom(0, max / 2, max);

const terms = fc
  .record({
    fleet: fc.record({
      seed: fc.nat(),
      hosts: fc.integer({ min: 1, max: 14 }),
      zones: fc.integer({ min: 1, max: 3 }),
      fill: fc.constantFrom(0.3, 0.6, 0.75, 0.85),
      instancesPerHost: fc.integer({ min: 1, max: 8 }),
      pinned: share(0.6),
      grouped: share(0.7),
      stopped: share(0.2),
      cordoned: share(0.2),
    }),
    inScope: fc.constantFrom(0.5, 1),
    maxConcurrentHosts: fc.integer({ min: 1, max: 6 }),
    maxConcurrentMoves: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
    maxConcurrentMovesPerHost: fc.integer({ min: 1, max: 4 }),
    perDomain: fc.option(
      fc.record({ label: fc.constantFrom('zone', 'rack', 'none'), max: fc.integer({ min: 1, max: 2 }) }),
      {
        nil: undefined,
      },
    ),
    mode: fc.constantFrom('live', 'cold', 'live-then-cold', 'stop'),
    stopped: fc.constantFrom('stay', 'move'),
    return: fc.boolean(),
    overrides: fc.dictionary(
      fc.integer({ min: 1, max: 40 }).map((number) => (number % 2 ? `vm-${number}` : `id-vm-${number}`)),
      fc.constantFrom('live', 'stop'),
      { maxKeys: 5 },
    ),
    seed: fc.nat(),
  })
  .map(
    ({
      fleet,
      inScope,
      mode,
      stopped,
      return: back,
      overrides,
      seed,
      maxConcurrentMoves,
      perDomain,
      ...budget
    }) => {
      const inventory = randomFleet(fleet);
      const names = inventory.hosts.map(({ name }) => name);
      return {
        inventory,
        scope: names.slice(0, Math.ceil(names.length * inScope)),
        budget: {
          ...budget,
          maxFailedHosts: 0,
          ...(maxConcurrentMoves !== undefined && { maxConcurrentMoves }),
          ...(perDomain !== undefined && { perDomain }),
        },
        wishes: { mode, stopped, return: back, overrides } as const,
        seed,
      };
    },
  );

test('whatever the fleet and the budget, a session breaks no rule and takes every host once', () => {
  fc.assert(
    fc.property(terms, (given) => {
      new PlayedSession(given).play();
    }),
    { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 300) },
  );
});
