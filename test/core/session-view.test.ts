import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Checkpoint, Hold, Placement } from '../../src/core/host-run.ts';
import { HostTable } from '../../src/core/host-table.ts';
import type { Plan, Progress } from '../../src/core/progress.ts';
import { describeProgress, describeReport, type SessionFacts } from '../../src/core/session-view.ts';

const MINUTE = 60_000;
const START = Date.parse('2027-03-01T22:00:00Z');
const at = (minutes: number): number => START + minutes * MINUTE;

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `h${index + 1}`);

const facts = (table: HostTable, more: Partial<SessionFacts> = {}): SessionFacts => ({
  session: 'rack-12',
  site: 'demo',
  state: 'PLANNED_MAINTENANCE',
  reason: '',
  table,
  blockedBy: [],
  next: [],
  startedAt: START,
  now: at(0),
  concurrency: 1,
  moving: true,
  ...more,
});

const placements = (count: number): Placement[] =>
  Array.from({ length: count }, (_, index) => ({ instance: `i${index}`, target: 'elsewhere' }));

const takeOut = (table: HostTable, host: string, minutes = 0, instances = 0): void => {
  const placement = placements(instances);
  table.start({ host, placement, moveSlots: 1, groupShares: {}, drained: false }, at(minutes));
};

const finish = (table: HostTable, host: string, minutes: number, moved = 0, stopped = 0): void => {
  const durationMs = minutes * MINUTE;
  table.finish({ host, outcome: 'done', moved, stopped, warnings: [], durationMs });
};

const holdOf = (host: string): Hold => ({
  host,
  step: 'work',
  code: 'ActionFailed',
  message: `${host}: work: checksum mismatch`,
  retryable: false,
  since: '2027-03-01T22:08:00.000Z',
});

const checkpoint = (moved: number, stopped: number): Checkpoint => ({
  step: 'work',
  entered: true,
  actionsDone: [],
  actionFailures: 1,
  moved: Array.from({ length: moved }, (_, index) => ({
    id: `m${index}`,
    name: `m${index}`,
    from: 'here',
    to: 'there',
    how: 'live',
  })),
  stopped: Array.from({ length: stopped }, (_, index) => ({ id: `s${index}`, name: `s${index}` })),
  left: [],
  rolledBack: false,
});

describe('when it will be done', () => {
  /** Minutes from the start. */
  const etaOf = (table: HostTable, more: Partial<SessionFacts> = {}): number | undefined => {
    const { eta } = describeProgress(facts(table, more));
    return eta === undefined ? undefined : (Date.parse(eta) - START) / MINUTE;
  };
  const plannedMs = 100 * MINUTE;

  test('is not known before there is a plan', () => {
    assert.equal(etaOf(HostTable.of(names(4), 0)), undefined);
  });

  test('is what the plan says, counted from the start', () => {
    assert.equal(etaOf(HostTable.of(names(4), 0), { plannedMs, now: at(5) }), 100);
  });

  test('is what the plan says, counted from when the first host was taken out', () => {
    const table = HostTable.of(names(4), 0);
    takeOut(table, 'h1', 20);
    assert.equal(etaOf(table, { plannedMs, firstHostAt: at(20), now: at(25) }), 120);
  });

  test('is not known any more when the plan was wrong', () => {
    const table = HostTable.of(names(4), 0);
    takeOut(table, 'h1');
    assert.equal(etaOf(table, { plannedMs, firstHostAt: at(0), now: at(130) }), undefined);
  });

  test('is not known while each host that is out waits for something', () => {
    const table = HostTable.of(names(4), 0);
    takeOut(table, 'h1');
    takeOut(table, 'h2');
    table.noteWait('h1', 'an answer of shop');
    assert.equal(etaOf(table, { plannedMs, now: at(5) }), 100);
    table.noteWait('h2', 'an answer of shop');
    assert.equal(etaOf(table, { plannedMs, now: at(5) }), undefined);
  });

  test('follows from how long the first hosts took, and how many may be out', () => {
    const table = HostTable.of(names(10), 0);
    for (const host of ['h1', 'h2', 'h3', 'h4']) takeOut(table, host);
    finish(table, 'h1', 8);
    finish(table, 'h2', 12);
    // Six to go and two half-way, at 10 minutes a host, two at a time.
    const now = { firstHostAt: at(0), now: at(12), concurrency: 2 };
    assert.equal(etaOf(table, { ...now, plannedMs }), 12 + 7 * 5);
  });

  test('follows from the pace once more hosts are back than may be out', () => {
    const table = HostTable.of(names(10), 0);
    for (const host of ['h1', 'h2', 'h3']) {
      takeOut(table, host);
      finish(table, host, 10);
    }
    // Three in an hour, although each took ten minutes and two could be out.
    assert.equal(etaOf(table, { firstHostAt: at(0), now: at(60), concurrency: 2, plannedMs }), 60 + 7 * 20);
  });

  test('counts what this session did, not what the one that it resumes has done', () => {
    const table = HostTable.of(names(10), 0);
    table.inherit(names(10), 'ddddddddpp', {});
    takeOut(table, 'h9', 5);
    finish(table, 'h9', 60);
    assert.equal(etaOf(table, { firstHostAt: at(5), now: at(65) }), 65 + 60);
  });

  test('leaves out hosts that are held, skipped or rolled back', () => {
    const table = HostTable.of(names(6), 0);
    takeOut(table, 'h1');
    finish(table, 'h1', 10);
    takeOut(table, 'h2');
    table.hold(holdOf('h2'), undefined);
    table.giveUp('h3', 'skipped');
    takeOut(table, 'h4');
    table.giveUp('h4', 'rolled-back');
    assert.equal(etaOf(table, { firstHostAt: at(0), now: at(30) }), 30 + 2 * 10);
  });

  test('is not shown while nothing goes on by itself', () => {
    const table = HostTable.of(names(4), 0);
    takeOut(table, 'h1');
    finish(table, 'h1', 10);
    const more = { moving: false, plannedMs, firstHostAt: at(0), now: at(10) };
    assert.equal(etaOf(table, more), undefined);
    assert.ok(!('eta' in describeProgress(facts(table, more))), 'no key without a value');
  });
});

