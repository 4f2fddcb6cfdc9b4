/** The worker of a session is killed, or the session is cancelled, in every step that a host goes through. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { layOut } from './fleet.ts';
import { REQUESTS, type Seen } from './gateway.ts';
import { Site } from './site.ts';
import { Witness } from './witness.ts';

/** Longer than a worker takes to start and to go on where the last one stopped. */
const LONG_WORK_MS = 15_000;
const LONG_MOVE_SECONDS = 15;

let site: Site;
before(async () => {
  site = await Site.start();
});
after(() => site.stop());
beforeEach(() => {
  site.workMs = 0;
  site.takeWorked();
});

/** Kills the worker while a request is held, and lets it go on under the next one. */
async function killAt(when: 'before' | 'after', request: (seen: Seen) => boolean): Promise<void> {
  const hold = site.gateway.hold(when, request);
  await hold.reached;
  await site.killWorker();
  hold.release();
  await site.startWorker();
}

test('a worker that is killed in each step of a host is replaced, and nothing is done twice', async () => {
  await layOut(site.bed, site.nova, [
    { name: 'web-1', host: 'compute-1' },
    { name: 'web-2', host: 'compute-1' },
    { name: 'batch', host: 'compute-1' },
  ]);
  await site.bed.turn({ servers: { 'web-2': { lm_seconds: LONG_MOVE_SECONDS } } });
  site.workMs = LONG_WORK_MS;
  const witness = await Witness.begin(site.nova);

  const session = await site.session({ hosts: ['compute-1'], instances: { overrides: { batch: 'stop' } } });
  await killAt('before', REQUESTS.serversOf('compute-1'));
  await killAt('after', REQUESTS.disable);
  await killAt('after', REQUESTS.stop);
  await killAt('after', REQUESTS.liveMigrate);
  await killWhile('web-2 is migrating', async () => {
    const web = (await site.nova.servers()).find(({ name }) => name === 'web-2');
    return web?.status === 'MIGRATING';
  });
  await killWhile('compute-1 is worked on', async () => site.isWorkedOn('compute-1'));
  await killAt('after', REQUESTS.enable);
  await killAt('after', REQUESTS.start);
  // That is how verifying begins.
  await killAt('before', REQUESTS.serversOf('compute-1'));
  const report = await site.report(session);

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(report.instances, { total: 3, moved: 2, stopped: 1 });
  assert.deepEqual(await witness.objections({ moved: 2 }), []);
  assert.deepEqual(site.takeWorked(), { worked: ['compute-1'], wrong: [] });
});

async function killWhile(what: string, isSo: () => Promise<boolean>): Promise<void> {
  await site.nova.until(what, isSo, Boolean);
  await site.killWorker();
  await site.startWorker();
}

describe('a session that is cancelled puts its host back, in whatever step it is', () => {
  interface Step {
    name: string;
    host: string;
    /** Brings the session there, and resolves to what lets it go on. */
    reach: (host: string) => Promise<() => void>;
    moved: number;
    worked: boolean;
  }

  const heldAt = (when: 'before' | 'after', request: (host: string) => (seen: Seen) => boolean) => {
    return async (host: string): Promise<() => void> => {
      const hold = site.gateway.hold(when, request(host));
      await hold.reached;
      return hold.release;
    };
  };

  const steps: Step[] = [
    {
      name: 'precheck',
      host: 'compute-1',
      reach: heldAt('before', REQUESTS.serversOf),
      moved: 0,
      worked: false,
    },
    {
      name: 'cordon',
      host: 'compute-2',
      reach: heldAt('after', () => REQUESTS.disable),
      moved: 0,
      worked: false,
    },
    {
      name: 'drain',
      host: 'compute-3',
      reach: heldAt('after', () => REQUESTS.liveMigrate),
      moved: 0,
      worked: false,
    },
    {
      name: 'work',
      host: 'compute-4',
      reach: async (host) => {
        await site.nova.until(`${host} is worked on`, async () => site.isWorkedOn(host), Boolean);
        return () => undefined;
      },
      moved: 1,
      worked: true,
    },
    {
      name: 'restore',
      host: 'compute-5',
      reach: heldAt('after', () => REQUESTS.enable),
      moved: 1,
      worked: true,
    },
    {
      name: 'verify',
      host: 'compute-6',
      reach: async (host) => {
        const enabled = site.gateway.hold('after', REQUESTS.enable);
        await enabled.reached;
        const look = site.gateway.hold('before', REQUESTS.serversOf(host));
        enabled.release();
        await look.reached;
        return look.release;
      },
      moved: 1,
      worked: true,
    },
  ];

  before(async () => {
    await layOut(
      site.bed,
      site.nova,
      steps.map(({ name, host }) => ({ name, host })),
    );
    // Long enough to be cancelled, and aborted.
    await site.bed.turn({ servers: { drain: { lm_seconds: 60 } } });
  });

  for (const { name, host, reach, moved, worked } of steps) {
    test(name, async () => {
      site.workMs = 2_000;
      const witness = await Witness.begin(site.nova);

      const session = await site.session({ hosts: [host] });
      const goOn = await reach(host);
      await cancel(session);
      goOn();
      const report = await site.report(session);

      assert.equal(report.state, 'MAINTENANCE_CANCELLED', report.reason);
      assert.equal(report.hosts.held, 0);
      assert.deepEqual(await witness.objections({ moved }), []);
      assert.deepEqual(site.takeWorked(), { worked: worked ? [host] : [], wrong: [] });
    });
  }

  /** Resolves when the session knows. */
  async function cancel(session: WorkflowHandle): Promise<void> {
    await session.executeUpdate('cancelSession', { args: [{ mode: 'rollback' }] });
  }
});
