import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type PlatformContext, SettingsError } from '../../../src/drivers/platform.ts';
import { PLATFORMS } from '../../../src/drivers/registry.ts';
import {
  configSchema,
  findSettings,
  type Settings,
} from '../../../src/drivers/vsphere-supervisor/settings.ts';

const SECRET = 'pa$$word';

const vcenter = {
  platform: 'vsphere',
  options: {
    url: 'https://vcenter.example.org',
    username: 'vpxd',
    password: SECRET,
    cluster: 'Cluster-7',
    insecure: true,
  },
};

const context = (sites: Record<string, { platform: string; options: unknown }>): PlatformContext => ({
  site: 'supervisor',
  siteBelow: (name) => sites[name],
});

const find = (more: object = {}, sites: Parameters<typeof context>[0] = { vcenter }): Settings =>
  findSettings(configSchema.parse({ vsphere: 'vcenter', cluster: 'domain-c8', ...more }), context(sites), {});

const refuses = (words: RegExp, ...[more, sites]: Parameters<typeof find>): void => {
  assert.throws(
    () => find(more, sites),
    (error) => {
      assert.ok(error instanceof SettingsError, String(error));
      assert.match(error.message, words);
      assert.ok(!error.message.includes(SECRET));
      return true;
    },
  );
};

describe('a site', () => {
  test('has the connection of the vSphere site, and its hosts in one cluster', () => {
    const { below, connection } = find();
    assert.deepEqual(connection, {
      origin: 'https://vcenter.example.org',
      username: 'vpxd',
      password: SECRET,
      tls: { verify: false },
    });
    assert.equal(below.cluster, 'domain-c8');
    assert.equal(below.url, 'https://vcenter.example.org');
  });

  test('may have an address of its own for the REST API', () => {
    const { below, connection } = find({ url: 'https://rest.example.org:8443/' });
    assert.equal(connection.origin, 'https://rest.example.org:8443');
    assert.equal(connection.username, 'vpxd');
    assert.equal(below.url, 'https://vcenter.example.org');
  });

  test('without the vSphere site is refused by the name of that', () => {
    refuses(/^vsphere: there is no site "other"; name a site of platform vsphere/, { vsphere: 'other' });
  });

  test('on a site of another platform is refused by the name of that', () => {
    const sites = { vcenter: { platform: 'openstack', options: {} } };
    refuses(
      /^vsphere: the site "vcenter" is of platform openstack; name a site of platform vsphere/,
      {},
      sites,
    );
  });

  test('on a site that is not complete says what is missing there', () => {
    const { url: _, ...options } = vcenter.options;
    const sites = { vcenter: { platform: 'vsphere', options } };
    refuses(/^vsphere: the site "vcenter": url: is missing, and GOVC_URL is not set$/, {}, sites);
  });

  test('names its cluster by id', () => {
    const wrong = configSchema.safeParse({ vsphere: 'vcenter', cluster: 'Cluster-7' });
    assert.match(String(wrong.error?.message), /must be the id of a cluster such as domain-c8/);
  });

  test('is made by the registry, and connects to nothing yet', async () => {
    const platform = PLATFORMS['vsphere-supervisor'];
    assert.ok(platform);
    const config = platform.configSchema.parse({ vsphere: 'vcenter', cluster: 'domain-c8' });
    const driver = platform.create(config, context({ vcenter }));
    assert.equal(driver.platform, 'vsphere-supervisor');
    await driver.close();
  });
});
