import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CloudEvent } from 'cloudevents';
import { renderAlarm } from '../../src/notifications/aodh-alarm.ts';
import { renderCloudEvent } from '../../src/notifications/cloud-event.ts';
import { renderOsloMessage } from '../../src/notifications/oslo-message.ts';
import { actionDone, halfDone, hostOut, planned } from './events.ts';

const apiUrl = 'http://127.0.0.1:12347/';
const asked = 'http://127.0.0.1:12347/v1/maintenance/rack%2012/p-1';
const id = planned.id;
const answered = `${asked}?notice=${id}`;

interface Alarm {
  reason_data: { type: string; event: { traits: unknown[] } & Record<string, unknown> };
}

const alarmOf = (...args: Parameters<typeof renderAlarm>): Alarm => JSON.parse(renderAlarm(...args)) as Alarm;
const traitsOf = (...args: Parameters<typeof renderAlarm>): unknown[] =>
  alarmOf(...args).reason_data.event.traits;

test('a notice is the alarm that AODH posts', () => {
  const alarm = alarmOf(planned, { apiUrl });
  const { reason_data, ...head } = alarm;
  assert.deepEqual(Object.keys(head), [
    'alarm_name',
    'alarm_id',
    'severity',
    'previous',
    'current',
    'reason',
  ]);
  assert.equal(reason_data.type, 'event');
  const { traits, ...event } = reason_data.event;
  assert.deepEqual(event, {
    event_type: 'maintenance.scheduled',
    message_id: id,
    generated: '2027-03-01T21:59:30.250000',
    raw: {},
    message_signature: '',
  });
  assert.deepEqual(traits, [
    ['service', 1, 'fenix'],
    ['project_id', 1, 'p-1'],
    ['instance_ids', 1, asked],
    ['allowed_actions', 1, "['MIGRATE', 'LIVE_MIGRATE', 'OWN_ACTION']"],
    ['state', 1, 'PLANNED_MAINTENANCE'],
    ['actions_at', 4, '2027-03-01T22:05:00'],
    ['reply_at', 4, '2027-03-01T22:00:10'],
    ['session_id', 1, 'rack 12'],
    ['metadata', 1, "{'openstack_version': 'Train'}"],
    ['reply_url', 1, answered],
  ]);
});

test('a notice about one instance lists it, and is answered at an address of its own', () => {
  const traits = traitsOf({ ...planned, instance: 'vm-1', instances: ['vm-1'] }, { apiUrl });
  assert.deepEqual(traits[2], ['instance_ids', 1, "['vm-1']"]);
  assert.deepEqual(traits.at(-1), ['reply_url', 1, `${asked}/vm-1?notice=${id}`]);
});

test('what nobody waits for has no times, and lists the instance it is about', () => {
  const traits = traitsOf(actionDone, { apiUrl }) as [string, number, string][];
  assert.deepEqual(
    traits.map(([name]) => name),
    [
      ...['service', 'project_id', 'instance_ids', 'allowed_actions', 'state', 'session_id', 'metadata'],
      'reply_url',
    ],
  );
  assert.deepEqual(traits[2], ['instance_ids', 1, "['vm-1']"]);
  assert.equal(traits.at(-1)?.[2], asked, 'nothing is answered');
  assert.deepEqual(traits[3], ['allowed_actions', 1, '[]']);
});

test('texts are cut at 255 characters, not in the middle of one', () => {
  const traits = traitsOf({ ...planned, metadata: { note: '🚢'.repeat(300) } }, { apiUrl });
  const [, , text] = traits.find((trait) => Array.isArray(trait) && trait[0] === 'metadata') as string[];
  assert.equal(text, `{'note': '${'🚢'.repeat(245)}`);
});

test('events of hosts and sessions carry the project of the administrator', () => {
  assert.deepEqual(traitsOf(hostOut, { adminProject: 'admin-id' }), [
    ['service', 1, 'fenix'],
    ['project_id', 1, 'admin-id'],
    ['host', 1, 'compute-3'],
    ['state', 1, 'IN_MAINTENANCE'],
    ['session_id', 1, 'rack 12'],
  ]);
  assert.deepEqual(traitsOf(halfDone, {}), [
    ['service', 1, 'fenix'],
    ['state', 1, 'PLANNED_MAINTENANCE'],
    ['percent_done', 2, 50],
    ['session_id', 1, 'rack 12'],
  ]);
});

test('on the bus a notification is JSON in an envelope of JSON', () => {
  const envelope = JSON.parse(renderOsloMessage(planned, { apiUrl })) as Record<string, string>;
  assert.deepEqual(Object.keys(envelope), ['oslo.version', 'oslo.message']);
  assert.equal(envelope['oslo.version'], '2.0');
  assert.deepEqual(JSON.parse(envelope['oslo.message'] ?? ''), {
    message_id: id,
    publisher_id: 'fenix',
    event_type: 'maintenance.scheduled',
    priority: 'INFO',
    payload: {
      project_id: 'p-1',
      instance_ids: asked,
      allowed_actions: ['MIGRATE', 'LIVE_MIGRATE', 'OWN_ACTION'],
      state: 'PLANNED_MAINTENANCE',
      actions_at: '2027-03-01 22:05:00',
      reply_at: '2027-03-01 22:00:10',
      session_id: 'rack 12',
      metadata: { openstack_version: 'Train' },
      reply_url: answered,
    },
    timestamp: '2027-03-01 21:59:30.250000',
    _unique_id: id,
  });
});

test('a CloudEvent says what happened in the names of sessions', () => {
  const { contentType, body } = renderCloudEvent(planned, { apiUrl });
  assert.match(contentType, /^application\/cloudevents\+json/);
  const event = JSON.parse(body) as Record<string, unknown>;
  assert.ok(new CloudEvent(event).validate());
  const { id: _id, at: _at, type: _type, ...facts } = planned;
  assert.deepEqual(event, {
    id,
    time: '2027-03-01T21:59:30.250Z',
    type: 'maintenance.scheduled',
    source: '/sites/demo/sessions/rack%2012',
    specversion: '1.0',
    subject: 'p-1',
    datacontenttype: 'application/json',
    data: { ...facts, replyUrl: answered },
  });
});

test('the subject of a CloudEvent is the host or the session it is about', () => {
  const subjects = [hostOut, halfDone].map((event) => {
    const { subject, data } = JSON.parse(renderCloudEvent(event, {}).body) as {
      subject: string;
      data: object;
    };
    return [subject, Object.keys(data)];
  });
  assert.deepEqual(subjects, [
    ['compute-3', ['site', 'session', 'host', 'state']],
    ['rack 12', ['site', 'session', 'state', 'percentDone']],
  ]);
});