describe('counts', () => {
  test('of hosts add up, and each stands where it is', () => {
    const table = HostTable.of(names(7), 12);
    for (const host of ['h1', 'h2', 'h3', 'h4']) takeOut(table, host);
    finish(table, 'h1', 10);
    table.hold(holdOf('h2'), undefined);
    table.giveUp('h3', 'rolled-back');
    table.giveUp('h5', 'skipped');
    const { hosts } = describeProgress(facts(table));
    assert.deepEqual(hosts, {
      total: 7,
      pending: 2,
      inFlight: 1,
      done: 1,
      held: 1,
      skipped: 1,
      rolledBack: 1,
    });
  });

  test('of instances are of hosts done, out, held and to be taken up again', () => {
    const table = HostTable.of(names(5), 40);
    for (const host of ['h1', 'h2', 'h3', 'h4']) takeOut(table, host, 0, 4);
    finish(table, 'h1', 10, 3, 1);
    table.report({ host: 'h2', step: 'drain', moved: 2, stopped: 1, total: 4 });
    table.hold(holdOf('h3'), checkpoint(4, 2));
    table.hold(holdOf('h4'), checkpoint(5, 0));
    table.retryHeld('h4');
    assert.deepEqual(describeProgress(facts(table)).instances, { total: 40, moved: 14, stopped: 4 });
  });

  test('of instances stay what they were when a host is taken up again, and when it is rolled back', () => {
    const table = HostTable.of(names(2), 10);
    const moved = (): Progress['instances'] => describeProgress(facts(table)).instances;
    takeOut(table, 'h1', 0, 4);
    table.hold(holdOf('h1'), checkpoint(3, 1));
    const before = moved();
    assert.deepEqual(before, { total: 10, moved: 3, stopped: 1 });
    table.retryHeld('h1');
    assert.deepEqual(moved(), before);
    takeOut(table, 'h1', 5, 1);
    assert.deepEqual(moved(), before);
    table.giveUp('h1', 'rolled-back');
    assert.deepEqual(moved(), before);
  });

  const SHARES: [string, number][] = [
    ['ppp', 0],
    ['dpp', 33],
    ['dds', 100],
    ['ddp', 66],
    ['drp', 66],
    ['hhh', 0],
    ['ddh', 66],
    [`${'d'.repeat(999)}p`, 99],
    ['', 0],
  ];
  for (const [statuses, percent] of SHARES) {
    test(`of hosts that stand ${statuses.slice(0, 5) || 'nowhere'}… make ${percent} %`, () => {
      const hosts = names(statuses.length);
      const state = { ...HostTable.of(hosts, 0).toState(), statuses };
      assert.equal(describeProgress(facts(new HostTable(state))).percent, percent);
    });
  }
});

