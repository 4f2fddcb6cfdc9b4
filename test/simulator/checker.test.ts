import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatMark } from '../../src/core/mark.ts';
import type { Instance } from '../../src/core/inventory.ts';
import { constraintsOf } from '../support/constraints.ts';
import { checkJournal, type Expectations, type Rule } from '../../src/simulator/checker.ts';
import type { JournalEntry, JournalEvent } from '../../src/simulator/journal.ts';

const SIZE = { vcpus: 1, memoryMb: 1024, diskGb: 10 };

const instance = (id: string, host: string, extra: Partial<Instance> = {}): Instance => ({
  id,
  name: id,
  host,
  state: 'running',
  resources: SIZE,
  groups: [],
  requires: {},
  ...extra,
});

const created = (...instances: Instance[]): JournalEvent => ({
  type: 'datacentre.created',
  hosts: ['a1', 'a2', 'b1'].map((name) => ({
    name,
    role: 'compute',
    labels: { zone: name.slice(0, 1) },
    capacity: { vcpus: 4, memoryMb: 4096, diskGb: 40 },
    standing: 'in-service',
  })),
  instances,
  groups: [
    { id: 'apart', name: 'apart', policy: 'anti-affinity' },
    { id: 'pair', name: 'pair', policy: 'affinity' },
    { id: 'careful', name: 'careful', policy: 'none', maxImpacted: 1 },
  ],
});

const journal = (...events: JournalEvent[]): JournalEntry[] =>
  events.map((event, index) => ({ seq: index + 1, time: '2027-01-01T00:00:00.000Z', ...event }));

/** Entries that are so many milliseconds apart. */
const paced = (milliseconds: number, ...events: JournalEvent[]): JournalEntry[] =>
  journal(...events).map((entry) => ({
    ...entry,
    time: new Date(Date.parse(entry.time) + entry.seq * milliseconds).toISOString(),
  }));

const mark = (host: string): string => formatMark({ session: 's', host });
const cordon = (host: string): JournalEvent => ({ type: 'host.cordoned', host, reason: mark(host) });
const uncordon = (host: string): JournalEvent => ({ type: 'host.uncordoned', host });
const enter = (host: string): JournalEvent[] => [
  { type: 'host.entering', host, reason: mark(host), task: 't' },
  { type: 'host.entered', host },
];
const exit = (host: string): JournalEvent[] => [
  { type: 'host.exiting', host, task: 't' },
  { type: 'host.exited', host },
];
const workStarted = (host: string, work = 'w'): JournalEvent => ({
  type: 'work.started',
  host,
  work,
  key: 'k',
});
const workEnded = (host: string, work = 'w'): JournalEvent => ({
  type: 'work.ended',
  host,
  work,
  outcome: 'ok',
});
const leave = (id: string, from: string, to: string): JournalEvent => ({
  type: 'instance.migration.started',
  instance: id,
  from,
  to,
  mode: 'live',
  task: 't',
});
const land = (
  id: string,
  from: string,
  to: string,
  outcome: 'ok' | 'failed' | 'aborted' = 'ok',
): JournalEvent => ({
  type: 'instance.migration.ended',
  instance: id,
  from,
  to,
  task: 't',
  outcome,
  state: 'running',
});
const move = (id: string, from: string, to: string): JournalEvent[] => [
  leave(id, from, to),
  land(id, from, to),
];
const stop = (id: string, host: string, by = mark(host)): JournalEvent => ({
  type: 'instance.stopped',
  instance: id,
  host,
  mark: by,
});

const LOOK: JournalEvent = { type: 'request', method: 'GET', path: '/v1/hosts' };

/** A host taken through maintenance as it should be. */
const maintained = (host: string): JournalEvent[] => [
  cordon(host),
  ...enter(host),
  workStarted(host, `w-${host}`),
  workEnded(host, `w-${host}`),
  ...exit(host),
  uncordon(host),
];

interface Case {
  entries: JournalEntry[];
  expect?: Expectations;
  /** Entry that breaks the rule. */
  at: number;
  /** What it cannot help breaking beside it. */
  also?: Rule;
}

