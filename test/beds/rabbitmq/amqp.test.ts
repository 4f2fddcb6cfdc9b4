/** The sink `amqp` against a real RabbitMQ, heard by the real oslo.messaging. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { connect, type ChannelModel, type GetMessage } from 'amqplib';
import type { NoticeEvent } from '../../../src/core/notice.ts';
import { AmqpSink } from '../../../src/notifications/amqp.ts';
import { fenixPayload } from '../../../src/notifications/fenix-payload.ts';
import type { AmqpSettings } from '../../../src/notifications/settings.ts';
import { actionDone, halfDone, hostOut, planned } from '../../notifications/events.ts';
import { Bed, type Heard, type Listener, type Place } from './bed.ts';

const API = 'http://127.0.0.1:12347';
const CERTIFICATE = readFileSync(path.join(import.meta.dirname, '../../drivers/tls/cert.pem'), 'utf8');
/** Nothing listens there. */
const NOBODY = 'amqp://haulout:haulout@127.0.0.1:1';

const bed = new Bed();
const cleanups: (() => Promise<void>)[] = [];
let connection: ChannelModel;

before(async () => {
  connection = await connect(bed.amqp);
});
after(async () => {
  await connection.close();
  await Promise.all(cleanups.map((cleanUp) => cleanUp()));
});

/** Exchange and queue that no other test uses. */
function newPlace(): Place {
  const unique = randomUUID().slice(0, 8);
  return { exchange: `exchange-${unique}`, topic: `topic-${unique}` };
}

function sinkAt({ exchange, topic }: Place, more: Partial<AmqpSettings> = {}): AmqpSink {
  const settings: AmqpSettings = {
    ...{ kind: 'amqp', url: bed.amqp, exchange, topic, queues: 'transient', timeout: '30s' },
    events: [hostOut.type],
    ...more,
  };
  const sink = new AmqpSink(settings, API);
  cleanups.push(() => sink.close());
  return sink;
}

async function listenAt(place: Place): Promise<Listener> {
  const listener = await bed.listen(place);
  cleanups.push(() => listener.close());
  return listener;
}

const context = { signal: AbortSignal.timeout(300_000), interrupted: false };

const fresh = <T extends NoticeEvent>(event: T): T => ({ ...event, id: randomUUID() });

test('a listener of oslo.messaging gets every event, also what was sent before it came', async () => {
  const place = newPlace();
  const sink = sinkAt(place);
  const events = [planned, actionDone, hostOut, halfDone].map(fresh);
  const [first, ...others] = events;
  assert.ok(first);
  await sink.deliver(first, context);
  const listener = await listenAt(place);
  await Promise.all(others.map((event) => sink.deliver(event, context)));
  const heard = new Map<string, Heard>();
  while (heard.size < events.length) {
    const notification = await listener.next();
    heard.set(notification.metadata.message_id, notification);
  }
  for (const event of events) {
    assert.deepEqual(heard.get(event.id), {
      publisher_id: 'fenix',
      event_type: event.type,
      payload: fenixPayload(event, { apiUrl: API }),
      metadata: { message_id: event.id, timestamp: '2027-03-01 21:59:30.250000' },
    });
  }
});

test('an event that is sent again is not heard again', async () => {
  const place = newPlace();
  const sink = sinkAt(place);
  const listener = await listenAt(place);
  const [repeated, next, last] = [fresh(planned), fresh(hostOut), fresh(halfDone)];
  // A listener remembers what it has done with; when it hears the next one it has done with the first.
  for (const event of [repeated, next]) {
    await sink.deliver(event, context);
    assert.equal((await listener.next()).metadata.message_id, event.id);
  }
  for (const event of [repeated, last]) await sink.deliver(event, context);
  assert.equal((await listener.next()).metadata.message_id, last.id);
});

/** The keys of an object, with the types of their values. */
const shapeOf = (value: object): Record<string, string> =>
  Object.fromEntries(
    Object.entries(value)
      .map(([key, item]): [string, string] => [key, typeof item])
      .sort(),
  );

/** A message without what differs from one to the next. */
function describeMessage({ fields, properties, content }: GetMessage): object {
  const envelope = JSON.parse(content.toString()) as Record<string, string>;
  const notification = JSON.parse(envelope['oslo.message'] ?? '') as Record<string, unknown>;
  const propertyOf = new Map<string, unknown>(Object.entries(properties));
  return {
    routingKey: fields.routingKey,
    properties: ['contentType', 'contentEncoding', 'deliveryMode'].map((name) => propertyOf.get(name)),
    envelope: shapeOf(envelope),
    version: envelope['oslo.version'],
    notification: shapeOf(notification),
    event: notification.event_type,
    priority: notification.priority,
    payload: notification.payload,
  };
}

