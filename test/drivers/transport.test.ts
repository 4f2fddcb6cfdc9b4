import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { text as readText } from 'node:stream/consumers';
import { z } from 'zod';
import { type ErrorCode, MaintenanceError } from '../../src/core/errors.ts';
import { type Call, parseRetryAfter, Transport, type TransportOptions } from '../../src/drivers/transport.ts';

const HOUR_MS = 3_600_000;
const signal = new AbortController().signal;
const read = { method: 'GET', path: '/things', schema: z.object({ ok: z.boolean() }), signal } as const;
const write = { ...read, method: 'POST', body: { wish: 1 } } as const;

const CERT = new URL('./tls/cert.pem', import.meta.url);
const tls = { cert: readFileSync(CERT), key: readFileSync(new URL('./tls/key.pem', import.meta.url)) };

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((thing) => thing.close()));
});

async function listen(server: Server & { closeAllConnections(): void }): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
  return (server.address() as AddressInfo).port;
}

/** A server and a transport to it; the last answer given is repeated. */
async function bed(
  answers: RequestListener | RequestListener[],
  options: Partial<TransportOptions> = {},
): Promise<{ transport: Transport; requests: IncomingMessage[] }> {
  const list = Array.isArray(answers) ? answers : [answers];
  const requests: IncomingMessage[] = [];
  const port = await listen(
    createServer((request, response) => {
      requests.push(request);
      list[Math.min(requests.length, list.length) - 1]?.(request, response);
    }),
  );
  return { transport: transportTo(`http://127.0.0.1:${port}/base/`, options), requests };
}

function transportTo(url: string, options: Partial<TransportOptions> = {}): Transport {
  const transport = new Transport({ url, timeoutMs: 5000, ...options });
  open.push(transport);
  return transport;
}

const answer =
  (status: number, body = '', headers: Record<string, string> = {}): RequestListener =>
  (_request, response) => {
    response.writeHead(status, headers).end(body);
  };
const fine = answer(200, '{"ok":true}');
const cut = (request: IncomingMessage): void => void request.socket.destroy();
const never = (): void => undefined;

async function failure(transport: Transport, call: Call<unknown>): Promise<MaintenanceError> {
  try {
    await transport.call(call);
  } catch (error) {
    assert.ok(error instanceof MaintenanceError, String(error));
    return error;
  }
  assert.fail('the call succeeded');
}

describe('a call', () => {
  test('sends JSON with its query and headers, and gives back status, headers and the checked body', async () => {
    let body = '';
    const { transport, requests } = await bed(
      (request, response: ServerResponse) =>
        void readText(request).then((sent) => {
          body = sent;
          response.writeHead(201, { 'x-token': 't' }).end('{"ok":true,"more":1}');
        }),
      { headers: () => ({ 'x-auth-token': 'abc' }) },
    );
    const result = await transport.call({
      ...write,
      query: { limit: 5, marker: undefined, name: 'a b' },
      headers: { 'idempotency-key': 'k' },
    });
    assert.deepEqual(
      { status: result.status, token: result.headers['x-token'], body: result.body },
      { status: 201, token: 't', body: { ok: true } },
    );
    const [request] = requests;
    assert.equal(request?.url, '/base/things?limit=5&name=a+b');
    assert.equal(request.headers['x-auth-token'], 'abc');
    assert.equal(request.headers['idempotency-key'], 'k');
    assert.equal(request.headers['content-type'], 'application/json');
    assert.equal(body, '{"wish":1}');
  });

  test('takes an empty answer as undefined', async () => {
    const { transport } = await bed(answer(204));
    const { body } = await transport.call({ ...write, schema: z.undefined() });
    assert.equal(body, undefined);
  });
});

