/** Logging in, and reading a site. */
import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { afterEach, describe, test } from 'node:test';
import { MaintenanceError, type ErrorCode } from '../../../src/core/errors.ts';
import { formatMark } from '../../../src/core/mark.ts';
import { configSchema, findConnection } from '../../../src/drivers/cloudtower/settings.ts';
import type { Driver } from '../../../src/drivers/driver.ts';
import { SettingsError } from '../../../src/drivers/platform.ts';
import { FakeCloudTower } from '../../fakes/cloudtower/server.ts';
import type { HostSpec } from '../../fakes/cloudtower/tower.ts';
import { closeServer, listenOnLoopback, originOf } from '../../support/loopback.ts';
import { connect, context } from './connect.ts';

const HOST = 'smtx-01';
const HOSTS: readonly HostSpec[] = [
  { name: HOST, vms: [{ name: 'web', group: 'front' }] },
  { name: 'smtx-02', vms: [] },
];

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function start(hosts = HOSTS, directory?: string): Promise<FakeCloudTower> {
  const fake = await FakeCloudTower.start({ hosts, ...(directory === undefined ? {} : { directory }) });
  ends.push(() => fake.close());
  return fake;
}

function driverOf(fake: FakeCloudTower, site: Readonly<Record<string, unknown>> = {}): Driver {
  const driver = connect(fake.url, site);
  ends.unshift(() => driver.close());
  return driver;
}

/** A driver whose site is something else than a CloudTower. */
async function connectTo(answer: RequestListener): Promise<Driver> {
  const server = createServer(answer);
  await listenOnLoopback(server);
  const driver = connect(originOf(server));
  ends.push(
    () => driver.close(),
    () => closeServer(server),
  );
  return driver;
}

const callsOf = (fake: FakeCloudTower, call: string): number =>
  fake.calls.filter((one) => one.call === call).length;

const withCode =
  (code: ErrorCode, words: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof MaintenanceError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(`${error.message} ${error.vendor ?? ''}`, words);
    assert.doesNotMatch(`${error.message} ${error.vendor ?? ''}`, /hunter2/);
    return true;
  };

describe('a login', () => {
  test('serves all who ask at one time', async () => {
    const fake = await start();
    const driver = driverOf(fake);
    await Promise.all([1, 2, 3].map(() => driver.inspect(HOST, context)));
    assert.equal(callsOf(fake, 'login'), 1);
  });

  test('is renewed once when the token has expired, and the call is made again', async () => {
    const fake = await start();
    const driver = driverOf(fake);
    await driver.inspect(HOST, context);
    fake.expireTokens();
    await driver.inspect(HOST, context);
    assert.equal(callsOf(fake, 'login'), 2);
  });

  test('that gives tokens which are not taken is not tried for ever', async () => {
    const fake = await start();
    const error = { status: 401, message: 'token is invalid' };
    fake.fail({ call: 'get-hosts', error, times: 9 });
    await assert.rejects(
      driverOf(fake).inspect(HOST, context),
      withCode('NotAuthorized', /token is invalid/),
    );
    assert.equal(callsOf(fake, 'login'), 2);
  });

  test('with a wrong password is refused by name, and the password is told to nobody', async () => {
    const fake = await start();
    fake.fail({ call: 'login', error: { status: 400, message: 'LOGIN_FAILED with hunter2' } });
    const driver = driverOf(fake, { password: 'hunter2' });
    await assert.rejects(
      driver.inspect(HOST, context),
      withCode('NotAuthorized', /credentials of haulout.*LOGIN_FAILED with \[secret\]/),
    );
  });

  test('whose answer is not as expected is not quoted: it may hold the token', async () => {
    const driver = await connectTo((_, response) => response.end('{"token": "hunter2"}'));
    await assert.rejects(
      driver.inspect(HOST, context),
      withCode('PlatformGarbled', /login.*not as expected/),
    );
  });

  test('is not needed with a token; one that has expired is said to be', async () => {
    const fake = await start();
    const token = fake.issueToken();
    const driver = driverOf(fake, { username: undefined, password: undefined, token });
    await driver.inspect(HOST, context);
    assert.equal(callsOf(fake, 'login'), 0);
    fake.expireTokens();
    await assert.rejects(
      driver.inspect(HOST, context),
      withCode('NotAuthorized', /^\S+ does not take the token any more/),
    );
  });

  test('by a directory names it where CloudTower wants that, and else its kind', async () => {
    for (const directory of ['ldap-1', undefined]) {
      const fake = await start(HOSTS, directory);
      await driverOf(fake, { source: 'LDAP' }).inspect(HOST, context);
      assert.equal(callsOf(fake, 'login'), 1);
      assert.deepEqual(
        fake.calls.filter(({ status }) => status !== 200).map(({ call }) => call),
        directory === undefined ? ['/api'] : [],
      );
    }
  });
});

