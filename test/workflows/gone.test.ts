/** A host that its platform does not know any more: it broke while it was worked on, and was taken away. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { MaintenanceError } from '../../src/core/errors.ts';
import { simulator } from '../../src/drivers/simulator/driver.ts';
import { reportOf, startEngine, type Engine } from '../support/engine.ts';
import { fleetOf, WORK } from '../support/fleets.ts';

const PATIENCE_MS = 60_000;
const HOST = 'compute-01';

describe('a host that is taken away while it is worked on', () => {
  const create = simulator.create.bind(simulator);
  let isGone = false;
  let engine: Engine;
  before(async () => {
    simulator.create = (...args) => {
      const driver = create(...args);
      const inspect = driver.inspect.bind(driver);
      driver.inspect = (host, context) =>
        isGone && host === HOST
          ? Promise.reject(new MaintenanceError('UnknownHost', `there is no host ${host}`))
          : inspect(host, context);
      return driver;
    };
    engine = await startEngine(fleetOf(4, 2));
  });
  after(async () => {
    simulator.create = create;
    await engine.stop();
  });

  test('is held, and given up with a warning when it is skipped', async () => {
    const session = await engine.start({ hosts: [HOST], actions: [{ ...WORK, plugin: 'approval' }] });
    await engine.until(session, ({ blockedBy }) => blockedBy.length > 0, PATIENCE_MS);
    isGone = true;
    await session.signal('approve', { by: 'jo' });
    const { held } = await engine.until(session, ({ hosts }) => hosts.held === 1, PATIENCE_MS);
    assert.equal(held[0]?.code, 'UnknownHost');
    await session.signal('continue', { skip: [HOST] });

    const report = await reportOf(session);

    assert.equal(report.state, 'MAINTENANCE_DONE');
    assert.equal(report.hosts.skipped, 1);
    assert.match(report.warnings.join('; '), /compute-01 is not on the platform any more/);
  });
});
