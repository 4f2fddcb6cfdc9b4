/** Projects that answer through the REST service, each with a token of its own. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { StaticTokens } from '../../src/api/auth/tokens.ts';
import type { SessionDetail } from '../../src/api/schemas.ts';
import type { DialogueOutcome, NoticeView } from '../../src/core/dialogue.ts';
import type { ScheduledEvent } from '../../src/core/notice.ts';
import { dialogueWorkflowId, MAINTENANCE_QUEUE, WORKFLOWS } from '../../src/names.ts';
import { startEngine, type Engine, SITE } from '../support/engine.ts';
import { fleetOf } from '../support/fleets.ts';
import { startService, type Answer, type Service } from './service.ts';

const TOKENS = {
  admin: 'admin-0123456789abcdef',
  one: 'one-0123456789abcdef',
  two: 'two-0123456789abcdef',
};
const tokenFile = `
tokens:
  - { name: operator, token: ${TOKENS.admin}, admin: true }
  - { name: vnfm of one, token: ${TOKENS.one}, project: one }
  - { name: vnfm of two, token: ${TOKENS.two}, project: two }
`;

const SMALL = { vcpus: 2, memoryMb: 4_096, diskGb: 20 };
const PATIENCE_MS = 120_000;

let engine: Engine;
let service: Service;
let session: string;

before(async () => {
  engine = await startEngine(
    fleetOf(3, 2, { instances: { perHost: 2, sizes: [SMALL], projects: ['one', 'two'] } }),
  );
  service = await startService({
    client: engine.client,
    site: SITE,
    authenticator: new StaticTokens(tokenFile),
  });
  const later = new Date(Date.now() + 3_600_000).toISOString();
  const { body } = await ask<{ session_id: string }>('admin', 'POST', '/v1/maintenance', {
    maintenance_at: later,
    haulout: { projects: null },
  });
  session = body.session_id;
});
after(async () => {
  await ask('admin', 'DELETE', `/v1/maintenance/${session}`);
  await service.close();
  await engine.stop();
});

const ask = <T>(
  who: keyof typeof TOKENS,
  method: string,
  url: string,
  body?: unknown,
): Promise<Answer<T & { message?: string; code?: string }>> =>
  service.ask(method, url, body, { 'x-auth-token': TOKENS[who] });

/** Asks a project; returns the path that its answers go to, and what comes of it. */
async function question(
  more: Partial<ScheduledEvent> & Pick<ScheduledEvent, 'project'>,
): Promise<{ id: string; reply: string; outcome: () => Promise<DialogueOutcome> }> {
  const { project, instance } = more;
  const notice: ScheduledEvent = {
    id: randomUUID(),
    at: new Date().toISOString(),
    site: SITE,
    session,
    type: 'maintenance.scheduled',
    state: 'PLANNED_MAINTENANCE',
    instances: ['vm-1', 'vm-2'],
    allowedActions: ['MIGRATE'],
    replyAt: new Date(Date.now() + 120_000).toISOString(),
    metadata: {},
    ...more,
  };
  const handle = await engine.client.workflow.start(WORKFLOWS.projectDialogue, {
    workflowId: dialogueWorkflowId(session, project, instance),
    taskQueue: MAINTENANCE_QUEUE,
    args: [{ notice }],
  });
  const about = instance === undefined ? '' : `/${instance}`;
  return {
    id: notice.id,
    reply: `/v1/maintenance/${session}/${project}${about}`,
    outcome: () => handle.result() as Promise<DialogueOutcome>,
  };
}

