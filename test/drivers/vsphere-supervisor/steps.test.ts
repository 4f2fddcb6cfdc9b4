import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { formatMark, type Mark } from '../../../src/core/mark.ts';
import { PLAIN_REQUEST, type MaintenanceRequest } from '../../../src/core/platform-options.ts';
import type { PlatformTask } from '../../../src/drivers/driver.ts';
import { context, failure, follow, startRig, type Rig } from './rig.ts';
import { HOST, HOST_ID } from './stub-hosts.ts';

const MARK: Mark = { session: 'rack 12', host: HOST };
const OURS = formatMark(MARK);

const REMOVAL: MaintenanceRequest = {
  drain: 'engine',
  options: { 'vsphere-supervisor': { action: 'PermanentNodeRemoval', confirmPermanentNodeRemoval: true } },
};

let rig: Rig;

beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.close());

const cordon = (request = PLAIN_REQUEST): Promise<PlatformTask | undefined> =>
  rig.driver.cordon(HOST, MARK, request, context);
const uncordon = (): Promise<PlatformTask | undefined> => rig.driver.uncordon(HOST, MARK, context);

/** Without logging in and looking at tasks. */
const steps = (): string[] => rig.journal.filter((entry) => !/^(log in|look at)/.test(entry));

async function takeOut(request = PLAIN_REQUEST): Promise<void> {
  assert.deepEqual(await follow(rig.driver, await cordon(request)), { state: 'done' });
  rig.journal.length = 0;
}

describe('a cordon', () => {
  test('marks the host, and then takes the pods off in a task', async () => {
    const task = await cordon();
    assert.deepEqual(task, { id: 'task-2', kind: 'cordon', subject: HOST });
    assert.equal(rig.supervisor.nodes.get(HOST_ID), 'entering');
    assert.deepEqual(await follow(rig.driver, task), { state: 'done' });
    assert.equal(rig.supervisor.nodes.get(HOST_ID), 'in maintenance');
    assert.deepEqual(steps(), ['mark', `enter ${HOST_ID}`]);
    assert.deepEqual(rig.supervisor.bodies, [{ node: { node_type: 'HostSystem', node_id: HOST_ID } }]);
  });

  test('of a node that is in maintenance already only marks the host', async () => {
    rig.supervisor.nodes.set(HOST_ID, 'in maintenance');
    assert.equal(await cordon(), undefined);
    assert.equal(rig.hosts.cordonReason, OURS);
  });

  test('leaves a host that somebody else has cordoned to them', async () => {
    rig.hosts.cordonReason = 'bad fan, ask Ada';
    assert.equal(await cordon(), undefined);
    assert.deepEqual(steps(), []);
    assert.equal(rig.hosts.cordonReason, 'bad fan, ask Ada');
  });

  test('that is made again is done, or goes on with the task that comes of asking again', async () => {
    await cordon();
    const again = await cordon();
    assert.notEqual(again, undefined);
    assert.deepEqual(await follow(rig.driver, again), { state: 'done' });
    assert.equal(await cordon(), undefined);
    assert.deepEqual(steps(), ['mark', ...Array.from({ length: 3 }, () => `enter ${HOST_ID}`)]);
  });

  test('whose answer is lost keeps the mark, and is made again', async () => {
    rig.supervisor.disturb('enter', 'cut after');
    assert.equal((await failure(cordon())).code, 'PlatformUnreachable');
    assert.equal(rig.hosts.cordonReason, OURS);
    assert.deepEqual(await follow(rig.driver, await cordon()), { state: 'done' });
  });

  test('that is refused leaves the host unmarked', async () => {
    rig.supervisor.disturb('enter', { error: 'unauthorized', message: 'no' });
    assert.equal((await failure(cordon())).code, 'NotAuthorized');
    assert.deepEqual(steps(), ['mark', `enter ${HOST_ID}`, 'unmark']);
  });

  test('that is refused when it is made again keeps the mark of the one before', async () => {
    await cordon();
    rig.supervisor.disturb('enter', { error: 'unauthorized', message: 'no' });
    assert.equal((await failure(cordon())).code, 'NotAuthorized');
    assert.equal(rig.hosts.cordonReason, OURS);
  });

  test('that fails in its task says so in the words of the vendor', async () => {
    rig.supervisor.failure = 'A pod disruption budget forbids it.';
    const status = await follow(rig.driver, await cordon());
    assert.ok(status.state === 'failed');
    assert.equal(status.error.code, 'EnterFailed');
    assert.equal(status.error.vendor, 'A pod disruption budget forbids it.');
  });

  test('sends the action of the session', async () => {
    await cordon({ drain: 'engine', options: { 'vsphere-supervisor': { action: 'no_action' } } });
    const node = { node_type: 'HostSystem', node_id: HOST_ID };
    assert.deepEqual(rig.supervisor.bodies, [{ node, action: 'no_action' }]);
  });
});

