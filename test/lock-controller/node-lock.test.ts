import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Hold } from '../../src/core/host-run.ts';
import type { HostInFlight, Progress } from '../../src/core/progress.ts';
import {
  decideNode,
  START_AGAIN_MS,
  type ClosedSession,
  type NodeDecision,
  type NodeView,
  type SessionStanding,
} from '../../src/lock-controller/node-lock.ts';
import type { Request } from '../../src/lock-controller/requests.ts';

const NOW = 1_000_000;
const SESSION = 'lock/lc/node-1/uid-of-r1';

const request = (name: string, release?: string): Request => ({
  metadata: {
    name,
    uid: `uid-of-${name}`,
    resourceVersion: '1',
    labels: {},
    annotations: {},
    ownerReferences: [],
  },
  spec: { scope: 'os', ...(release !== undefined && { release }) },
});

const progress = (more: Partial<Progress> = {}): Progress => ({
  session: SESSION,
  site: 'lab',
  state: 'PLANNED_MAINTENANCE',
  reason: '',
  hosts: { total: 1, pending: 0, inFlight: 1, done: 0, held: 0, skipped: 0, rolledBack: 0 },
  instances: { total: 4, moved: 0, stopped: 0 },
  inFlight: [],
  held: [],
  next: [],
  blockedBy: [],
  warnings: 0,
  percent: 0,
  startedAt: '2027-03-01T22:00:00Z',
  ...more,
});

const inStep = (step: HostInFlight['step'], more: Partial<HostInFlight> = {}): SessionStanding => ({
  kind: 'open',
  progress: progress({
    inFlight: [{ host: 'host-1', step, moved: 1, total: 4, since: '2027-03-01T22:00:00Z', ...more }],
    blockedBy: more.waitsFor === undefined ? [] : [more.waitsFor],
  }),
});

const READY = inStep('work', { waitsFor: 'approval of host-1: signal approve' });

const heldAt = (step: Hold['step']): SessionStanding => ({
  kind: 'open',
  progress: progress({
    state: 'MAINTENANCE_FAILED',
    reason: '1 held: signal continue to retry, skip or roll back',
    held: [
      {
        host: 'host-1',
        step,
        code: 'MoveFailed',
        message: 'host-1: no',
        retryable: false,
        since: '2027-03-01T22:00:00Z',
      },
    ],
    blockedBy: ['host-1: no'],
  }),
});

const ended = (more: Partial<ClosedSession> = {}): ClosedSession => ({
  kind: 'closed',
  how: 'has ended (MAINTENANCE_DONE)',
  refused: false,
  at: NOW - 1_000,
  host: 'back',
  ...more,
});

const decide = (view: Partial<NodeView>, release?: string): NodeDecision =>
  decideNode(
    { node: 'node-1', host: 'host-1', served: true, lock: { state: 'active' }, requests: [], ...view },
    {
      ...(release !== undefined && { release }),
      sessionOf: (node, { metadata }) => `lock/lc/${node}/${metadata.uid}`,
    },
    NOW,
  );

/** With the session that the lock remembers. */
const decideWith = (stands: SessionStanding, view: Partial<NodeView> = {}, release?: string): NodeDecision =>
  decide({ session: { id: SESSION, stands }, ...view }, release);

const R1 = request('r1');

describe('a node that nothing has begun for', () => {
  test('gets a lock, which is active', () => {
    const { lock: _, ...without } = { lock: undefined };
    assert.deepEqual(
      decideNode(
        { node: 'node-1', host: 'host-1', served: true, requests: [], ...without },
        { sessionOf: () => SESSION },
        NOW,
      ),
      { act: { do: 'create' } },
    );
    assert.deepEqual(decide({ lock: {} }), { status: { state: 'active' } });
  });

  test('loses its lock when it is not served any more, also while it is asked for', () => {
    assert.deepEqual(decide({ served: false, requests: [R1] }), { act: { do: 'remove' } });
  });

  test('has its session remembered before it is started', () => {
    assert.deepEqual(decide({ requests: [R1] }), { act: { do: 'remember', session: SESSION } });
    assert.deepEqual(decideWith({ kind: 'absent' }, { requests: [R1] }).act, {
      do: 'start',
      session: SESSION,
      host: 'host-1',
      request: R1,
    });
  });

  test('waits for its own release, and takes a request of none', () => {
    const { status, act } = decide({ requests: [request('r1', 'b')] }, 'a');
    assert.equal(act, undefined);
    assert.deepEqual(status, {
      state: 'active',
      errorMessage: 'request r1 is for release b, and this controller is of release a',
    });
    assert.equal(decide({ requests: [request('r1', 'a')] }, 'a').act?.do, 'remember');
    assert.equal(decide({ requests: [request('r1')] }, 'a').act?.do, 'remember');
    assert.equal(decide({ requests: [request('r1', 'b')] }).act?.do, 'remember');
  });

  test('says so when it does not say which host it is', () => {
    const { status, act } = decideNode(
      { node: 'node-1', served: true, lock: {}, requests: [R1] },
      { sessionOf: () => SESSION },
      NOW,
    );
    assert.equal(act, undefined);
    assert.deepEqual(status, { state: 'active', errorMessage: 'node node-1 does not say which host it is' });
  });
});

