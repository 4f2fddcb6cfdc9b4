import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceError, type Client } from '@temporalio/client';
import { untilTaken } from '../src/call-failure.ts';
import { ConstraintStore } from '../src/constraint-store.ts';
import { groupConstraintOf } from './support/constraints.ts';

const FAILED_PRECONDITION = 9;

/** As the SDK hands on what the server says. */
const failed = (code: number, details: string): Error =>
  new ServiceError('Workflow Update failed', {
    cause: Object.assign(new Error(details), { code, details, metadata: {} }),
  });

const SET_ASIDE = failed(
  FAILED_PRECONDITION,
  'Unable to perform workflow execution update due to unexpected workflow task failure.',
);

test('an update that the workflow has not looked at is sent again', async () => {
  let sent = 0;
  const answer = await untilTaken(async () => {
    sent += 1;
    if (sent < 3) throw SET_ASIDE;
    return 'taken';
  });
  assert.deepEqual([answer, sent], ['taken', 3]);
});

test('an update that failed in another way is not', async () => {
  for (const error of [failed(FAILED_PRECONDITION, 'no worker polls'), failed(5, 'not found'), new Error()]) {
    let sent = 0;
    const sending = untilTaken(async () => {
      sent += 1;
      throw error;
    });
    await assert.rejects(sending, (thrown) => thrown === error);
    assert.equal(sent, 1);
  }
});

test('a constraint is kept and forgotten also by a workflow that was busy at first', async () => {
  const starts = new Set<unknown>();
  const busyOnce = <T extends unknown[]>(note: (...args: T) => void) => {
    let calls = 0;
    return async (...args: T): Promise<{ changed: boolean }> => {
      note(...args);
      calls += 1;
      if (calls === 1) throw SET_ASIDE;
      return { changed: true };
    };
  };
  const workflow = {
    executeUpdateWithStart: busyOnce((_update: string, options: { startWorkflowOperation: unknown }) => {
      starts.add(options.startWorkflowOperation);
    }),
    getHandle: () => ({ executeUpdate }),
  };
  const executeUpdate = busyOnce(() => undefined);
  const store = new ConstraintStore({ workflow } as unknown as Client, 'lab');
  assert.deepEqual(await store.put({ kind: 'group', value: groupConstraintOf('vnf') }), { changed: true });
  assert.equal(starts.size, 2, 'the SDK takes the operation that starts a workflow only once');
  assert.deepEqual(await store.delete({ kind: 'group', id: 'vnf' }), { changed: true });
});
