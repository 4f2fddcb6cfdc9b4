/** What projects ask for beforehand: how it is kept, and that sessions obey it over all hosts in flight. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { WithStartWorkflowOperation } from '@temporalio/client';
import { ConstraintStore } from '../../src/constraint-store.ts';
import {
  CONSTRAINT_KINDS,
  constraintShard,
  type Constraints,
  type ConstraintsView,
} from '../../src/core/constraints.ts';
import type { Instance } from '../../src/core/inventory.ts';
import { constraintsWorkflowId, MAINTENANCE_QUEUE, QUERIES, UPDATES, WORKFLOWS } from '../../src/names.ts';
import type { FleetInput } from '../../src/simulator/fleet.ts';
import { constraintsOf, groupConstraintOf, instanceConstraintOf } from '../support/constraints.ts';
import { reportOf, SITE, startEngine, type Engine } from '../support/engine.ts';
import { fleetOf, hostNames } from '../support/fleets.ts';
import { taskFailures } from '../support/task-failures.ts';

/** Sessions wait for members to recover, on a machine that has other things to do. */
const PATIENCE_MS = 120_000;

describe('constraints of a site', () => {
  let engine: Engine;
  let store: ConstraintStore;
  before(async () => {
    engine = await startEngine(fleetOf(2, 1));
    store = new ConstraintStore(engine.client, SITE);
  });
  after(() => engine.stop());

  const partOf = (id: string) =>
    engine.client.workflow.getHandle(constraintsWorkflowId(SITE, constraintShard(id)));

  test('are none before anybody has written', async () => {
    for (const kind of CONSTRAINT_KINDS) {
      assert.equal(await store.get({ kind, id: 'nobody' }), undefined);
      assert.deepEqual(await store.delete({ kind, id: 'nobody' }), { changed: false });
    }
    assert.deepEqual(await store.list(), { instances: [], groups: [] });
  });

  test('are kept, replaced and deleted', async () => {
    const value = instanceConstraintOf('i-1', { group: 'vnf' });
    assert.deepEqual(await store.put({ kind: 'instance', value }), { changed: true });
    assert.deepEqual(await store.put({ kind: 'instance', value }), { changed: false });
    assert.deepEqual(await store.put({ kind: 'group', value: groupConstraintOf('vnf') }), { changed: true });
    assert.deepEqual(await store.get({ kind: 'instance', id: 'i-1' }), value);
    assert.deepEqual(await store.list(), { instances: [value], groups: [groupConstraintOf('vnf')] });

    const later = { ...value, leadSeconds: 90 };
    await store.put({ kind: 'instance', value: later });
    assert.deepEqual(await store.get({ kind: 'instance', id: 'i-1' }), later);

    assert.deepEqual(await store.delete({ kind: 'instance', id: 'i-1' }), { changed: true });
    assert.deepEqual(await store.delete({ kind: 'instance', id: 'i-1' }), { changed: false });
    assert.equal(await store.get({ kind: 'instance', id: 'i-1' }), undefined);
    assert.deepEqual(await taskFailures(partOf('i-1')), []);
  });

  test('answer only a version where nothing has changed', async () => {
    await store.put({ kind: 'group', value: groupConstraintOf('seen') });
    const ask = (unless?: string): Promise<ConstraintsView> =>
      partOf('seen').query(QUERIES.constraints, unless === undefined ? {} : { unless });
    const { version, state } = await ask();
    assert.equal(state?.groups.length, 1);
    assert.deepEqual(await ask(version), { version });
    await store.put({ kind: 'group', value: groupConstraintOf('seen') });
    assert.deepEqual(await ask(version), { version });
    await store.put({ kind: 'group', value: groupConstraintOf('seen', { recoverySeconds: 1 }) });
    assert.equal((await ask(version)).state?.groups[0]?.recoverySeconds, 1);
  });

  const group = groupConstraintOf('g');
  const elsewhere = ['g2', 'g3', 'g4'].find((id) => constraintShard(id) !== constraintShard('g')) ?? '';
  const wrong: [string, string, unknown, RegExp][] = [
    ['nothing', UPDATES.putConstraint, undefined, /\(input\): /],
    ['another kind', UPDATES.putConstraint, { kind: 'host', value: group }, /^kind: /],
    [
      'an unknown key',
      UPDATES.putConstraint,
      { kind: 'group', value: { ...group, antiAfinity: 1 } },
      /value\.antiAfinity: is not a key of a constraint/,
    ],
    [
      'a text for a number',
      UPDATES.putConstraint,
      { kind: 'group', value: { ...group, recoverySeconds: '60,' } },
      /^value\.recoverySeconds: /,
    ],
    [
      'two faults at once',
      UPDATES.putConstraint,
      { kind: 'group', value: { ...group, maxImpactedMembers: 0, project: '' } },
      /value\.project: .*value\.maxImpactedMembers: /,
    ],
    [
      'what belongs elsewhere',
      UPDATES.putConstraint,
      { kind: 'group', value: { ...group, group: elsewhere } },
      /belongs to part/,
    ],
    ['to be deleted without an id', UPDATES.deleteConstraint, { kind: 'group' }, /^id: /],
  ];
  for (const [name, update, message, expected] of wrong) {
    test(`refuse ${name}`, async () => {
      await store.put({ kind: 'group', value: group });
      await assert.rejects(partOf('g').executeUpdate(update, { args: [message] }), (error: Error) => {
        const { cause } = error as { cause?: { type?: string; message: string } };
        assert.equal(cause?.type, 'InvalidMessage');
        assert.match(cause.message, expected);
        return true;
      });
      assert.deepEqual(await store.get({ kind: 'group', id: 'g' }), group);
    });
  }

  test('show in the Web UI how many there are', async () => {
    await store.put({ kind: 'group', value: group });
    const metadata = await partOf('g').query<{ currentDetails: string }>('__temporal_workflow_metadata');
    assert.match(
      metadata.currentDetails,
      /Constraints of lab.*part \d+ of 0 to 15.*\d instances · \d groups/s,
    );
  });

  test('are all there after runs were continued as new while many wrote', async () => {
    const shard = 7;
    const other = new ConstraintStore(engine.client, 'elsewhere');
    const ids = Array.from({ length: 2_000 }, (_, index) => `many-${index}`)
      .filter((id) => constraintShard(id) === shard)
      .slice(0, 60);
    // Handed over as by a run before that had a limit of a few events.
    const start = new WithStartWorkflowOperation(WORKFLOWS.constraints, {
      workflowId: constraintsWorkflowId('elsewhere', shard),
      workflowIdConflictPolicy: 'FAIL',
      taskQueue: MAINTENANCE_QUEUE,
      args: [
        { site: 'elsewhere', shard },
        { state: { instances: [], groups: [] }, historyLimit: 30 },
      ],
    });
    await engine.client.workflow.executeUpdateWithStart(UPDATES.putConstraint, {
      args: [{ kind: 'group', value: groupConstraintOf(ids[0] ?? '') }],
      startWorkflowOperation: start,
    });
    const keeper = await start.workflowHandle();
    const { runId: first } = await keeper.describe();
    const writers = [0, 1, 2, 3].map(async (writer) => {
      for (const id of ids.filter((_, index) => index % 4 === writer)) {
        await other.put({ kind: 'instance', value: instanceConstraintOf(id) });
      }
    });
    await Promise.all(writers);
    const { instances, groups } = await other.list();
    assert.deepEqual(instances.map(({ instance }) => instance).sort(), [...ids].sort());
    assert.equal(groups.length, 1);
    assert.notEqual((await keeper.describe()).runId, first, 'it was never continued as new');
  });

  test('survive a request to cancel the workflow that keeps them', async () => {
    await store.put({ kind: 'group', value: group });
    await partOf('g').cancel();
    await store.put({ kind: 'instance', value: instanceConstraintOf('g') });
    assert.deepEqual(await store.get({ kind: 'group', id: 'g' }), group);
    assert.equal((await partOf('g').describe()).status.name, 'RUNNING');
  });
});

