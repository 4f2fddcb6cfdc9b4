/** What operators, and strangers, may send to a session that runs: nonsense is refused by name, and changes nothing. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, RawValue } from '@temporalio/common';
import fc from 'fast-check';
import type { Progress, Report } from '../../src/core/progress.ts';
import { hostWorkflowId, MAINTENANCE_QUEUE, SIGNALS, UPDATES, WORKFLOWS } from '../../src/names.ts';
import { reportOf, SITE, startEngine, type Engine } from '../support/engine.ts';
import { fleetOf, WORK } from '../support/fleets.ts';
import { taskFailures } from '../support/task-failures.ts';

/** The machine may be busy. */
const PATIENCE_MS = 60_000;
/** Nobody reads more of a refusal. */
const LONGEST_REFUSAL = 10_000;
const SEED = 20_270_301;

const APPROVAL = { plugin: 'approval', type: 'host' } as const;
const HOSTS = ['compute-01', 'compute-02'];

let engine: Engine;
before(async () => {
  engine = await startEngine(fleetOf(3, 2));
});
after(() => engine.stop());

/** Wrong inputs, each with what has to be said of it: the field, and what would be right. */
type Wrong = [what: string, input: unknown, refusal: RegExp][];

const noObject: Wrong = [
  ['a text', 'now', /\(input\): .*expected object/],
  ['a number', 42, /\(input\): .*expected object/],
  ['yes', true, /\(input\): .*expected object/],
  ['a list', [{}], /\(input\): .*expected object/],
  ['an unknown key', { mood: 'good' }, /mood: is not a key/],
  ['a key of objects', JSON.parse('{"__proto__": {}}'), /__proto__: is not a key/],
  ['another key of objects', { constructor: {} }, /constructor: is not a key/],
];

const longReason: Wrong = [
  ['a reason that is no text', { reason: ['lunch'] }, /reason: .*expected string/],
  ['a reason that is a book', { reason: 'x'.repeat(200_000) }, /reason: .*1000/],
];

const CANCEL: Wrong = [
  ...noObject,
  ...longReason,
  ['an unknown mode', { mode: 'fast' }, /mode: .*"rollback"\|"finish"/],
  ['no mode', { mode: null }, /mode: .*"rollback"\|"finish"/],
];

const manyNames = (prefix: string): string[] =>
  Array.from({ length: 20_000 }, (_, index) => `${prefix}${index}`);

const CONTINUE: Wrong = [
  ...noObject,
  ['a host instead of a list', { retry: 'compute-01' }, /retry: .*expected array/],
  ['a list of anything', { skip: ['compute-01', { name: 'compute-02' }] }, /skip\.1: .*expected string/],
  ['an unknown host', { retry: ['compute-77'] }, /retry\.0: "compute-77" is not a host of this session/],
  ['a name that objects have', { skip: ['constructor'] }, /skip\.0: "constructor" is not a host of this/],
  ['a host named twice', { skip: ['compute-02', 'compute-02'] }, /skip\.1: "compute-02" is listed twice/],
  [
    'a host named for two things',
    { skip: ['compute-02'], rollback: ['compute-02'] },
    /"compute-02" is named twice/,
  ],
  [
    'a host that is not held',
    { retry: ['compute-01'] },
    /retry\.0: "compute-01" is being worked on, not held/,
  ],
  [
    'a host that has not started',
    { rollback: ['compute-02'] },
    /rollback\.0: "compute-02" is not started, not held or out/,
  ],
  [
    'a host that cannot be left out any more',
    { skip: ['compute-01'] },
    /skip\.0: "compute-01" is being worked on, not held or pending/,
  ],
  ['no time', { maintenanceUntil: 'tomorrow' }, /maintenanceUntil: must be a time with a zone/],
  [
    'a time in the past',
    { maintenanceUntil: '2020-01-01T00:00:00Z' },
    /maintenanceUntil: "2020-01-01T00:00:00Z" is in the past/,
  ],
  [
    'sixty thousand unknown hosts',
    { retry: manyNames('a'), skip: manyNames('b'), rollback: manyNames('c') },
    /retry\.0: "a0" is not a host of this session; .* more/,
  ],
];

const PAUSE: Wrong = [...noObject, ...longReason];

const APPROVE: Wrong = [
  ...noObject,
  ...longReason,
  ['an answer that is no yes or no', { approved: 'yes' }, /approved: .*expected boolean/],
  ['a host that is no name', { host: 1 }, /host: .*expected string/],
  ['an unknown host', { host: 'compute-77' }, /host: "compute-77" is not waiting for an approval/],
  ['a host that asks nothing', { host: 'compute-02' }, /host: "compute-02" is not waiting for an approval/],
];

