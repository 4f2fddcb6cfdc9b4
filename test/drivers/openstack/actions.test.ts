import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { reasonIn } from '../../../src/drivers/openstack/actions.ts';
import { oneAction } from '../../../src/drivers/openstack/wire.ts';
import type { Json } from './fake-nova.ts';

const reason = (...events: Json[]): unknown =>
  reasonIn(
    oneAction.parse({ instanceAction: { action: 'live-migration', request_id: 'r', message: null, events } })
      .instanceAction,
  );

const failed = (event: string, details: string | null, more: Json = {}): Json => ({
  event,
  result: 'Error',
  finish_time: 'then',
  details,
  ...more,
});
const NO_HOST = 'No valid host was found. There are not enough hosts available.';

describe('why something failed', () => {
  test('is what the events say that failed', () => {
    assert.deepEqual(
      reason(
        { event: 'compute_check_can_live_migrate_destination', result: 'Success', finish_time: 'then' },
        failed('compute_pre_live_migration', 'Migration pre-check error: no such bridge'),
      ),
      { words: 'Migration pre-check error: no such bridge', noTarget: false },
    );
  });

  test('is told by the host first, and then by the scheduler', () => {
    assert.deepEqual(
      reason(
        failed('conductor_live_migrate_instance', NO_HOST),
        failed('compute_check_can_live_migrate_destination', 'CPU does not match'),
      ),
      { words: `CPU does not match; ${NO_HOST}`, noTarget: false },
    );
  });

  test('is that there is no host, when nobody says more', () => {
    const words = 'No valid host was found. No valid host found for cold migrate';
    assert.deepEqual(reason(failed('cold_migrate', words), failed('conductor_migrate_server', words)), {
      words,
      noTarget: true,
    });
  });

  test('is not that there is no host, when the source is down', () => {
    const words = 'Compute service of compute-6 is unavailable at this time.';
    assert.deepEqual(reason(failed('conductor_live_migrate_instance', words)), { words, noTarget: false });
  });

  test('is the end of the traceback where an old Nova has no details', () => {
    const traceback =
      '  File "manager.py", line 8\n    raise\nnova.exception.MigrationPreCheckError: no such bridge\n';
    const { details: _, ...old } = failed('compute_pre_live_migration', null, { traceback });
    assert.deepEqual(reason(old), { words: 'no such bridge', noTarget: false });
  });

  test('is not known when nothing says so', () => {
    assert.equal(reason(), undefined);
    assert.equal(
      reason({ event: 'compute_live_migration', result: 'Success', finish_time: 'then' }),
      undefined,
    );
    assert.equal(reason(failed('compute_live_migration', null)), undefined);
  });
});
