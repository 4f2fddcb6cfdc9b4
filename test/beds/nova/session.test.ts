/** Whole sessions over the OpenStack of the bed; Nova's own record says whether they did as they should. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { seededRandom, shuffled } from '../../../src/simulator/random.ts';
import { fleetOf24, layOut } from './fleet.ts';
import { Site } from './site.ts';
import { Witness } from './witness.ts';

const HOSTS = [1, 2, 3, 4, 5, 6].map((number) => `compute-${number}`);
const SEED = Number(process.env.NOVA_BED_SEED ?? 1);

/** Hosts that are nine tenths full: a session has to hand each one's servers to the one it has just emptied. */
const NEARLY_FULL = (place: number) => (place < 2 ? 'm1.medium' : 'm1.small');

let site: Site;
before(async () => {
  site = await Site.start();
});
after(() => site.stop());
beforeEach(() => {
  site.takeWorked();
});

test(`six nearly full hosts, of whose 22 moves three fail at first (seed ${SEED})`, async () => {
  const specs = fleetOf24(HOSTS, NEARLY_FULL).map((spec, index) => ({ ...spec, locked: index % 11 === 3 }));
  await layOut(site.bed, site.nova, specs);
  const running = specs.filter(({ stopped }) => stopped !== true).map(({ name }) => name);
  assert.equal(running.length, 22);
  const unlucky = shuffled(running, seededRandom(SEED)).slice(0, Math.round(0.13 * running.length));
  await site.bed.turn({ servers: Object.fromEntries(unlucky.map((name) => [name, { fail_lm: 1 }])) });
  const witness = await Witness.begin(site.nova);

  // A lock is a wish to be asked, and naming the server is the answer.
  const overrides = Object.fromEntries(
    specs.filter(({ locked }) => locked).map(({ name }) => [name, 'live' as const]),
  );
  const report = await site.report(await site.session({ hosts: HOSTS, instances: { overrides } }));

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.equal(report.hosts.done, HOSTS.length);
  const failed = (await witness.migrations()).filter(({ status }) => status === 'failed');
  assert.equal(failed.length, unlucky.length);
  assert.deepEqual(await witness.objections({ moved: report.instances.moved }), []);
  assert.equal(report.instances.moved, running.length);
  const { worked, wrong } = site.takeWorked();
  assert.deepEqual(wrong, []);
  assert.deepEqual(worked.sort(), HOSTS);
});

describe('what an operator may wish of servers', () => {
  test('stopped for the time of the work, and started again where they were', async () => {
    await layOut(site.bed, site.nova, [
      { name: 'batch', host: 'compute-1' },
      { name: 'asleep', host: 'compute-1', stopped: true },
      { name: 'web', host: 'compute-1' },
    ]);
    const witness = await Witness.begin(site.nova);

    const session = await site.session({ hosts: ['compute-1'], instances: { overrides: { batch: 'stop' } } });
    const report = await site.report(session);

    assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
    assert.deepEqual(report.instances, { total: 2, moved: 1, stopped: 1 });
    assert.deepEqual(await witness.objections({ moved: 1 }), []);
    assert.deepEqual(site.takeWorked(), { worked: ['compute-1'], wrong: [] });
  });

  test('moved cold, the stopped one too, and back to where they were', async () => {
    await layOut(site.bed, site.nova, [
      { name: 'cold', host: 'compute-1' },
      { name: 'asleep', host: 'compute-1', stopped: true },
      { name: 'live', host: 'compute-1' },
    ]);
    const witness = await Witness.begin(site.nova);

    const session = await site.session({
      hosts: ['compute-1'],
      instances: { overrides: { cold: 'cold' }, stopped: 'move', return: true },
    });
    const report = await site.report(session);

    assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
    const names = ['cold', 'asleep', 'live'];
    assert.deepEqual(await witness.objections({ moved: 2 * names.length, returned: names }), []);
    const onHost = (await site.nova.servers('compute-1')).map(({ name }) => name);
    assert.deepEqual(onHost.sort(), names.sort());
    assert.deepEqual(site.takeWorked(), { worked: ['compute-1'], wrong: [] });
  });
});

test('a server whose move fails again and again holds its host, until that is repaired and somebody continues', async () => {
  await layOut(site.bed, site.nova, [
    { name: 'stubborn', host: 'compute-1' },
    { name: 'easy', host: 'compute-1' },
  ]);
  await site.bed.turn({ servers: { stubborn: { fail_lm: 1_000 } } });
  const witness = await Witness.begin(site.nova);

  const session = await site.session({ hosts: ['compute-1'] });
  const { held } = await site.until(session, ({ hosts }) => hosts.held === 1);
  assert.equal(held[0]?.code, 'MoveFailed');
  assert.match(held[0].message, /stubborn/);
  assert.equal((await site.nova.service('compute-1')).status, 'disabled');
  await site.bed.turn({});
  await session.signal('continue');
  const report = await site.report(session);

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(await witness.objections({ moved: 2 }), []);
  assert.deepEqual(site.takeWorked(), { worked: ['compute-1'], wrong: [] });
});