describe('a node that is wanted', () => {
  const wanted = (stands: SessionStanding, state: 'active' | 'inactive' = 'active'): NodeDecision =>
    decideWith(stands, { requests: [R1], lock: { state } });

  for (const step of ['precheck', 'cordon', 'drain', 'enter'] as const) {
    test(`is active in ${step}, with how far it is`, () => {
      assert.deepEqual(wanted(inStep(step)), {
        status: {
          state: 'active',
          inactivationProgress: { percentage: 24, description: `${step}: 1 of 4 instances have left` },
        },
      });
    });
  }

  test('is not through before it is in maintenance, also when everything has left', () => {
    const { status } = wanted(inStep('enter', { moved: 4 }));
    assert.equal(status?.inactivationProgress?.percentage, 99);
  });

  test('says what it waits for', () => {
    const { status } = wanted(inStep('precheck', { waitsFor: 'host-1: session night has it' }));
    assert.equal(status?.errorMessage, `session ${SESSION}: host-1: session night has it`);
  });

  test('is inactive when the host waits for the approval, and at no other moment', () => {
    assert.equal(wanted(READY).status?.state, 'inactive');
    assert.equal(wanted(inStep('work'), 'inactive').status?.state, 'active');
    for (const step of ['exit', 'restore', 'verify'] as const) {
      const { status, act } = wanted(inStep(step), 'inactive');
      assert.equal(status?.state, 'active', `in ${step}: the host is on its way back`);
      assert.equal(act, undefined);
    }
  });

  test('stays inactive when the wait for the approval has ended in a hold: the host is empty all the same', () => {
    assert.equal(wanted(heldAt('work'), 'inactive').status?.state, 'inactive');
    assert.equal(wanted(heldAt('work')).status?.state, 'active');
    assert.equal(wanted(heldAt('exit'), 'inactive').status?.state, 'active');
  });

  test('is active with the reason while its host is held', () => {
    assert.deepEqual(wanted(heldAt('drain')).status, {
      state: 'active',
      errorMessage: `session ${SESSION}: host-1: no; 1 held: signal continue to retry, skip or roll back`,
    });
  });

  test('keeps its state while nobody knows how the session stands', () => {
    for (const state of ['active', 'inactive'] as const) {
      const { status, act, againMs } = wanted({ kind: 'unknown', why: 'no worker answers' }, state);
      assert.deepEqual(status, { state, errorMessage: `session ${SESSION}: no worker answers` });
      assert.equal(act, undefined);
      assert.ok(againMs !== undefined);
    }
  });

  test('is failed when its session has ended all the same', () => {
    const { status, act } = wanted(
      ended({ how: 'has ended (MAINTENANCE_CANCELLED: not today)' }),
      'inactive',
    );
    assert.equal(act, undefined);
    assert.deepEqual(status, {
      state: 'failed',
      errorMessage: `session ${SESSION} has ended (MAINTENANCE_CANCELLED: not today); make the request r1 anew to try again`,
    });
  });

  test('has a session that was refused started again, after a while', () => {
    const early = wanted(ended({ refused: true, at: NOW - 1 }));
    assert.equal(early.act, undefined);
    assert.equal(early.againMs, START_AGAIN_MS - 1);
    assert.equal(wanted(ended({ refused: true, at: NOW - START_AGAIN_MS })).act?.do, 'start');
  });

  test('keeps its session while another request still names it', () => {
    const { status, act } = decideWith(READY, { requests: [request('r2')] });
    assert.equal(status?.state, 'inactive');
    assert.equal(act, undefined);
  });
});

