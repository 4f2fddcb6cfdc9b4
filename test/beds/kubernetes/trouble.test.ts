/** What goes wrong in the middle: workers that die, an API server that restarts and forgets, and operators who cancel. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { kubectl, service } from './bed.ts';
import { COMPUTES, limit, Site } from './site.ts';

let site: Site;
before(async () => {
  site = await Site.start();
});
beforeEach(() => site.begin());
after(() => site.stop());

const [FIRST = '', SECOND = ''] = COMPUTES;

/** Moments of a node's maintenance, each with what brings a session there and keeps it there until it is let go. */
const MOMENTS: Readonly<
  Record<
    string,
    { hold: () => Promise<void>; come: (session: WorkflowHandle) => Promise<void>; go: () => Promise<void> }
  >
> = {
  'the window opens': {
    hold: () => site.slow.stop(),
    come: () =>
      site.when('the window is asked for', async () => (await kubectl('get', 'cmr', '-o', 'name')) !== ''),
    go: async () => site.slow.start(),
  },
  'its locks are waited for': {
    hold: async () => {
      site.slow.delayMs = 4_000;
    },
    come: () => site.whenTold(FIRST, /released by slow/),
    go: async () => {
      site.slow.delayMs = 300;
    },
  },
  'its pods leave': {
    hold: async () => {
      await site.spread();
      await limit({ minAvailable: 12 });
    },
    come: () => site.whenTold(FIRST, /disruption budget web/),
    go: () => limit({ minAvailable: 10 }),
  },
  'it is worked on': {
    hold: async () => {
      site.workMs = 4_000;
    },
    come: () => site.when('it is worked on', async () => site.isWorkedOn(FIRST)),
    go: async () => {
      site.workMs = 0;
    },
  },
  'its locks return': {
    hold: async () => {
      site.workMs = 2_000;
    },
    come: async (session) => {
      await site.when('it is worked on', async () => site.isWorkedOn(FIRST));
      await site.slow.stop();
      await blockedBy(session, `${FIRST} to be taken back by slow`);
    },
    go: async () => site.slow.start(),
  },
  'the window closes': {
    hold: async () => {
      site.slow.delayMs = 3_000;
    },
    come: async (session) => {
      await site.until(session, ({ hosts }) => hosts.done === 1);
      await site.slow.stop();
      await blockedBy(session, 'the cluster to be taken back by slow');
    },
    go: async () => site.slow.start(),
  },
};

for (const [moment, { hold, come, go }] of Object.entries(MOMENTS)) {
  test(`a worker is killed while ${moment}`, async () => {
    await hold();
    const session = await site.session({ hosts: [FIRST] });
    await come(session);
    await site.killWorker();
    await go();
    await site.startWorker();

    const report = await site.report(session);

    assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
    assert.deepEqual(await site.objections(), []);
    assert.deepEqual(site.takeWorked(), { worked: [FIRST], wrong: [] });
  });

  test(`a session is cancelled while ${moment}`, async () => {
    await hold();
    const session = await site.session({ hosts: [FIRST] });
    await come(session);
    await session.signal('cancel');
    await go();

    const report = await site.report(session);

    assert.equal(report.state, 'MAINTENANCE_CANCELLED', report.reason);
    assert.deepEqual(await site.objections(), []);
  });
}

test('the API server restarts, and etcd has forgotten what was watched', async () => {
  // The scheduler has to come back too, before a node is cordoned.
  site.slow.delayMs = 6_000;
  const session = await site.session({ hosts: [FIRST, SECOND], budget: { maxConcurrentHosts: 2 } });
  await site.whenTold(FIRST, /released by slow/);
  await service('kill', 'kube-apiserver');
  await compact();
  await service('start', 'kube-apiserver');

  const report = await site.report(session);

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(await site.objections(), []);
  assert.deepEqual(site.takeWorked().wrong, []);
});