/** For each rule a journal that breaks it, and nothing else. */
const BROKEN: Record<Rule, Case> = {
  journal: {
    entries: journal(created(), LOOK, LOOK, LOOK).filter(({ seq }) => seq !== 3),
    at: 4,
  },
  'instance-lost': {
    entries: journal(created(instance('i', 'a1')), { type: 'host.died', host: 'a1' }),
    at: 2,
    also: 'not-in-service',
  },
  'moved-too-often': {
    entries: journal(created(instance('i', 'a1')), ...move('i', 'a1', 'a2'), ...move('i', 'a2', 'b1')),
    at: 5,
  },
  'left-stopped': { entries: journal(created(instance('i', 'a1')), stop('i', 'a1')), at: 2 },
  'left-moving': { entries: journal(created(instance('i', 'a1')), leave('i', 'a1', 'a2')), at: 2 },
  'not-returned': {
    entries: journal(created(instance('i', 'a1')), ...move('i', 'a1', 'a2')),
    expect: { returned: true },
    at: 3,
  },
  'work-beside-instance': {
    entries: journal(created(instance('i', 'a1')), ...maintained('a1')),
    at: 5,
  },
  'work-outside-maintenance': {
    entries: journal(created(), cordon('a1'), workStarted('a1'), workEnded('a1'), uncordon('a1')),
    at: 3,
  },
  'work-count': {
    entries: journal(created(), ...maintained('a1'), ...maintained('a1')),
    expect: { worked: ['a1'] },
    at: 17,
  },
  capacity: {
    entries: journal(
      created(
        instance('i', 'a1', { resources: { ...SIZE, memoryMb: 3072 } }),
        instance('j', 'a2'),
        instance('k', 'a2'),
      ),
      ...move('i', 'a1', 'a2'),
    ),
    at: 2,
  },
  requirement: {
    entries: journal(created(instance('i', 'a1', { requires: { zone: 'a' } })), ...move('i', 'a1', 'b1')),
    at: 2,
  },
  spread: {
    entries: journal(
      created(instance('i', 'a1', { groups: ['apart'] }), instance('j', 'a2', { groups: ['apart'] })),
      ...move('i', 'a1', 'a2'),
    ),
    at: 2,
  },
  affinity: {
    entries: journal(
      created(instance('i', 'a1', { groups: ['pair'] }), instance('j', 'a1', { groups: ['pair'] })),
      ...move('i', 'a1', 'a2'),
      ...move('j', 'a1', 'b1'),
    ),
    at: 4,
  },
  'target-out-of-service': {
    entries: journal(created(instance('i', 'a1')), cordon('a2'), ...move('i', 'a1', 'a2'), uncordon('a2')),
    at: 3,
  },
  'max-impacted': {
    entries: journal(
      created(instance('i', 'a1', { groups: ['careful'] }), instance('j', 'a2', { groups: ['careful'] })),
      leave('i', 'a1', 'b1'),
      leave('j', 'a2', 'b1'),
      land('i', 'a1', 'b1'),
      land('j', 'a2', 'b1'),
    ),
    at: 3,
  },
  'max-hosts': {
    entries: journal(created(), cordon('a1'), cordon('a2'), uncordon('a1'), uncordon('a2')),
    expect: { maxConcurrentHosts: 1 },
    at: 3,
  },
  'max-hosts-of-domain': {
    entries: journal(created(), ...['a1', 'b1', 'a2'].map(cordon), ...['a1', 'b1', 'a2'].map(uncordon)),
    expect: { maxConcurrentHosts: 3, perDomain: { label: 'zone', max: 1 } },
    at: 4,
  },
  'max-moves': {
    entries: journal(
      created(instance('i', 'a1'), instance('j', 'a2')),
      leave('i', 'a1', 'b1'),
      leave('j', 'a2', 'b1'),
      land('i', 'a1', 'b1'),
      land('j', 'a2', 'b1'),
    ),
    expect: { maxConcurrentMoves: 1 },
    at: 3,
  },
  'max-moves-of-host': {
    entries: journal(
      created(instance('i', 'a1'), instance('j', 'a1')),
      leave('i', 'a1', 'b1'),
      leave('j', 'a1', 'b1'),
      land('i', 'a1', 'b1'),
      land('j', 'a1', 'b1'),
    ),
    expect: { maxConcurrentMoves: 2, maxConcurrentMovesPerHost: 1 },
    at: 3,
  },
  'not-in-service': { entries: journal(created(), cordon('a1')), at: 2 },
};

describe('each rule fires at the entry that breaks it', () => {
  for (const [rule, { entries, expect, at, also }] of Object.entries(BROKEN)) {
    test(rule, () => {
      const violations = checkJournal(entries, expect);
      assert.deepEqual(
        violations.map((violation) => ({ rule: violation.rule, seq: violation.seq })),
        [{ rule, seq: at }, ...(also ? [{ rule: also, seq: at }] : [])],
        JSON.stringify(violations),
      );
    });
  }
});