describe('hosts in flight', () => {
  test('show where they are, how many instances have left, since when, and what they wait for', () => {
    const table = HostTable.of(names(3), 10);
    takeOut(table, 'h1', 10, 5);
    takeOut(table, 'h2', 12, 0);
    table.report({ host: 'h1', step: 'drain', moved: 2, stopped: 1, total: 5 });
    table.noteWait('h2', 'h2: session night-shift has it');
    assert.deepEqual(describeProgress(facts(table)).inFlight, [
      { host: 'h1', step: 'drain', moved: 3, total: 5, since: '2027-03-01T22:10:00.000Z' },
      {
        host: 'h2',
        step: 'precheck',
        moved: 0,
        total: 0,
        since: '2027-03-01T22:12:00.000Z',
        waitsFor: 'h2: session night-shift has it',
      },
    ]);
  });

  test('that are taken up again begin where they were held', () => {
    const table = HostTable.of(names(1), 10);
    takeOut(table, 'h1', 0, 5);
    table.hold(holdOf('h1'), checkpoint(3, 0));
    table.retryHeld('h1');
    takeOut(table, 'h1', 5, 2);
    const [shown] = describeProgress(facts(table)).inFlight;
    assert.deepEqual(
      { step: shown?.step, moved: shown?.moved, total: shown?.total },
      { step: 'work', moved: 3, total: 5 },
    );
  });

  test('are not moved by a report about a host that is not out, whatever its name', () => {
    const table = HostTable.of(names(2), 10);
    takeOut(table, 'h1');
    const before = describeProgress(facts(table));
    for (const host of ['h2', 'h3', 'constructor', '__proto__', '']) {
      table.report({ host, step: 'work', moved: 9, stopped: 9, total: 9, waitsFor: 'me', drained: true });
    }
    assert.deepEqual(describeProgress(facts(table)), before);
  });
});

describe('what blocks', () => {
  test('is what is held, then what waits, then the rest; nothing while all goes well', () => {
    const table = HostTable.of(names(4), 0);
    assert.deepEqual(describeProgress(facts(table)).blockedBy, []);
    for (const host of ['h1', 'h2', 'h3']) takeOut(table, host);
    table.noteWait('h1', 'approval of h1: signal approve');
    table.hold(holdOf('h3'), undefined);
    const { blockedBy, held } = describeProgress(facts(table, { blockedBy: ['zone az1 is full'] }));
    assert.deepEqual(blockedBy, [
      'h3: work: checksum mismatch',
      'approval of h1: signal approve',
      'zone az1 is full',
    ]);
    assert.deepEqual(held, [holdOf('h3')]);
    table.noteWait('h1', undefined);
    table.retryHeld('h3');
    assert.deepEqual(describeProgress(facts(table)).blockedBy, []);
    assert.deepEqual(describeProgress(facts(table)).held, []);
  });
});

test('lists are cut, counts are not: the progress of ten thousand hosts is no longer than that of some hundreds', () => {
  const hosts = names(10_000);
  const table = HostTable.of(hosts, 0);
  for (const host of hosts.slice(0, 6_000)) takeOut(table, host);
  for (const host of hosts.slice(0, 3_000)) table.hold(holdOf(host), undefined);
  const progress = describeProgress(facts(table, { next: hosts.slice(6_000) }));
  assert.equal(progress.hosts.held, 3_000);
  assert.equal(progress.hosts.inFlight, 3_000);
  assert.equal(progress.held.length, 100);
  assert.equal(progress.inFlight.length, 200);
  assert.deepEqual(progress.next, hosts.slice(6_000, 6_020));
  assert.equal(progress.blockedBy.length, 100);
  const report = describeReport(facts(table), undefined);
  assert.equal(report.hosts.held, 3_000);
  assert.equal(report.held.length, 100);
});

describe('a report', () => {
  const plan: Plan = {
    hosts: [],
    hostCount: 0,
    moves: 0,
    movesBound: 0,
    makespan: 0,
    makespanBound: 0,
    blockers: [],
  };

  test('has an end only when there is one, and a plan only where it is asked for', () => {
    const table = HostTable.of(names(1), 0);
    const open = describeReport(facts(table), undefined);
    assert.ok(!('endedAt' in open) && !('plan' in open));
    const ended = describeReport(facts(table, { endedAt: at(90) }), plan);
    assert.equal(ended.startedAt, '2027-03-01T22:00:00.000Z');
    assert.equal(ended.endedAt, '2027-03-01T23:30:00.000Z');
    assert.equal(ended.plan, plan);
  });

  test('names the ten slowest, the slowest first, and the first hundred warnings', () => {
    const table = HostTable.of(names(150), 0);
    names(150).forEach((host, index) => {
      takeOut(table, host);
      const durationMs = ((index * 37) % 150) * MINUTE;
      table.finish({ host, outcome: 'done', moved: 0, stopped: 0, warnings: [`${host} creaks`], durationMs });
    });
    const { slowest, warnings } = describeReport(facts(table), undefined);
    assert.deepEqual(
      slowest.map(({ durationMs }) => durationMs / MINUTE),
      [149, 148, 147, 146, 145, 144, 143, 142, 141, 140],
    );
    assert.equal(warnings.length, 100);
    assert.equal(warnings[0], 'h1 creaks');
    assert.equal(warnings[99], 'h100 creaks');
  });
});