describe('a project that is asked', () => {
  test('sees its instances, and answers for them as Doctor does', async () => {
    const { reply, outcome } = await question({ project: 'one' });
    const seen = await ask<{ instance_ids: string[] }>('one', 'GET', reply);
    assert.equal(seen.status, 200);
    assert.deepEqual(seen.body, { instance_ids: ['vm-1', 'vm-2'] });

    const body = {
      session_id: session,
      instance_ids: ['vm-1', 'vm-2'],
      instance_actions: { 'vm-1': 'MIGRATE', 'vm-2': 'MIGRATE' },
      state: 'ACK_PLANNED_MAINTENANCE',
      unheard_of: 1,
    };
    const first = await ask('one', 'PUT', reply, body);
    assert.equal(first.status, 200, JSON.stringify(first.body));
    assert.deepEqual(first.body, { session_id: session, state: body.state, verdict: 'accepted' });
    assert.deepEqual(await outcome(), { answer: 'agreed', actions: body.instance_actions });

    const again = await ask<{ verdict: string }>('one', 'PUT', `${reply}/`, body);
    assert.equal(again.status, 200, 'what is said twice is no mistake');
    assert.equal(again.body.verdict, 'repeated');
    const changed = await ask('one', 'PUT', reply, { ...body, state: 'NACK_PLANNED_MAINTENANCE' });
    assert.equal(changed.status, 409);
    assert.match(changed.body.message ?? '', /answered/);
  });

  test('answers for one instance as Tacker does, and acknowledges what it was only told', async () => {
    const { reply, outcome } = await question({ project: 'one', instances: ['vm-1'], instance: 'vm-1' });
    const body = { session_id: session, instance_action: 'MIGRATE', state: 'ACK_PLANNED_MAINTENANCE' };
    for (const time of ['first', 'second']) {
      assert.equal((await ask('one', 'PUT', reply, body)).status, 200, `the ${time} time`);
    }
    assert.deepEqual(await outcome(), { answer: 'agreed', actions: { 'vm-1': 'MIGRATE' } });
    const done = await ask('one', 'PUT', reply, {
      session_id: session,
      state: 'ACK_INSTANCE_ACTION_DONE',
    });
    assert.equal(done.status, 200);
  });

  test('is told what is wrong with its answer', async () => {
    const { reply, outcome } = await question({ project: 'two' });
    const wrong: [object, number, string | undefined][] = [
      [{ state: 'ACK_SCALE_IN' }, 409, undefined],
      [{ state: 'yes' }, 400, 'state'],
      [{}, 400, 'state'],
      [
        { state: 'ACK_PLANNED_MAINTENANCE', instance_actions: { 'vm-1': 'DELETE' } },
        400,
        'instance_actions.vm-1',
      ],
      [{ state: 'ACK_PLANNED_MAINTENANCE', instance_action: 7 }, 400, 'instance_action'],
    ];
    for (const [body, status, field] of wrong) {
      const found = await ask<{ path?: string }>('two', 'PUT', reply, body);
      assert.equal(found.status, status, JSON.stringify(found.body));
      assert.equal(found.body.path, field);
    }
    assert.equal((await ask('two', 'PUT', reply, { state: 'NACK_PLANNED_MAINTENANCE' })).status, 200);
    assert.deepEqual(await outcome(), { answer: 'refused', actions: {} });
  });

  test('shows in the detail of the session', async () => {
    const { body } = await ask<SessionDetail>('admin', 'GET', `/v1/maintenance/${session}/detail`);
    const told = body.dialogues.map(({ project, instance, status, notice }) => ({
      project,
      instance,
      status,
      agreed: (notice as NoticeView).answered?.agreed,
    }));
    const byName = (a: { project: string }, b: { project: string }): number =>
      a.project < b.project ? -1 : 1;
    assert.deepEqual(told.filter(({ instance }) => instance === undefined).sort(byName), [
      { project: 'one', instance: undefined, status: 'COMPLETED', agreed: true },
      { project: 'two', instance: undefined, status: 'COMPLETED', agreed: false },
    ]);
    assert.ok(told.some(({ instance }) => instance === 'vm-1'));
  });

  test('is not taken to answer again what it is asked later, when an answer comes late', async () => {
    const body = { state: 'ACK_PLANNED_MAINTENANCE' };
    const first = await question({ project: 'one' });
    const late = `${first.reply}?notice=${first.id}`;
    assert.equal((await ask('one', 'PUT', late, body)).status, 200);
    await first.outcome();
    assert.equal((await ask('one', 'PUT', late, body)).status, 200, 'said twice');

    const second = await question({ project: 'one' });
    const stale = await ask('one', 'PUT', late, body);
    assert.equal(stale.status, 409);
    assert.match(stale.body.message ?? '', /not what is asked now/);
    assert.equal((await ask('one', 'PUT', `${second.reply}?notice=${second.id}`, body)).status, 200);
    assert.equal((await second.outcome()).answer, 'agreed');
    assert.equal((await ask('one', 'PUT', late, body)).status, 409);
  });
});