test('a directory that cannot be asked for now is none that is missing', async () => {
  const fake = await start(HOSTS, 'ldap-1');
  fake.fail({ call: '/api', error: { status: 429, message: 'slow down' } });
  const driver = driverOf(fake, { source: 'LDAP' });
  await assert.rejects(driver.inspect(HOST, context), withCode('PlatformBusy', /slow down/));
  await driver.inspect(HOST, context);
});

describe('a site', () => {
  test('of many VMs is read in pages', async () => {
    const vms = Array.from({ length: 450 }, (_, index) => ({ name: `vm-${index}`, memoryGib: 0.25 }));
    const fake = await start([{ name: HOST, vms }]);
    const { instances } = await driverOf(fake).inventory(context);
    assert.equal(new Set(instances.map(({ id }) => id)).size, 450);
    assert.equal(callsOf(fake, 'get-vms'), 3);
  });

  test('may be limited to a cluster, by name or id', async () => {
    const fake = await start([...HOSTS, { name: 'smtx-11', cluster: 'other', vms: [{ name: 'far' }] }]);
    const { hosts, instances, groups } = await driverOf(fake, { cluster: 'other' }).inventory(context);
    assert.deepEqual(
      [hosts.map(({ name }) => name), instances.map(({ name }) => name)],
      [['smtx-11'], ['far']],
    );
    assert.deepEqual(groups, []);
    await assert.rejects(
      driverOf(fake, { cluster: 'third' }).inventory(context),
      withCode('NotFound', /cluster "third" of the site.*there is cluster-1, other/),
    );
  });

  test('tells hosts of one name apart by their clusters', async () => {
    const fake = await start([...HOSTS, { name: HOST, cluster: 'other', vms: [{ name: 'far' }] }]);
    const driver = driverOf(fake);
    const { hosts } = await driver.inventory(context);
    assert.deepEqual(hosts.map(({ name }) => name).sort(), [`cluster-1/${HOST}`, `other/${HOST}`, 'smtx-02']);
    const { instances } = await driver.inspect(`other/${HOST}`, context);
    assert.deepEqual(
      instances.map(({ name, host, requires }) => [name, host, requires]),
      [['far', `other/${HOST}`, { cluster: 'other' }]],
    );
  });

  test('calls hosts by their ids where not even their clusters tell them apart', async () => {
    const fake = await start([...HOSTS, { name: HOST, cluster: 'other', vms: [{ name: 'far' }] }]);
    fake.tower.clusters.set('other', { id: 'other', name: 'cluster-1' });
    const driver = driverOf(fake);
    const far = fake.vm('far');
    const { hosts } = await driver.inventory(context);
    assert.deepEqual(hosts.map(({ name }) => name).sort(), ['host-1', far.host, 'smtx-02']);
    assert.deepEqual(
      (await driver.inspect(far.host, context)).instances.map(({ name }) => name),
      ['far'],
    );
    await assert.rejects(driver.inspect(HOST, context), withCode('UnknownHost', /smtx-01/));
    await assert.rejects(
      driverOf(fake, { cluster: 'cluster-1' }).inventory(context),
      withCode('NotFound', /has several; name one by its id: cluster-1, other/),
    );
  });

  test('tells a mark of ours from what others have labelled beside it', async () => {
    const fake = await start();
    const mark = formatMark({ session: 'rack-12', host: HOST });
    fake.label(HOST, 'bad fan');
    fake.label(HOST, mark);
    assert.equal((await driverOf(fake).inspect(HOST, context)).host.cordonReason, mark);
  });

  test('keeps VMs apart that a placement group has to keep apart', async () => {
    const fake = await start();
    const { groups, instances } = await driverOf(fake).inventory(context);
    assert.deepEqual(groups, [{ id: 'front', name: 'front', policy: 'anti-affinity' }]);
    assert.deepEqual(instances[0]?.groups, ['front']);
  });

  test('where something else answers is said to be none', async () => {
    const driver = await connectTo((_, response) => response.writeHead(404).end('<html>Not Found</html>'));
    await assert.rejects(
      driver.inspect(HOST, context),
      withCode('Unsupported', /nothing at http.*Not Found/),
    );
  });
});

