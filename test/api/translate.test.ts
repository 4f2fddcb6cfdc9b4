import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sessionRequest } from '../../src/api/schemas.ts';
import { fenixState, judgeLate, sessionOf } from '../../src/api/translate.ts';
import type { NoticeView } from '../../src/core/dialogue.ts';

const startOf = (maintenance_at: string): string | undefined =>
  sessionOf(sessionRequest.parse({ maintenance_at }), 'lab').input.maintenanceAt;

describe('a start is', () => {
  const cases: [string, string][] = [
    ['2027-03-01 22:00:00', '2027-03-01T22:00:00Z'],
    ['2027-03-01T22:00:00.000000', '2027-03-01T22:00:00.000000Z'],
    ['2027-03-01T22:00:00Z', '2027-03-01T22:00:00Z'],
    ['2027-03-01T23:00:00+01:00', '2027-03-01T23:00:00+01:00'],
    ['2027-02-28 23:59:30', '2027-02-28T23:59:30Z'],
  ];
  for (const [given, meant] of cases) {
    test(given, () => {
      assert.equal(startOf(given), meant);
    });
  }
});

test('other keys of a session are taken over', () => {
  const request = sessionRequest.parse({
    maintenance_at: '2027-03-01 22:00:00',
    hosts: ['a'],
    actions: [{ plugin: 'wait', type: 'host', metadata: { duration: '1s' } }],
    haulout: { budget: { maxConcurrentHosts: 4 } },
  });
  const { spec } = sessionOf(request, 'lab');
  assert.equal(spec.site, 'lab');
  assert.deepEqual(spec.hosts, ['a']);
  assert.equal(spec.budget.maxConcurrentHosts, 4);
  assert.deepEqual(spec.actions, [{ plugin: 'wait', type: 'host', metadata: { duration: '1s' } }]);
});

test('projects are asked, unless it is said that none is', () => {
  const spec = (haulout: object): unknown =>
    sessionOf(sessionRequest.parse({ maintenance_at: '2027-03-01 22:00:00', haulout }), 'lab').spec.projects;
  assert.ok(spec({}));
  assert.deepEqual(spec({ projects: { onSilence: 'proceed' } }), {
    ...(spec({}) as object),
    onSilence: 'proceed',
  });
  assert.equal(spec({ projects: null }), undefined);
});

describe('the state of a session is', () => {
  const cases: [Parameters<typeof fenixState>[0], string | undefined, string][] = [
    ['RUNNING', undefined, 'MAINTENANCE'],
    ['RUNNING', 'SCALE_IN', 'SCALE_IN'],
    ['RUNNING', 'PREPARE_MAINTENANCE', 'PREPARE_MAINTENANCE'],
    ['RUNNING', 'MAINTENANCE_FAILED', 'MAINTENANCE_FAILED'],
    ['RUNNING', 'MAINTENANCE_PAUSED', 'PLANNED_MAINTENANCE'],
    ['RUNNING', 'MAINTENANCE_CANCELLED', 'MAINTENANCE_FAILED'],
    ['COMPLETED', 'MAINTENANCE_DONE', 'MAINTENANCE_DONE'],
    ['COMPLETED', 'MAINTENANCE_CANCELLED', 'MAINTENANCE_FAILED'],
    ['TERMINATED', 'PLANNED_MAINTENANCE', 'MAINTENANCE_FAILED'],
    ['CANCELLED', 'MAINTENANCE_CANCELLED', 'MAINTENANCE_FAILED'],
    ['FAILED', 'MAINTENANCE', 'MAINTENANCE_FAILED'],
    ['TIMED_OUT', undefined, 'MAINTENANCE_FAILED'],
  ];
  for (const [status, state, expected] of cases) {
    test(`${expected} for ${status} ${state ?? ''}`, () => {
      assert.equal(fenixState(status, state), expected);
    });
  }
});

describe('an answer that comes late', () => {
  const view: NoticeView = {
    id: 'n-2',
    session: 's',
    project: 'p',
    state: 'SCALE_IN',
    instances: [],
    allowedActions: [],
    replyAt: '2027-03-01T00:00:00Z',
  };
  const agreed = { ...view, answered: { agreed: true, at: '2027-03-01T00:00:00Z' } };
  const cases: [string, NoticeView, string, string][] = [
    ['says again what counts', agreed, 'ACK_SCALE_IN', 'repeated'],
    ['changes its mind', agreed, 'NACK_SCALE_IN', 'refused'],
    ['answers something else', agreed, 'ACK_MAINTENANCE', 'refused'],
    ['comes after the deadline', view, 'ACK_SCALE_IN', 'refused'],
  ];
  for (const [name, notice, state, verdict] of cases) {
    test(`and ${name} is ${verdict}`, () => {
      assert.equal(judgeLate(notice, { state }).verdict, verdict);
    });
  }
});