describe('a node that is not wanted any more', () => {
  const unwanted = (stands: SessionStanding, state: 'active' | 'inactive' = 'inactive'): NodeDecision =>
    decideWith(stands, { lock: { state } });

  test('has its host approved when it waits for that, and stays inactive until it is back', () => {
    const { status, act } = unwanted(READY);
    assert.deepEqual(act, { do: 'approve', session: SESSION, host: 'host-1' });
    assert.deepEqual(status, { state: 'inactive' });
  });

  test('has its host rolled back when it was not empty yet, or is held', () => {
    const cancel = { do: 'cancel', session: SESSION };
    assert.deepEqual(unwanted({ kind: 'open', progress: progress() }, 'active').act, undefined);
    for (const step of ['precheck', 'cordon', 'drain', 'enter'] as const) {
      const { status, act } = unwanted(inStep(step), 'active');
      assert.deepEqual(act, cancel);
      assert.equal(status?.state, 'active');
    }
    for (const step of ['drain', 'work', 'exit'] as const)
      assert.deepEqual(unwanted(heldAt(step)).act, cancel);
  });

  test('waits for its host to come back', () => {
    for (const step of ['work', 'exit', 'restore', 'verify'] as const) {
      assert.deepEqual(unwanted(inStep(step)), { status: { state: 'inactive' } });
    }
  });

  test('is inactive, when its lock was made again meanwhile, until its host is back', () => {
    const made = (stands: SessionStanding): NodeDecision => decideWith(stands, { lock: {} });
    assert.deepEqual(made(READY).status, { state: 'inactive' });
    assert.deepEqual(made(inStep('exit')).status, { state: 'inactive' });
    assert.equal(made(inStep('drain')).status?.state, 'active');
  });

  test('is active, and forgets its session, when that is over', () => {
    assert.deepEqual(unwanted(ended()), { status: { state: 'active' }, act: { do: 'forget' } });
    assert.deepEqual(unwanted({ kind: 'absent' }), { status: { state: 'active' }, act: { do: 'forget' } });
  });

  test('waits for a host whose session was terminated, and fails when nobody brings it back', () => {
    const terminated = { how: 'has ended (TERMINATED: by jo)' };
    const returning = unwanted(ended({ ...terminated, host: 'returning' }));
    assert.equal(returning.status?.state, 'inactive');
    assert.equal(returning.act, undefined);
    assert.ok(returning.againMs !== undefined);
    const out = unwanted(ended({ ...terminated, host: 'out' }));
    assert.equal(out.status?.state, 'failed');
    assert.match(out.status.errorMessage ?? '', /TERMINATED: by jo.*may still be out of service/);
  });

  test('is not let go of again by a new request while its host is on the way back', () => {
    const r2 = request('r2');
    assert.equal(
      decideWith(inStep('exit'), { requests: [r2], lock: { state: 'inactive' } }).status?.state,
      'active',
    );
    assert.deepEqual(decideWith(ended(), { requests: [r2], lock: { state: 'active' } }), {
      status: { state: 'active' },
      act: { do: 'forget' },
    });
  });

  test('is brought back also for a request of another release that has come meanwhile', () => {
    const { act } = decideWith(READY, { requests: [request('r2', 'b')], lock: { state: 'inactive' } }, 'a');
    assert.deepEqual(act, { do: 'approve', session: SESSION, host: 'host-1' });
  });
});

describe('a controller that has become one of another release', () => {
  const old = request('r1', 'a');
  const state = 'inactive';

  test('does not take the node back from those who work on it', () => {
    const { status, act } = decideWith(READY, { requests: [old], lock: { state } }, 'b');
    assert.equal(status?.state, 'inactive');
    assert.equal(act, undefined);
    assert.deepEqual(decideWith(READY, { lock: { state } }, 'b').act?.do, 'approve');
  });

  test('begins nothing any more that is not begun', () => {
    const { status, act } = decideWith({ kind: 'absent' }, { requests: [old] }, 'b');
    assert.deepEqual(act, { do: 'forget' });
    assert.equal(status?.state, 'active');
    const refused = ended({ refused: true, at: NOW - START_AGAIN_MS });
    assert.equal(decideWith(refused, { requests: [old] }, 'b').act?.do, 'forget');
  });
});

describe('a lock into which somebody has written another node', () => {
  test('is made to stand for its own again before anything else', () => {
    const lock = { state: 'inactive', standsFor: 'node-2' } as const;
    assert.deepEqual(decide({ lock, requests: [R1] }), { act: { do: 'readdress' } });
    assert.deepEqual(decideWith(READY, { lock, requests: [R1] }), { act: { do: 'readdress' } });
  });
});

describe('a session that no lock remembers', () => {
  const stray = 'lock/lc/node-1/uid-of-old';

  test('is remembered by a lock that has no other', () => {
    assert.deepEqual(decide({ stray }).act, { do: 'remember', session: stray });
  });

  test('is ended where the lock has another one, or there is no node any more', () => {
    const dismiss = { do: 'dismiss', session: stray };
    assert.deepEqual(decideWith(inStep('drain'), { stray, requests: [R1] }).act, dismiss);
    assert.deepEqual(
      decideNode({ node: 'node-1', served: false, requests: [], stray }, { sessionOf: () => SESSION }, NOW)
        .act,
      dismiss,
    );
  });
});
