/** The service as processes: how they start, and what becomes of requests when they or Temporal end. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { nodeCommand } from '../../src/devstack/node-command.ts';
import type { ManagedProcess } from '../../src/devstack/processes.ts';
import { startEngine, type Engine, SITE } from '../support/engine.ts';
import { fleetOf } from '../support/fleets.ts';
import { openWorkshop, type Workshop } from '../support/rig.ts';

let workshop: Workshop;
before(async () => {
  workshop = await openWorkshop();
});
after(() => workshop.processes.stop());

/** Runs it to its end; it is not meant to come up. */
async function failToStart(...args: string[]): Promise<{ code: number | null; stderr: string }> {
  const { program, args: argv } = nodeCommand('src/api/main.ts');
  const child = execFile(program, [...argv, ...args], { env: process.env });
  let stderr = '';
  child.stderr?.on('data', (chunk: string) => (stderr += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stderr };
}

let count = 0;
async function startApi(
  env: NodeJS.ProcessEnv,
  ...args: string[]
): Promise<{ url: string; api: ManagedProcess }> {
  count += 1;
  const command = nodeCommand('src/api/main.ts');
  const { process: api, learnt } = await workshop.processes.start({
    name: `api-${count}`,
    ...command,
    args: [...command.args, '--site', SITE, '--port', '0', ...args],
    env: { ...process.env, ...env },
    ready: (line) => line(/^api listening on (\S+)/),
  });
  return { url: learnt[1] ?? '', api };
}

describe('it does not start', () => {
  test('without a site', async () => {
    const { code, stderr } = await failToStart();
    assert.equal(code, 1);
    assert.match(stderr, /^api: --site: is needed/);
  });

  test('open to everybody on an address that others reach', async () => {
    const { code, stderr } = await failToStart('--site', SITE, '--host', '0.0.0.0');
    assert.equal(code, 1);
    assert.match(stderr, /^api: --auth: "none" lets everybody in/);
  });
});

/** Every kind of request, and what it comes to; each within the patience of a client. */
async function expectUnavailable(url: string): Promise<void> {
  const requests: [string, string, object?][] = [
    ['GET', '/v1/maintenance'],
    ['GET', '/v1/maintenance/x'],
    ['POST', '/v1/maintenance', { maintenance_at: '2099-01-01 00:00:00' }],
    ['PUT', '/v1/maintenance/x/y', { state: 'ACK_MAINTENANCE' }],
    ['GET', '/v1/instance/x'],
    ['DELETE', '/v1/instance/x'],
  ];
  for (const [method, path, body] of requests) {
    const startedAt = Date.now();
    const answer = await fetch(`${url}${path}`, {
      method,
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    assert.equal(answer.status, 503, `${method} ${path}`);
    assert.equal(((await answer.json()) as { code: string }).code, 'Unavailable');
    assert.ok(Date.now() - startedAt < 15_000, `${method} ${path} took ${Date.now() - startedAt} ms`);
  }
}

describe('it says so, quickly,', () => {
  test('when Temporal is down', async () => {
    // A port that nothing listens on.
    const socket = createServer().listen(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address() as { port: number };
    socket.close();
    const { url } = await startApi({ TEMPORAL_ADDRESS: `127.0.0.1:${port}` });
    await expectUnavailable(url);
  });

  test('when Temporal has no such namespace', async () => {
    const { url } = await startApi({ TEMPORAL_NAMESPACE: 'no-such-namespace' });
    await expectUnavailable(url);
  });
});

describe('several of them', () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine(fleetOf(2, 1));
  });
  after(() => engine.stop());

  test('know the same, and one that is killed is not missed', async () => {
    const env = { TEMPORAL_NAMESPACE: engine.namespace };
    const first = await startApi(env);
    const second = await startApi(env);
    const answer = await fetch(`${first.url}/v1/maintenance`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ maintenance_at: '2099-01-01 00:00:00' }),
    });
    assert.equal(answer.status, 200);
    const { session_id: session } = (await answer.json()) as { session_id: string };
    await first.api.kill();
    const found = await fetch(`${second.url}/v1/maintenance/${session}`);
    assert.deepEqual(await found.json(), { session_id: session, state: 'MAINTENANCE' });
    assert.equal((await fetch(`${second.url}/v1/maintenance/${session}`, { method: 'DELETE' })).status, 200);
  });
});
