import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { MaintenanceError } from '../../../src/core/errors.ts';
import type { Driver } from '../../../src/drivers/driver.ts';
import { endpointOf } from '../../../src/drivers/openstack/keystone.ts';
import { connect } from './connect.ts';
import { FakeCloud } from './fake-cloud.ts';
import { FakeNova, serverJson } from './fake-nova.ts';

let cloud: FakeCloud;
let nova: FakeNova;
let driver: Driver;

beforeEach(async () => {
  cloud = await FakeCloud.start();
  nova = new FakeNova(cloud);
  nova.servers = [serverJson()];
  driver = connect(cloud);
});
afterEach(async () => {
  await driver.close();
  await cloud.close();
});

/** A call that needs a token, of an activity of its own. */
const look = (): Promise<unknown> =>
  driver.findTask('move', 'server-1', { signal: new AbortController().signal });

/** Keystone holds its answers back until this is called. */
function holdLogins(): () => void {
  let release = (): void => undefined;
  cloud.beforeLogin = new Promise((resolve) => {
    release = resolve;
  });
  return release;
}

async function failure(call: Promise<unknown>): Promise<MaintenanceError> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof MaintenanceError, String(error));
    return error;
  }
  assert.fail('the call did not fail');
}

describe('the token', () => {
  test('is asked for with the password, for the project, and once for all calls', async () => {
    await look();
    await look();
    assert.deepEqual(cloud.logins, [
      {
        auth: {
          identity: {
            methods: ['password'],
            password: { user: { name: 'haulout', domain: { id: 'default' }, password: 'pa$$word' } },
          },
          scope: { project: { name: 'admin', domain: { id: 'default' } } },
        },
      },
    ]);
    assert.deepEqual(
      new Set(cloud.requests.map(({ headers }) => headers['x-auth-token'])),
      new Set(['token-1']),
    );
  });

  test('is asked for with an application credential, whose project it has', async () => {
    await driver.close();
    driver = connect(cloud, {
      OS_AUTH_TYPE: 'v3applicationcredential',
      OS_APPLICATION_CREDENTIAL_ID: 'abc',
      OS_APPLICATION_CREDENTIAL_SECRET: 's3cret',
    });
    await look();
    assert.deepEqual(cloud.logins, [
      {
        auth: {
          identity: {
            methods: ['application_credential'],
            application_credential: { id: 'abc', secret: 's3cret' },
          },
        },
      },
    ]);
  });

  test('is asked for once, however many calls wait for it', async () => {
    await Promise.all(Array.from({ length: 20 }, look));
    assert.equal(cloud.logins.length, 1);
  });

  test('is asked for again before it ends', async () => {
    cloud.tokenLifeMs = 1000;
    await look();
    const firstAt = Date.now();
    while (cloud.logins.length < 2) {
      assert.ok(Date.now() - firstAt < 60_000, 'it was asked for again');
      await look();
    }
    assert.ok(Date.now() - firstAt < 1000, 'before the second was over');
  });

  test('is asked for again once when a service refuses it, and the call is made with the new one', async () => {
    await look();
    cloud.revokeTokens();
    await Promise.all(Array.from({ length: 10 }, look));
    assert.equal(cloud.logins.length, 2);
  });

  test('that is refused twice is NotAuthorized', async () => {
    cloud.serve('compute', () => ({ status: 401 }), { suffix: '/v2.1' });
    assert.equal((await failure(look())).code, 'NotAuthorized');
    assert.equal(cloud.logins.length, 2);
  });

  test('is not lost to the others when the one who asked first gives up', async () => {
    const release = holdLogins();
    const controller = new AbortController();
    const reason = new Error('cancelled');
    const given = driver.findTask('move', 'server-1', { signal: controller.signal });
    const waiting = look();
    controller.abort(reason);
    await assert.rejects(given, reason);
    release();
    await waiting;
    assert.equal(cloud.logins.length, 1);
  });

  test('that Keystone does not give is NotAuthorized, by the name of the cloud and without the password', async () => {
    const message = 'pa$$word is wrong';
    cloud.loginRefusal = { status: 401, body: { error: { code: 401, message } } };
    const error = await failure(look());
    assert.equal(error.code, 'NotAuthorized');
    assert.match(error.message, /refuses the credentials of environment/);
    assert.match(error.vendor ?? '', /\[secret\] is wrong/);
    assert.doesNotMatch(`${error.message} ${error.vendor}`, /pa\$\$word/);
  });
});

