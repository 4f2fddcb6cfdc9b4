/** The sink `amqp` while the broker goes and comes. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';
import { AmqpSink } from '../../../src/notifications/amqp.ts';
import { hostOut, planned } from '../../notifications/events.ts';
import { Bed } from './bed.ts';

const bed = new Bed();
const unique = randomUUID().slice(0, 8);
const place = {
  exchange: `exchange-${unique}`,
  topic: `topic-${unique}`,
  options: ['amqp_durable_queues=true'],
};
const sink = new AmqpSink(
  {
    ...{ kind: 'amqp', url: bed.amqp, exchange: place.exchange, topic: place.topic, queues: 'durable' },
    ...{ events: [planned.type], timeout: '30s' },
  },
  'http://127.0.0.1:12347',
);
const context = { signal: AbortSignal.timeout(300_000), interrupted: false };

after(async () => {
  await bed.broker('start');
  await sink.close();
});

test('what was confirmed survives the broker, and a sink whose connection was lost makes another', async () => {
  const [before, later] = [planned, hostOut].map((event) => ({ ...event, id: randomUUID() }));
  assert.ok(before && later);
  await sink.deliver(before, context);
  await bed.broker('stop');
  await assert.rejects(sink.deliver(later, context), {
    code: 'DeliveryFailed',
    retryable: true,
    message: /ECONNREFUSED/,
  });
  await bed.broker('start');
  await sink.deliver(later, context);
  const listener = await bed.listen(place);
  const heard = [await listener.next(), await listener.next()];
  await listener.close();
  assert.deepEqual(heard.map(({ metadata }) => metadata.message_id).sort(), [before.id, later.id].sort());
});
