/**
 * Run as `npm run histories` with a server at TEMPORAL_ADDRESS: records the histories that every later version has to
 * replay, one file a case, named by the version that made it. Never overwrite those of a released version.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import packageJson from '../../package.json' with { type: 'json' };
import { SITE, startEngine, type Engine } from './engine.ts';
import { fleetOf, WORK } from './fleets.ts';

const directory = path.join(import.meta.dirname, '../histories', packageJson.version);

const failWork = (engine: Engine): Promise<void> =>
  engine.fault({
    match: { operation: 'work', times: 1 },
    effect: { kind: 'failTask', code: 'FlashFailed', message: 'checksum mismatch' },
  });

const save = async (name: string, handle: WorkflowHandle): Promise<void> => {
  const history = historyToJSON(await handle.fetchHistory());
  await writeFile(path.join(directory, `${name}.json`), `${history}\n`);
};

const host = (engine: Engine, name: string): WorkflowHandle =>
  engine.client.workflow.getHandle(`host/${SITE}/${name}`);

const ended = (handle: WorkflowHandle): Promise<unknown> => handle.result().catch(() => undefined);

async function record(engine: Engine): Promise<void> {
  const done = await engine.start({ actions: [WORK], budget: { maxConcurrentHosts: 2 } }, 'done');
  await ended(done);
  await save('session-done', done);
  await save('host-done', host(engine, 'compute-02'));

  await failWork(engine);
  const held = await engine.start({ hosts: ['compute-01', 'compute-02'], actions: [WORK] }, 'held');
  const { held: holds } = await engine.until(held, ({ state }) => state === 'MAINTENANCE_FAILED');
  await save('host-held', host(engine, holds[0]?.host ?? ''));
  await held.signal('continue');
  await ended(held);
  await save('session-held-and-continued', held);
  await save('host-continued', host(engine, holds[0]?.host ?? ''));

  const rest = { plugin: 'approval', type: 'host' } as const;
  const cancelled = await engine.start(
    { hosts: ['compute-01'], instances: { mode: 'stop' }, actions: [rest] },
    'cancelled',
  );
  await engine.until(cancelled, ({ blockedBy }) => blockedBy.length > 0);
  await cancelled.signal('cancel', { reason: 'recorded' });
  await ended(cancelled);
  await save('session-cancelled', cancelled);
  await save('host-rolled-back', host(engine, 'compute-01'));

  const paused = await engine.start(
    { hosts: ['compute-01', 'compute-02'], pauseBetweenHosts: '100ms' },
    'paused',
  );
  await paused.signal('pause', { reason: 'recorded' });
  await engine.until(paused, ({ state }) => state === 'MAINTENANCE_PAUSED');
  await paused.executeUpdate('setBudget', { args: [{ maxConcurrentMovesPerHost: 2 }] });
  await paused.executeUpdate('continueSession', { args: [{}] });
  await ended(paused);
  await save('session-paused', paused);

  const invalid = await engine.start({ hosts: ['nowhere'] }, 'invalid');
  await ended(invalid);
  await save('session-invalid', invalid);

  const reconciled = await engine.client.workflow.start('reconcile', {
    taskQueue: 'maintenance',
    workflowId: 'reconciled',
    args: [{ site: SITE }],
  });
  await ended(reconciled);
  await save('reconcile', reconciled);
}

await mkdir(directory, { recursive: true });
const engine = await startEngine(fleetOf(3, 2));
try {
  await record(engine);
} finally {
  await engine.stop();
}
