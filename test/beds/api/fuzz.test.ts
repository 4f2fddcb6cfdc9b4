/**
 * Schemathesis makes requests from the OpenAPI document, good ones and bad ones: none may fail here, all are answered
 * as it says.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { StaticTokens } from '../../../src/api/auth/tokens.ts';
import { startService, type Service } from '../../api/service.ts';
import { startEngine, type Engine, SITE } from '../../support/engine.ts';
import { fleetOf } from '../../support/fleets.ts';
import { bedDirectory } from '../directory.ts';

/** Characters; requests are in it, which may be large. */
const OUTPUT_SHOWN = 5_000;
const TOKEN = 'admin-0123456789abcdef';

/**
 * Not looked for, since it is meant so: some times do not exist, whatever they look like; a session that was removed is
 * still on record; Node answers methods that it does not know.
 */
const EXCLUDED = 'positive_data_acceptance,use_after_free,ensure_resource_availability,unsupported_method';

/** What is wrong may also be too large to be looked at. */
const REFUSALS = `
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 422, 429]
`;

const bed = bedDirectory('api');

let engine: Engine;
let service: Service;
let directory: string;
before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'haulout-fuzz-'));
  engine = await startEngine(fleetOf(3, 1));
  const tokens = JSON.stringify({ tokens: [{ name: 'fuzz', token: TOKEN, admin: true }] });
  service = await startService({
    client: engine.client,
    site: SITE,
    authenticator: new StaticTokens(tokens),
  });
});
after(async () => {
  await service.close();
  await engine.stop();
  await rm(directory, { recursive: true });
});

async function fuzz(config: string, ...options: string[]): Promise<void> {
  const file = path.join(directory, 'schemathesis.toml');
  await writeFile(file, config + REFUSALS);
  const args = [
    ...['--config-file', file, 'run', `${service.url}/openapi.json`],
    ...['--header', `X-Auth-Token: ${TOKEN}`, '--exclude-checks', EXCLUDED],
    ...['--seed', '1', '--request-timeout', '60', '--no-color', ...options],
  ];
  const child = spawn(path.join(bed, 'venv/bin/schemathesis'), args, {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output, exit] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  assert.deepEqual(exit, [0, null], output.slice(-OUTPUT_SHOWN));
  assert.doesNotMatch(service.log.join(''), /"statusCode":5\d\d/);
}

test('whatever is asked of it', () => fuzz('', '--max-examples', '20'));

test('whatever is asked about a session that is there', async () => {
  const { body } = await service.ask<{ session_id: string }>(
    'POST',
    '/v1/maintenance',
    { maintenance_at: '2099-01-01 00:00:00' },
    { 'x-auth-token': TOKEN },
  );
  await fuzz(
    `[parameters]\n"path.session" = "${body.session_id}"\n`,
    ...['--include-path-regex', String.raw`^/v1/maintenance/\{session\}`, '--max-examples', '20'],
  );
});
