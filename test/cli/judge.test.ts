import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from '../../src/cli/judge.ts';
import { sessionSpec } from '../../src/core/session-spec.ts';
import type { JournalEntry, JournalEvent } from '../../src/simulator/journal.ts';

const spec = sessionSpec.parse({ site: 'demo' });
const scenario = { end: 'MAINTENANCE_DONE', allWorked: true } as const;
const capacity = { vcpus: 8, memoryMb: 8192, diskGb: 100 };

const journal = (...events: JournalEvent[]): JournalEntry[] => {
  const host = { name: 'compute-1', role: 'compute', labels: {}, capacity, standing: 'in-service' } as const;
  const created: JournalEvent = { type: 'datacentre.created', hosts: [host], instances: [], groups: [] };
  return [created, ...events].map((event, index) => ({
    seq: index + 1,
    time: '2027-03-01T22:00:00Z',
    ...event,
  }));
};

const MAINTAINED: JournalEvent[] = [
  { type: 'host.cordoned', host: 'compute-1', reason: 'haulout session=demo host=compute-1' },
  { type: 'host.entering', host: 'compute-1', reason: 'haulout session=demo host=compute-1', task: 't1' },
  { type: 'host.entered', host: 'compute-1' },
  { type: 'work.started', host: 'compute-1', work: 'w1', key: 'k' },
  { type: 'work.ended', host: 'compute-1', work: 'w1', outcome: 'ok' },
  { type: 'host.exiting', host: 'compute-1', task: 't2' },
  { type: 'host.exited', host: 'compute-1' },
  { type: 'host.uncordoned', host: 'compute-1', reason: 'haulout session=demo host=compute-1' },
];

test('a run that did what it should is not blamed', () => {
  assert.deepEqual(judge(journal(...MAINTAINED), { spec, scenario, state: 'MAINTENANCE_DONE' }), []);
});

test('a session that ends otherwise is blamed', () => {
  assert.deepEqual(judge(journal(...MAINTAINED), { spec, scenario, state: 'MAINTENANCE_CANCELLED' }), [
    'the session is MAINTENANCE_CANCELLED, not MAINTENANCE_DONE',
  ]);
});

test('so is a host that was left out, or not worked on', () => {
  const problems = judge(journal(...MAINTAINED.slice(0, 3)), { spec, scenario, state: 'MAINTENANCE_DONE' });
  assert.match(problems.join('\n'), /^work-count: .*compute-1/m);
  assert.match(problems.join('\n'), /^not-in-service: compute-1/m);
});
