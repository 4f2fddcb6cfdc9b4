/** Doctor's clients through whole sessions, and clients that behave badly. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { StaticTokens } from '../../src/api/auth/tokens.ts';
import type { SessionDetail } from '../../src/api/schemas.ts';
import type { DeliveryMemo } from '../../src/core/notice.ts';
import type { Progress } from '../../src/core/progress.ts';
import { freePort } from '../../src/devstack/ports.ts';
import type { FleetInput } from '../../src/simulator/fleet.ts';
import type { Receiver } from '../notifications/receiver.ts';
import { DoctorClient, startManager, type Alarm, type React } from '../support/doctor.ts';
import { SITE, startEngine, type Engine } from '../support/engine.ts';
import { fleetOf, hostNames, WORK } from '../support/fleets.ts';
import { HeatStack } from '../support/heat-stack.ts';
import { startService, type Service } from './service.ts';

const PATIENCE_MS = 150_000;
/** Until the first host; clients have answered by then, also on a busy machine. Doctor has 30 s. */
const NOTICE_MS = 10_000;
/** Where it does not matter whether they have. */
const SHORT_NOTICE_MS = 500;

const PROJECT = 'doctor';
const TOKENS = {
  admin: 'admin-0123456789abcdef',
  own: 'doctor-0123456789abcdef',
  other: 'other-0123456789abcdef',
};
const tokenFile = `
tokens:
  - { name: operator, token: ${TOKENS.admin}, admin: true }
  - { name: doctor, token: ${TOKENS.own}, project: ${PROJECT} }
  - { name: another, token: ${TOKENS.other}, project: other }
`;

interface Clinic {
  engine: Engine;
  service: Service;
  stack: HeatStack;
  /** Of its project; and one that has no business there. */
  client: DoctorClient;
  intruder: DoctorClient;
  alarms: Alarm[];
  /** What the client does with an alarm. */
  react: React;
  close(): Promise<void>;
}

async function openClinic({ instances, ...fleet }: FleetInput): Promise<Clinic> {
  const port = await freePort(25_812);
  const alarms: Alarm[] = [];
  const manager: Receiver = await startManager((alarm) => {
    alarms.push(alarm);
    return clinic.react(alarm);
  });
  const engine = await startEngine(
    { ...fleet, instances: { ...instances, projects: [PROJECT] } },
    (config) => ({
      ...config,
      notifications: {
        apiUrl: `http://127.0.0.1:${port}`,
        sinks: {
          doctor: { kind: 'aodh', events: ['maintenance.scheduled'], url: manager.url, timeout: '2m' },
        },
      },
    }),
  );
  const service = await startService({
    client: engine.client,
    site: SITE,
    port,
    authenticator: new StaticTokens(tokenFile),
  });
  const stack = new HeatStack(engine.simulator.url, PROJECT);
  const client = new DoctorClient(TOKENS.own, stack);
  const clinic: Clinic = {
    engine,
    service,
    stack,
    client,
    intruder: new DoctorClient(TOKENS.other, stack),
    alarms,
    react: client.answerAsVnfm,
    close: async () => {
      await service.close();
      await engine.stop();
      await manager.close();
    },
  };
  return clinic;
}

let clinic: Clinic;

const ask = <T>(method: string, url: string, body?: unknown) =>
  clinic.service.ask<T>(method, url, body, { 'x-auth-token': TOKENS.admin });

/** Resolves to its path. */
async function createSession(more: object, noticeMs = NOTICE_MS): Promise<string> {
  const { status, body } = await ask<{ session_id: string }>('POST', '/v1/maintenance', {
    state: 'MAINTENANCE',
    maintenance_at: new Date(Date.now() + noticeMs).toISOString().slice(0, 19).replace('T', ' '),
    metadata: { openstack_version: 'Train' },
    workflow: 'vnf',
    hosts: [],
    ...more,
  });
  assert.equal(status, 200, JSON.stringify(body));
  return `/v1/maintenance/${body.session_id}`;
}

async function until(session: string, wished: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (let state = ''; state !== wished; await sleep(300)) {
    state = (await ask<{ state: string }>('GET', session)).body.state;
    if (Date.now() > deadline) assert.fail(JSON.stringify((await detailOf(session)).progress));
  }
}

const detailOf = async (session: string): Promise<SessionDetail> =>
  (await ask<SessionDetail>('GET', `${session}/detail`)).body;

const heldIn = async (session: string): Promise<Progress['held']> =>
  ((await detailOf(session)).progress as Progress).held;

const statesOf = (alarms: readonly Alarm[]): Set<string> => new Set(alarms.map(({ state }) => state));

/** What the clients of a session were not told, or took with an error. */
async function failedDeliveries(session: string): Promise<string[]> {
  const failed: string[] = [];
  const query = "WorkflowType = 'delivery' AND ExecutionStatus = 'Failed'";
  for await (const { memo } of clinic.engine.client.workflow.list({ query })) {
    const { about, session: of } = memo as unknown as DeliveryMemo;
    if (session.endsWith(of)) failed.push(about);
  }
  return failed;
}