describe('a project that is not asked', () => {
  test('finds nothing', async () => {
    const other = `/v1/maintenance/${session}/two/vm-9`;
    assert.equal((await ask('two', 'PUT', other, { state: 'ACK_MAINTENANCE' })).status, 404);
    const nowhere = `/v1/maintenance/${randomUUID()}/two`;
    const { status, body } = await ask<{ error: string }>('two', 'GET', nowhere);
    assert.equal(status, 404);
    assert.equal(body.error, 'Invalid session');
  });

  test('neither sees nor answers for another one, whatever it says of itself', async () => {
    const { reply, outcome } = await question({ project: 'one', state: 'MAINTENANCE' });
    const body = { state: 'ACK_MAINTENANCE', project_id: 'one' };
    assert.equal((await ask('two', 'GET', reply)).status, 403);
    assert.equal((await ask('two', 'PUT', reply, body)).status, 403);
    assert.equal((await ask('two', 'PUT', `${reply}/vm-1`, body)).status, 403);
    assert.equal((await ask('admin', 'PUT', reply, body)).status, 200, 'an administrator may');
    await outcome();
  });

  test('may not do what administrators do', async () => {
    const requests: [string, string, unknown][] = [
      ['GET', '/v1/maintenance', undefined],
      ['POST', '/v1/maintenance', { maintenance_at: '2099-01-01 00:00:00' }],
      ['GET', `/v1/maintenance/${session}`, undefined],
      ['GET', `/v1/maintenance/${session}/detail`, undefined],
      ['PUT', `/v1/maintenance/${session}`, {}],
      ['POST', `/v1/maintenance/${session}`, {}],
      ['DELETE', `/v1/maintenance/${session}`, undefined],
    ];
    for (const [method, url, body] of requests) {
      const { status, body: said } = await ask('one', method, url, body);
      assert.equal(status, 403, `${method} ${url}`);
      assert.equal(said.code, 'NotAllowed');
    }
  });

  test('without a token nobody gets in, and a body is not even read', async () => {
    for (const headers of [
      {},
      { 'x-auth-token': 'wrong-0123456789abcdef' },
      { authorization: 'Basic abc' },
    ]) {
      const { status, body } = await service.ask('POST', '/v1/maintenance', '{not json', { ...headers });
      assert.equal(status, 401);
      assert.equal(body.code, 'NotAuthenticated');
    }
    const bearer = { authorization: `Bearer ${TOKENS.admin}` };
    assert.equal((await service.ask('GET', '/v1/maintenance', undefined, bearer)).status, 200);
  });
});

test('a project that answers without end is not listened to, and the others are', async () => {
  const { reply } = await question({ project: 'one' });
  const body = { state: 'ACK_SCALE_IN' };
  const said = await Promise.all(Array.from({ length: 1_000 }, () => ask('one', 'PUT', reply, body)));
  const statuses = new Set(said.map(({ status }) => status));
  assert.deepEqual([...statuses].sort(), [409, 429]);
  const other = await question({ project: 'two' });
  assert.equal((await ask('two', 'PUT', other.reply, { state: 'ACK_PLANNED_MAINTENANCE' })).status, 200);
  assert.deepEqual(await other.outcome(), { answer: 'agreed', actions: {} });
});

for (const workflow of ['default', 'vnf']) {
  test(`a whole session in which projects are asked, in the style ${workflow}`, async () => {
    const { body } = await ask<{ session_id: string }>('admin', 'POST', '/v1/maintenance', {
      maintenance_at: new Date().toISOString(),
      workflow,
      metadata: { openstack_version: 'Train' },
    });
    const url = `/v1/maintenance/${body.session_id}`;
    const answered = new Set<string>();
    const deadline = Date.now() + PATIENCE_MS;
    for (let state = ''; state !== 'MAINTENANCE_DONE'; await sleep(300)) {
      const { body: detail } = await ask<SessionDetail>('admin', 'GET', `${url}/detail`);
      assert.ok(Date.now() < deadline, JSON.stringify(detail.progress));
      state = detail.state;
      for (const { project, instance, status, notice } of detail.dialogues) {
        if (status !== 'RUNNING' || notice === null) continue;
        const view = notice as NoticeView;
        if (view.answered) continue;
        const reply = `${url}/${project}${instance === undefined ? '' : `/${instance}`}`;
        const { status: said } = await ask(project as 'one' | 'two', 'PUT', reply, {
          state: `ACK_${view.state}`,
          ...(view.allowedActions.length > 0 && { instance_action: 'MIGRATE' }),
        });
        // It may have been answered since it was looked at.
        assert.ok(said === 200 || said === 409, `${said} for ${project} and ${view.state}`);
        if (said === 200) answered.add(`${project} ${view.state}`);
      }
    }
    for (const project of ['one', 'two']) {
      for (const asked of ['MAINTENANCE', 'PLANNED_MAINTENANCE', 'MAINTENANCE_COMPLETE']) {
        assert.ok(answered.has(`${project} ${asked}`), `${project} answered ${[...answered].join(', ')}`);
      }
    }
  });
}

