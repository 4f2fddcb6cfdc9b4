import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { AodhSink } from '../../src/notifications/aodh.ts';
import { renderAlarm } from '../../src/notifications/aodh-alarm.ts';
import { renderCloudEvent } from '../../src/notifications/cloud-event.ts';
import type { DeliveryContext, Sink } from '../../src/notifications/sink.ts';
import { WebhookSink } from '../../src/notifications/webhook.ts';
import { hostOut, planned } from './events.ts';
import { answer, startReceiver, type Reaction, type Receiver } from './receiver.ts';

const API = 'http://127.0.0.1:12347';
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
/** Nothing listens there. */
const NOBODY = 'http://127.0.0.1:1';

const cleanups: (() => Promise<void>)[] = [];
after(async () => {
  for (const cleanUp of cleanups) await cleanUp();
});

async function receiver(react: Reaction): Promise<Receiver> {
  const started = await startReceiver(react);
  cleanups.push(() => started.close());
  return started;
}

function kept<T extends Sink>(sink: T): T {
  cleanups.push(() => sink.close());
  return sink;
}

const context = (more: Partial<DeliveryContext> = {}): DeliveryContext => ({
  signal: AbortSignal.timeout(60_000),
  interrupted: false,
  ...more,
});

const webhook = (url: string, timeout = '30s'): WebhookSink =>
  kept(
    new WebhookSink(
      { kind: 'webhook', url, secret: SECRET, timeout, events: ['maintenance.scheduled'] },
      API,
    ),
  );

const aodh = (address: { url?: string; urls?: Record<string, string> }, timeout = '30s'): AodhSink =>
  kept(new AodhSink({ kind: 'aodh', ...address, timeout, events: ['maintenance.scheduled'] }, API));

test('a webhook is a CloudEvent whose signature holds', async () => {
  const { url, posts } = await receiver(answer(204));
  await webhook(`${url}/hooks?team=ops`).deliver(planned, context());
  const [post] = posts;
  assert.equal(post?.path, '/hooks?team=ops');
  assert.match(post.headers['content-type'] ?? '', /^application\/cloudevents\+json/);
  assert.equal(post.headers['webhook-id'], planned.id);
  assert.equal(post.body, renderCloudEvent(planned, { apiUrl: API }).body);
  const signature = new Webhook(SECRET);
  const headers = post.headers as Record<string, string>;
  assert.deepEqual(signature.verify(post.body, headers), JSON.parse(post.body));
  assert.throws(() => signature.verify(post.body.replace('p-1', 'p-2'), headers), /No matching signature/);
});

test('each attempt of a webhook has the same id', async () => {
  const { url, posts } = await receiver(answer(200));
  const sink = webhook(url);
  await sink.deliver(planned, context());
  await sink.deliver(planned, context({ interrupted: true }));
  assert.deepEqual(
    posts.map(({ headers }) => headers['webhook-id']),
    [planned.id, planned.id],
  );
});

for (const [status, expected] of [
  [301, { retryable: true }],
  [404, { retryable: true }],
  [410, { retryable: false }],
  [500, { retryable: true, vendor: 'no such team at [path]' }],
] as const) {
  test(`a webhook that is answered with ${status} is ${expected.retryable ? '' : 'not '}sent again`, async () => {
    const { url, posts } = await receiver(
      answer(status, 'no such team at /hooks/s3cret', { location: `${NOBODY}/elsewhere` }),
    );
    await assert.rejects(webhook(`${url}/hooks/s3cret`).deliver(planned, context()), {
      code: 'DeliveryFailed',
      message: new RegExp(`^the answer is ${status} `),
      ...expected,
    });
    assert.equal(posts.length, 1);
  });
}

test('a webhook is sent again when the receiver asks for it', async () => {
  const { url } = await receiver(answer(503, '', { 'retry-after': '17' }));
  await assert.rejects(webhook(url).deliver(planned, context()), { retryable: true, retryAfterMs: 17_000 });
});

const silent: Record<string, Reaction> = {
  'never answers': () => undefined,
  'cuts the connection': (response) => {
    response.destroy();
  },
};

for (const [what, reaction] of Object.entries(silent)) {
  test(`of a receiver that ${what} nobody knows whether it has the event`, async () => {
    const { url, posts } = await receiver(reaction);
    await assert.rejects(webhook(url, '1s').deliver(planned, context()), { retryable: true });
    await assert.rejects(aodh({ url }, '1s').deliver(planned, context()), {
      code: 'DeliveryFailed',
      retryable: false,
      message: /may have acted on it/,
    });
    assert.equal(posts.length, 2);
  });
}

test('an event that cannot have left is sent again, to whichever sink', async () => {
  for (const sink of [webhook(NOBODY), aodh({ url: NOBODY })]) {
    await assert.rejects(sink.deliver(planned, context()), {
      code: 'DeliveryFailed',
      retryable: true,
      message: /ECONNREFUSED/,
    });
  }
});

test('a client of Fenix gets the alarm of its project', async () => {
  const { url, posts } = await receiver(answer(200, 'OK'));
  const sink = aodh({ urls: { 'p-1': `${url}/maintenance`, 'p-2': `${url}/other` } });
  await sink.deliver(planned, context());
  const [post] = posts;
  assert.equal(post?.path, '/maintenance');
  assert.equal(post.headers['content-type'], 'application/json');
  assert.equal(post.body, renderAlarm(planned, { apiUrl: API }));
  for (const event of [{ ...planned, project: 'constructor' }, hostOut]) {
    await assert.rejects(sink.deliver(event, context()), { code: 'DeliveryFailed', retryable: false });
  }
  assert.equal(posts.length, 1);
});

for (const status of [302, 404, 500, 503]) {
  test(`an alarm that is answered with ${status} is not sent again: the client has seen it`, async () => {
    const { url, posts } = await receiver(answer(status, 'Traceback', { 'retry-after': '1' }));
    await assert.rejects(aodh({ url }).deliver(planned, context()), {
      code: 'DeliveryFailed',
      retryable: false,
      vendor: 'Traceback',
    });
    assert.equal(posts.length, 1);
  });
}

test('an alarm is not sent again when an attempt has ended without a word', async () => {
  const { url, posts } = await receiver(answer(200));
  await assert.rejects(aodh({ url }).deliver(planned, context({ interrupted: true })), {
    code: 'DeliveryFailed',
    retryable: false,
  });
  assert.deepEqual(posts, []);
});

test('clients that answer inside the delivery, many at a time, keep nobody waiting', async () => {
  const COUNT = 100;
  let release: () => void = () => undefined;
  const allHaveCome = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { url, posts } = await receiver(async (response) => {
    if (posts.length === COUNT) release();
    await allHaveCome;
    response.end();
  });
  const sink = aodh({ url });
  await Promise.all(Array.from({ length: COUNT }, () => sink.deliver(planned, context())));
});

test('an abort ends the attempt, and its reason comes out', async () => {
  const controller = new AbortController();
  const reason = new Error('the worker stops');
  const { url } = await receiver(() => {
    controller.abort(reason);
  });
  await assert.rejects(webhook(url).deliver(planned, context({ signal: controller.signal })), reason);
});

test('the body of an answer is not waited for', async () => {
  const { url } = await receiver((response) => {
    response.writeHead(200).write('and so on');
  });
  await aodh({ url }).deliver(planned, context());
});
