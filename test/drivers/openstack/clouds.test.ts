import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type Cloud, findCloud } from '../../../src/drivers/openstack/clouds.ts';
import { openstack } from '../../../src/drivers/openstack/driver.ts';
import { SettingsError } from '../../../src/drivers/platform.ts';

const OPEN = `
clouds:
  prod:
    region_name: RegionOne
    auth:
      auth_url: https://keystone.example.org:5000
      username: haulout
      project_name: admin
      user_domain_name: Ops
      project_domain_name: Default
  lab:
    auth: {auth_url: "http://lab/v3", username: u, password: open, project_id: 123}
`;
const SECURE = 'clouds: {prod: {auth: {password: hidden}}}\n';

let home: string;
let cwd: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  home = mkdtempSync(path.join(tmpdir(), 'clouds-'));
  cwd = path.join(home, 'cwd');
  mkdirSync(cwd);
  env = { XDG_CONFIG_HOME: path.join(home, 'config') };
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

function put(file: string, content: string): string {
  const full = path.join(home, file);
  mkdirSync(path.dirname(full), { recursive: true });
  writeFileSync(full, content);
  return full;
}

const find = (name?: string): Cloud => findCloud(name, env, cwd);

/** The one problem there is. */
function problem(name?: string): string {
  try {
    find(name);
  } catch (error) {
    assert.ok(error instanceof SettingsError, String(error));
    assert.equal(error.problems.length, 1, error.problems.join('\n'));
    return error.problems[0] ?? '';
  }
  assert.fail('there is no problem');
}

describe('clouds.yaml', () => {
  test('and secure.yaml are merged, and filled up with what is usual', () => {
    const file = put('config/openstack/clouds.yaml', OPEN);
    put('config/openstack/secure.yaml', SECURE);
    assert.deepEqual(find('prod'), {
      source: `cloud "prod" of ${file}`,
      authUrl: 'https://keystone.example.org:5000/v3',
      credentials: {
        type: 'password',
        user: { name: 'haulout', domain: { name: 'Ops' } },
        password: 'hidden',
        project: { name: 'admin', domain: { name: 'Default' } },
      },
      region: 'RegionOne',
      interface: 'public',
      tls: { verify: true },
      endpoints: {},
    });
  });

  test('in the current directory comes before that of the user', () => {
    put('config/openstack/clouds.yaml', 'clouds: {lab: {auth: {auth_url: "http://far"}}}');
    put('cwd/clouds.yml', OPEN);
    assert.equal(find('lab').authUrl, 'http://lab/v3');
  });

  test('may be anywhere that OS_CLIENT_CONFIG_FILE says, and secure.yaml where OS_CLIENT_SECURE_FILE says', () => {
    put('cwd/clouds.yaml', 'clouds: {}');
    env.OS_CLIENT_CONFIG_FILE = put('elsewhere/a.yaml', OPEN);
    env.OS_CLIENT_SECURE_FILE = put('elsewhere/b.yaml', SECURE);
    const { credentials } = find('prod');
    assert.ok(credentials.type === 'password');
    assert.equal(credentials.password, 'hidden');
  });

  test('is used for the cloud of OS_CLOUD where the site names none', () => {
    put('cwd/clouds.yaml', OPEN);
    env.OS_CLOUD = 'lab';
    assert.equal(find().authUrl, 'http://lab/v3');
  });

  test('may hold ids that look like numbers, and domains that are left out', () => {
    put('cwd/clouds.yaml', OPEN);
    const { credentials } = find('lab');
    assert.ok(credentials.type === 'password');
    assert.deepEqual(credentials.project, { id: '123' });
    assert.deepEqual(credentials.user, { name: 'u', domain: { id: 'default' } });
  });

  test('may hold an application credential', () => {
    const cloud = (auth: string): string =>
      `clouds: {app: {auth_type: v3applicationcredential, auth: {auth_url: "http://k/v3", ${auth}}}}`;
    put('cwd/clouds.yaml', cloud('application_credential_id: abc, application_credential_secret: s3cret'));
    assert.deepEqual(find('app').credentials, {
      type: 'application-credential',
      credential: { id: 'abc' },
      secret: 's3cret',
    });
    put(
      'cwd/clouds.yaml',
      cloud('application_credential_name: ha, user_id: u1, application_credential_secret: s'),
    );
    assert.deepEqual(find('app').credentials, {
      type: 'application-credential',
      credential: { name: 'ha', user: { id: 'u1' } },
      secret: 's',
    });
  });

  test('may say how to reach the services', () => {
    const ca = put('ca.pem', 'a certificate');
    put(
      'cwd/clouds.yaml',
      `clouds:
  x:
    auth: {auth_url: "http://k", username: u, password: p, project_name: n}
    endpoint_type: internalURL
    verify: false
    cacert: ${ca}
    compute_endpoint_override: http://nova/v2.1
    instance_ha_endpoint_override: http://ha/v1
    compute_default_microversion: 2.79
`,
    );
    const { interface: face, tls, endpoints, computeMicroversion } = find('x');
    assert.deepEqual(
      { face, tls, endpoints, computeMicroversion },
      {
        face: 'internal',
        tls: { verify: false, caFile: ca },
        endpoints: { compute: 'http://nova/v2.1', 'instance-ha': 'http://ha/v1' },
        computeMicroversion: '2.79',
      },
    );
  });
});

