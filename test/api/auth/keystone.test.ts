import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { KeystoneTokens } from '../../../src/api/auth/keystone.ts';
import { ApiError, type ApiErrorCode } from '../../../src/api/errors.ts';
import { closeServer, listenOnLoopback, originOf } from '../../support/loopback.ts';

/** Keystone as far as it says whose token it is. */
class FakeKeystone {
  asked: { path: string; headers: IncomingMessage['headers'] }[] = [];
  answer: { status: number; body: unknown } = { status: 200, body: {} };
  readonly #server: Server = createServer((request, response) => {
    this.asked.push({ path: request.url ?? '', headers: request.headers });
    const { status, body } = this.answer;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });

  start(): Promise<void> {
    return listenOnLoopback(this.#server);
  }

  get url(): string {
    return originOf(this.#server);
  }

  says(token: { roles?: string[]; project?: string; expiresInMs?: number }): void {
    const { roles = ['member'], project, expiresInMs = 3_600_000 } = token;
    this.answer = {
      status: 200,
      body: {
        token: {
          expires_at: new Date(Date.now() + expiresInMs).toISOString(),
          user: { id: 'user-1', name: 'somebody' },
          roles: roles.map((name) => ({ id: name, name })),
          ...(project !== undefined && { project: { id: project } }),
        },
      },
    };
  }

  close(): Promise<void> {
    return closeServer(this.#server);
  }
}

let keystone: FakeKeystone;
let tokens: KeystoneTokens;
beforeEach(async () => {
  keystone = new FakeKeystone();
  await keystone.start();
  tokens = new KeystoneTokens({ url: keystone.url });
});
afterEach(async () => {
  await tokens.close();
  await keystone.close();
});

const TOKEN = { 'x-auth-token': 'gAAAAABk' };

async function refusal(headers: Record<string, string> = TOKEN): Promise<ApiErrorCode> {
  try {
    await tokens.authenticate(headers);
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    assert.ok(!error.message.includes(TOKEN['x-auth-token']));
    return error.code;
  }
  assert.fail('it was let in');
}

test('a token says whose it is', async () => {
  keystone.says({ project: 'p1', roles: ['member', 'reader'] });
  assert.deepEqual(await tokens.authenticate(TOKEN), {
    id: 'user-1',
    isAdmin: false,
    isReader: false,
    project: 'p1',
  });
  const [asked] = keystone.asked;
  assert.match(asked?.path ?? '', /^\/v3\/auth\/tokens/);
  assert.equal(asked?.headers['x-subject-token'], TOKEN['x-auth-token']);
});

test('an administrator is told by the role', async () => {
  keystone.says({ project: 'p1', roles: ['admin', 'member'] });
  assert.equal((await tokens.authenticate(TOKEN)).isAdmin, true);
});

test('who may only read is told by the role', async () => {
  keystone.says({ project: 'p1', roles: ['reader'] });
  assert.equal((await tokens.authenticate(TOKEN)).isReader, true);
});

describe('Keystone is asked', () => {
  test('once for a token that comes often, however many come at one time', async () => {
    keystone.says({ project: 'p1' });
    await Promise.all([1, 2, 3].map(() => tokens.authenticate(TOKEN)));
    await tokens.authenticate(TOKEN);
    assert.equal(keystone.asked.length, 1);
    await tokens.authenticate({ 'x-auth-token': 'another' });
    assert.equal(keystone.asked.length, 2);
  });

  test('again when the token has expired meanwhile', async () => {
    keystone.says({ project: 'p1', expiresInMs: 300 });
    await tokens.authenticate(TOKEN);
    keystone.answer = { status: 404, body: { error: { code: 404, message: 'not found' } } };
    const deadline = Date.now() + 30_000;
    // Until then it is good.
    for (;;) {
      const code = await tokens.authenticate(TOKEN).then(
        () => undefined,
        (error: unknown) => (error as ApiError).code,
      );
      if (code === 'NotAuthenticated') break;
      assert.ok(Date.now() < deadline, 'it is trusted for ever');
    }
  });

  test('again after it has failed', async () => {
    keystone.answer = { status: 500, body: {} };
    assert.equal(await refusal(), 'Unavailable');
    keystone.says({ project: 'p1' });
    assert.equal((await tokens.authenticate(TOKEN)).project, 'p1');
  });
});

describe('refused is', () => {
  test('what Keystone does not know', async () => {
    for (const status of [401, 404]) {
      keystone.answer = { status, body: { error: { code: status, message: 'no' } } };
      assert.equal(await refusal(), 'NotAuthenticated');
    }
  });

  test('what has expired', async () => {
    keystone.says({ project: 'p1', expiresInMs: -1_000 });
    assert.equal(await refusal(), 'NotAuthenticated');
  });

  test('what is no token, without asking', async () => {
    for (const headers of [
      {},
      { 'x-auth-token': '' },
      { 'x-auth-token': 'a b' },
      { authorization: 'Basic x' },
    ]) {
      assert.equal(await refusal(headers as Record<string, string>), 'NotAuthenticated');
    }
    assert.equal(keystone.asked.length, 0);
  });
});

describe('nobody is let in, and it is said why,', () => {
  const trouble: [string, FakeKeystone['answer']][] = [
    ['when what answers is no Keystone', { status: 404, body: '<html>not here</html>' }],
    ['when the answer is not one of Keystone', { status: 200, body: { hello: 1 } }],
    ['when Keystone is busy', { status: 429, body: { error: { message: 'slow down' } } }],
  ];
  for (const [name, answer] of trouble) {
    test(name, async () => {
      keystone.answer = answer;
      assert.equal(await refusal(), 'Unavailable');
    });
  }

  test('when nothing answers', async () => {
    const gone = new KeystoneTokens({ url: 'http://127.0.0.1:1/v3' });
    await assert.rejects(
      gone.authenticate(TOKEN),
      (error: ApiError) => error.code === 'Unavailable' && !error.message.includes('gAAAAABk'),
    );
    await gone.close();
  });
});