describe('a VM', () => {
  test('of somebody else, or in the recycle bin, is not started', async () => {
    const fake = await start([{ name: HOST, vms: [{ name: 'old', recycled: true }, { name: 'web' }] }]);
    const driver = driverOf(fake);
    const mark = { session: 'rack-12', host: HOST };
    const { id: old } = fake.vm('old');
    await assert.rejects(
      driver.start(old, mark, context),
      withCode('OperatorInterfered', /stopped by somebody else/),
    );
    fake.tower.createLabel('haulout', formatMark(mark)).label.on.add(old);
    await assert.rejects(driver.start(old, mark, context), withCode('OperatorInterfered', /recycle bin/));
    await driver.stop(fake.vm('web').id, { ...mark, session: 'other' }, context);
    await assert.rejects(
      driver.start(fake.vm('web').id, mark, context),
      withCode('OperatorInterfered', /session=other/),
    );
  });

  test('that runs is not moved cold, and goes where CloudTower likes when no host is named', async () => {
    const fake = await start();
    const driver = driverOf(fake);
    const { id } = fake.vm('web');
    await assert.rejects(driver.move(id, { how: 'cold' }, context), withCode('MoveRefused', /RUNNING/));
    await driver.move(id, { how: 'live' }, context);
    fake.tower.advance();
    assert.equal(fake.vm('web').host, fake.host('smtx-02').id);
  });
});

describe('settings', () => {
  const problemsOf = (site: object): readonly string[] => {
    try {
      findConnection(configSchema.parse({ url: 'https://tower.example.org', ...site }));
    } catch (error) {
      assert.ok(error instanceof SettingsError);
      return error.problems;
    }
    return [];
  };

  test('are complete with a user or a token', () => {
    const url = 'https://tower.example.org/v2/api';
    const config = { url, username: 'ada', password: 'hunter2', insecure: true };
    assert.deepEqual(findConnection(configSchema.parse(config)), {
      origin: 'https://tower.example.org',
      credentials: { username: 'ada', password: 'hunter2', source: 'LOCAL' },
      tls: { verify: false },
    });
    assert.deepEqual(problemsOf({ token: 't0k3n' }), []);
  });

  test('say what is missing, and what cannot be read', () => {
    assert.deepEqual(problemsOf({ caFile: '/no/such/file' }), [
      'caFile: /no/such/file cannot be read',
      'username: is missing; or give a token',
      'password: is missing; or give a token',
    ]);
    assert.deepEqual(problemsOf({ token: 't0k3n', caFile: import.meta.dirname }), [
      `caFile: ${import.meta.dirname} cannot be read`,
    ]);
    for (const url of ['https://ada:hunter2@tower.example.org', 'https://tower.example.org/?as=ada']) {
      assert.deepEqual(problemsOf({ url, token: 't0k3n' }), [
        'url: leave credentials and queries out; credentials are fields of their own',
      ]);
    }
    assert.deepEqual(problemsOf({ token: 't0k3n', username: 'ada' }), [
      'token: leave out either this, or username and password',
    ]);
  });
});
