/** A session over the cluster that has to wait for three controllers, one of which is ours: it empties hosts of a site of its own. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fleetOf } from '../../support/fleets.ts';
import { LockStage } from './lock-controller-stage.ts';
import { CONTROLLER } from './lock-witness.ts';
import { COMPUTES, CONTROL, GATEWAY, NODES, Site, WHOLE_FLEET } from './site.ts';

/** A host for each node, and one for what is on them. */
const SPARE = 'spare';
const { hosts: _, emptyHosts: __, instances: ___, ...speeds } = fleetOf(1, 1);
const HOSTS = {
  ...speeds,
  hosts: [...NODES, SPARE].map((name) => ({
    name,
    capacity: { vcpus: 48, memoryMb: 98_304, diskGb: 1_200 },
  })),
  instances: NODES.flatMap((host) =>
    [1, 2, 3].map((number) => ({
      name: `${host}-vm-${number}`,
      host,
      resources: { vcpus: 2, memoryMb: 4_096, diskGb: 20 },
    })),
  ),
};

let hosts: LockStage;
let site: Site;
before(async () => {
  hosts = await LockStage.build(HOSTS);
  site = await Site.start({
    start: () => hosts.startController(CONTROLLER, { nodes: {} }),
    inspect: async (node) => {
      const { standing, instances } = await hosts.host(node);
      return standing === 'maintenance' && instances === 0
        ? []
        : [`${node} is worked on, and its host is ${standing} with ${instances} instances`];
    },
  });
});
after(async () => {
  await site.stop();
  await hosts.stop();
});

test('no node is touched before its host is empty, and every host is back when the session is', async () => {
  const session = await site.session(WHOLE_FLEET);

  const report = await site.report(session);

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(await site.objections(), []);
  const { worked, wrong } = site.takeWorked();
  assert.deepEqual(wrong, []);
  assert.deepEqual([...worked].sort(), [CONTROL, GATEWAY, ...COMPUTES].sort());
  assert.deepEqual(hosts.witness.takeWrong(), []);
  // Each host is emptied by a session of its own, which knows nothing of the nodes that come next.
  assert.deepEqual(hosts.engine.violations({ maxMovesPerInstance: Infinity }), []);
  for (const node of NODES) {
    assert.deepEqual(hosts.witness.seen.get(`${CONTROLLER}-${node}`), ['active', 'inactive', 'active']);
    assert.equal((await hosts.host(node)).standing, 'in-service');
  }
});
