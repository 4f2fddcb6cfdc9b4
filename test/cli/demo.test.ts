import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startCli, type CliEnd } from './run-cli.ts';

let directory: string;
before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'haulout-demo-'));
});
after(() => rm(directory, { recursive: true }));

/** Runs the demo with a dev server of its own, in a directory of its own. */
function demo(...args: string[]): Promise<CliEnd> {
  const { TEMPORAL_ADDRESS: _, ...env } = process.env;
  return startCli('demo.ts', args, { env, cwd: directory }).end;
}

test('the demo brings everything up, plays a scenario, checks it, and ends by itself', async () => {
  const { code, stdout, stderr } = await demo('--scenario', 'cancel');
  assert.equal(code, 0, stdout + stderr);
  const [first = ''] = stdout.split('\n');
  assert.match(first, /Web UI: http:\/\/127\.0\.0\.1:\d+\/namespaces\/default\/workflows\/demo$/);
  assert.match(stdout, /demo at demo · MAINTENANCE_CANCELLED/);
  assert.match(stdout, /Checked \d+ entries of the datacentre's journal: all as it should be\./);
});

test('its scenarios are in its help', async () => {
  const { code, stdout } = await demo('--help');
  assert.equal(code, 0);
  for (const name of ['plain', 'failure', 'crash', 'cancel', '--keep'])
    assert.match(stdout, new RegExp(name));
});