const BUDGET: Wrong = [
  ...noObject,
  ['too few hosts', { maxConcurrentHosts: 0 }, /maxConcurrentHosts: .*>=1/],
  ['half a host', { maxConcurrentHosts: 1.5 }, /maxConcurrentHosts: /],
  ['more than all hosts', { maxConcurrentHosts: '101%' }, /maxConcurrentHosts: .*"1%" to "100%"/],
  ['less than no failure', { maxFailedHosts: -1 }, /maxFailedHosts: .*>=0/],
  ['too many moves', { maxConcurrentMoves: 1e300 }, /maxConcurrentMoves: /],
  ['no moves', { maxConcurrentMovesPerHost: null }, /maxConcurrentMovesPerHost: .*expected number/],
  [
    'a contradiction',
    { maxConcurrentMoves: 1, maxConcurrentMovesPerHost: 2 },
    /maxConcurrentMovesPerHost: 2 is more than maxConcurrentMoves/,
  ],
  ['half a domain', { perDomain: { label: 'zone' } }, /perDomain\.max: /],
  [
    'an unknown key of the domain',
    { perDomain: { label: 'a', max: 1, min: 1 } },
    /perDomain\.min: is not a key/,
  ],
];

const WRONG_SIGNALS: Record<string, Wrong> = {
  [SIGNALS.cancel]: CANCEL,
  [SIGNALS.continue]: CONTINUE,
  [SIGNALS.pause]: PAUSE,
  [SIGNALS.approve]: APPROVE,
};

const WRONG_UPDATES: Record<string, Wrong> = {
  [UPDATES.cancelSession]: CANCEL,
  [UPDATES.continueSession]: CONTINUE,
  [UPDATES.pauseSession]: PAUSE,
  [UPDATES.setBudget]: BUDGET,
};

/** Every key that any message has. */
const KEYS = new Set([
  ...['mode', 'reason', 'retry', 'skip', 'rollback', 'maintenanceUntil', 'host', 'approved', 'by'],
  ...['maxConcurrentHosts', 'maxFailedHosts', 'maxConcurrentMoves', 'maxConcurrentMovesPerHost', 'perDomain'],
]);

const json = fc.jsonValue({ maxDepth: 4 });

