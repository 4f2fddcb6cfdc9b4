/** The fake against the vendor's own client, unmodified: all that it answers has to fit the models of the SDK. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { FakeCloudTower } from '../../fakes/cloudtower/server.ts';
import { bedDirectory } from '../directory.ts';
import { FLEET } from './fleet.ts';

const run = promisify(execFile);
const HOST = 'smtx-01';

async function askSdk(fake: FakeCloudTower, source: 'LOCAL' | 'LDAP'): Promise<Record<string, unknown>> {
  const env = {
    ...process.env,
    TOWER_URL: fake.url,
    TOWER_USER: FakeCloudTower.username,
    TOWER_PASSWORD: FakeCloudTower.password,
    TOWER_SOURCE: source,
    TOWER_HOST: HOST,
  };
  const script = path.join(import.meta.dirname, 'sdk.py');
  const { stdout } = await run(path.join(bedDirectory('cloudtower'), 'venv/bin/python'), [script], { env });
  return JSON.parse(stdout) as Record<string, unknown>;
}

for (const [source, directory] of [
  ['LOCAL', undefined],
  ['LDAP', 'ldap-1'],
] as const) {
  test(`the SDK takes a host out and puts it back, as a user of ${source}`, async () => {
    const fake = await FakeCloudTower.start({
      hosts: FLEET,
      ...(directory === undefined ? {} : { directory }),
    });
    Object.assign(fake.tower.timings, {
      precheckMs: 300,
      enterMs: 500,
      exitMs: 500,
      labelMs: 100,
      moveMs: 100,
    });
    try {
      const report = await askSdk(fake, source);
      assert.deepEqual(fake.complaints, []);
      const { before, after, inside, unknownToken, unknownHost, ...rest } = report;
      assert.deepEqual(after, before, 'every VM is where it was, and as it was');
      assert.deepEqual(rest, {
        clusters: ['cluster-1'],
        hosts: ['smtx-01', 'smtx-02', 'smtx-03', 'smtx-04'],
        groups: ['front'],
        stopped: 1,
        given: {
          poweron_vms: ['gpu'],
          live_migrate_back_vms: ['protected', 'web'],
          offline_migrate_back_vms: ['in-recycle-bin', 'off'],
        },
        state: 'IN_USE',
        label: [['12'], 1, 0],
        vm: ['web', 'smtx-02', 'STOPPED', 'RUNNING'],
        tasks: ['SUCCESSED'],
      });
      const { state, vms } = inside as { state: string; vms: Record<string, [string, string]> };
      assert.equal(state, 'MAINTENANCE_MODE');
      assert.deepEqual(
        Object.entries(vms)
          .filter(([, [host]]) => host === HOST)
          .map(([name, [, status]]) => [name, status]),
        [
          ['gpu', 'STOPPED'],
          ['off-without-ha', 'STOPPED'],
        ],
      );
      assert.equal((unknownToken as { status: number }).status, 401);
      assert.deepEqual(unknownHost, {
        status: 404,
        message: 'Host not found',
        path: '/v2/api/enter-maintenance-mode-precheck',
      });
    } finally {
      await fake.close();
    }
  });
}
