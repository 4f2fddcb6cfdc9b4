import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkJournal } from '../../src/simulator/checker.ts';
import type { FaultSpec } from '../../src/simulator/faults.ts';
import type { FleetInput } from '../../src/simulator/fleet.ts';
import type { Simulator } from '../../src/simulator/server.ts';
import { hostNames } from '../support/fleets.ts';
import { reportFrom, startRig, untilJournal, workAt } from '../support/rig.ts';

const SITE = 'standstill';
const HOSTS = hostNames(8);
const BUDGET = { maxConcurrentHosts: HOSTS.length, maxConcurrentMovesPerHost: 1 };

const FLEET: FleetInput = {
  hosts: {
    count: HOSTS.length + 2,
    zones: 1,
    capacity: { vcpus: 48, memoryMb: 98_304, diskGb: 1_200 },
  },
  emptyHosts: 2,
  instances: { perHost: 1, sizes: [{ vcpus: 2, memoryMb: 4_096, diskGb: 20 }] },
  migration: { baseMs: 10, mbPerSecond: 0 },
  durations: { stopMs: 10, startMs: 10, enterMs: 10, exitMs: 10, workMs: 10 },
};

/** The answers are there before the worker goes on: what it then sees is no longer so. */
const ANSWER_AFTER_MS = 8_000;

test('a worker that stands still between a look and an order does not give it when another has gone on', async (t) => {
  const rig = await startRig({ [SITE]: FLEET });
  t.after(() => rig.stop());
  const simulator = rig.simulator(SITE);
  const looks = looksBeforeOrders(simulator);
  for (const look of looks) {
    const match = { after: 0, probability: 1, times: 1, ...look };
    simulator.faults.add({ match, effect: { kind: 'hang', ms: ANSWER_AFTER_MS } });
  }
  const frozen = await rig.startWorker();
  const session = await rig.startSession(SITE, {
    hosts: HOSTS,
    budget: BUDGET,
    instances: { overrides: { [instanceOn(simulator, 6)]: 'stop', [instanceOn(simulator, 7)]: 'stop' } },
    actions: [workAt(SITE)],
  });
  let held = 0;
  const countHeld = ({ type }: { type: string }): boolean =>
    type === 'fault.injected' && ++held === looks.length;
  await untilJournal(simulator, countHeld, 'all looks held');

  process.kill(frozen.pid, 'SIGSTOP');
  await rig.startWorker();
  const report = await reportFrom(session);
  assert.equal(report.state, 'MAINTENANCE_DONE');
  process.kill(frozen.pid, 'SIGCONT');
  // It ends only after its activities have: then it has done whatever it meant to.
  await frozen.stop();
  assert.deepEqual(checkJournal(simulator.journal.entries, { ...BUDGET, worked: HOSTS }), []);
});

/** The look that comes last before an order; the worst place to stand still. Two of each kind, each on its own host. */
function looksBeforeOrders(simulator: Simulator): Pick<FaultSpec['match'], 'operation' | 'host'>[] {
  const onHost = (index: number, after: number) =>
    ({ operation: 'inventory', host: HOSTS[index], after }) as const;
  const onInstance = (index: number) =>
    ({ operation: 'inventory', instance: instanceOn(simulator, index) }) as const;
  return [
    // Before it is cordoned: the precheck and the activity itself have looked, now the driver does.
    ...[onHost(0, 2), onHost(1, 2)],
    // Before it enters maintenance: after the three for the cordon, the activity and the driver look again.
    ...[onHost(2, 4), onHost(3, 4)],
    // Before it is moved, and before it is stopped.
    ...[onInstance(4), onInstance(5)],
    ...[onInstance(6), onInstance(7)],
  ];
}

function instanceOn({ datacentre }: Simulator, index: number): string {
  const [instance] = datacentre.instancesOn(HOSTS[index] ?? '');
  assert.ok(instance);
  return instance.name;
}
