/** Whole sessions over the fake of CloudTower; its own audit says whether they did as they should. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Site } from './site.ts';

let site: Site;
afterEach(() => site.stop());

const FOUR = ['smtx-01', 'smtx-02', 'smtx-03', 'smtx-04'];

for (const shape of ['sdk', 'docs'] as const) {
  test(`four hosts go out one at a time, and everything is as it was, by ${shape} answers`, async () => {
    site = await Site.start(shape);
    const report = await site.report(
      await site.session({
        hosts: FOUR,
        budget: { maxConcurrentHosts: 2 },
        instances: { mode: 'live-then-stop', return: true },
      }),
    );

    assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
    assert.equal(report.hosts.done, 4);
    assert.deepEqual(site.objections(), []);
    const { worked, wrong } = site.takeWorked();
    assert.deepEqual([worked.sort(), wrong], [FOUR, []]);
    assert.deepEqual(site.audit('vm.shut-down'), ['gpu']);
    assert.deepEqual(site.audit('vm.started'), ['gpu']);
    assert.equal(report.instances.stopped, 1);
    assert.equal(site.callsOf('enter-maintance-mode'), 4);
  });
}
