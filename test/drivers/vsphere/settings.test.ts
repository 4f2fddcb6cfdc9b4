import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SettingsError } from '../../../src/drivers/platform.ts';
import { configSchema, findConnection } from '../../../src/drivers/vsphere/settings.ts';

const find = (site: object, env: NodeJS.ProcessEnv = {}) => findConnection(configSchema.parse(site), env);

/** What is wrong, in the words that the worker prints. */
function problemsOf(site: object, env: NodeJS.ProcessEnv = {}): readonly string[] {
  try {
    find(site, env);
  } catch (error) {
    assert.ok(error instanceof SettingsError);
    return error.problems;
  }
  return [];
}

const SITE = { url: 'https://vcenter.example.org', username: 'ada', password: 'hunter2' };

describe('a vCenter', () => {
  test('is what the site says', () => {
    assert.deepEqual(find(SITE), {
      origin: 'https://vcenter.example.org',
      username: 'ada',
      password: 'hunter2',
      tls: { verify: true },
    });
  });

  test('is that of govc where the site says nothing', () => {
    const env = {
      GOVC_URL: 'https://ada%40vsphere.local:p%3Ass@vcenter.example.org/sdk',
      GOVC_INSECURE: 'true',
      GOVC_TLS_CA_CERTS: `${import.meta.filename}:/no/such/file`,
    };
    assert.deepEqual(find({}, env), {
      origin: 'https://vcenter.example.org',
      username: 'ada@vsphere.local',
      password: 'p:ss',
      tls: { verify: false, caFile: import.meta.filename },
    });
  });

  test('may be named without a scheme, as govc lets it', () => {
    assert.equal(find({ ...SITE, url: 'vcenter.example.org' }).origin, 'https://vcenter.example.org');
  });

  test('is believed only with a certificate that holds, whatever govc is told, where the site says so', () => {
    assert.equal(find({ ...SITE, insecure: false }, { GOVC_INSECURE: '1' }).tls.verify, true);
  });

  test('takes the credentials of the site before those in the address', () => {
    const { username, password } = find({ ...SITE, url: 'https://bob:secret@vcenter.example.org' });
    assert.deepEqual({ username, password }, { username: 'ada', password: 'hunter2' });
  });
});

describe('a site that is not complete says what is missing, and how to give it', () => {
  test('nothing at all', () => {
    assert.deepEqual(problemsOf({}), [
      'url: is missing, and GOVC_URL is not set',
      'username: is missing, and GOVC_USERNAME is not set',
      'password: is missing, and GOVC_PASSWORD is not set',
    ]);
  });

  test('an address that is none', () => {
    assert.deepEqual(problemsOf({ ...SITE, url: 'ftp://vcenter' }), [
      'url: is no address of a vCenter, such as https://vcenter.example.org',
    ]);
  });

  test('a CA file that is not there', () => {
    assert.deepEqual(problemsOf({ ...SITE, caFile: '/no/such/ca.pem' }), [
      'caFile: /no/such/ca.pem cannot be read',
    ]);
  });

  test('variables that were cleared count as missing', () => {
    assert.deepEqual(problemsOf({ url: SITE.url }, { GOVC_USERNAME: '', GOVC_PASSWORD: '' }).length, 2);
  });

  test('a key that nobody knows, and a release that is none', () => {
    const parsed = configSchema.safeParse({ ...SITE, release: '8', host: 'x' });
    assert.deepEqual(
      parsed.error?.issues.map(({ path, message }) => [path.join('.'), message]),
      [
        ['release', 'must be a release of the VI/JSON API such as 8.0.2.0'],
        ['', 'Unrecognized key: "host"'],
      ],
    );
  });
});
