import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderDialogue, renderHost, renderSession } from '../../src/core/details.ts';
import type { Progress } from '../../src/core/progress.ts';

const running: Progress = {
  session: 'rack-12',
  site: 'demo',
  state: 'PLANNED_MAINTENANCE',
  reason: '',
  hosts: { total: 12, pending: 5, inFlight: 1, done: 6, held: 0, skipped: 0, rolledBack: 0 },
  instances: { total: 60, moved: 27, stopped: 0 },
  inFlight: [{ host: 'compute-05', step: 'drain', moved: 2, total: 5, since: '2027-03-01T22:10:00.000Z' }],
  held: [],
  next: ['compute-06', 'compute-08'],
  blockedBy: [],
  warnings: 0,
  percent: 50,
  startedAt: '2027-03-01T22:00:00.000Z',
  eta: '2027-03-01T22:25:00.000Z',
};

const SINCE = '2027-03-01T22:10:00.000Z';

const linesOf = (details: string): string[] => details.split('\n').map((line) => line.trim());

test('a session begins with state, bar, share and end, then counts', () => {
  const lines = linesOf(renderSession(running));
  assert.deepEqual(lines.slice(0, -1), [
    '**PLANNED_MAINTENANCE** ██████████░░░░░░░░░░ 50 % · done about 2027-03-01 22:25 UTC',
    '6 of 12 hosts done · 1 out · 5 to go · 27 of 60 instances moved',
    'Out: compute-05 drain 2 of 5',
    'Next: compute-06, compute-08',
  ]);
});

test('hosts that a cancelled session has left out are not to go any more', () => {
  const [, counts] = linesOf(renderSession({ ...running, state: 'MAINTENANCE_CANCELLED' }));
  assert.match(counts ?? '', / · 5 not started · /);
});

test('the last line is empty, for the pane clips it', () => {
  assert.equal(linesOf(renderSession(running)).at(-1), '');
});

test('what blocks stands before what is out, by name, the worst first, and not all of it', () => {
  const blockedBy = ['a: broken', 'b: broken', 'c: broken', 'd: broken'];
  const reason = '4 held: signal continue to retry, skip or roll back';
  const lines = linesOf(renderSession({ ...running, blockedBy, reason }));
  assert.equal(lines[2], '**Blocked by:** a: broken — b: broken — c: broken and 1 more');
  assert.equal(lines[3], reason);
});

test("vendors' words stay one short line, and are no Markdown", () => {
  const [, , shown = ''] = linesOf(
    renderSession({ ...running, blockedBy: [`*no*\n<b>room</b> ${'x'.repeat(500)}`] }),
  );
  assert.match(shown, /^\*\*Blocked by:\*\* \\\*no\\\* \\<b\\>room\\<\/b\\> x+…$/);
  assert.ok(shown.length < 360);
});

test('a host says where it is, what it waits for, and who is still there', () => {
  const host = {
    host: 'compute-05',
    session: 'rack-12',
    step: 'drain',
    since: SINCE,
    gone: 1,
    left: ['web-1', 'db_2'],
  } as const;
  const lines = linesOf(renderHost({ ...host, left: [...host.left], waitsFor: 'room elsewhere' }));
  assert.deepEqual(lines.slice(0, -1), [
    '**compute-05** · drain · █████░░░░░░░░░░░░░░░ · since 2027-03-01 22:10 UTC',
    '**Waits for:** room elsewhere',
    '1 of 3 instances have left · still here: web-1, db_2',
    'Session: rack-12',
  ]);
});

test('a host says that no instance has to leave once that is known', () => {
  const host = { host: 'compute-05', session: 'rack-12', since: SINCE, gone: 0, left: [] };
  assert.doesNotMatch(renderHost({ ...host, step: 'precheck' }), /instance/);
  assert.match(renderHost({ ...host, step: 'work' }), /No instance has to leave/);
});

test('a host whose run has ended early says why', () => {
  const details = renderHost({
    host: 'compute-04',
    session: 'rack-12',
    step: 'work',
    since: SINCE,
    gone: 5,
    left: [],
    failedWith: 'ActionFailed: checksum mismatch',
  });
  assert.match(details, /\*\*Failed:\*\* ActionFailed: checksum mismatch/);
});

test('a host says whether it is being put back, was put back, or is through', () => {
  const host = { host: 'compute-05', session: 'rack-12', step: 'drain', since: SINCE, gone: 1 } as const;
  const shown = (course: 'being-put-back' | 'put-back' | 'done'): string[] =>
    linesOf(renderHost({ ...host, left: ['web-1'], course })).slice(0, -2);
  assert.deepEqual(shown('being-put-back'), [
    '**compute-05** · drain · █████░░░░░░░░░░░░░░░ · since 2027-03-01 22:10 UTC',
    '**Is being put back into service**, once what it has begun on the platform has ended',
  ]);
  assert.deepEqual(shown('put-back'), ['**compute-05** · put back into service']);
  assert.equal(shown('done')[0], '**compute-05** · done · ████████████████████');
});

test('a session that waits for projects says how to answer for one', () => {
  const blockedBy = ['an answer of shop, payments until 2027-03-01 22:05:00 UTC'];
  const lines = linesOf(renderSession({ ...running, blockedBy }));
  assert.equal(lines[2], `**Blocked by:** ${blockedBy[0]}`);
  assert.equal(lines[3], 'To answer for a project: signal answer to its workflow dialogue/rack-12/…');
});

test('a question says to whom it is, until when, and what to signal', () => {
  const asked = {
    id: 'n-1',
    session: 'rack-12',
    project: 'shop',
    state: 'PLANNED_MAINTENANCE',
    instances: ['web-1'],
    allowedActions: ['MIGRATE', 'OWN_ACTION'],
    replyAt: '2027-03-01T22:05:00.000Z',
  } as const;
  const view = { ...asked, instances: [...asked.instances], allowedActions: [...asked.allowedActions] };
  const lines = linesOf(renderDialogue({ ...view, refused: undefined }));
  assert.deepEqual(lines.slice(0, -1), [
    '**PLANNED_MAINTENANCE** to project shop · 1 instance',
    '**Waits for its answer** until 2027-03-01 22:05:00 UTC',
    'Signal answer: \\{"state": "ACK_PLANNED_MAINTENANCE"\\} or \\{"state": "NACK_PLANNED_MAINTENANCE"\\}; ' +
      'with "instanceAction" for all: MIGRATE, OWN_ACTION',
  ]);
});
