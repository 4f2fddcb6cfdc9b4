import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { ActionInput } from '../../src/core/host-run.ts';
import { reportOf, startEngine, type Engine } from '../support/engine.ts';
import { fleetOf, WORK } from '../support/fleets.ts';

/** An activity of somebody else's worker, which notes what it is called with. */
const QUEUE = 'somebody-elses';

describe('actions', () => {
  let engine: Engine;
  let theirs: { stop: () => Promise<void> };
  const calls: ActionInput[] = [];

  before(async () => {
    const external = { taskQueue: QUEUE, activity: 'note' };
    engine = await startEngine(fleetOf(3, 2), (config) => ({
      ...config,
      actions: { ...config.actions, activities: { alpha: external, beta: external, gamma: external } },
    }));
    const connection = await NativeConnection.connect({
      address: process.env.TEMPORAL_ADDRESS ?? '127.0.0.1:7233',
    });
    const worker = await Worker.create({
      connection,
      namespace: engine.namespace,
      taskQueue: QUEUE,
      activities: {
        note: (input: ActionInput) => {
          calls.push(input);
        },
      },
    });
    const running = worker.run();
    theirs = {
      stop: async () => {
        worker.shutdown();
        await running;
        await connection.close();
      },
    };
  });
  beforeEach(async () => {
    calls.length = 0;
    await engine.clearFaults();
  });
  after(async () => {
    await theirs.stop();
    await engine.stop();
  });

  test('run before, on each host, and after; by name within a type; with what the session says', async () => {
    const session = await engine.start({
      hosts: ['compute-01', 'compute-02'],
      metadata: { change: 'CHG-7' },
      actions: [
        { plugin: 'gamma', type: 'post' },
        { plugin: 'beta', type: 'host' },
        { plugin: 'alpha', type: 'host', metadata: { part: 'fan' } },
        { plugin: 'gamma', type: 'compute' },
        { plugin: 'beta', type: 'controller' },
        { plugin: 'alpha', type: 'pre' },
      ],
    });
    assert.equal((await reportOf(session)).state, 'MAINTENANCE_DONE');
    const order = calls.map(({ type, plugin, host }) => `${type} ${plugin} ${host ?? ''}`.trim());
    const hosts = ['compute-01', 'compute-02'].sort(
      (a, b) => order.findIndex((o) => o.endsWith(a)) - order.findIndex((o) => o.endsWith(b)),
    );
    const onHost = (host: string): string[] => [
      `host alpha ${host}`,
      `host beta ${host}`,
      `compute gamma ${host}`,
    ];
    assert.deepEqual(order, ['pre alpha', ...hosts.flatMap(onHost), 'post gamma']);
    const alpha = calls.find(({ type, plugin }) => type === 'host' && plugin === 'alpha');
    assert.deepEqual(alpha?.metadata, { part: 'fan' });
    assert.deepEqual(alpha.sessionMetadata, { change: 'CHG-7' });
    assert.equal(new Set(calls.map(({ idempotencyKey }) => idempotencyKey)).size, calls.length);
  });

  test('a failed webhook is a new piece of work when an operator says to try again', async () => {
    await engine.fault({
      match: { operation: 'work', times: 1 },
      effect: { kind: 'failTask', code: 'FlashFailed', message: 'checksum mismatch' },
    });
    const session = await engine.start({ hosts: ['compute-03'], actions: [WORK] });
    await engine.until(session, ({ state }) => state === 'MAINTENANCE_FAILED');
    await session.signal('continue');
    await reportOf(session);
    const keys = engine.simulator.journal.entries.flatMap((entry) =>
      entry.type === 'work.started' ? [entry.key] : [],
    );
    assert.equal(keys.length, 2);
    assert.equal(new Set(keys).size, 2);
  });

  test('an approval that is refused holds the host, and is asked again', async () => {
    const session = await engine.start({
      hosts: ['compute-01'],
      actions: [{ plugin: 'approval', type: 'host' }],
    });
    await engine.until(session, ({ blockedBy }) =>
      blockedBy.some((what) => what.includes('approval of compute-01')),
    );
    await session.signal('approve', {
      host: 'compute-01',
      approved: false,
      by: 'Kim',
      reason: 'not during the sale',
    });
    const failed = await engine.until(session, ({ state }) => state === 'MAINTENANCE_FAILED');
    const [hold] = failed.held;
    assert.equal(hold?.code, 'ApprovalRefused');
    assert.match(hold.message, /refused by Kim: not during the sale/);
    await session.signal('continue');
    await engine.until(session, ({ blockedBy }) =>
      blockedBy.some((what) => what.includes('approval of compute-01')),
    );
    await session.signal('approve', {});
    assert.equal((await reportOf(session)).state, 'MAINTENANCE_DONE');
  });

  test('a pre action that fails stops the session before any host, until it is told to go on', async () => {
    await engine.fault({
      match: { operation: 'work', times: 1 },
      effect: { kind: 'failTask', code: 'NoImage', message: 'the image is missing' },
    });
    const cordons = countOf(engine, 'host.cordoned');
    const session = await engine.start({
      hosts: ['compute-01'],
      actions: [{ ...WORK, type: 'pre', metadata: { ...WORK.metadata, body: { host: 'compute-01' } } }],
    });
    const failed = await engine.until(session, ({ state }) => state === 'MAINTENANCE_FAILED');
    assert.match(failed.reason, /ActionFailed.*the image is missing|ActionFailed/);
    assert.equal(countOf(engine, 'host.cordoned'), cordons);
    await session.signal('cancel', { reason: 'another day' });
    assert.equal((await reportOf(session)).state, 'MAINTENANCE_CANCELLED');
  });

  test('an approval before the session ends with the session', async () => {
    const session = await engine.start({
      hosts: ['compute-01'],
      actions: [{ plugin: 'approval', type: 'pre' }],
    });
    await engine.until(session, ({ blockedBy }) => blockedBy.some((what) => what.startsWith('approval')));
    await session.signal('cancel', {});
    const report = await reportOf(session);
    assert.equal(report.state, 'MAINTENANCE_CANCELLED');
    assert.equal(report.hosts.pending, 1);
  });
});

const countOf = (engine: Engine, type: string): number =>
  engine.simulator.journal.entries.filter((entry) => entry.type === type).length;
