import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { HostOutcome } from '../../src/core/host-run.ts';
import { HostTable } from '../../src/core/host-table.ts';
import { decodeStatuses, encodeStatuses, HOST_STATUSES, type HostStatus } from '../../src/core/standing.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'];

const outcomeOf = (host: string): HostOutcome => ({
  host,
  outcome: 'done',
  moved: 2,
  stopped: 1,
  warnings: [],
  durationMs: 1000,
});

/** What may happen to a host, and how it then stands. */
const EVENTS: Record<
  string,
  { act: (table: HostTable, host: string) => void; becomes: HostStatus; from: HostStatus[] }
> = {
  start: {
    act: (table, host) => {
      table.start({ host, placement: [], moveSlots: 1, groupShares: {}, drained: false }, 0);
    },
    becomes: 'out',
    from: ['pending'],
  },
  finish: { act: (table, host) => table.finish(outcomeOf(host)), becomes: 'done', from: ['out'] },
  hold: {
    act: (table, host) => {
      const hold = {
        host,
        step: 'work',
        code: 'ActionFailed',
        message: 'no',
        retryable: false,
        since: '',
      } as const;
      table.hold(hold, undefined);
    },
    becomes: 'held',
    from: ['out'],
  },
  retry: { act: (table, host) => table.retryHeld(host), becomes: 'pending', from: ['held'] },
  skip: {
    act: (table, host) => table.giveUp(host, 'skipped'),
    becomes: 'skipped',
    from: ['pending', 'held'],
  },
  rollBack: {
    act: (table, host) => table.giveUp(host, 'rolled-back'),
    becomes: 'rolled-back',
    from: ['out', 'held'],
  },
  requeue: { act: (table, host) => table.requeue(host), becomes: 'pending', from: ['out'] },
};

test('counts and lists agree with how each host stands, whatever happens, also in the next run', () => {
  const step = fc.tuple(fc.constantFrom(...Object.keys(EVENTS)), fc.constantFrom(...NAMES));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const table = HostTable.of(NAMES, 10);
      const model = new Map<string, HostStatus>(NAMES.map((name) => [name, 'pending']));
      for (const [name, host] of steps) {
        const event = EVENTS[name];
        const status = model.get(host);
        if (!event || !status || !event.from.includes(status)) continue;
        event.act(table, host);
        model.set(host, event.becomes);
      }
      const count = (status: HostStatus): number =>
        [...model.values()].filter((one) => one === status).length;
      for (const status of HOST_STATUSES) assert.equal(table.count(status), count(status), status);
      assert.deepEqual(
        [...table.out.keys()].sort(),
        NAMES.filter((name) => model.get(name) === 'out'),
      );
      assert.deepEqual(
        [...table.held.keys()].sort(),
        NAMES.filter((name) => model.get(name) === 'held'),
      );
      assert.equal(table.instanceCounts().moved, 2 * count('done'));
      if (count('out') > 0) return;
      const next = new HostTable(table.toState());
      assert.deepEqual(next.toState(), table.toState());
      assert.deepEqual(next.hostCounts(), table.hostCounts());
    }),
  );
});

test('statuses travel as letters and come back', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...HOST_STATUSES)), (statuses) => {
      assert.deepEqual(decodeStatuses(encodeStatuses(statuses)), statuses);
    }),
  );
  assert.throws(() => decodeStatuses('x'), /not a host status/);
});

test('ten thousand hosts fit into one payload', () => {
  const hosts = Array.from(
    { length: 10_000 },
    (_, index) => `compute-${String(index).padStart(5, '0')}.example.org`,
  );
  const bytes = Buffer.byteLength(JSON.stringify(HostTable.of(hosts, 50_000).toState()));
  assert.ok(bytes < 1024 * 1024, `${bytes} bytes`);
});