describe('more ways to break a rule', () => {
  const rules = (entries: JournalEntry[], expect?: Expectations): Rule[] =>
    checkJournal(entries, expect).map(({ rule }) => rule);

  test('an empty journal proves nothing', () => {
    assert.deepEqual(rules([]), ['journal']);
  });

  test('a journal that does not begin with the datacentre', () => {
    assert.ok(rules(journal(cordon('a1'), created(), uncordon('a1'))).includes('journal'));
  });

  test('a move that starts where the instance is not, or ends without having started', () => {
    assert.deepEqual(
      rules(journal(created(instance('i', 'a1')), leave('i', 'a2', 'b1'), land('i', 'a2', 'b1'))),
      ['journal', 'journal'],
    );
    assert.deepEqual(rules(journal(created(instance('i', 'a1')), land('i', 'a1', 'a2'))), ['journal']);
  });

  test('a cold move that does not bring the instance up again', () => {
    const down: JournalEvent = { ...land('i', 'a1', 'a2'), state: 'stopped' } as JournalEvent;
    assert.deepEqual(rules(journal(created(instance('i', 'a1')), leave('i', 'a1', 'a2'), down)), [
      'left-stopped',
    ]);
  });

  test('work while an instance comes up, arrives or is on its way', () => {
    const before = [cordon('a1'), ...enter('a1'), workStarted('a1')];
    const after = [workEnded('a1'), ...exit('a1'), uncordon('a1')];
    const asleep = instance('i', 'a1', { state: 'stopped' });
    const start: JournalEvent = { type: 'instance.started', instance: 'i', host: 'a1' };
    assert.deepEqual(rules(journal(created(asleep), ...before, start, ...after)), ['work-beside-instance']);
    const appears: JournalEvent = { type: 'instance.created', instance: instance('n', 'a1') };
    assert.deepEqual(rules(journal(created(), ...before, appears, ...after)), ['work-beside-instance']);
    const arrives = [leave('i', 'a2', 'a1'), ...before, ...after, land('i', 'a2', 'a1')];
    assert.deepEqual(rules(journal(created(instance('i', 'a2')), ...arrives)), ['work-beside-instance']);
  });

  test('work that goes on while the host leaves maintenance', () => {
    const entries = [
      cordon('a1'),
      ...enter('a1'),
      workStarted('a1'),
      ...exit('a1'),
      workEnded('a1'),
      uncordon('a1'),
    ];
    assert.deepEqual(rules(journal(created(), ...entries)), ['work-outside-maintenance']);
  });

  test('work that failed, or never ran, is not work that was done', () => {
    const failed: JournalEvent = { type: 'work.ended', host: 'a1', work: 'w', outcome: 'failed' };
    const entries = [cordon('a1'), ...enter('a1'), workStarted('a1'), failed, ...exit('a1'), uncordon('a1')];
    assert.deepEqual(rules(journal(created(), ...entries), { worked: ['a1', 'a2'] }), [
      'work-count',
      'work-count',
    ]);
  });

  test('stopped by us counts as impacted', () => {
    const members = [
      instance('i', 'a1', { groups: ['careful'] }),
      instance('j', 'a2', { groups: ['careful'] }),
    ];
    const start = (id: string, host: string): JournalEvent => ({
      type: 'instance.started',
      instance: id,
      host,
    });
    const entries = [stop('i', 'a1'), ...move('j', 'a2', 'b1'), start('i', 'a1')];
    assert.deepEqual(rules(journal(created(...members), ...entries)), ['max-impacted']);
  });

  describe('for a group whose project asks for it', () => {
    const constraints = constraintsOf(
      { group: 'vnf', maxImpactedMembers: 1, recoverySeconds: 2, maxInstancesPerHost: 1 },
      ['i', 'j'],
    );
    const members = created(instance('i', 'a1'), instance('j', 'a2'));
    const both = [...move('i', 'a1', 'b1'), ...move('j', 'a2', 'a1')];

    test('a member that moves while another recovers', () => {
      assert.deepEqual(rules(paced(1999, members, ...both), { constraints }), ['max-impacted']);
      assert.deepEqual(rules(paced(2000, members, ...both), { constraints }), []);
      assert.deepEqual(rules(paced(1999, members, ...both)), []);
    });

    test('a member that moves while another recovers from a move that failed', () => {
      const entries = [leave('i', 'a1', 'b1'), land('i', 'a1', 'a1', 'failed'), ...move('j', 'a2', 'b1')];
      assert.ok(rules(paced(1999, members, ...entries), { constraints }).includes('max-impacted'));
    });

    test('a member that moves while another recovers from having been stopped by us', () => {
      const started: JournalEvent = { type: 'instance.started', instance: 'i', host: 'a1' };
      const entries = [cordon('a1'), stop('i', 'a1'), started, uncordon('a1'), ...move('j', 'a2', 'b1')];
      assert.deepEqual(rules(paced(900, members, ...entries), { constraints }), ['max-impacted']);
      assert.deepEqual(rules(paced(1000, members, ...entries), { constraints }), []);
    });

    test('one that moves again while it recovers itself', () => {
      const again = [...move('i', 'a1', 'b1'), ...move('i', 'b1', 'a1')];
      assert.deepEqual(rules(paced(1, members, ...again), { constraints, maxMovesPerInstance: 2 }), []);
    });

    test('more members on a host than may be', () => {
      const entries = [...move('i', 'a1', 'b1'), ...move('j', 'a2', 'b1')];
      assert.deepEqual(rules(paced(5000, members, ...entries), { constraints }), ['spread']);
      const apart = constraintsOf({ group: 'vnf', antiAffinity: true }, ['i', 'j']);
      assert.deepEqual(rules(paced(5000, members, ...entries), { constraints: apart }), ['spread']);
    });

    test('a group that the datacentre knows too', () => {
      const known = created(instance('i', 'a1', { groups: ['pair'] }), instance('j', 'a1'));
      const asked = constraintsOf({ group: 'pair', maxImpactedMembers: 1 }, ['j']);
      const entries = [
        leave('i', 'a1', 'b1'),
        leave('j', 'a1', 'b1'),
        land('i', 'a1', 'b1'),
        land('j', 'a1', 'b1'),
      ];
      assert.deepEqual(rules(paced(1, known, ...entries), { constraints: asked }), ['max-impacted']);
    });
  });

  test('capacity that an instance on its way has claimed is taken', () => {
    const big = { resources: { ...SIZE, vcpus: 3 } };
    const entries = [
      leave('i', 'a1', 'b1'),
      leave('j', 'a2', 'b1'),
      land('i', 'a1', 'b1'),
      land('j', 'a2', 'b1'),
    ];
    assert.deepEqual(
      rules(journal(created(instance('i', 'a1', big), instance('j', 'a2', big)), ...entries)),
      ['capacity'],
    );
  });

  test('a host left down, or in maintenance without its cordon', () => {
    assert.deepEqual(rules(journal(created(), { type: 'host.died', host: 'a1' })), ['not-in-service']);
    assert.deepEqual(rules(journal(created(), cordon('a1'), ...enter('a1'), uncordon('a1'))), [
      'not-in-service',
    ]);
  });
});

