/** What nobody looks after any more is put back, and nothing else. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { Config } from '../../src/config.ts';
import { MAINTENANCE_QUEUE, WORKFLOWS } from '../../src/names.ts';
import type { ReconcileReport } from '../../workflows/reconcile.ts';
import { reportOf, SITE, startEngine, type Engine } from '../support/engine.ts';
import { fleetOf, WORK } from '../support/fleets.ts';

/** The machine may be busy. */
const PATIENCE_MS = 60_000;
const HOSTS = ['compute-01', 'compute-02'];

/** A site with the same hosts. */
const TWIN = 'twin';
const withTwin = (config: Config): Config => ({
  ...config,
  sites: { ...config.sites, ...(config.sites[SITE] ? { [TWIN]: config.sites[SITE] } : {}) },
});

describe('reconcile', () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine(fleetOf(4, 2), withTwin);
  });
  beforeEach(() => engine.clearFaults());
  after(() => engine.stop());

  const startReconcile = (site = SITE): Promise<WorkflowHandle> =>
    engine.client.workflow.start(WORKFLOWS.reconcile, {
      taskQueue: MAINTENANCE_QUEUE,
      workflowId: `reconcile-${randomUUID()}`,
      args: [{ site }],
    });
  const reconcile = async (site = SITE): Promise<ReconcileReport> =>
    (await (await startReconcile(site)).result()) as ReconcileReport;
  const nothing: ReconcileReport = { site: SITE, putBack: [], failed: [] };

  /** A session that holds compute-01 in maintenance, for its work has failed there. */
  async function startHeld(id: string): Promise<WorkflowHandle> {
    await engine.fault({
      match: { operation: 'work', host: 'compute-01', times: 1 },
      effect: { kind: 'failTask', code: 'FlashFailed', message: 'checksum mismatch' },
    });
    const session = await engine.start({ hosts: HOSTS, actions: [WORK], budget: { maxFailedHosts: 1 } }, id);
    await engine.until(
      session,
      ({ state, hosts }) => state === 'MAINTENANCE_FAILED' && hosts.done === 1,
      PATIENCE_MS,
    );
    return session;
  }

  const standingOf = (host: string): string => engine.simulator.datacentre.viewHost(host).standing;
  const clean = (held: string[] = []): void => {
    assert.deepEqual(engine.violations({ maxMovesPerInstance: 99, held }), []);
  };

  /** Sessions are found in the list of workflows, which is behind by a moment. */
  async function isListed(session: WorkflowHandle): Promise<void> {
    const query = `WorkflowId="${session.workflowId}" AND MaintenanceSite="${SITE}" AND ExecutionStatus="Running"`;
    const deadline = Date.now() + PATIENCE_MS;
    while ((await engine.client.workflow.count(query)).count === 0) {
      assert.ok(Date.now() < deadline, `nothing is found by ${query}`);
      await sleep(50);
    }
  }

  test('of a site where nothing is left out does nothing', async () => {
    assert.deepEqual(await reconcile(), nothing);
    clean();
  });

  test('leaves alone what an open session holds, and puts it back when that is terminated', async () => {
    const session = await startHeld('holder');
    assert.deepEqual(await reconcile(), nothing);
    assert.equal(standingOf('compute-01'), 'maintenance');
    clean(['compute-01']);
    await session.terminate('pulled the plug');
    assert.deepEqual(await reconcile(), { ...nothing, putBack: ['compute-01'] });
    assert.equal(standingOf('compute-01'), 'in-service');
    clean();
    assert.deepEqual(await reconcile(), nothing);
  });

  test('leaves alone what a dead session of another site has left out, although the host is of both', async () => {
    await (await startHeld('of-the-other')).terminate('pulled the plug');
    assert.deepEqual(await reconcile(TWIN), { ...nothing, site: TWIN });
    assert.equal(standingOf('compute-01'), 'maintenance');
    assert.deepEqual(await reconcile(), { ...nothing, putBack: ['compute-01'] });
    clean();
  });

  test('leaves alone what a session means to take up that resumes a dead one', async () => {
    await (await startHeld('dead')).terminate('pulled the plug');
    const maintenanceAt = new Date(Date.now() + 600_000).toISOString();
    const heir = await engine.start({ hosts: HOSTS, actions: [WORK], resumeFrom: 'dead', maintenanceAt });
    await engine.until(heir, ({ hosts }) => hosts.done === 1, PATIENCE_MS);
    await isListed(heir);
    assert.deepEqual(await reconcile(), nothing);
    assert.equal(standingOf('compute-01'), 'maintenance');
    clean(['compute-01']);

    await heir.terminate('and the next one');
    const last = await engine.start({ hosts: HOSTS, actions: [WORK], resumeFrom: heir.workflowId });
    const report = await reportOf(last);
    assert.deepEqual([report.state, report.hosts.done], ['MAINTENANCE_DONE', 2]);
    clean();
    assert.deepEqual(await reconcile(), nothing);
  });

  test('at the same time as a session that takes the host up does no harm', async () => {
    await (await startHeld('raced')).terminate('pulled the plug');
    const [heir, ...reconciles] = await Promise.all([
      engine.start({ hosts: HOSTS, actions: [WORK], resumeFrom: 'raced' }),
      startReconcile(),
      startReconcile(),
    ]);
    const report = await reportOf(heir);
    assert.deepEqual([report.state, report.hosts.done], ['MAINTENANCE_DONE', 2]);
    for (const one of reconciles) await one.result().catch(hasBeenOvertaken);
    clean();
    assert.deepEqual(await reconcile(), nothing);
  });

  test('says what it cannot put back, and does so the next time', async () => {
    await (await startHeld('stuck')).terminate('pulled the plug');
    await engine.fault({
      match: { operation: 'exit', host: 'compute-01' },
      effect: { kind: 'failTask', code: 'StuckBmc', message: 'the controller does not answer' },
    });
    await assert.rejects(reconcile(), (error) => {
      const failure = failureOf(error);
      assert.equal(failure.type, 'RollbackFailed');
      assert.match(failure.message, /still out of service at lab: compute-01 \(.*the controller does not/);
      return true;
    });
    clean(['compute-01']);
    await engine.clearFaults();
    assert.deepEqual(await reconcile(), { ...nothing, putBack: ['compute-01'] });
    clean();
  });
});

function failureOf(error: unknown): ApplicationFailure {
  assert.ok(error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure, String(error));
  return error.cause;
}

/** The other one, or the session, has got the host first. */
function hasBeenOvertaken(error: unknown): void {
  assert.match(failureOf(error).message, /compute-01 \(its workflow runs again\)/);
}