describe('Doctor, where the fleet is full', () => {
  before(async () => {
    clinic = await openClinic(
      fleetOf(3, 2, {
        hosts: { count: 3, zones: 1, capacity: { vcpus: 4, memoryMb: 98_304, diskGb: 1_200 } },
        emptyHosts: 0,
      }),
    );
  });
  after(() => clinic.close());

  for (const [style, workflow] of [
    ['VNFM', 'vnf'],
    ['sample of a manager', 'default'],
  ] as const) {
    test(`has its ${style} asked through a session`, async () => {
      const { client, stack, service, engine } = clinic;
      const isVnfm = workflow === 'vnf';
      clinic.react = isVnfm ? client.answerAsVnfm : client.answerAsSample;
      clinic.alarms.length = 0;
      if (isVnfm) await client.putConstraints(service.url, PROJECT);
      const before = await stack.servers();

      const session = await createSession({ workflow, actions: [WORK] });
      await until(session, 'MAINTENANCE_DONE');
      assert.equal((await ask('DELETE', session)).status, 200);

      assert.deepEqual(
        statesOf(clinic.alarms),
        new Set([
          'MAINTENANCE',
          'SCALE_IN',
          'PREPARE_MAINTENANCE',
          'INSTANCE_ACTION_DONE',
          'PLANNED_MAINTENANCE',
          'MAINTENANCE_COMPLETE',
        ]),
      );
      assert.equal((await stack.servers()).length, before.length, 'it is as large as it was');
      assert.deepEqual(await failedDeliveries(session), [], 'the client had nothing to complain of');
      if (isVnfm) await client.deleteConstraints(service.url);
      assert.deepEqual(engine.violations({ maxMovesPerInstance: 99 }), []);
    });
  }
});

describe('a client that behaves badly', () => {
  const PATIENT = { hosts: hostNames(2), haulout: { projects: { replyWithin: '4s' } } };

  beforeEach(() => {
    clinic.alarms.length = 0;
  });
  before(async () => {
    clinic = await openClinic(fleetOf(2, 2));
  });
  after(() => clinic.close());

  /** Agrees to all but the questions about a host, which `react` is for. It may agree too late, which matters to nobody. */
  const beforeHosts = (react: React): void => {
    clinic.react = async (alarm) => {
      const { state, replyUrl } = alarm;
      if (/^P.*_MAINTENANCE$/.test(state)) return react(alarm);
      await clinic.client.send('PUT', replyUrl, { state: `ACK_${state}` });
    };
  };

  async function mend(session: string): Promise<void> {
    clinic.react = clinic.client.answerAsVnfm;
    assert.equal((await ask('PUT', session, { state: 'PLANNED_MAINTENANCE' })).status, 200);
    await until(session, 'MAINTENANCE_DONE');
  }

  test('never answers, and another one answers for it: its host is held until it does', async () => {
    const intruded: number[] = [];
    beforeHosts(async ({ replyUrl, state }) => {
      intruded.push(
        await clinic.intruder.send('PUT', replyUrl, { state: `ACK_${state}`, project_id: PROJECT }),
      );
    });
    const session = await createSession(PATIENT, SHORT_NOTICE_MS);
    await until(session, 'MAINTENANCE_FAILED');
    const [held] = await heldIn(session);
    assert.equal(held?.code, 'ProjectSilent');
    assert.match(held.message, /doctor did not answer/);
    assert.deepEqual(new Set(intruded), new Set([403]));
    await mend(session);
  });

  test('answers wrongly is told so, and can still answer', async () => {
    const statuses: number[][] = [];
    beforeHosts(async (alarm) => {
      const { replyUrl, state } = alarm;
      const wrong = [
        { state: 'ACK_SCALE_IN' },
        { state: `ACK_${state}`, instance_action: 'DELETE' },
        { state: 'yes' },
        { instance_action: 'MIGRATE' },
        [],
      ];
      const send = (body: unknown): Promise<number> => clinic.client.send('PUT', replyUrl, body);
      statuses.push(await Promise.all(wrong.map(send)));
      await clinic.client.answerAsVnfm(alarm);
    });
    const session = await createSession(PATIENT, SHORT_NOTICE_MS);
    await until(session, 'MAINTENANCE_DONE');
    assert.ok(statuses.length > 0);
    for (const found of statuses) assert.deepEqual(found, [409, 400, 400, 400, 400]);
  });

  test('answers a thousand times is heard once', async () => {
    const statuses = new Set<number>();
    let flood: Promise<void> | undefined;
    const send = async (alarm: Alarm): Promise<void> => {
      const body = { state: `ACK_${alarm.state}`, instance_action: 'MIGRATE' };
      for (let turn = 0; turn < 20; turn += 1) {
        const answers = Array.from({ length: 50 }, () => clinic.client.send('PUT', alarm.replyUrl, body));
        for (const status of await Promise.all(answers)) statuses.add(status);
      }
    };
    beforeHosts((alarm) => (flood ? clinic.client.answerAsVnfm(alarm) : (flood = send(alarm))));
    const session = await createSession(PATIENT, SHORT_NOTICE_MS);
    await until(session, 'MAINTENANCE_DONE');
    await flood;
    assert.ok(statuses.delete(200));
    // What is not asked any more, and what is too much at one time.
    for (const status of statuses) assert.ok([409, 429].includes(status), String(status));
  });

  test('dies inside the delivery gets nothing twice: its answer counts if it came, else it is silent', async () => {
    beforeHosts(async () => {
      throw new Error('out of memory');
    });
    const session = await createSession(PATIENT, SHORT_NOTICE_MS);
    await until(session, 'MAINTENANCE_FAILED');
    assert.equal((await heldIn(session))[0]?.code, 'ProjectSilent');
    const asked = clinic.alarms.filter(({ state }) => state.startsWith('P'));
    const failed = (await failedDeliveries(session)).filter((about) => about.startsWith('P'));
    assert.equal(failed.length, asked.length, 'it is known who was not told');

    beforeHosts(async (alarm) => {
      await clinic.client.answerAsVnfm(alarm);
      throw new Error('out of memory');
    });
    await ask('PUT', session, {});
    await until(session, 'MAINTENANCE_DONE');
    const ids = clinic.alarms.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length, 'nothing was sent twice');
  });
});
