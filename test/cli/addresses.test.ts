import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderAddresses, type Addresses } from '../../src/cli/addresses.ts';

const USUAL: Addresses = {
  temporal: '127.0.0.1:7233',
  namespace: 'default',
  webUi: 'http://127.0.0.1:8233',
  cli: '/usr/local/bin/temporal',
  simulator: 'http://127.0.0.1:7070',
  directory: '.haulout/up',
};
const PATH = '/usr/bin:/usr/local/bin';

const exportsIn = (found: Addresses, env: NodeJS.ProcessEnv): string[] =>
  renderAddresses(found, env).filter((line) => line.includes('export '));

test('nothing has to be set where the Temporal CLI finds the server by itself', () => {
  assert.deepEqual(exportsIn(USUAL, { PATH }), []);
});

test('what another terminal lacks is there to copy', () => {
  const elsewhere = { ...USUAL, temporal: '127.0.0.1:4711', cli: '/home/me/.cache/haulout/temporal' };
  assert.deepEqual(exportsIn(elsewhere, { PATH }), [
    '  export PATH="$PATH:/home/me/.cache/haulout"',
    '  export TEMPORAL_ADDRESS=127.0.0.1:4711',
  ]);
  assert.deepEqual(
    exportsIn(elsewhere, { PATH: '/home/me/.cache/haulout', TEMPORAL_ADDRESS: '127.0.0.1:4711' }),
    [],
  );
});

test('the lines to copy start, watch and steer a session', () => {
  const text = renderAddresses(USUAL, { PATH }).join('\n');
  for (const part of [
    '--type maintenanceSession',
    '--type progress',
    '--name pause',
    '--name continue',
    '--name cancel',
  ]) {
    assert.ok(text.includes(part), part);
  }
});
