/** How the client bears programs that hand out credentials, and API servers that do not watch as they should. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http, { type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, test } from 'node:test';
import { KubeConfig } from '@kubernetes/client-node';
import { MaintenanceError } from '../../src/core/errors.ts';
import { KubernetesClient } from '../../src/kubernetes/client.ts';
import { NODES } from '../../src/kubernetes/core.ts';
import { NODE_LOCKS } from '../../src/kubernetes/lcm.ts';
import { closeServer, listenOnLoopback, originOf } from '../support/loopback.ts';

const signal = new AbortController().signal;
const EMPTY = { metadata: { resourceVersion: '1' }, items: [] };

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of leftovers.splice(0)) await clean();
});

/** A client of a server that answers so, and the requests that came. */
async function clientOf(
  answer: RequestListener,
  user: object = {},
): Promise<{ client: KubernetesClient; requests: http.IncomingMessage[] }> {
  const requests: http.IncomingMessage[] = [];
  const server = http.createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await listenOnLoopback(server);
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [{ name: 'c', server: originOf(server), skipTLSVerify: true }],
    users: [{ name: 'u', ...user }],
    contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
    currentContext: 'x',
  });
  const client = new KubernetesClient(config, { timeoutMs: 1_000 });
  leftovers.push(
    () => client.close(),
    () => closeServer(server),
  );
  return { client, requests };
}

/** A user for whom this shell script hands out credentials. */
function userOf(script: string): object {
  const directory = mkdtempSync(path.join(tmpdir(), 'haulout-exec-'));
  leftovers.push(() => rmSync(directory, { recursive: true }));
  const command = path.join(directory, 'login');
  writeFileSync(command, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { exec: { apiVersion: 'client.authentication.k8s.io/v1', command, interactiveMode: 'Never' } };
}

const json =
  (body: object): RequestListener =>
  (_, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));

const refused =
  (code: string, words: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof MaintenanceError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, words);
    return true;
  };

test('a program that hands out a token is asked for it, once for all who wait', async () => {
  const count = path.join(tmpdir(), `haulout-asked-${process.pid}`);
  leftovers.push(() => rmSync(count));
  const credential = '{"kind": "ExecCredential", "status": {"token": "of-the-program"}}';
  const { client, requests } = await clientOf(
    json(EMPTY),
    userOf(`echo asked >>${count}; sleep 0.2; echo '${credential}'`),
  );
  await Promise.all([1, 2, 3].map(() => client.list(NODES, {}, { signal })));
  assert.deepEqual(
    new Set(requests.map(({ headers }) => headers.authorization)),
    new Set(['Bearer of-the-program']),
  );
  assert.equal(readFileSync(count, 'utf8'), 'asked\n');
});

test('a program that never answers is not waited for', async () => {
  const { client } = await clientOf(json(EMPTY), userOf('exec sleep 20'));
  await assert.rejects(
    client.list(NODES, {}, { signal }),
    refused('PlatformUnreachable', /login of the kubeconfig gives no credentials within 1000 ms/),
  );
  await assert.rejects(
    client.list(NODES, {}, { signal: AbortSignal.abort(new Error('cancelled')) }),
    /cancelled/,
  );
});

test('what a program prints is not quoted', async () => {
  const { client, requests } = await clientOf(json(EMPTY), userOf('echo very-secret'));
  await assert.rejects(
    client.list(NODES, {}, { signal }),
    refused('NotAuthorized', /prints no ExecCredential$/),
  );
  assert.equal(requests.length, 0);
});

test('a watch that gets no credentials says so', async () => {
  const { client } = await clientOf(json(EMPTY), userOf('echo "the login has expired" >&2; exit 1'));
  const watch = client.watch(NODES, { resourceVersion: '1' }, { signal: AbortSignal.timeout(20_000) });
  await assert.rejects(watch.next(), refused('NotAuthorized', /the login has expired/));
});

test('a key that is none is named', async () => {
  const { client } = await clientOf(json(EMPTY), { certData: 'AAAA', keyData: 'AAAA' });
  await assert.rejects(
    client.list(NODES, {}, { signal }),
    refused('NotAuthorized', /certificates or key of the kubeconfig cannot be used/),
  );
});

const BROKEN: Readonly<Record<string, RequestListener>> = {
  'ends at once': (_, response) => response.writeHead(200).end(),
  'answers with a page': (_, response) => response.writeHead(200).end('<html>Sign in</html>\n'),
  'answers 500': (_, response) => response.writeHead(500).end('on fire'),
  'forgets everything': json({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } }),
};

for (const [what, answer] of Object.entries(BROKEN)) {
  test(`a server whose watch ${what} is not asked again and again`, async () => {
    const { client, requests } = await clientOf(answer);
    const deadline = Date.now() + 1_500;
    while (Date.now() < deadline) {
      await client.untilChanged(NODE_LOCKS, { resourceVersion: '1' }, 3_000, { signal });
    }
    assert.ok(requests.length >= 1 && requests.length <= 3, `it was asked ${requests.length} times`);
  });
}

test('an object that is not as expected is named', async () => {
  const metadata = { name: 'ceph-node-1', uid: '1', resourceVersion: '1' };
  const lock = {
    metadata,
    spec: { controllerName: 'ceph', nodeName: 'node-1' },
    status: { state: 'broken' },
  };
  const { client } = await clientOf(json({ ...EMPTY, items: [lock] }));
  await assert.rejects(
    client.list(NODE_LOCKS, {}, { signal }),
    refused('PlatformGarbled', /NodeWorkloadLock ceph-node-1 is not as expected: status\.state/),
  );
});