describe('a session obeys what projects ask for:', () => {
  /** Four hosts, two instances on each but the last. */
  const FLEET = fleetOf(4, 2);

  test('one member at a time, and the next only when it has recovered', () =>
    withConstraints(FLEET, { maxImpactedMembers: 1, recoverySeconds: 2 }, async (engine, constraints) => {
      const session = await engine.start({
        budget: { maxConcurrentHosts: 2, maxConcurrentMovesPerHost: 2 },
        actions: [{ plugin: 'wait', type: 'host', metadata: { seconds: 3 } }],
      });
      assert.equal((await reportOf(session)).state, 'MAINTENANCE_DONE');
      assert.deepEqual(engine.violations({ constraints, maxConcurrentHosts: 2, maxMovesPerInstance: 2 }), []);
      assert.equal(mostOut(engine), 2, 'two hosts were never out together');
    }));

  test('members that are stopped recover after they were started', () =>
    withConstraints(FLEET, { maxImpactedMembers: 2, recoverySeconds: 2 }, async (engine, constraints) => {
      const session = await engine.start({
        instances: { mode: 'stop' },
        budget: { maxConcurrentHosts: 2, maxConcurrentMovesPerHost: 2 },
      });
      assert.equal((await reportOf(session)).state, 'MAINTENANCE_DONE');
      assert.deepEqual(engine.violations({ constraints, maxConcurrentHosts: 2 }), []);
    }));

  test('members that return do so one at a time, too', () =>
    withConstraints(FLEET, { maxImpactedMembers: 1, recoverySeconds: 1 }, async (engine, constraints) => {
      const session = await engine.start({
        instances: { return: true },
        budget: { maxConcurrentHosts: 2, maxConcurrentMovesPerHost: 2 },
      });
      assert.equal((await reportOf(session)).state, 'MAINTENANCE_DONE');
      assert.deepEqual(engine.violations({ constraints, maxMovesPerInstance: 2, returned: true }), []);
    }));

  test('a host that is held gives its share back only when what it moved has recovered', () =>
    withConstraints(FLEET, { maxImpactedMembers: 1, recoverySeconds: 3 }, async (engine, constraints) => {
      const [stuck] = await instancesOn(engine, 'compute-01');
      await engine.fault({
        match: { operation: 'migrate', instance: stuck?.id },
        effect: { kind: 'failTask', code: 'Timeout', message: 'its memory changes too fast' },
      });
      const session = await engine.start({
        hosts: ['compute-01', 'compute-02'],
        budget: { maxFailedHosts: 1, maxConcurrentMovesPerHost: 2 },
      });
      const { held } = await engine.until(
        session,
        ({ hosts }) => hosts.held === 1 && hosts.done === 1,
        PATIENCE_MS,
      );
      assert.equal(held[0]?.host, 'compute-01');
      assert.deepEqual(engine.violations({ constraints, held: ['compute-01'] }), []);
      await session.signal('cancel', { reason: 'seen enough' });
      await reportOf(session);
      assert.deepEqual(engine.violations({ constraints }), []);
    }));

  test('a host that is rolled back while its members recover', () =>
    withConstraints(FLEET, { maxImpactedMembers: 1, recoverySeconds: 3 }, async (engine, constraints) => {
      const session = await engine.start({
        hosts: ['compute-01', 'compute-02'],
        instances: { return: true },
        budget: { maxConcurrentMovesPerHost: 2 },
        actions: [{ plugin: 'approval', type: 'host' }],
      });
      await engine.seen(({ type }) => type === 'instance.migration.ended', PATIENCE_MS);
      const { inFlight } = await engine.progress(session);
      const out = inFlight[0]?.host ?? '';
      await session.executeUpdate('continueSession', { args: [{ rollback: [out] }] });
      await engine.until(session, ({ hosts }) => hosts.rolledBack === 1, PATIENCE_MS);
      await session.signal('cancel', { reason: 'seen enough' });
      await reportOf(session);
      assert.deepEqual(engine.violations({ constraints, maxMovesPerInstance: 2 }), []);
    }));

  test('not two of them on one host', () =>
    withConstraints(fleetOf(4, 1), { antiAffinity: true }, async (engine, constraints) => {
      const session = await engine.start({ dryRun: true });
      const { plan } = await reportOf(session);
      assert.deepEqual(plan?.blockers, []);
      const carried = await engine.start({});
      assert.equal((await reportOf(carried)).state, 'MAINTENANCE_DONE');
      assert.deepEqual(engine.violations({ constraints, maxMovesPerInstance: 2 }), []);
    }));

  test('what is asked for while the session runs holds for the hosts that come later', () =>
    withConstraints(FLEET, {}, async (engine, { instances }) => {
      const session = await engine.start({ hosts: hostNames(3), budget: { maxConcurrentMovesPerHost: 2 } });
      await session.signal('pause', {});
      await engine.until(
        session,
        ({ hosts, state }) => state === 'MAINTENANCE_PAUSED' && hosts.inFlight === 0,
      );
      const asked = { maxImpactedMembers: 1, recoverySeconds: 1 };
      const mark = engine.simulator.journal.entries.length;
      const store = new ConstraintStore(engine.client, SITE);
      await store.put({ kind: 'group', value: groupConstraintOf('vnf', asked) });
      await session.signal('continue');
      assert.equal((await reportOf(session)).state, 'MAINTENANCE_DONE');
      const constraints = constraintsOf({ group: 'vnf', ...asked }, [...instances.keys()]);
      const late = engine.violations({ constraints, maxMovesPerInstance: 3 }).filter(({ seq }) => seq > mark);
      assert.deepEqual(late, []);
    }));
});

