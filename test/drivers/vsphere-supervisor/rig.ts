/** A driver between a Supervisor that is faked and hosts that are stubs; both write into one journal. */
import assert from 'node:assert/strict';
import { MaintenanceError } from '../../../src/core/errors.ts';
import type { CallContext, PlatformTask, TaskStatus } from '../../../src/drivers/driver.ts';
import { SupervisorDriver } from '../../../src/drivers/vsphere-supervisor/driver.ts';
import { Nodes } from '../../../src/drivers/vsphere-supervisor/nodes.ts';
import { Rest } from '../../../src/drivers/vsphere-supervisor/rest.ts';
import { FakeSupervisor } from './fake-supervisor.ts';
import { HOST_ID, StubHosts } from './stub-hosts.ts';

const CLUSTER = 'domain-c8';
export const USERNAME = 'vpxd@vsphere.local';
const PASSWORD = 'pa$$word';

const MOST_LOOKS = 100;

export const context: CallContext = { signal: new AbortController().signal };

export interface Rig {
  supervisor: FakeSupervisor;
  hosts: StubHosts;
  driver: SupervisorDriver;
  /** What was asked of both, in order. */
  journal: string[];
  /** Also proves that the Supervisor had nothing to complain about. */
  close: () => Promise<void>;
}

export async function startRig({ cluster = CLUSTER, password = PASSWORD } = {}): Promise<Rig> {
  const journal: string[] = [];
  const supervisor = await FakeSupervisor.start({
    cluster: CLUSTER,
    nodes: [HOST_ID],
    username: USERNAME,
    password: PASSWORD,
    journal,
  });
  const hosts = new StubHosts(journal);
  const connection = { origin: supervisor.url, username: USERNAME, password, tls: { verify: true } };
  const driver = new SupervisorDriver(hosts, new Nodes(new Rest(connection, 20_000), cluster));
  return {
    supervisor,
    hosts,
    driver,
    journal,
    close: async () => {
      await driver.close();
      await supervisor.close();
      assert.deepEqual(supervisor.complaints, []);
    },
  };
}

/** Follows a task to its end. */
export async function follow(driver: SupervisorDriver, task: PlatformTask | undefined): Promise<TaskStatus> {
  assert.ok(task, 'a task was started');
  for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
    const status = await driver.pollTask(task, context);
    if (status.state !== 'running') return status;
  }
  assert.fail(`task ${task.id} does not end`);
}

export async function failure(call: Promise<unknown>): Promise<MaintenanceError> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof MaintenanceError, String(error));
    return error;
  }
  assert.fail('the call did not fail');
}
