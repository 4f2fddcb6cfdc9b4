/** What becomes of a session when OpenStack, or somebody at it, makes trouble while servers move. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { addServer, layOut, remove } from './fleet.ts';
import { REQUESTS } from './gateway.ts';
import { Refused, type Server } from './nova.ts';
import { Site } from './site.ts';
import { type Expectations, Witness } from './witness.ts';

const HOST = 'compute-1';

let site: Site;
let servers: Map<string, Server>;
let witness: Witness;
before(async () => {
  site = await Site.start();
});
after(() => site.stop());
beforeEach(async () => {
  site.takeWorked();
  servers = await layOut(site.bed, site.nova, [
    { name: 'a', host: HOST },
    { name: 'b', host: HOST },
    { name: 'c', host: HOST },
  ]);
  witness = await Witness.begin(site.nova);
});

/** Starts the session, and does something to the world when Nova has taken the first order to migrate. */
async function whenOneMigrates(makeTrouble: () => Promise<void>): Promise<WorkflowHandle> {
  const hold = site.gateway.hold('after', REQUESTS.liveMigrate);
  const session = await site.session({ hosts: [HOST] });
  await hold.reached;
  await makeTrouble();
  hold.release();
  return session;
}

async function expectDone(
  session: WorkflowHandle,
  moved: number,
  but: Omit<Expectations, 'moved'> = {},
): Promise<void> {
  const report = await site.report(session);
  assert.equal(report.state, 'MAINTENANCE_DONE', report.reason);
  assert.equal(report.instances.moved, moved);
  assert.deepEqual(await witness.objections({ moved, ...but }), []);
  assert.deepEqual(site.takeWorked(), { worked: [HOST], wrong: [] });
}

test('servers are deleted and created meanwhile', async () => {
  let created: Server | undefined;
  const session = await whenOneMigrates(async () => {
    await remove(site.nova, servers.get('c')?.id ?? '');
    created = await addServer(site.nova, { name: 'new' });
  });
  await expectDone(session, 2, { deleted: ['c'] });
  assert.notEqual(created?.['OS-EXT-SRV-ATTR:host'], HOST);
});

test('an operator enables the host meanwhile: it is held, and goes on when that is agreed', async () => {
  const session = await whenOneMigrates(() => site.nova.setService(HOST, 'enabled'));
  const { held } = await site.until(session, ({ hosts }) => hosts.held === 1);
  assert.equal(held[0]?.code, 'OperatorInterfered');
  assert.deepEqual(site.takeWorked(), { worked: [], wrong: [] });
  await session.signal('continue');
  await expectDone(session, 3);
});

test('the token is revoked', async () => {
  const session = await whenOneMigrates(async () => {
    const revoked = { 'X-Subject-Token': site.gateway.token };
    await site.nova.identity('DELETE', '/auth/tokens', undefined, revoked);
    await site.nova.until(
      'Nova refuses the token',
      () => statusWith(site.gateway.token),
      (status) => status === 401,
    );
  });
  await expectDone(session, 3);
});

async function statusWith(token: string): Promise<number> {
  const compute = (await site.nova.endpoints()).get('compute') ?? '';
  const { status } = await fetch(`${compute}/os-services`, { headers: { 'X-Auth-Token': token } });
  return status;
}

test('Keystone is restarted', async () => {
  const session = await whenOneMigrates(async () => {
    await site.bed.service('stop', 'keystone');
    await site.nova.until('Nova cannot check tokens any more', lookAtServices, (seen) => seen === 'refused');
  });
  await site.bed.service('start', 'keystone');
  await expectDone(session, 3);
});

async function lookAtServices(): Promise<'seen' | 'refused'> {
  try {
    await site.nova.services();
    return 'seen';
  } catch (error) {
    if (error instanceof Refused) return 'refused';
    throw error;
  }
}

test('nova-api is away for a minute', async () => {
  const session = await whenOneMigrates(() => site.bed.service('stop', 'nova-api'));
  await sleep(60_000);
  await site.bed.service('start', 'nova-api');
  await expectDone(session, 3);
});

test('nova-compute is killed while a server migrates: its host is held, until it runs again and somebody continues', async () => {
  await site.bed.turn({ lm_seconds: 60 });
  const session = await site.session({ hosts: [HOST], timeouts: { drain: '40s' } });
  const onHost = await site.nova.until('a server migrates', () => site.nova.servers(HOST), someMigrate);
  await site.bed.service('kill', HOST);
  const { held } = await site.until(session, ({ hosts }) => hosts.held === 1);
  assert.equal(held[0]?.step, 'drain');
  assert.deepEqual(site.takeWorked(), { worked: [], wrong: [] });

  await site.bed.turn({});
  await site.bed.service('start', HOST);
  await site.nova.until(
    `${HOST} is up`,
    () => site.nova.service(HOST),
    ({ state }) => state === 'up',
  );
  await session.signal('continue');
  await expectDone(session, 3, { interrupted: onHost.filter(isMigrating).map(({ name }) => name) });
});

const isMigrating = ({ status }: Server): boolean => status === 'MIGRATING';
const someMigrate = (onHost: Server[]): boolean => onHost.some(isMigrating);