describe('answers become errors of the catalogue', () => {
  const cases: [status: number, headers: Record<string, string>, code: ErrorCode, retryAfterMs?: number][] = [
    [400, {}, 'PlatformRefused'],
    [401, {}, 'NotAuthorized'],
    [403, {}, 'NotAuthorized'],
    [404, {}, 'NotFound'],
    [409, {}, 'PlatformRefused'],
    [429, { 'retry-after': '7' }, 'PlatformBusy', 7000],
    [429, {}, 'PlatformBusy'],
    [500, {}, 'PlatformError'],
    [503, { 'retry-after': '600' }, 'PlatformBusy', 600_000],
    [503, {}, 'PlatformError'],
  ];
  for (const [status, headers, code, retryAfterMs] of cases) {
    test(`${status} ${JSON.stringify(headers)} is ${code}`, async () => {
      const { transport } = await bed(answer(status, '{"message":"no such luck"}', headers));
      const error = await failure(transport, write);
      assert.equal(error.code, code);
      assert.equal(error.retryAfterMs, retryAfterMs);
      assert.equal(error.vendor, '{"message":"no such luck"}');
      assert.match(error.message, new RegExp(`^POST http://127.0.0.1:\\d+/base/things: answered ${status}`));
    });
  }

  const garbled: [what: string, listener: RequestListener, words: RegExp][] = [
    ['HTML', answer(200, `<html>${'x'.repeat(1000)}`), /not JSON/],
    ['JSON of another shape', answer(200, '{"ok":"yes"}'), /ok: .*boolean/],
    ['nothing where something is due', answer(200), /body: /],
    ['a redirection', answer(302, '', { location: 'http://elsewhere/' }), /302 and points elsewhere/],
  ];
  for (const [what, listener, words] of garbled) {
    test(`${what} is PlatformGarbled`, async () => {
      const { transport } = await bed(listener);
      const error = await failure(transport, read);
      assert.equal(error.code, 'PlatformGarbled');
      assert.match(error.message, words);
      assert.ok((error.vendor ?? '').length <= 300, 'quotes at most 300 characters');
    });
  }

  test('an answer that is too long is refused', async () => {
    const { transport } = await bed(answer(200, JSON.stringify({ ok: true, more: 'x'.repeat(5000) })), {
      maxAnswerBytes: 1000,
    });
    const error = await failure(transport, read);
    assert.equal(error.code, 'PlatformGarbled');
    assert.match(error.message, /too long/);
    assert.equal(error.retryable, false);
  });

  test('a driver may know better', async () => {
    const { transport } = await bed(answer(409, '{"fault":"busy"}', { 'retry-after': '2' }), {
      interpret: ({ status, json, retryAfterMs }) => {
        const busy = z.object({ fault: z.literal('busy') }).safeParse(json).success;
        const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
        return status === 409 && busy ? new MaintenanceError('PlatformBusy', 'busy', wait) : undefined;
      },
    });
    const error = await failure(transport, write);
    assert.deepEqual([error.code, error.retryAfterMs], ['PlatformBusy', 2000]);
  });

  test('secrets are cut out of what errors quote', async () => {
    const echo: RequestListener = (request, response) => {
      const { authorization, 'x-auth-token': token } = request.headers;
      response.writeHead(400).end(`${authorization} ${String(token)} pa"ss and ${JSON.stringify('pa"ss')}`);
    };
    const { transport } = await bed(echo, {
      headers: () => ({ authorization: 'Bearer s3cret-bearer', 'x-auth-token': 's3cret-token' }),
      secrets: () => ['pa"ss'],
    });
    const error = await failure(transport, write);
    assert.equal(error.vendor, '[secret] [secret] [secret] and "[secret]"');
  });

  test('an answer that is a secret is not quoted', async () => {
    for (const body of ['{"token": "t0ken"}', 't0ken']) {
      const { transport } = await bed(answer(200, body));
      const error = await failure(transport, { ...read, isSecret: true });
      assert.equal(error.code, 'PlatformGarbled');
      assert.doesNotMatch(`${error.message} ${error.vendor ?? ''}`, /t0ken/);
    }
  });

  test('secrets are cut out of what a driver may quote', async () => {
    const { transport } = await bed(answer(400, JSON.stringify({ message: 'no user ada with pa"ss' })), {
      secrets: () => ['pa"ss'],
      interpret: ({ json }) => new MaintenanceError('NotAuthorized', JSON.stringify(json)),
    });
    assert.equal((await failure(transport, write)).message, '{"message":"no user ada with [secret]"}');
  });
});