/** What is no message at all, whichever is meant. */
const junk: fc.Arbitrary<unknown> = fc.oneof(
  fc.string({ unit: 'binary', size: 'large' }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
  fc.array(json),
  fc.dictionary(
    fc.string().filter((key) => !KEYS.has(key)),
    json,
    { minKeys: 1 },
  ),
  fc
    .tuple(fc.constantFrom(...KEYS), fc.constantFrom(-0.5, [[]], { a: 1 }))
    .map(([key, value]) => ({ [key]: value })),
);

/** The same in every run, so that a failure can be looked at. */
const someJunk = (count: number): unknown[] => fc.sample(junk, { numRuns: count, seed: SEED });

/** JSON that no client would write, for it nests deeper than `JSON.stringify` goes. */
const rawJson = (text: string): RawValue => {
  const bytes = (words: string): Uint8Array => new TextEncoder().encode(words);
  return RawValue.fromPayload({ metadata: { encoding: bytes('json/plain') }, data: bytes(text) });
};
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

const HUGE: [what: string, input: unknown][] = [
  ['a text of almost two megabytes', 'x'.repeat(1_900_000)],
  ['a list within a list within a list …', rawJson(nested(50_000))],
  ['an unknown key with a list within a list …', rawJson(`{"a": ${nested(50_000)}}`)],
  ['fifty thousand unknown keys', Object.fromEntries(manyNames('k').map((key) => [key, 0]))],
];

describe('a session that is sent nonsense', () => {
  const asked = ({ blockedBy }: Progress): boolean => blockedBy.some((what) => what.startsWith('approval'));

  /** A session at rest: compute-01 waits for an approval, and compute-02 for its turn. */
  async function startAtRest(id: string): Promise<WorkflowHandle> {
    const session = await engine.start({ hosts: HOSTS, actions: [APPROVAL, WORK] }, id);
    const { inFlight } = await engine.until(session, asked, PATIENCE_MS);
    assert.deepEqual(
      inFlight.map(({ host }) => host),
      ['compute-01'],
    );
    return session;
  }

  const standing = async (session: WorkflowHandle): Promise<Partial<Progress>> =>
    standingOf(await engine.progress(session));

  /** Gives every approval that is asked for; the session then ends as if nobody had sent anything. */
  async function endsWell(session: WorkflowHandle): Promise<Report> {
    for (const host of HOSTS) {
      await engine.until(
        session,
        ({ inFlight }) => inFlight.some((out) => out.host === host && out.waitsFor !== undefined),
        PATIENCE_MS,
      );
      await session.signal(SIGNALS.approve, { host });
    }
    const report = await reportOf(session);
    assert.equal(report.state, 'MAINTENANCE_DONE');
    assert.equal(report.hosts.done, 2);
    assert.equal(report.reason, '');
    assert.deepEqual(await taskFailures(session), []);
    for (const host of HOSTS) {
      assert.deepEqual(await taskFailures(engine.client.workflow.getHandle(hostWorkflowId(SITE, host))), []);
    }
    assert.deepEqual(engine.violations({ maxConcurrentHosts: 1, maxMovesPerInstance: 99 }), []);
    return report;
  }

  test('by signal says what was wrong, and does nothing', async () => {
    const session = await startAtRest('wrong-signals');
    const before = await standing(session);
    const changed = changes();
    for (const [name, wrong] of Object.entries(WRONG_SIGNALS)) {
      for (const [what, input, refusal] of wrong) {
        await session.signal(name, input);
        const shown = await engine.progress(session);
        const about = `${name}: ${what}: ${shown.reason.slice(0, 500)}`;
        assert.ok(shown.reason.startsWith(`signal ${name} changed nothing: `), about);
        assert.match(shown.reason, refusal, about);
        assert.ok(
          shown.reason.length < LONGEST_REFUSAL,
          `${name}: ${what}: ${shown.reason.length} characters`,
        );
        assert.deepEqual(standingOf(shown), before, about);
      }
    }
    assert.equal(changes(), changed);
    await endsWell(session);
  });

  test('by update is refused with the field and the way out, and does nothing', async () => {
    const session = await startAtRest('wrong-updates');
    const before = await standing(session);
    const changed = changes();
    for (const [name, wrong] of Object.entries(WRONG_UPDATES)) {
      for (const [what, input, refusal] of wrong) {
        const message = await refusalOf(session, name, input);
        const about = `${name}: ${what}: ${message.slice(0, 500)}`;
        assert.match(message, refusal, about);
        assert.ok(message.length < LONGEST_REFUSAL, `${name}: ${what}: ${message.length} characters`);
      }
      assert.deepEqual(await standing(session), before, name);
    }
    assert.equal((await engine.progress(session)).reason, '', 'whoever sent it has the answer');
    assert.equal(changes(), changed);
    await endsWell(session);
  });

  test('of any kind, in any number, does nothing', async () => {
    const session = await startAtRest('junk');
    const before = await standing(session);
    const changed = changes();
    for (const name of Object.keys(WRONG_SIGNALS)) {
      await Promise.all(someJunk(40).map((input) => session.signal(name, input)));
      const { reason } = await engine.progress(session);
      assert.ok(reason.startsWith(`signal ${name} changed nothing: `), reason.slice(0, 500));
      assert.deepEqual(await standing(session), before, name);
    }
    for (const name of Object.keys(WRONG_UPDATES)) {
      for (const input of someJunk(40)) {
        const refusal = await refusalOf(session, name, input);
        assert.ok(refusal.length < LONGEST_REFUSAL, `${name}: ${refusal.length} characters`);
      }
      assert.deepEqual(await standing(session), before, name);
    }
    assert.equal(changes(), changed);
    await endsWell(session);
  });

  test('of great size is refused in few words', async () => {
    const session = await startAtRest('huge');
    const before = await standing(session);
    for (const [what, input] of HUGE) {
      await session.signal(SIGNALS.cancel, input);
      const shown = await engine.progress(session);
      assert.match(shown.reason, /^signal cancel changed nothing: /, what);
      assert.ok(shown.reason.length < LONGEST_REFUSAL, `${what}: ${shown.reason.length} characters`);
      assert.deepEqual(standingOf(shown), before, what);
      const refusal = await refusalOf(session, UPDATES.cancelSession, input);
      assert.ok(refusal.length < LONGEST_REFUSAL, `${what}: ${refusal.length} characters`);
    }
    assert.deepEqual(await standing(session), before);
    await endsWell(session);
  });

  test('beside an input that is none reads the first, and no more', async () => {
    const session = await startAtRest('many-arguments');
    const before = await standing(session);
    await session.signal(SIGNALS.cancel, 'now', { mode: 'rollback' });
    await refusalOf(session, UPDATES.cancelSession, 'now', { mode: 'rollback' });
    assert.deepEqual(await standing(session), before);
    await session.signal(SIGNALS.pause, { reason: 'coffee' }, 'now', { mode: 'rollback' });
    assert.equal((await engine.progress(session)).state, 'MAINTENANCE_PAUSED');
    await session.signal(SIGNALS.continue, null, 'now');
    await endsWell(session);
  });

  test('under a name that it does not know goes on', async () => {
    const session = await startAtRest('unknown-names');
    const before = await standing(session);
    for (const name of ['reboot', 'constructor', '__proto__', 'cancelSession', '']) {
      await session.signal(name, {}).catch(() => undefined);
    }
    for (const name of ['reboot', 'constructor', 'cancel']) {
      await assert.rejects(session.executeUpdate(name, { args: [{}] }), WorkflowUpdateFailedError, name);
      await assert.rejects(session.query(name), name);
    }
    assert.deepEqual(await standing(session), before);
    await endsWell(session);
  });

  test('by somebody who plays one of its hosts believes nothing', async () => {
    const session = await startAtRest('strangers');
    const before = await standing(session);
    const report = { step: 'verify', moved: 99, stopped: 9, total: 99, waitsFor: 'me', drained: true };
    const wrong: unknown[] = [
      ...someJunk(40),
      ...['compute-02', 'compute-03', 'compute-77', 'constructor', '__proto__', ''].map((host) => ({
        host,
        ...report,
      })),
      report,
      { ...report, host: 'x'.repeat(200_000) },
      { ...report, host: 'compute-01', step: 'lunch' },
      { ...report, host: 'compute-01', moved: -1 },
      { ...report, host: 'compute-01', moved: '99' },
      { ...report, host: 'compute-01', total: 1e300 },
      { ...report, host: 'compute-01', waitsFor: 'x'.repeat(200_000) },
      { ...report, host: 'compute-01', mood: 'good' },
      { ...report, host: ['compute-01'] },
      null,
      undefined,
    ];
    await Promise.all(wrong.map((input) => session.signal(SIGNALS.hostReport, input)));
    const after = await engine.progress(session);
    assert.deepEqual(standingOf(after), before);
    assert.equal(after.reason, '');
    await endsWell(session);
  });

  test('past it, to the host itself, does nothing', async () => {
    const session = await startAtRest('past-the-session');
    const before = await standing(session);
    const host = engine.client.workflow.getHandle(hostWorkflowId(SITE, 'compute-01'));
    const wrong = [...someJunk(40), { approved: 'yes' }, { by: 5 }, 'x'.repeat(200_000)];
    await Promise.all(wrong.map((input) => host.signal(SIGNALS.approve, input)));
    // Whatever it has read would have let it go on by the time it answers.
    await host.query('__temporal_workflow_metadata');
    assert.deepEqual(await standing(session), before);
    assert.equal((await host.describe()).status.name, 'RUNNING');
    await endsWell(session);
  });

  test('with its start says that it knows no hosts yet', async () => {
    const input = { site: SITE, hosts: HOSTS, maintenanceAt: new Date(Date.now() + 600_000).toISOString() };
    const session = await engine.client.workflow.signalWithStart(WORKFLOWS.maintenanceSession, {
      taskQueue: MAINTENANCE_QUEUE,
      workflowId: 'too-early',
      args: [input],
      signal: SIGNALS.continue,
      signalArgs: [{ skip: ['compute-02'] }],
    });
    const changed = changes();
    const { reason } = await engine.until(session, ({ hosts }) => hosts.total === 2, PATIENCE_MS);
    assert.match(
      reason,
      /^signal continue changed nothing: skip: .*hosts .*not known yet.*; waits for maintenanceAt/,
    );
    await session.signal(SIGNALS.continue, { skip: ['compute-02'] });
    assert.equal((await engine.progress(session)).hosts.skipped, 1);
    await session.signal(SIGNALS.cancel);
    const report = await reportOf(session);
    assert.equal(report.state, 'MAINTENANCE_CANCELLED');
    assert.equal(changes(), changed);
    assert.deepEqual(await taskFailures(session), []);
  });
});

describe('what a session says of a message that it refused', () => {
  test('stands beside why it waits, in the Web UI too, until a message is right', async () => {
    const session = await engine.start({ hosts: HOSTS, actions: [APPROVAL] }, 'words');
    await engine.until(session, ({ blockedBy }) => blockedBy.length > 0, PATIENCE_MS);
    await session.signal(SIGNALS.pause, { reason: 'coffee' });
    await session.signal(SIGNALS.continue, { retry: ['compute-77'] });
    const refused = await engine.progress(session);
    assert.equal(refused.state, 'MAINTENANCE_PAUSED');
    assert.equal(
      refused.reason,
      'signal continue changed nothing: retry.0: "compute-77" is not a host of this session; paused: coffee; signal continue to go on',
    );
    const { currentDetails } = await session.query<{ currentDetails: string }>(
      '__temporal_workflow_metadata',
    );
    assert.match(
      currentDetails,
      /signal continue changed nothing: retry\.0: "compute-77" is not a host of this/,
    );

    await session.signal(SIGNALS.approve, {});
    assert.equal((await engine.progress(session)).reason, 'paused: coffee; signal continue to go on');
    await session.signal(SIGNALS.continue);
    assert.equal((await engine.progress(session)).reason, '');
    await engine.until(session, ({ inFlight }) => inFlight[0]?.waitsFor !== undefined, PATIENCE_MS);
    await session.signal(SIGNALS.pause, { mood: 'bad' });
    await session.signal(SIGNALS.approve);
    const report = await reportOf(session);
    assert.deepEqual([report.state, report.reason], ['MAINTENANCE_DONE', '']);
  });

  test('is no part of the report when it has ended', async () => {
    const session = await engine.start({
      hosts: ['compute-01'],
      actions: [{ plugin: 'wait', type: 'host', metadata: { seconds: 2 } }],
    });
    await engine.until(session, ({ inFlight }) => inFlight.some(({ step }) => step === 'work'), PATIENCE_MS);
    await session.signal(SIGNALS.pause, { mood: 'bad' });
    assert.match((await engine.progress(session)).reason, /mood/);
    const report = await reportOf(session);
    assert.deepEqual([report.state, report.reason], ['MAINTENANCE_DONE', '']);
  });
});

describe('an approval that is given twice', () => {
  const waiting = (session: WorkflowHandle, host: string): Promise<Progress> =>
    engine.until(
      session,
      ({ inFlight }) => inFlight.some((out) => out.host === host && out.waitsFor !== undefined),
      PATIENCE_MS,
    );

  test('to a host does not answer what the host asks next', async () => {
    const session = await engine.start({ hosts: HOSTS, actions: [APPROVAL, APPROVAL, WORK] });
    for (const host of HOSTS) {
      for (const question of ['first', 'second']) {
        await waiting(session, host);
        const works = workOn(host);
        await Promise.all(
          Array.from({ length: 10 }, () => session.signal(SIGNALS.approve, { host, by: question })),
        );
        if (question === 'first') {
          await waiting(session, host);
          assert.equal(workOn(host), works, 'it went on with one of two approvals');
        }
      }
    }
    const report = await reportOf(session);
    assert.equal(report.hosts.done, 2);
    assert.deepEqual(await taskFailures(session), []);
    assert.deepEqual(engine.violations({ maxMovesPerInstance: 99 }), []);
  });

  test('when nothing waits any more is refused, and does no harm', async () => {
    const session = await engine.start({ hosts: HOSTS, actions: [APPROVAL] });
    await waiting(session, 'compute-01');
    await session.signal(SIGNALS.approve, {});
    await session.signal(SIGNALS.approve, {});
    const { reason } = await engine.progress(session);
    assert.equal(reason, 'signal approve changed nothing: nothing waits for an approval');
    await waiting(session, 'compute-02');
    await session.signal(SIGNALS.approve, {});
    assert.equal((await reportOf(session)).hosts.done, 2);
    assert.deepEqual(engine.violations({ maxMovesPerInstance: 99 }), []);
  });
});

/** How often work was begun on a host. */
const workOn = (host: string): number =>
  engine.simulator.journal.entries.filter((entry) => entry.type === 'work.started' && entry.host === host)
    .length;

/** What a session shows, but for what it says of the last message and for what changes with time. */
function standingOf(progress: Progress): Partial<Progress> {
  const shown: Partial<Progress> = { ...progress };
  delete shown.reason;
  delete shown.eta;
  return shown;
}

/** Changes of the datacentre so far. */
const changes = (): number =>
  engine.simulator.journal.entries.filter(({ type }) => type !== 'request').length;

/** The words with which an update is refused. */
async function refusalOf(
  session: WorkflowHandle,
  name: string,
  ...args: [unknown, ...unknown[]]
): Promise<string> {
  const refused: unknown = await session.executeUpdate(name, { args }).catch((error: unknown) => error);
  assert.ok(
    refused instanceof WorkflowUpdateFailedError && refused.cause instanceof ApplicationFailure,
    `${name} was not refused: ${JSON.stringify(refused)}`,
  );
  assert.equal(refused.cause.type, 'InvalidMessage');
  return refused.cause.message;
}
