/** Objects that are followed on a server that lists them, and does not let them be watched. */
import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { KubeConfig } from '@kubernetes/client-node';
import { KubernetesClient } from '../../src/kubernetes/client.ts';
import { NODE_LOCKS } from '../../src/kubernetes/lcm.ts';
import { Mirror } from '../../src/kubernetes/mirror.ts';
import { closeServer, listenOnLoopback, originOf } from '../support/loopback.ts';

const PATIENCE_MS = 60_000;

for (const [what, status] of [
  ['refuses to be watched', 403],
  ['ends every watch at once', 200],
] as const) {
  test(`a mirror of a server that ${what} is kept up to date by lists`, async () => {
    let lists = 0;
    const server = http.createServer(({ url = '' }, response) => {
      if (url.includes('watch=true')) {
        response.writeHead(status).end();
        return;
      }
      lists += 1;
      const metadata = { name: `lock-${lists}`, uid: '1', resourceVersion: '1' };
      const items = [{ metadata, spec: { controllerName: 'ceph', nodeName: 'node-1' } }];
      response.writeHead(200).end(JSON.stringify({ metadata: { resourceVersion: '1' }, items }));
    });
    await listenOnLoopback(server);
    const config = new KubeConfig();
    config.loadFromClusterAndUser(
      { name: 'c', server: originOf(server), skipTLSVerify: true },
      { name: 'u' },
    );
    const client = new KubernetesClient(config, { timeoutMs: 5_000 });
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, AbortSignal.timeout(PATIENCE_MS)]);
    const seen: string[] = [];
    const mirror = new Mirror({
      resource: NODE_LOCKS,
      keep: (lock) => lock,
      changed: ({ metadata }) => {
        seen.push(metadata.name);
        if (metadata.name === 'lock-3') over.abort();
      },
      failed: () => undefined,
    });
    await mirror.run(client, { signal });
    assert.ok(seen.includes('lock-3'), `it has seen ${seen.join(', ')}`);
    await client.close();
    await closeServer(server);
  });
}
