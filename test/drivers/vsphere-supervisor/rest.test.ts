import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import type { ErrorCode } from '../../../src/core/errors.ts';
import { PLAIN_REQUEST } from '../../../src/core/platform-options.ts';
import type { PlatformTask } from '../../../src/drivers/driver.ts';
import type { ErrorKind } from './fake-supervisor.ts';
import { context, failure, follow, startRig, USERNAME, type Rig } from './rig.ts';
import { HOST, HOST_ID } from './stub-hosts.ts';

let rig: Rig;

async function start(...settings: Parameters<typeof startRig>): Promise<void> {
  rig = await startRig(...settings);
}
afterEach(() => rig.close());

const mark = { session: 'rack-12', host: HOST };
const cordon = (): Promise<PlatformTask | undefined> => rig.driver.cordon(HOST, mark, PLAIN_REQUEST, context);
const uncordon = (): Promise<PlatformTask | undefined> => rig.driver.uncordon(HOST, mark, context);

const logins = (): number => rig.journal.filter((entry) => entry === 'log in').length;

describe('an error of the API', () => {
  const errors: Readonly<
    Record<Exclude<ErrorKind, 'already_in_desired_state' | 'unauthenticated'>, [ErrorCode, RegExp]>
  > = {
    unsupported: ['Unsupported', /no enter_maintenance_mode for ESXi hosts/],
    invalid_element_configuration: [
      'HostBlocked',
      /host-21 is no node of the Supervisor of cluster domain-c8/,
    ],
    unauthorized: ['NotAuthorized', /only the vpxd solution user may call this API\. Give the vSphere site/],
    not_found: ['Unsupported', /cluster "domain-c8" of the site is not enabled for Namespaces/],
    error: ['PlatformError', /enter_maintenance_mode of host-21 in cluster domain-c8 failed/],
  };
  for (const [kind, [code, words]] of Object.entries(errors)) {
    test(`${kind} is ${code}, with what the vendor says`, async () => {
      await start();
      rig.supervisor.disturb('enter', { error: kind as ErrorKind, message: 'In the words of vCenter.' });
      const error = await failure(cordon());
      assert.equal(error.code, code);
      assert.match(error.message, words);
      assert.equal(error.vendor, 'In the words of vCenter.');
      assert.equal(error.retryable, kind === 'error');
    });
  }

  test('already_in_desired_state is success, both ways', async () => {
    await start();
    const message = 'Already there.';
    rig.supervisor.disturb('enter', { error: 'already_in_desired_state', message });
    assert.equal(await cordon(), undefined);
    assert.notEqual(rig.hosts.cordonReason, undefined);
    rig.supervisor.disturb('exit', { error: 'already_in_desired_state', message });
    assert.equal(await uncordon(), undefined);
    assert.equal(rig.hosts.cordonReason, undefined);
  });

  for (const kind of ['invalid_element_configuration', 'not_found'] as const) {
    test(`${kind} on the way back is no failure: there is nothing to take back`, async () => {
      await start();
      await follow(rig.driver, await cordon());
      rig.supervisor.disturb('exit', { error: kind, message: 'no node' });
      assert.equal(await uncordon(), undefined);
      assert.equal(rig.hosts.cordonReason, undefined);
    });
  }

  for (const [kind, code] of [
    ['unauthorized', 'NotAuthorized'],
    ['unsupported', 'Unsupported'],
    ['error', 'PlatformError'],
  ] as const) {
    test(`${kind} on the way back is ${code}, and the mark stays`, async () => {
      await start();
      await follow(rig.driver, await cordon());
      rig.supervisor.disturb('exit', { error: kind, message: 'no' });
      assert.equal((await failure(uncordon())).code, code);
      assert.notEqual(rig.hosts.cordonReason, undefined);
    });
  }

  test('of a cluster that is not enabled for Namespaces names the field', async () => {
    await start({ cluster: 'domain-c9' });
    const error = await failure(cordon());
    assert.equal(error.code, 'Unsupported');
    assert.match(error.message, /cluster "domain-c9" of the site/);
    assert.equal(rig.hosts.cordonReason, undefined);
  });

  test('of something that is no vCenter is not taken for one of the API', async () => {
    await start();
    const task = await cordon();
    assert.ok(task);
    rig.supervisor.disturb('look at', { html: 404 });
    assert.equal(
      (await failure(rig.driver.pollTask(task, context))).code,
      'Unsupported',
      'it has not vanished',
    );
    rig.supervisor.disturb('exit', { html: 404 });
    assert.equal((await failure(uncordon())).code, 'Unsupported');
    assert.notEqual(rig.hosts.cordonReason, undefined);
  });
});

describe('the session', () => {
  test('is begun once for all calls, and ended at the end', async () => {
    await start();
    await follow(rig.driver, await cordon());
    await Promise.all([uncordon(), uncordon()]);
    assert.equal(logins(), 1);
    assert.equal(rig.supervisor.sessions.size, 1);
    await rig.driver.close();
    assert.equal(rig.supervisor.sessions.size, 0);
  });

  test('is not begun by a driver that nobody has used', async () => {
    await start();
    await rig.driver.close();
    assert.deepEqual(rig.journal, ['close']);
  });

  test('is begun once, however many calls wait for it', async () => {
    await start();
    const tasks = await Promise.all(Array.from({ length: 10 }, cordon));
    assert.equal(tasks.length, 10);
    assert.equal(logins(), 1);
  });

  test('that is not known any more is begun anew once, and the call is made with the new one', async () => {
    await start();
    const task = await cordon();
    assert.ok(task);
    rig.supervisor.expireSessions();
    await Promise.all(Array.from({ length: 5 }, () => rig.driver.pollTask(task, context)));
    assert.equal(logins(), 2);
    assert.equal(rig.supervisor.nodes.get(HOST_ID), 'in maintenance');
  });

  test('that is refused twice is NotAuthorized', async () => {
    await start();
    rig.supervisor.disturb('enter', { error: 'unauthenticated', message: 'Who is it?' });
    rig.supervisor.disturb('enter', { error: 'unauthenticated', message: 'Who is it?' });
    const error = await failure(cordon());
    assert.equal(error.code, 'NotAuthorized');
    assert.match(error.message, /does not know the session of vpxd@vsphere\.local/);
    assert.equal(error.vendor, 'Who is it?');
    assert.equal(logins(), 2);
    assert.equal(rig.hosts.cordonReason, undefined);
  });

  test('is refused to wrong credentials, by the name of the user and without the password', async () => {
    await start({ password: 'wr0ng' });
    rig.supervisor.disturb('log in', { error: 'unauthenticated', message: `${USERNAME}:wr0ng is not known` });
    const error = await failure(cordon());
    assert.equal(error.code, 'NotAuthorized');
    assert.match(error.message, /refuses the credentials of vpxd@vsphere\.local/);
    assert.equal(error.vendor, `${USERNAME}:[secret] is not known`);
    assert.equal((await failure(cordon())).vendor, 'Unable to authenticate user');
    assert.equal(rig.supervisor.sessions.size, 0);
  });

  test('is not in an error that quotes it', async () => {
    await start();
    await cordon();
    const [session = ''] = rig.supervisor.sessions;
    rig.supervisor.disturb('enter', { error: 'error', message: `session ${session} is confused` });
    assert.equal((await failure(cordon())).vendor, 'session [secret] is confused');
  });
});