describe('constraints', () => {
  const instance = {
    project_id: 'stacks',
    group_id: 'group-1',
    instance_name: 'doctor_ha_app_0',
    max_interruption_time: 120,
    migration_type: 'MIGRATE',
    resource_mitigation: true,
    lead_time: 40,
  };
  const group = {
    project_id: 'one',
    group_name: 'tacker_nonha_app_group',
    anti_affinity_group: false,
    max_instances_per_host: 0,
    max_impacted_members: 1,
    recovery_time: '60,',
    resource_mitigation: true,
  };

  test('of an instance are kept for the project of the token, given back and forgotten', async () => {
    const url = '/v1/instance/vm-1';
    const put = await ask('one', 'PUT', url, { ...instance, instance_id: 'vm-1', extra: true });
    assert.equal(put.status, 200, JSON.stringify(put.body));
    const kept = { ...instance, instance_id: 'vm-1', project_id: 'one' };
    assert.deepEqual(put.body, kept);
    assert.deepEqual((await ask('one', 'GET', `${url}/`)).body, kept);

    for (const [method, body] of [
      ['PUT', instance],
      ['DELETE', undefined],
      ['GET', undefined],
    ] as const) {
      assert.equal((await ask('two', method, url, body)).status, 403, method);
    }
    assert.equal((await ask('one', 'DELETE', url)).status, 200);
    assert.equal((await ask('one', 'GET', url)).status, 404);
    assert.equal((await ask('one', 'DELETE', url)).status, 200, 'it is gone already');
  });

  test('of a group may have a time as Tacker’s guide writes it', async () => {
    const url = '/v1/instance_group/group-1';
    const put = await ask<{ recovery_time: number }>('admin', 'PUT', url, { ...group, group_id: 'group-1' });
    assert.equal(put.status, 200, JSON.stringify(put.body));
    assert.equal(put.body.recovery_time, 60);
    assert.equal((await ask('one', 'GET', url)).status, 200);
    assert.equal((await ask('one', 'DELETE', url)).status, 200);
  });

  test('that were never kept are deleted with success', async () => {
    for (const url of ['/v1/instance/never-1', '/v1/instance_group/never-2']) {
      const { status, body } = await ask('one', 'DELETE', url);
      assert.equal(status, 200);
      assert.deepEqual(body, {});
    }
  });

  const wrong: [string, object, string][] = [
    ['/v1/instance/vm-1', { ...instance, migration_type: 'TELEPORT' }, 'migration_type'],
    ['/v1/instance/vm-1', { ...instance, instance_id: 'vm-2' }, 'instance_id'],
    ['/v1/instance/vm-1', { ...instance, lead_time: -1 }, 'lead_time'],
    ['/v1/instance/vm-1', { ...instance, lead_time: 'soon' }, 'lead_time'],
    ['/v1/instance_group/g', { ...group, recovery_time: '60 minutes' }, 'recovery_time'],
    ['/v1/instance_group/g', { ...group, max_impacted_members: 0 }, 'max_impacted_members'],
    ['/v1/instance_group/g', { ...group, anti_affinity_group: 'yes' }, 'anti_affinity_group'],
  ];
  for (const [url, body, field] of wrong) {
    test(`with a wrong ${field} are refused by its name`, async () => {
      const found = await ask<{ path?: string }>('one', 'PUT', url, body);
      assert.equal(found.status, 400, JSON.stringify(found.body));
      assert.equal(found.body.path, field);
    });
  }
});

test('no token is in the log', () => {
  const log = service.log.join('');
  assert.ok(log.includes('/v1/maintenance'), 'requests are logged');
  for (const token of Object.values(TOKENS)) assert.ok(!log.includes(token));
});
