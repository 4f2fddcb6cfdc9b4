/** Renderers against what Python itself does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { renderAlarm } from '../../../src/notifications/aodh-alarm.ts';
import { WebhookSink } from '../../../src/notifications/webhook.ts';
import { planned } from '../../notifications/events.ts';
import { answer, startReceiver } from '../../notifications/receiver.ts';
import { Bed } from './bed.ts';

const bed = new Bed();

/** Blocks to which no version of Unicode adds any more, as the two sides may have different ones. */
const BLOCKS: readonly (readonly [number, number])[] = [
  ...([
    [0x00, 0x24f],
    [0x2000, 0x206f],
    [0x3040, 0x30ff],
    [0x4e00, 0x9fa5],
  ] as const),
  ...([
    [0xe000, 0xe0ff],
    [0xfff0, 0xffff],
    [0x1f600, 0x1f64f],
    [0xe0000, 0xe007f],
  ] as const),
];
const character = fc
  .oneof(...BLOCKS.map(([min, max]) => fc.integer({ min, max })))
  .map((point) => String.fromCodePoint(point));
const text = fc.oneof(
  fc.string({ unit: character }),
  fc.constantFrom("it's", '"it\'s"', 'back\\slash', 'tab\tline\n'),
);

/** Whole numbers, since Python tells 1 from 1.0 and JSON does not. */
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(text, tie('any'), { maxKeys: 4 }),
  ),
})).any;

test('the text of a trait is what Python and Ceilometer make of it', async () => {
  const samples = fc.sample(fc.dictionary(text, value, { maxKeys: 3 }), 1_000);
  const ours = samples.map((metadata) => {
    const { reason_data } = JSON.parse(renderAlarm({ ...planned, metadata }, {})) as {
      reason_data: { event: { traits: [string, number, string][] } };
    };
    return reason_data.event.traits.find(([name]) => name === 'metadata')?.[2];
  });
  assert.deepEqual(ours, await bed.texts(samples));
});

test('the signature of a webhook holds for another library', async () => {
  const receiver = await startReceiver(answer(204));
  const secret = Buffer.alloc(24, 1).toString('base64');
  const sink = new WebhookSink(
    { kind: 'webhook', url: receiver.url, secret, timeout: '30s', events: [planned.type] },
    'http://127.0.0.1:12347',
  );
  await sink.deliver(
    { ...planned, project: 'Köln' },
    { signal: AbortSignal.timeout(60_000), interrupted: false },
  );
  const [post] = receiver.posts;
  assert.ok(post);
  assert.deepEqual(await bed.verify(secret, post), JSON.parse(post.body));
  await assert.rejects(bed.verify(Buffer.alloc(24, 2).toString('base64'), post));
  await sink.close();
  await receiver.close();
});