describe('OS_* variables', () => {
  test('describe a cloud where none is named', () => {
    Object.assign(env, {
      OS_AUTH_URL: 'http://k:5000/v3/',
      OS_USERNAME: 'u',
      OS_PASSWORD: 'p',
      OS_PROJECT_ID: 'p1',
      OS_USER_DOMAIN_NAME: 'Ops',
      OS_REGION_NAME: 'R1',
      OS_INTERFACE: 'internal',
      OS_COMPUTE_ENDPOINT_OVERRIDE: 'http://nova',
      OS_CLOUD: '',
    });
    assert.deepEqual(find(), {
      source: 'environment',
      authUrl: 'http://k:5000/v3',
      credentials: {
        type: 'password',
        user: { name: 'u', domain: { name: 'Ops' } },
        password: 'p',
        project: { id: 'p1' },
      },
      region: 'R1',
      interface: 'internal',
      tls: { verify: true },
      endpoints: { compute: 'http://nova' },
    });
  });

  test('do not matter to a cloud that is named', () => {
    put('cwd/clouds.yaml', OPEN);
    env.OS_AUTH_URL = 'http://other';
    assert.equal(find('lab').authUrl, 'http://lab/v3');
  });
});

describe('what is wrong is said with the way out', () => {
  test('no clouds.yaml: where it was looked for', () => {
    assert.match(
      problem('prod'),
      /^cloud "prod": there is no clouds\.yaml; looked for .*cwd\/clouds\.yaml, .*\/etc\/openstack\/clouds\.yml\. .*OS_CLIENT_CONFIG_FILE/,
    );
  });

  test('no such cloud: which there are', () => {
    const file = put('cwd/clouds.yaml', OPEN);
    assert.equal(problem('prdo'), `cloud "prdo" is not in ${file}; it has lab, prod`);
  });

  test('no password: which field of which file', () => {
    const file = put('cwd/clouds.yaml', OPEN);
    assert.equal(problem('prod'), `cloud "prod" of ${file}: auth.password is missing`);
  });

  test('no variables at all', () => {
    assert.match(problem(), /^cloud: name a cloud of clouds\.yaml, or set OS_CLOUD, or OS_AUTH_URL/);
  });

  test('a variable that is missing, by its name', () => {
    Object.assign(env, { OS_AUTH_URL: 'http://k', OS_USERNAME: 'u', OS_PASSWORD: 'p' });
    assert.equal(problem(), 'environment: OS_PROJECT_NAME is missing');
  });

  test('an auth_type that nobody here knows', () => {
    Object.assign(env, { OS_AUTH_URL: 'http://k', OS_AUTH_TYPE: 'v3oidcpassword' });
    assert.match(
      problem(),
      /auth_type v3oidcpassword is not supported; v3password and v3applicationcredential are/,
    );
  });

  test('an interface that there is not', () => {
    Object.assign(env, { OS_AUTH_URL: 'http://k', OS_USERNAME: 'u', OS_PASSWORD: 'p', OS_PROJECT_ID: 'x' });
    env.OS_INTERFACE = 'outer';
    assert.match(problem(), /OS_INTERFACE must be one of public, internal, admin/);
  });

  test('a CA that cannot be read', () => {
    put(
      'cwd/clouds.yaml',
      'clouds: {x: {cacert: /no/ca.pem, auth: {auth_url: "http://k", username: u, password: p, project_id: i}}}',
    );
    assert.match(problem('x'), /cacert: \/no\/ca\.pem cannot be read/);
  });

  test('a file that is no YAML, without quoting the password in it', () => {
    put('cwd/clouds.yaml', 'clouds: {x: {auth: {password: "s3cret}}}');
    assert.doesNotMatch(problem('x'), /s3cret/);
    assert.match(problem('x'), /clouds\.yaml cannot be read, or is not YAML/);
  });
});

test('a site has a cloud and a timeout, and nothing else', () => {
  assert.deepEqual(openstack.configSchema.parse({}), { timeout: '60s' });
  assert.deepEqual(openstack.configSchema.parse({ cloud: 'prod', timeout: '5s' }), {
    cloud: 'prod',
    timeout: '5s',
  });
  for (const wrong of [{ cloud: '' }, { timeout: 'soon' }, { url: 'http://x' }]) {
    assert.equal(openstack.configSchema.safeParse(wrong).success, false, JSON.stringify(wrong));
  }
});