describe('an uncordon', () => {
  test('lets pods on again in a task, and takes the mark off when that is done', async () => {
    await takeOut();
    const task = await uncordon();
    assert.equal(task?.kind, 'uncordon');
    assert.equal(rig.supervisor.nodes.get(HOST_ID), 'exiting');
    assert.equal((await rig.driver.pollTask(task, context)).state, 'running');
    assert.equal(rig.hosts.cordonReason, OURS, 'as long as it runs the host is ours');
    assert.deepEqual(await follow(rig.driver, task), { state: 'done' });
    assert.equal(rig.supervisor.nodes.get(HOST_ID), 'serving');
    assert.deepEqual(steps(), [`exit ${HOST_ID}`, 'unmark']);
    assert.equal(await uncordon(), undefined);
    assert.deepEqual(steps(), [`exit ${HOST_ID}`, 'unmark'], 'it is not asked for twice');
  });

  test('of a node that serves already takes the mark off at once', async () => {
    await takeOut();
    rig.supervisor.nodes.set(HOST_ID, 'serving');
    assert.equal(await uncordon(), undefined);
    assert.deepEqual(steps(), [`exit ${HOST_ID}`, 'unmark']);
  });

  test('ends a cordon that is under way', async () => {
    const entering = await cordon();
    const exiting = await uncordon();
    assert.deepEqual(await follow(rig.driver, exiting), { state: 'done' });
    assert.equal((await follow(rig.driver, entering)).state, 'failed');
    assert.equal(rig.supervisor.nodes.get(HOST_ID), 'serving');
    assert.equal(rig.hosts.cordonReason, undefined);
  });

  for (const [whose, reason] of [
    ['of somebody else', 'bad fan, ask Ada'],
    ['of another session', formatMark({ session: 'another', host: HOST })],
  ] as const) {
    test(`leaves a cordon ${whose} as it is`, async () => {
      rig.hosts.cordonReason = reason;
      rig.supervisor.nodes.set(HOST_ID, 'in maintenance');
      assert.equal(await uncordon(), undefined);
      assert.deepEqual(steps(), []);
    });
  }

  test('takes off no mark that another session has left meanwhile', async () => {
    await takeOut();
    const task = await uncordon();
    const theirs = formatMark({ session: 'another', host: HOST });
    rig.hosts.cordonReason = theirs;
    assert.deepEqual(await follow(rig.driver, task), { state: 'done' });
    assert.equal(rig.hosts.cordonReason, theirs);
  });

  test('that fails in its task keeps the mark', async () => {
    await takeOut();
    rig.supervisor.failure = 'The agent on the node does not answer.';
    const status = await follow(rig.driver, await uncordon());
    assert.ok(status.state === 'failed');
    assert.equal(status.error.code, 'ExitFailed');
    assert.equal(status.error.vendor, 'The agent on the node does not answer.');
    assert.equal(rig.hosts.cordonReason, OURS);
  });

  test('goes on where only the mark was left to take off', async () => {
    await takeOut();
    const task = await uncordon();
    await follow(rig.driver, task);
    rig.hosts.cordonReason = OURS;
    assert.ok(task);
    assert.deepEqual(await rig.driver.pollTask(task, context), { state: 'done' });
    assert.equal(rig.hosts.cordonReason, undefined);
  });
});

