/** deploy/openstack: a user that has only the role `haulout` can do what a session needs, and little else. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFile, readFile, truncate } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import { Bed, type Cloud } from './bed.ts';
import { layOut } from './fleet.ts';
import { Nova, Refused } from './nova.ts';
import { Site } from './site.ts';
import { Witness } from './witness.ts';

const POLICIES = path.join(import.meta.dirname, '../../../deploy/openstack');
/** Which projects may use a private flavor: set to anything, it would be refused to those who may ask now. */
const LEFT_AS_IT_IS = ['os_compute_api:os-flavor-access'];
const NAME = 'haulout';
const PASSWORD = 'least-privilege';

const bed = new Bed();
const admin = new Nova(bed.cloud);
const user: Cloud = {
  ...bed.cloud,
  auth: { ...bed.cloud.auth, username: NAME, password: PASSWORD, project_name: 'maintenance' },
};
let site: Site;

before(async () => {
  await makeUser();
  for (const service of ['nova', 'placement']) {
    await copyFile(path.join(POLICIES, `${service}-policy.yaml`), policyOf(service));
  }
  site = await Site.start(user);
});
after(async () => {
  for (const service of ['nova', 'placement']) await truncate(policyOf(service));
  await site.stop();
});

/** The services read it again when it has changed. */
const policyOf = (service: string): string => path.join(bed.directory, 'etc', service, 'policy.yaml');

async function makeUser(): Promise<void> {
  const role = await admin.ensure('roles', 'role', { name: NAME });
  const project = await admin.ensure('projects', 'project', { name: 'maintenance', domain_id: 'default' });
  const id = await admin.ensure('users', 'user', { name: NAME, domain_id: 'default', password: PASSWORD });
  await admin.identity('PUT', `/projects/${project}/users/${id}/roles/${role}`);
}

test('a session moves servers live and cold, stops and starts them, and keeps their groups', async () => {
  await layOut(bed, admin, [
    { name: 'live', host: 'compute-1', group: 'pair' },
    { name: 'other', host: 'compute-2', group: 'pair' },
    { name: 'cold', host: 'compute-1' },
    { name: 'batch', host: 'compute-1' },
    { name: 'locked', host: 'compute-1', locked: true },
  ]);
  const witness = await Witness.begin(admin);

  const overrides = { cold: 'cold', batch: 'stop', locked: 'live' } as const;
  const session = await site.session({ hosts: ['compute-1'], instances: { overrides } });
  const report = await site.report(session);

  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.deepEqual(report.instances, { total: 4, moved: 3, stopped: 1 });
  assert.deepEqual(await witness.objections({ moved: 3 }), []);
});

test('a move that fails says why, and one that is cancelled is aborted', async () => {
  const servers = await layOut(bed, admin, [{ name: 'slow', host: 'compute-1' }]);
  await bed.turn({ hosts: { 'compute-2': { fail_pre: true } }, lm_seconds: 60 });
  const witness = await Witness.begin(admin);

  const session = await site.session({ hosts: ['compute-1'] });
  const id = servers.get('slow')?.id ?? '';
  await admin.until(
    'it migrates',
    () => admin.migrations(),
    (all) => all.some(({ instance_uuid: server, status }) => server === id && status === 'running'),
  );
  await session.signal('cancel', {});
  const report = await site.report(session);

  assert.equal(report.state, 'MAINTENANCE_CANCELLED', report.reason);
  assert.deepEqual(await witness.objections({ moved: 0 }), []);
});

test('the user may do nothing else to servers and to the cloud', async () => {
  const servers = await layOut(bed, admin, [{ name: 'foreign', host: 'compute-1' }]);
  const id = servers.get('foreign')?.id ?? '';
  const nova = new Nova(user);
  const service = await nova.service('compute-1');
  const forbidden: [string, () => Promise<unknown>][] = [
    ['delete a server', () => nova.call('DELETE', `/servers/${id}`)],
    ['reboot it', () => nova.act(id, { reboot: { type: 'HARD' } })],
    ['evacuate it', () => nova.act(id, { evacuate: {} })],
    ['reset its state', () => nova.act(id, { 'os-resetState': { state: 'error' } })],
    ['rebuild it', () => nova.act(id, { rebuild: { imageRef: id } })],
    ['read its console', () => nova.act(id, { 'os-getConsoleOutput': {} })],
    ['rename it', () => nova.call('PUT', `/servers/${id}`, { server: { name: 'mine' } })],
    ['delete a service', () => nova.call('DELETE', `/os-services/${service.id}`)],
    ['make an aggregate', () => nova.call('POST', '/os-aggregates', { aggregate: { name: 'mine' } })],
    [
      'make a flavor',
      () => nova.call('POST', '/flavors', { flavor: { name: 'x', vcpus: 1, ram: 1, disk: 1 } }),
    ],
    ['list users', () => nova.identity('GET', '/users')],
    ['make a user', () => nova.identity('POST', '/users', { user: { name: 'friend' } })],
  ];
  for (const [what, attempt] of forbidden) {
    await assert.rejects(attempt, (error) => error instanceof Refused && error.status === 403, what);
  }
});

test('the policy file sets every rule that Nova would open to whoever is an administrator', async () => {
  const script = `
from nova import policies
for rule in policies.list_rules():
    old = rule.deprecated_rule.check_str if rule.deprecated_rule else ''
    if 'admin' in rule.check_str + old: print(rule.name)`;
  const names = execFileSync('/usr/bin/python3', ['-c', script], { encoding: 'utf8' }).trim().split('\n');
  const rules = parse(await readFile(path.join(POLICIES, 'nova-policy.yaml'), 'utf8')) as object;
  assert.deepEqual(
    // Those without a colon are only parts of others.
    names.filter(
      (name) => name.includes(':') && !Object.hasOwn(rules, name) && !LEFT_AS_IT_IS.includes(name),
    ),
    [],
  );
});
