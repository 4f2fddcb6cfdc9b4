/** A platform that says what has to be shut down in a check of its own, and what can be given back in another. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import type { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { HostRef, SiteActivities } from '../../activities/contract.ts';
import { createHostActivities } from '../../activities/host.ts';
import type { InventoryCache } from '../../activities/inventory-cache.ts';
import { MaintenanceError } from '../../src/core/errors.ts';
import type { Host } from '../../src/core/inventory.ts';
import { formatMark } from '../../src/core/mark.ts';
import type { CallContext, Driver, HostCheck, PlatformTask, TaskStatus } from '../../src/drivers/driver.ts';
import { makeHost } from '../core/planning/fleet.ts';

const MINUTE_MS = 60_000;
const REF: HostRef = { site: 'site', host: 'a', session: 's', adopts: [], entered: true };

let host: Host;
let blockers: string[];
/** How checks end, by their ids. */
let ends: Record<string, TaskStatus>;
/** Checks that were begun, and those whose word was taken. */
let begun: string[];
let believed: (string | undefined)[];
let exits: number;

const driver = {
  capabilities: { maintenanceMode: true, shortestPollMs: 1 },
  inspect: async () => ({ host, instances: [] }),
  check: async (subject: string): Promise<PlatformTask> => {
    const id = `new-${begun.length + 1}`;
    begun.push(id);
    return { id, kind: 'check', subject };
  },
  precheck: async (_: string, __: unknown, ___: CallContext, check?: PlatformTask): Promise<HostCheck> => {
    believed.push(check?.id);
    return { host, instances: [], blockers, warnings: [] };
  },
  pollTask: async ({ id }: PlatformTask): Promise<TaskStatus> => ends[id] ?? { state: 'done' },
  findTask: async () => undefined,
  enter: async () => {
    host = { ...host, standing: 'maintenance' };
  },
  planExit: async () => ({ start: [], back: [], changed: [] }),
  exit: async () => {
    exits += 1;
    host = { ...host, standing: 'cordoned' };
  },
} as unknown as Driver;

const activities = createHostActivities(driver, {} as InventoryCache);

/** @param seen the check of an earlier attempt, and how long ago that has seen it run */
function run<Name extends 'enterMaintenance' | 'exitMaintenance'>(
  name: Name,
  request: Parameters<SiteActivities[Name]>[0],
  seen?: { id: string; agoMs: number },
): Promise<unknown> {
  const now = Date.now();
  const environment = new MockActivityEnvironment(
    {
      currentAttemptScheduledTimestampMs: now,
      heartbeatDetails: seen && {
        task: { id: seen.id, kind: 'check', subject: 'a' },
        checkedAt: now - seen.agoMs,
      },
    },
    {
      client: { withAbortSignal: async (_: AbortSignal, work: () => unknown) => work() } as unknown as Client,
    },
  );
  return environment.run(activities[name] as SiteActivities['enterMaintenance'], request);
}

const enterLate = (seen?: { id: string; agoMs: number }): Promise<unknown> =>
  run('enterMaintenance', { ...REF, checkedAt: Date.now() - 2 * MINUTE_MS }, seen);

beforeEach(() => {
  host = { ...makeHost('a'), standing: 'cordoned', cordonReason: formatMark({ session: 's', host: 'a' }) };
  blockers = [];
  ends = {};
  begun = [];
  believed = [];
  exits = 0;
});

describe('a check that an earlier attempt has begun', () => {
  test('is gone on with', async () => {
    await enterLate({ id: 'old', agoMs: 1_000 });
    assert.deepEqual([begun, believed], [[], ['old']]);
  });

  test('is made anew when what it says is older than a minute', async () => {
    await enterLate({ id: 'old', agoMs: 2 * MINUTE_MS });
    assert.deepEqual([begun, believed], [['new-1'], ['new-1']]);
  });

  for (const end of [
    { state: 'failed', error: new MaintenanceError('PlatformError', 'no storage') },
    { state: 'vanished' },
  ] as const) {
    test(`is made anew when it has ${end.state}`, async () => {
      ends = { old: end };
      await enterLate({ id: 'old', agoMs: 1_000 });
      assert.deepEqual([begun, believed], [['new-1'], ['new-1']]);
    });
  }
});

test('what has come to stand against the host since it was checked keeps it from entering', async () => {
  blockers = ['b, of the same cluster, is lost'];
  await assert.rejects(enterLate(), (error) => {
    assert.ok(error instanceof ApplicationFailure, String(error));
    assert.deepEqual([error.type, error.message], ['HostBlocked', blockers[0]]);
    return true;
  });
  assert.equal(host.standing, 'cordoned');
});

test('a host that has come back a moment ago does not leave before its plan was asked for', async () => {
  host = { ...host, standing: 'maintenance' };
  assert.deepEqual(await run('exitMaintenance', { ...REF, unlessDown: true }), { isDown: true });
  assert.equal(exits, 0);
  await run('exitMaintenance', { ...REF, unlessDown: true, gives: { start: [], back: [] } });
  assert.equal(exits, 1);
});