test('an application credential that is gone is NotAuthorized: no server is gone for that', async () => {
  cloud.loginRefusal = {
    status: 404,
    body: { error: { code: 404, message: 'Could not find Application Credential' } },
  };
  assert.equal((await failure(look())).code, 'NotAuthorized');
});

test('what answers instead of Keystone is told so', async () => {
  cloud.loginRefusal = { status: 404 };
  const error = await failure(look());
  assert.equal(error.code, 'PlatformGarbled');
  assert.match(error.message, /^what answers at http.*\/identity\/v3 is no Keystone$/);
});

describe('the catalog', () => {
  const where = { interface: 'internal', region: 'R1', source: 'cloud "x"' } as const;
  const endpoint = (face: string, region: string) => ({
    interface: face,
    region,
    url: `http://${face}.${region}`,
  });
  const catalog = [
    {
      type: 'compute',
      endpoints: [endpoint('public', 'R1'), endpoint('internal', 'R1'), endpoint('internal', 'R2')],
    },
    { type: 'ha', endpoints: [endpoint('internal', 'R1')] },
  ];

  test('is read by type, interface and region', () => {
    assert.equal(endpointOf(catalog, ['compute'], where), 'http://internal.R1');
    assert.equal(endpointOf(catalog, ['compute'], { ...where, region: 'R2' }), 'http://internal.R2');
    assert.equal(endpointOf(catalog, ['compute'], { ...where, interface: 'public' }), 'http://public.R1');
  });

  test('is read by the aliases of a type too', () => {
    assert.equal(endpointOf(catalog, ['instance-ha', 'ha'], where), 'http://internal.R1');
    assert.equal(endpointOf(catalog, ['placement'], where), undefined);
  });

  test('needs no region where there is only one', () => {
    const { region: _, ...anywhere } = where;
    assert.equal(endpointOf(catalog, ['ha'], anywhere), 'http://internal.R1');
    assert.throws(
      () => endpointOf(catalog, ['compute'], anywhere),
      /more than one address of compute.*Set region_name/s,
    );
  });

  test('that has a service elsewhere only says where', () => {
    assert.throws(
      () => endpointOf(catalog, ['compute'], { ...where, region: 'R9' }),
      /no address of compute \(internal in R9\); it has public in R1, internal in R1, internal in R2\. Set region_name or interface of cloud "x"/,
    );
  });

  test('without Nova is Unsupported', async () => {
    cloud.catalog.length = 0;
    const error = await failure(look());
    assert.equal(error.code, 'Unsupported');
    assert.match(error.message, /the catalog of environment has no compute service/);
  });

  test('does not matter where an address is given', async () => {
    cloud.catalog.length = 0;
    await driver.close();
    driver = connect(cloud, { OS_COMPUTE_ENDPOINT_OVERRIDE: `${cloud.url}/compute/v2.1/6a4ad62a5bf642a6` });
    await look();
    assert.equal(cloud.asked('compute', 'GET', '/v2.1/servers/server-1').length, 1);
  });
});

describe('the microversion', () => {
  const versions = (): Set<string | string[] | undefined> =>
    new Set(
      cloud
        .asked('compute')
        .slice(1)
        .map(({ headers }) => headers['openstack-api-version']),
    );

  test('is the newest that Nova speaks', async () => {
    nova.newestVersion = '2.79';
    await look();
    await look();
    assert.deepEqual(versions(), new Set(['compute 2.79']));
    assert.equal(cloud.asked('compute', 'GET', '/v2.1/').length, 1, 'it is agreed on once');
  });

  test('is none that is not known here', async () => {
    nova.newestVersion = '2.199';
    await look();
    assert.deepEqual(versions(), new Set(['compute 2.96']));
  });

  test('may be given', async () => {
    await driver.close();
    driver = connect(cloud, { OS_COMPUTE_DEFAULT_MICROVERSION: '2.80' });
    await look();
    assert.equal(cloud.requests[0]?.headers['openstack-api-version'], 'compute 2.80');
  });

  test('of a Nova that is too old is Unsupported', async () => {
    nova.newestVersion = '2.9';
    const error = await failure(look());
    assert.equal(error.code, 'Unsupported');
    assert.equal(error.retryable, false);
    assert.match(error.message, /speaks microversions 2\.1 to 2\.9; 2\.71 to 2\.96 are supported/);
  });
});