describe('what is no violation', () => {
  const well = (entries: JournalEntry[], expect?: Expectations): void =>
    assert.deepEqual(checkJournal(entries, expect), []);

  test('a host that is emptied, worked on and put back', () => {
    const entries = journal(
      created(instance('i', 'a1', { requires: { zone: 'a' } }), instance('j', 'a1', { state: 'stopped' })),
      cordon('a1'),
      ...move('i', 'a1', 'a2'),
      ...maintained('a1').slice(1),
    );
    well(entries, {
      maxConcurrentHosts: 1,
      maxConcurrentMoves: 1,
      maxConcurrentMovesPerHost: 1,
      perDomain: { label: 'zone', max: 1 },
      worked: ['a1'],
    });
  });

  test('a move that failed, and another that was aborted, before the one that counts', () => {
    const tries = (['failed', 'aborted'] as const).flatMap((outcome) => [
      leave('i', 'a1', 'a2'),
      land('i', 'a1', 'a2', outcome),
    ]);
    well(journal(created(instance('i', 'a1')), ...tries, ...move('i', 'a1', 'a2')));
  });

  test('an affinity group whose members follow each other', () => {
    const pair = [instance('i', 'a1', { groups: ['pair'] }), instance('j', 'a1', { groups: ['pair'] })];
    well(journal(created(...pair), ...move('i', 'a1', 'a2'), ...move('j', 'a1', 'a2')));
  });

  test('a held host, with what we stopped on it', () => {
    well(journal(created(instance('i', 'a1')), cordon('a1'), stop('i', 'a1')), { held: ['a1'] });
  });

  test('what somebody else cordoned, stopped or deleted', () => {
    well(
      journal(
        created(instance('i', 'a1'), instance('j', 'a1')),
        { type: 'host.cordoned', host: 'a1', reason: 'bad fan' },
        stop('i', 'a1', 'Ada, for the night'),
        { type: 'instance.deleted', instance: 'j', host: 'a1' },
      ),
      { maxConcurrentHosts: 0 },
    );
  });

  test('a host that died and came back', () => {
    well(
      journal(
        created(instance('i', 'a1')),
        { type: 'host.died', host: 'a1' },
        { type: 'host.revived', host: 'a1' },
      ),
    );
  });

  test('moving back when two moves are allowed', () => {
    const entries = journal(created(instance('i', 'a1')), ...move('i', 'a1', 'a2'), ...move('i', 'a2', 'a1'));
    well(entries, { maxMovesPerInstance: 2, returned: true });
  });
});