test('a message is like one of the real notifier', async () => {
  const place = newPlace();
  await sinkAt(place).deliver(planned, context);
  await bed.notify(place, fenixPayload(planned, { apiUrl: API }));
  const channel = await connection.createChannel();
  const ours = await channel.get(`${place.topic}.info`, { noAck: true });
  const theirs = await channel.get(`${place.topic}.info`, { noAck: true });
  await channel.close();
  assert.ok(ours && theirs);
  assert.deepEqual(describeMessage(ours), describeMessage(theirs));
});

for (const [queues, options] of [
  ['transient', []],
  ['durable', ['amqp_durable_queues=true']],
  ['quorum', ['rabbit_quorum_queue=true']],
] as const) {
  test(`queues of kind ${queues} are those of ${options[0] ?? 'a listener without options'}`, async () => {
    const theirs = { ...newPlace(), options };
    const listener = await listenAt(theirs);
    await sinkAt(theirs, { queues }).deliver(planned, context);
    assert.equal((await listener.next()).metadata.message_id, planned.id);

    const ours = { ...newPlace(), options };
    await sinkAt(ours, { queues }).deliver(planned, context);
    assert.equal((await (await listenAt(ours)).next()).metadata.message_id, planned.id);
  });
}

test('where exchange and queue are of another kind, the failure says so', async () => {
  const place = newPlace();
  await sinkAt(place).deliver(planned, context);
  await assert.rejects(sinkAt(place, { queues: 'durable' }).deliver(planned, context), {
    code: 'DeliveryFailed',
    message: /PRECONDITION.*inequivalent arg 'durable'/,
  });
});

test('a broker with TLS is reached when its CA is known, and not else', async () => {
  const place = newPlace();
  await sinkAt(place, { url: bed.amqps, ca: CERTIFICATE }).deliver(planned, context);
  await assert.rejects(sinkAt(place, { url: bed.amqps }).deliver(planned, context), {
    code: 'DeliveryFailed',
    retryable: true,
    message: /self-signed certificate/,
  });
});

test('a login that is refused is told without the password', async () => {
  const url = bed.amqp.replace('haulout:haulout', 'haulout:hunter2');
  await assert.rejects(sinkAt(newPlace(), { url }).deliver(planned, context), (error: Error) => {
    assert.match(error.message, /ACCESS_REFUSED/);
    assert.doesNotMatch(error.message, /hunter2/);
    return true;
  });
});

test('of a cluster the first broker that answers is taken', async () => {
  const place = newPlace();
  await sinkAt(place, { url: [NOBODY, bed.amqp] }).deliver(planned, context);
  await assert.rejects(sinkAt(place, { url: [NOBODY, NOBODY] }).deliver(planned, context), {
    code: 'DeliveryFailed',
    retryable: true,
    message: /ECONNREFUSED.*;.*ECONNREFUSED/,
  });
});

/** A way to the broker on which nothing moves while it is frozen. */
async function startPath(): Promise<{ url: string; freeze: (frozen: boolean) => void }> {
  let frozen = false;
  const streams = new Set<Socket>();
  const server = createServer((client) => {
    const broker = createConnection({ host: '127.0.0.1', port: Number(new URL(bed.amqp).port) });
    for (const stream of [client, broker]) {
      streams.add(stream);
      stream.on('error', () => undefined);
    }
    client.on('data', (data) => frozen || broker.write(data));
    broker.on('data', (data) => frozen || client.write(data));
    client.on('close', () => broker.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(async () => {
    for (const stream of streams) stream.destroy();
    server.close();
  });
  const url = new URL(bed.amqp);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    freeze: (asked) => {
      frozen = asked;
    },
  };
}

test('a broker that says nothing any more does not hold up a delivery, and the next one connects anew', async () => {
  const { url, freeze } = await startPath();
  const sink = sinkAt(newPlace(), { url, timeout: '2s' });
  await sink.deliver(fresh(planned), context);
  freeze(true);
  for (let attempts = 0; attempts < 2; attempts += 1) {
    await assert.rejects(sink.deliver(fresh(planned), context), {
      code: 'DeliveryFailed',
      retryable: true,
      message: /no confirmation within 2000 ms/,
    });
  }
  freeze(false);
  await sink.deliver(fresh(planned), context);
});

test('a delivery may be ended from outside', async () => {
  const reason = new Error('the worker stops');
  const signal = AbortSignal.abort(reason);
  await assert.rejects(sinkAt(newPlace()).deliver(planned, { ...context, signal }), reason);
});
