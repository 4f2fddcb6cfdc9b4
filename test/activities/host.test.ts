/** What a host goes through on a platform that has no maintenance mode of its own. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import type { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { HostRef, SiteActivities } from '../../activities/contract.ts';
import { ConstraintsReader } from '../../activities/constraints-reader.ts';
import { createHostActivities } from '../../activities/host.ts';
import { InventoryCache } from '../../activities/inventory-cache.ts';
import type { Host, Instance } from '../../src/core/inventory.ts';
import { formatMark, type Mark } from '../../src/core/mark.ts';
import type { Driver } from '../../src/drivers/driver.ts';
import { makeHost, makeInstance } from '../core/planning/fleet.ts';

const REF: HostRef = { site: 'site', host: 'a', session: 's', adopts: ['before'], entered: false };
const OURS = formatMark({ session: 's', host: 'a' });

let host: Host;
let instances: Instance[];
/** What was asked of the platform, in order. */
let asked: [step: string, session?: string][];

const note = (step: string) => async (_: string, mark: Mark) => {
  asked.push([step, mark.session]);
};

/** As much of a driver as these activities use. */
const driver = {
  capabilities: { maintenanceMode: false, abortMove: true, shortestPollMs: 1 },
  inspect: async () => ({ host, instances: [] }),
  inventory: async () => ({ hosts: [host], instances, groups: [] }),
  cordon: async (_: string, mark: Mark) => {
    asked.push(['cordon', mark.session]);
    host = { ...host, standing: 'cordoned', cordonReason: formatMark(mark) };
  },
  uncordon: note('uncordon'),
  enter: note('enter'),
  exit: note('exit'),
  findTask: async (kind: string, subject: string) =>
    instances.some(({ id, leaving }) => id === subject && kind === 'move' && leaving !== undefined)
      ? { id: 'task', kind, subject }
      : undefined,
  cancelTask: async () => undefined,
  pollTask: async ({ subject }: { subject: string }) => {
    asked.push(['poll', subject]);
    return { state: 'done' };
  },
} as unknown as Driver;

/** A site whose projects have said nothing. */
class NoConstraints extends ConstraintsReader {
  override async read() {
    return this.latest;
  }
}

const inventory = new InventoryCache(driver, new NoConstraints({} as Client, 'lab'));
const activities = createHostActivities(driver, inventory);

const run = (
  name: 'cordonHost' | 'enterMaintenance' | 'proveEmpty' | 'exitMaintenance' | 'settleHost',
  ref: HostRef = REF,
): Promise<unknown> => {
  const info = { currentAttemptScheduledTimestampMs: Date.now() };
  // It is asked only by attempts that are old by now.
  const client = {
    withAbortSignal: async (_: AbortSignal, work: () => unknown) => work(),
  } as unknown as Client;
  const environment = new MockActivityEnvironment(info, { client });
  return environment.run(activities[name] as SiteActivities['cordonHost'], ref);
};

const refused = (type: string) => (error: unknown) => {
  assert.ok(error instanceof ApplicationFailure, String(error));
  assert.equal(error.type, type, error.message);
  return true;
};

beforeEach(() => {
  host = makeHost('a');
  instances = [];
  asked = [];
});

describe('without a maintenance mode', () => {
  test('a host is entered and left all the same, while it carries our mark', async () => {
    await run('cordonHost');
    await run('enterMaintenance');
    await run('proveEmpty');
    await run('exitMaintenance', { ...REF, entered: true });
    assert.deepEqual(asked, [
      ['cordon', 's'],
      ['enter', 's'],
      ['exit', 's'],
    ]);
  });

  test('a host that we adopt is entered and left with the mark that it carries', async () => {
    host = { ...host, standing: 'cordoned', cordonReason: formatMark({ session: 'before', host: 'a' }) };
    await run('enterMaintenance');
    await run('exitMaintenance');
    assert.deepEqual(asked, [
      ['enter', 'before'],
      ['exit', 'before'],
    ]);
  });

  test('a host that was left out by somebody who is gone is left by its mark alone', async () => {
    host = { ...host, standing: 'down', cordonReason: OURS };
    await run('exitMaintenance');
    assert.deepEqual(asked, [['exit', 's']]);
  });

  test("a host of somebody else's is not left for them", async () => {
    host = { ...host, standing: 'cordoned', cordonReason: 'bad fan' };
    await run('exitMaintenance');
    assert.deepEqual(asked, []);
  });

  test('a host that somebody put into service meanwhile is neither entered nor worked on', async () => {
    await assert.rejects(run('enterMaintenance'), refused('OperatorInterfered'));
    await assert.rejects(run('proveEmpty'), refused('OperatorInterfered'));
    assert.deepEqual(asked, []);
  });

  test('a host that takes no instances stays in service, and is entered and worked on so', async () => {
    host = { ...host, role: 'controller', takesInstances: false };
    await run('cordonHost');
    await run('enterMaintenance');
    await run('proveEmpty');
    assert.deepEqual(asked, [['enter', 's']]);
  });
});

test('a move that was left a moment ago is seen to its end, although the inventory was read before', async () => {
  instances = [makeInstance('one', 'a', 1_024)];
  await inventory.snapshot({ signal: new AbortController().signal });
  instances = [{ ...makeInstance('one', 'a', 1_024), state: 'stopped', leaving: 'a' }];
  const left: HostRef & { instances: [] } = { ...REF, instances: [] };
  await run('settleHost', left);
  assert.deepEqual(asked, [['poll', 'id-one']]);
});
