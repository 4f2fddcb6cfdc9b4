import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { createWebhookAction } from '../../../activities/actions/webhook.ts';
import type { ActionInput } from '../../../src/core/host-run.ts';
import { actionContext, actionInput, until } from './context.ts';

interface Seen {
  request: string;
  headers: IncomingHttpHeaders;
  body: unknown;
}

/** What the endpoint answers: status, JSON body (a string is sent as it is) and headers. */
type Reply = [status: number, body?: unknown, headers?: Record<string, string>];

let server: Server;
let origin = '';
let seen: Seen[] = [];
/** By request, such as `POST /hook?key=1`: the answers in order; the last one is repeated. */
let replies: Record<string, Reply[]> = {};

before(async () => {
  server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      const name = `${request.method} ${request.url}`;
      seen.push({
        request: name,
        headers: request.headers,
        body: text === '' ? undefined : JSON.parse(text),
      });
      const queue = replies[name] ?? [];
      answer(response, (queue.length > 1 ? queue.shift() : queue[0]) ?? [404]);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  seen = [];
  replies = {};
});

function answer(response: ServerResponse, [status, body, headers = {}]: Reply): void {
  response.writeHead(status, headers);
  response.end(typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body));
}

const requests = (): string[] => seen.map(({ request }) => request);

interface Options {
  url?: string;
  metadata?: Record<string, unknown>;
  input?: Partial<ActionInput>;
  context?: ReturnType<typeof actionContext>;
}

/** Runs a webhook action against the endpoint `it`, at /hook. */
const runWebhook = ({
  url = `${origin}/hook`,
  metadata,
  input,
  context = actionContext(),
}: Options = {}): Promise<void> =>
  createWebhookAction({ endpoints: { it: { url, headers: { authorization: 'Bearer s3cret' } } } })(
    actionInput('webhook', { endpoint: 'it', ...metadata }, input),
    context,
  );

test('the endpoint gets the action input, the body beside it, its headers and the idempotency key', async () => {
  replies['POST /hook?v=1'] = [[204]];
  await runWebhook({
    url: `${origin}/hook?v=1`,
    metadata: { body: { image: 'bios-2.1', host: 'another' } },
    input: { idempotencyKey: 'räck 12/compute-3/0' },
  });
  const [post] = seen;
  assert.deepEqual(post?.body, {
    image: 'bios-2.1',
    session: 'rack-12',
    site: 'demo',
    host: 'compute-3',
    type: 'host',
    plugin: 'webhook',
    metadata: { endpoint: 'it', body: { image: 'bios-2.1', host: 'another' } },
    sessionMetadata: { ticket: 'CHG-7' },
    idempotencyKey: 'räck 12/compute-3/0',
  });
  assert.equal(post.headers.authorization, 'Bearer s3cret');
  assert.equal(post.headers['idempotency-key'], 'r%C3%A4ck%2012/compute-3/0');
});

for (const [what, reply] of Object.entries<Reply>({
  '200 without a body': [200],
  '204': [204],
  '200 with a body of its own': [200, { id: 7 }],
  '200 that says done': [200, { status: 'done' }],
  '202 that says done': [202, { status: 'done' }],
})) {
  test(`an answer of ${what} ends the action`, async () => {
    replies['POST /hook'] = [reply];
    await runWebhook();
    assert.deepEqual(requests(), ['POST /hook']);
  });
}

for (const [what, reply] of Object.entries<Reply>({
  '202 with a Location': [202, undefined, { location: '/jobs/1' }],
  '202 with a poll address': [202, { poll: 'jobs/1' }],
  'running with a Location': [200, { status: 'running' }, { location: '/jobs/1' }],
})) {
  test(`after ${what} it polls until the job is done`, async () => {
    replies['POST /hook'] = [reply];
    replies['GET /jobs/1'] = [
      [200, { status: 'running' }],
      [200, { status: 'done' }],
    ];
    const context = actionContext();
    await runWebhook({ context });
    assert.deepEqual(requests(), ['POST /hook', 'GET /jobs/1', 'GET /jobs/1']);
    assert.equal(seen[1]?.headers.authorization, 'Bearer s3cret');
    assert.deepEqual(context.beats.at(-1), { poll: `${origin}/jobs/1` });
  });
}

test('a new attempt goes on polling the job of the earlier one and does not post again', async () => {
  replies['GET /jobs/1?x=y'] = [[200, { status: 'done' }]];
  const context = actionContext({ poll: `${origin}/jobs/1?x=y` });
  await runWebhook({ context });
  assert.deepEqual(requests(), ['GET /jobs/1?x=y']);
});