/** A site all of whose instances are in one group that asks for this. */
async function withConstraints(
  fleet: FleetInput,
  asked: Parameters<typeof groupConstraintOf>[1],
  work: (engine: Engine, constraints: Constraints) => Promise<void>,
): Promise<void> {
  const engine = await startEngine(fleet);
  try {
    const instances = await instancesOn(engine);
    const constraints = constraintsOf(
      { group: 'vnf', ...asked },
      instances.map(({ id }) => id),
    );
    const store = new ConstraintStore(engine.client, SITE);
    for (const value of constraints.groups.values()) await store.put({ kind: 'group', value });
    await Promise.all(
      [...constraints.instances.values()].map((value) => store.put({ kind: 'instance', value })),
    );
    await work(engine, constraints);
  } finally {
    await engine.stop();
  }
}

async function instancesOn(engine: Engine, host?: string): Promise<Instance[]> {
  const answer = await engine.simulate('GET', `/v1/instances${host === undefined ? '' : `?host=${host}`}`);
  const { instances } = (await answer.json()) as { instances: Instance[] };
  return instances;
}

/** How many hosts carried our mark at one time. */
function mostOut(engine: Engine): number {
  const out = new Set<string>();
  let most = 0;
  for (const entry of engine.simulator.journal.entries) {
    if (entry.type === 'host.cordoned') out.add(entry.host);
    if (entry.type === 'host.uncordoned') out.delete(entry.host);
    most = Math.max(most, out.size);
  }
  return most;
}
