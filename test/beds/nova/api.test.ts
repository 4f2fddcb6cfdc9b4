/** The REST service with a real Keystone: who may do what is decided by its tokens. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { KeystoneTokens } from '../../../src/api/auth/keystone.ts';
import { startService, type Service } from '../../api/service.ts';
import { createNamespace } from '../../support/namespace.ts';
import { Bed } from './bed.ts';
import { Nova } from './nova.ts';

const PASSWORD = 'api-test-password';

const { auth } = new Bed().cloud;
const admin = new Nova(new Bed().cloud);

let connection: Connection;
let service: Service;
/** Ids by name. */
const projects: Record<string, string> = {};

before(async () => {
  await admin.ensure('roles', 'role', { name: 'member' });
  await admin.ensure('roles', 'role', { name: 'reader' });
  await makeUser('tenant-one', 'member');
  await makeUser('tenant-two', 'member');
  await makeUser('onlooker', 'reader', 'tenant-one');
  connection = await Connection.connect({ address: process.env.TEMPORAL_ADDRESS ?? '127.0.0.1:7233' });
  const namespace = await createNamespace(connection);
  service = await startService({
    client: new Client({ connection, namespace }),
    site: 'bed',
    authenticator: new KeystoneTokens({ url: auth.auth_url }),
  });
});
after(async () => {
  await service.close();
  await connection.close();
});

async function makeUser(name: string, role: string, project = name): Promise<void> {
  const domain = { domain_id: 'default' };
  const projectId = await admin.ensure('projects', 'project', { name: project, ...domain });
  const userId = await admin.ensure('users', 'user', { name, password: PASSWORD, ...domain });
  const roleId = await admin.ensure('roles', 'role', { name: role });
  await admin.identity('PUT', `/projects/${projectId}/users/${userId}/roles/${roleId}`);
  projects[project] = projectId;
}

/** A token of a user for a project; without one, of the user alone. */
async function tokenOf(name: string, password: string, project?: string): Promise<string> {
  const domain = { id: 'default' };
  const answer = await fetch(`${auth.auth_url}/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user: { name, domain, password } } },
        ...(project === undefined ? {} : { scope: { project: { name: project, domain } } }),
      },
    }),
  });
  assert.equal(answer.status, 201, await answer.text());
  return answer.headers.get('x-subject-token') ?? '';
}

const ask = async (
  token: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; code: string | undefined }> => {
  const answer = await service.ask(method, path, body, { 'x-auth-token': token });
  return { status: answer.status, code: answer.body.code };
};

const pathOf = (project: string): string => `/v1/maintenance/${randomUUID()}/${projects[project]}`;

describe('an administrator', () => {
  let token: string;
  before(async () => {
    token = await tokenOf(auth.username, auth.password, auth.project_name);
  });

  test('makes and removes sessions, and may answer for any project', async () => {
    const created = await service.ask<{ session_id: string }>(
      'POST',
      '/v1/maintenance',
      { maintenance_at: '2099-01-01 00:00:00' },
      { 'x-auth-token': token },
    );
    assert.equal(created.status, 200);
    const path = `/v1/maintenance/${created.body.session_id}`;
    assert.equal((await ask(token, 'GET', path)).status, 200);
    assert.equal((await ask(token, 'DELETE', path)).status, 200);
    assert.equal((await ask(token, 'GET', pathOf('tenant-one'))).code, 'UnknownSession');
  });
});

describe('a member of a project', () => {
  let token: string;
  before(async () => {
    token = await tokenOf('tenant-one', PASSWORD, 'tenant-one');
  });

  test('is heard for that project, and for no other', async () => {
    const answer = { state: 'ACK_MAINTENANCE' };
    assert.equal((await ask(token, 'PUT', pathOf('tenant-one'), answer)).code, 'UnknownSession');
    assert.equal((await ask(token, 'PUT', pathOf('tenant-two'), answer)).status, 403);
    assert.equal((await ask(token, 'GET', pathOf('tenant-two'))).status, 403);
    assert.equal((await ask(token, 'GET', '/v1/instance/nobodys')).status, 404);
  });

  test('has nothing to do with sessions', async () => {
    for (const [method, path] of [
      ['GET', '/v1/maintenance'],
      ['POST', '/v1/maintenance'],
      ['DELETE', `/v1/maintenance/${randomUUID()}`],
    ] as const) {
      assert.equal((await ask(token, method, path)).status, 403, `${method} ${path}`);
    }
  });
});

test('a reader looks, and says nothing', async () => {
  const token = await tokenOf('onlooker', PASSWORD, 'tenant-one');
  assert.equal((await ask(token, 'GET', pathOf('tenant-one'))).code, 'UnknownSession');
  const { status } = await ask(token, 'PUT', pathOf('tenant-one'), { state: 'ACK_MAINTENANCE' });
  assert.equal(status, 403);
});

describe('nobody gets in', () => {
  test('with a token that is none', async () => {
    assert.equal((await ask('gAAAAABnotAToken', 'GET', '/v1/maintenance')).status, 401);
  });

  test('with a token for no project', async () => {
    const token = await tokenOf('tenant-two', PASSWORD);
    assert.equal((await ask(token, 'GET', pathOf('tenant-two'))).status, 403);
  });

  test('with a token that was revoked before it was seen', async () => {
    const token = await tokenOf('tenant-two', PASSWORD, 'tenant-two');
    await admin.identity('DELETE', '/auth/tokens', undefined, { 'X-Subject-Token': token });
    assert.equal((await ask(token, 'GET', pathOf('tenant-two'))).status, 401);
  });
});

test('no token is in the log', async () => {
  const token = await tokenOf('tenant-two', PASSWORD, 'tenant-two');
  assert.equal((await ask(token, 'GET', pathOf('tenant-two'))).status, 404);
  assert.ok(!service.log.join('').includes(token));
});