test('a controller that fails on the way back is named, and once it is well the node is back', async () => {
  site.workMs = 2_000;
  const session = await site.session({ hosts: [FIRST] });
  await site.when('it is worked on', async () => site.isWorkedOn(FIRST));
  await site.slow.stop();
  await blockedBy(session, `${FIRST} to be taken back by slow`);
  const status = { status: { state: 'failed', errorMessage: 'volume 7 has no quorum' } };
  const patch = ['--subresource=status', '--type=merge', '-p', JSON.stringify(status)];
  await kubectl('patch', 'nwl', `slow-${FIRST}`, ...patch);
  await blockedBy(session, `${FIRST} to be taken back by slow (failed, volume 7 has no quorum)`);
  site.slow.start();

  const report = await site.report(session);

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(await site.objections(), []);
});

test('a node that is taken away in its maintenance is skipped, and no request is left', async () => {
  site.workMs = 2_000;
  const session = await site.session({ hosts: [FIRST, SECOND] });
  await site.when('it is worked on', async () => site.isWorkedOn(FIRST));
  await kubectl('delete', 'node', FIRST);
  const { held } = await site.until(session, ({ hosts }) => hosts.held === 1);
  assert.equal(held[0]?.code, 'UnknownHost');
  await session.signal('continue', { skip: [FIRST] });
  await site.until(session, ({ hosts }) => hosts.skipped === 1);

  const report = await site.report(session);

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual([report.hosts.done, report.hosts.skipped], [1, 1]);
  assert.equal(await kubectl('get', 'nmr,cmr', '-o', 'name'), '');
  await site.refill();
});

test('a node whose request somebody deletes takes pods again all the same', async () => {
  site.workMs = 4_000;
  const session = await site.session({ hosts: [FIRST] });
  await site.when('it is worked on', async () => site.isWorkedOn(FIRST));
  await kubectl('delete', 'nmr', `haulout-${FIRST}`);

  const report = await site.report(session);

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  const node = await kubectl(
    'get',
    'node',
    FIRST,
    '-o',
    'jsonpath={.spec.unschedulable} {.metadata.annotations}',
  );
  assert.doesNotMatch(node, /true|haulout/);
  assert.equal(await kubectl('get', 'nmr,cmr', '-o', 'name'), '');
});

test('a second session waits for the window of the first, and takes its node then', async () => {
  site.workMs = 2_000;
  const first = await site.session({ hosts: [FIRST] });
  await site.when('it is worked on', async () => site.isWorkedOn(FIRST));
  const second = await site.session({ hosts: [SECOND] });
  await site.until(second, ({ blockedBy: by }) => by.some((what) => what.includes(first.workflowId)));

  const reports = [await site.report(first), await site.report(second)];

  assert.deepEqual(
    reports.map(({ state }) => state),
    ['MAINTENANCE_DONE', 'MAINTENANCE_DONE'],
  );
  assert.equal((await site.judge()).mostOut, 1);
  assert.deepEqual(await site.objections(), []);
});

test('what a session has left that was terminated is put back, and its window is closed', async () => {
  site.workMs = 60_000;
  const session = await site.session({ hosts: [FIRST] });
  await site.when('it is worked on', async () => site.isWorkedOn(FIRST));
  await site.terminate(session, [FIRST]);

  const report = await site.reconcile();

  assert.deepEqual(report.putBack, [FIRST]);
  assert.equal(report.windowsClosed?.length, 1);
  assert.deepEqual(await site.objections(), []);
});

const blockedBy = async (session: WorkflowHandle, what: string): Promise<void> => {
  await site.until(session, (progress) => progress.blockedBy.includes(what));
};

/** etcd forgets everything before now. */
async function compact(): Promise<void> {
  const etcd = `http://127.0.0.1:${process.env.P_ETCD ?? '23790'}/v3/kv`;
  const ask = async (path: string, body: object): Promise<unknown> =>
    (await fetch(`${etcd}/${path}`, { method: 'POST', body: JSON.stringify(body) })).json();
  const { header } = (await ask('range', { key: 'AA==' })) as { header: { revision: string } };
  await ask('compaction', { revision: header.revision, physical: true });
}