describe('the permanent removal of a node', () => {
  test('is asked for, and nothing is taken back but the mark', async () => {
    await takeOut(REMOVAL);
    assert.equal(rig.supervisor.nodes.get(HOST_ID), 'removed');
    const node = { node_type: 'HostSystem', node_id: HOST_ID };
    assert.deepEqual(rig.supervisor.bodies, [{ node, action: 'PermanentNodeRemoval' }]);
    assert.equal(await uncordon(), undefined);
    assert.equal(rig.hosts.cordonReason, undefined);
  });

  test('that an earlier try has brought about is done', async () => {
    await takeOut(REMOVAL);
    assert.equal(await cordon(REMOVAL), undefined);
    assert.equal(rig.hosts.cordonReason, OURS);
  });

  test('of a host that is no node is HostBlocked, and the host unmarked', async () => {
    rig.supervisor.nodes.clear();
    assert.equal((await failure(cordon(REMOVAL))).code, 'HostBlocked');
    assert.equal(rig.hosts.cordonReason, undefined);
  });
});

describe('a task of a node', () => {
  test('tells its progress', async () => {
    const task = await cordon();
    assert.ok(task);
    rig.supervisor.looksPerTask = 4;
    assert.deepEqual(await rig.driver.pollTask(task, context), { state: 'running', detail: 'pending' });
    assert.deepEqual(await rig.driver.pollTask(task, context), {
      state: 'running',
      progress: 25,
      detail: 'running',
    });
  });

  test('is understood without the envelope of /rest', async () => {
    rig.supervisor.isEnveloped = false;
    assert.deepEqual(await follow(rig.driver, await cordon()), { state: 'done' });
  });

  test('that vCenter does not know any more has vanished, and the mark stays', async () => {
    await takeOut();
    const task = await uncordon();
    rig.supervisor.forgetTasks();
    assert.deepEqual(await follow(rig.driver, task), { state: 'vanished' });
    assert.equal(rig.hosts.cordonReason, OURS);
  });

  test('cannot be cancelled, and is not found by the name of its host', async () => {
    const task = await cordon();
    assert.ok(task);
    await rig.driver.cancelTask(task, context);
    assert.equal(await rig.driver.findTask('cordon', HOST, context), undefined);
    assert.equal(await rig.driver.findTask('uncordon', HOST, context), undefined);
    assert.deepEqual(steps(), ['mark', `enter ${HOST_ID}`]);
    assert.deepEqual(await follow(rig.driver, task), { state: 'done' });
  });
});

test('everything else is asked of the vSphere site', async () => {
  const { driver } = rig;
  assert.equal((await driver.inventory(context)).hosts[0]?.name, HOST);
  await driver.locate('vm-1', context);
  await driver.precheck(HOST, PLAIN_REQUEST, context);
  await driver.move('vm-1', { how: 'live', target: 'esx-02' }, context);
  await driver.stop('vm-1', MARK, context);
  await driver.start('vm-1', MARK, context);
  const entering = await driver.enter(HOST, MARK, { ...PLAIN_REQUEST, drain: 'platform' }, context);
  assert.ok(entering);
  await driver.pollTask(entering, context);
  await driver.cancelTask(entering, context);
  await driver.exit(HOST, MARK, context);
  await driver.findTask('exit', HOST, context);
  assert.deepEqual(rig.journal, [
    ...['inventory', 'locate vm-1', `precheck ${HOST}`, 'move vm-1', 'stop vm-1', 'start vm-1'],
    ...[`enter ${HOST}, platform drains`, 'poll enter-task', 'cancel enter-task', `exit ${HOST}`],
    `find exit of ${HOST}`,
  ]);
});
