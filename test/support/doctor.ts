/**
 * Clients as OPNFV Doctor has them, by the requests they make: they take alarms of AODH, and answer before they end the
 * request that brought one. Like Doctor they give up at the first answer that is not 200.
 */
import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { startReceiver, type Receiver } from '../notifications/receiver.ts';
import type { HeatStack } from './heat-stack.ts';

/** What a client reads in an alarm. */
export interface Alarm {
  id: string;
  state: string;
  session: string;
  /** Where to ask for them, or a list of one. */
  instances: string | string[];
  allowedActions: string[];
  replyUrl: string;
}

export type React = (alarm: Alarm) => Promise<void>;

/** Instances that a client makes room with at one time. */
const SCALED_AT_ONCE = 2;

/** Takes alarms: 200 when it is done with one, 500 when that fails. */
export const startManager = (react: React): Promise<Receiver> =>
  startReceiver(async (response, { body }) => {
    try {
      await react(alarmIn(body));
      response.writeHead(200).end();
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });

interface AlarmBody {
  reason_data: { event: { message_id: string; traits: [string, number, string][] } };
}

function alarmIn(body: string): Alarm {
  const { event } = (JSON.parse(body) as AlarmBody).reason_data;
  const traits = new Map(event.traits.map(([name, , value]) => [name, value]));
  const read = (name: string): string => {
    const value = traits.get(name);
    assert.ok(value !== undefined, `the alarm has no ${name}`);
    return value;
  };
  // Doctor reads what Python has written as YAML.
  return {
    id: event.message_id,
    state: read('state'),
    session: read('session_id'),
    instances: parse(read('instance_ids')) as string | string[],
    allowedActions: parse(read('allowed_actions')) as string[],
    replyUrl: read('reply_url'),
  };
}

export class DoctorClient {
  readonly #token: string;
  readonly #stack: HeatStack;
  /** Ids that it has ever put constraints of. */
  readonly #protected = new Set<string>();
  #size = 0;

  constructor(token: string, stack: HeatStack) {
    this.#token = token;
    this.#stack = stack;
  }

  /** The status of the answer. */
  async send(method: string, url: string, body?: unknown): Promise<number> {
    return (await this.#fetch(method, url, body)).status;
  }

  /** @param api address of the service */
  async putConstraints(api: string, project: string): Promise<void> {
    const servers = await this.#stack.servers();
    this.#size = servers.length;
    const group = {
      project_id: project,
      anti_affinity_group: false,
      max_instances_per_host: 0,
      max_impacted_members: 2,
      recovery_time: 1,
      resource_mitigation: true,
    };
    for (const [id, name, more] of [
      ['nonha', 'doctor_nonha_app_group', {}],
      // All of its instances are in the other one.
      ['ha', 'doctor_ha_app_group', { anti_affinity_group: true, max_instances_per_host: 1 }],
    ] as const) {
      const url = `${api}/v1/instance_group/${id}`;
      await this.#must('PUT', url, { group_id: id, group_name: name, ...group, ...more });
    }
    for (const { id, name } of servers) {
      this.#protected.add(id);
      await this.#must('PUT', `${api}/v1/instance/${id}`, {
        instance_id: id,
        project_id: project,
        group_id: 'nonha',
        instance_name: name,
        max_interruption_time: 120,
        migration_type: 'MIGRATE',
        resource_mitigation: true,
        lead_time: 1,
      });
    }
  }

  /** Also of instances that are gone since. */
  async deleteConstraints(api: string): Promise<void> {
    for (const id of this.#protected) await this.#must('DELETE', `${api}/v1/instance/${id}`);
    for (const id of ['nonha', 'ha']) await this.#must('DELETE', `${api}/v1/instance_group/${id}`);
  }

  /** Answers as the VNFM does, for one instance at a time. */
  readonly answerAsVnfm: React = async (alarm) => {
    const { state, instances } = alarm;
    switch (state) {
      case 'INSTANCE_ACTION_DONE':
        return;
      case 'PREPARE_MAINTENANCE':
      case 'PLANNED_MAINTENANCE':
        assert.ok(alarm.allowedActions.includes('MIGRATE'));
        assert.equal(instances.length, 1);
        return this.#must('PUT', alarm.replyUrl, { instance_action: 'MIGRATE', state: `ACK_${state}` });
      default:
        await this.#prepare(alarm);
        return this.#must('PUT', alarm.replyUrl, { state: `ACK_${state}` });
    }
  };

  /** Answers as the sample of a manager does, for all of its instances at once. */
  readonly answerAsSample: React = async (alarm) => {
    const { state, session, replyUrl } = alarm;
    const common = { session_id: session, state: `ACK_${state}` };
    switch (state) {
      case 'INSTANCE_ACTION_DONE':
        return;
      case 'PREPARE_MAINTENANCE':
      case 'PLANNED_MAINTENANCE': {
        const ids = await this.#instancesAt(alarm.instances);
        const actions = Object.fromEntries(ids.map((id) => [id, 'MIGRATE']));
        return this.#must('PUT', replyUrl, { ...common, instance_actions: actions });
      }
      default: {
        await this.#prepare(alarm);
        const ids = (await this.#stack.servers()).map(({ id }) => id);
        return this.#must('PUT', replyUrl, { ...common, instance_ids: ids });
      }
    }
  };

  /** What is to be done before it agrees. */
  async #prepare({ state, instances }: Alarm): Promise<void> {
    if (state === 'MAINTENANCE') {
      const own = (await this.#stack.servers()).map(({ id }) => id);
      this.#size = own.length;
      assert.deepEqual((await this.#instancesAt(instances)).sort(), own.sort());
    }
    if (state === 'SCALE_IN') {
      for (let step = 0; step < SCALED_AT_ONCE; step += 1) await this.#stack.scaleIn();
    }
    if (state === 'MAINTENANCE_COMPLETE') {
      while ((await this.#stack.servers()).length < this.#size) await this.#stack.scaleOut();
    }
  }

  async #instancesAt(url: Alarm['instances']): Promise<string[]> {
    assert.ok(typeof url === 'string', 'the alarm says where to ask');
    const answer = await this.#fetch('GET', url);
    assert.equal(answer.status, 200, await answer.clone().text());
    return ((await answer.json()) as { instance_ids: string[] }).instance_ids;
  }

  async #must(method: string, url: string, body?: unknown): Promise<void> {
    const answer = await this.#fetch(method, url, body);
    assert.equal(answer.status, 200, `${method} ${url}: ${await answer.text()}`);
  }

  #fetch(method: string, url: string, body?: unknown): Promise<Response> {
    return fetch(url, {
      method,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        'x-auth-token': this.#token,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }
}