test('a failed job fails the action with what the endpoint says', async () => {
  replies['POST /hook'] = [[202, undefined, { location: '/jobs/1' }]];
  replies['GET /jobs/1'] = [[200, { status: 'failed', message: 'the battery is flat' }]];
  await assert.rejects(runWebhook(), {
    code: 'ActionFailed',
    retryable: false,
    message: /the battery is flat/,
  });
});

test('Retry-After decides when the next poll is made', async () => {
  replies['POST /hook'] = [[202, undefined, { location: '/jobs/1', 'retry-after': '1' }]];
  replies['GET /jobs/1'] = [[200, { status: 'done' }]];
  const started = performance.now();
  await runWebhook();
  assert.ok(performance.now() - started >= 1000);
});

for (const [what, reply] of Object.entries<Reply>({
  'a Location': [202, undefined, { location: 'http://192.0.2.1/steal' }],
  'a poll address': [202, { poll: 'http://192.0.2.1/steal' }],
  'something that is no address': [202, { poll: 'http://[' }],
})) {
  test(`an answer that points outside the endpoint's origin is refused: ${what}`, async () => {
    replies['POST /hook'] = [reply];
    await assert.rejects(runWebhook(), { code: 'ActionFailed', message: /outside http:\/\/127\.0\.0\.1/ });
  });
}

for (const [what, reply, expected] of [
  ['400', [400, { error: 'no such image' }], { code: 'ActionFailed', retryable: false }],
  ['403', [403, 'keep out'], { code: 'ActionFailed', retryable: false, vendor: 'keep out' }],
  ['409, as for a key still being worked on', [409], { code: 'PlatformBusy', retryable: true }],
  [
    '429 with Retry-After',
    [429, '', { 'retry-after': '7' }],
    { code: 'PlatformBusy', retryable: true, retryAfterMs: 7000 },
  ],
  ['500', [500, 'oops'], { code: 'PlatformError', retryable: true, vendor: 'oops' }],
  ['a web page', [200, '<html>'], { code: 'PlatformGarbled', retryable: true }],
  ['a status of its own', [200, { status: 'queued' }], { code: 'PlatformGarbled', retryable: true }],
  ['202 without an address to poll', [202], { code: 'PlatformGarbled', retryable: true }],
  ['a redirection', [307, undefined, { location: 'http://192.0.2.1/' }], { code: 'PlatformGarbled' }],
] satisfies [string, Reply, object][]) {
  test(`an answer of ${what} is ${expected.code}`, async () => {
    replies['POST /hook'] = [reply];
    await assert.rejects(runWebhook(), expected);
    assert.deepEqual(requests(), ['POST /hook']);
  });
}

test('a job that the endpoint no longer knows has failed', async () => {
  replies['GET /jobs/1'] = [[404]];
  await assert.rejects(runWebhook({ context: actionContext({ poll: `${origin}/jobs/1` }) }), {
    code: 'ActionFailed',
    message: /GET \/jobs\/1 was answered with 404/,
  });
});

test('a poll that does not say how the job stands is garbled', async () => {
  replies['GET /jobs/1'] = [[200, {}]];
  await assert.rejects(runWebhook({ context: actionContext({ poll: `${origin}/jobs/1` }) }), {
    code: 'PlatformGarbled',
    message: /no status/,
  });
});

test('an endpoint that does not answer can be tried again', async () => {
  await assert.rejects(runWebhook({ url: 'http://127.0.0.1:1/hook' }), {
    code: 'PlatformUnreachable',
    retryable: true,
  });
});

test('an endpoint that is not configured is not called', async () => {
  for (const endpoint of ['other', 'constructor']) {
    await assert.rejects(runWebhook({ metadata: { endpoint } }), {
      code: 'ActionNotAllowed',
      message: new RegExp(`"${endpoint}"`),
    });
  }
  assert.deepEqual(seen, []);
});

test('metadata that is wrong is refused by the name of the field', async () => {
  await assert.rejects(runWebhook({ metadata: { endpoint: 7, url: 'http://192.0.2.1/' } }), {
    code: 'ActionFailed',
    message: /metadata\.endpoint.*url/,
  });
});

test('an abort ends the polling, and its reason comes out', async () => {
  replies['POST /hook'] = [[202, undefined, { location: '/jobs/1', 'retry-after': '600' }]];
  const context = actionContext();
  const running = runWebhook({ context });
  await until(() => context.beats.length > 0);
  const reason = new Error('the session was cancelled');
  context.abort.abort(reason);
  await assert.rejects(running, reason);
});