describe('connections', () => {
  test('refused is PlatformUnreachable', async () => {
    const error = await failure(transportTo('http://127.0.0.1:9'), write);
    assert.equal(error.code, 'PlatformUnreachable');
    assert.match(error.message, /ECONNREFUSED/);
  });

  test('cut off is PlatformUnreachable', async () => {
    const { transport } = await bed(cut);
    assert.equal((await failure(transport, write)).code, 'PlatformUnreachable');
  });

  test('no answer in time is PlatformUnreachable, and is not tried again', async () => {
    const { transport, requests } = await bed(never, { timeoutMs: 50 });
    const error = await failure(transport, read);
    assert.equal(error.code, 'PlatformUnreachable');
    assert.match(error.message, /no answer within 50 ms/);
    assert.equal(requests.length, 1);
  });

  test('an answer that trickles past the deadline is PlatformUnreachable', async () => {
    const { transport } = await bed((_request, response) => void response.writeHead(200).write('{"ok":'));
    assert.equal((await failure(transport, { ...read, timeoutMs: 50 })).code, 'PlatformUnreachable');
  });

  test('the signal of the caller ends the call with its reason', async () => {
    const { transport } = await bed(never);
    const controller = new AbortController();
    const reason = new Error('cancelled');
    const call = transport.call({ ...read, signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(call, reason);
    await assert.rejects(transport.call({ ...read, signal: controller.signal }), reason);
  });

  test('the signal of the caller ends the rest before a repetition', async () => {
    const { transport } = await bed(answer(503, '', { 'retry-after': '5' }));
    const controller = new AbortController();
    const reason = new Error('cancelled');
    const begun = Date.now();
    const call = transport.call({ ...read, signal: controller.signal });
    setTimeout(() => controller.abort(reason), 50);
    await assert.rejects(call, reason);
    assert.ok(Date.now() - begun < 3000, 'it did not wait for the end of the rest');
  });
});

describe('repetition', () => {
  for (const [what, trouble] of [
    ['a cut connection', cut],
    ['502', answer(502)],
    ['503', answer(503)],
    ['504', answer(504)],
  ] as const) {
    test(`a read is repeated after ${what}`, async () => {
      const { transport, requests } = await bed([trouble, fine]);
      assert.deepEqual((await transport.call(read)).body, { ok: true });
      assert.equal(requests.length, 2);
    });
  }

  test('a read is repeated only a few times', async () => {
    const { transport, requests } = await bed(answer(502));
    assert.equal((await failure(transport, read)).code, 'PlatformError');
    assert.equal(requests.length, 3);
  });

  test('a short Retry-After is waited out, a long one is handed on', async () => {
    const short = await bed([answer(503, '', { 'retry-after': '1' }), fine]);
    const begun = Date.now();
    await short.transport.call(read);
    assert.ok(Date.now() - begun >= 950, 'it waited as asked');
    const long = await bed([answer(503, '', { 'retry-after': '60' }), fine]);
    assert.equal((await failure(long.transport, read)).retryAfterMs, 60_000);
    assert.equal(long.requests.length, 1);
  });

  test('a write is never repeated', async () => {
    for (const trouble of [cut, answer(502), answer(503), answer(504)]) {
      const { transport, requests } = await bed([trouble, fine]);
      await failure(transport, write);
      assert.equal(requests.length, 1);
    }
  });

  for (const status of [400, 404, 429, 500]) {
    test(`a read is not repeated after ${status}`, async () => {
      const { transport, requests } = await bed([answer(status), fine]);
      await failure(transport, read);
      assert.equal(requests.length, 1);
    });
  }
});

describe('TLS', () => {
  const url = async (): Promise<string> => `https://127.0.0.1:${await listen(createTlsServer(tls, fine))}`;

  test('a certificate nobody vouches for is NotTrusted', async () => {
    const error = await failure(transportTo(await url()), read);
    assert.equal(error.code, 'NotTrusted');
    assert.match(error.message, /self-signed certificate/);
  });

  test('a CA file makes it trusted, for its names only', async () => {
    const caFile = CERT.pathname;
    const address = await url();
    assert.deepEqual((await transportTo(address, { tls: { caFile } }).call(read)).body, { ok: true });
    const other = transportTo(address.replace('127.0.0.1', 'localhost'), { tls: { caFile } });
    assert.equal((await failure(other, read)).code, 'NotTrusted');
  });

  test('verification can be configured off', async () => {
    const transport = transportTo(await url(), { tls: { verify: false } });
    assert.deepEqual((await transport.call(read)).body, { ok: true });
  });
});

test('Retry-After holds seconds or a date, and is believed up to an hour', () => {
  const now = Date.parse('2027-03-01T22:00:00Z');
  assert.equal(parseRetryAfter(undefined, now), undefined);
  assert.equal(parseRetryAfter('0', now), 0);
  assert.equal(parseRetryAfter('120', now), 120_000);
  assert.equal(parseRetryAfter('Mon, 01 Mar 2027 22:00:30 GMT', now), 30_000);
  assert.equal(parseRetryAfter('Mon, 01 Mar 2027 21:00:00 GMT', now), 0);
  assert.equal(parseRetryAfter('999999999', now), HOUR_MS);
  assert.equal(parseRetryAfter('soon', now), undefined);
});
