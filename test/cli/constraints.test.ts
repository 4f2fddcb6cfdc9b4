import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ConstraintStore } from '../../src/constraint-store.ts';
import { groupConstraintOf, instanceConstraintOf } from '../support/constraints.ts';
import { SITE, startEngine, type Engine } from '../support/engine.ts';
import { fleetOf } from '../support/fleets.ts';
import { haulout, type CliEnd } from './run-cli.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'haulout-constraints-'));
let engine: Engine;

before(async () => {
  engine = await startEngine(fleetOf(2, 1));
});
after(async () => {
  await engine.stop();
  rmSync(directory, { recursive: true });
});

const run = (...args: string[]): Promise<CliEnd> =>
  haulout(['constraints', ...args], { ...process.env, TEMPORAL_NAMESPACE: engine.namespace });

function file(name: string, content: string): string {
  const written = path.join(directory, name);
  writeFileSync(written, content);
  return written;
}

test('constraints are exported from one site, and imported into another', async () => {
  assert.deepEqual(await run('export', '--site', SITE), { code: 0, stdout: '', stderr: '' });
  const store = new ConstraintStore(engine.client, SITE);
  await store.put({ kind: 'group', value: groupConstraintOf('vnf', { recoverySeconds: 60 }) });
  for (const id of ['i-1', 'i-2', 'i-3']) {
    await store.put({ kind: 'instance', value: instanceConstraintOf(id, { group: 'vnf' }) });
  }
  const { stdout } = await run('export', '--site', SITE);
  assert.equal(stdout.trim().split('\n').length, 4);

  const exported = file('exported.jsonl', stdout);
  const imported = await run('import', exported, '--site', 'other');
  assert.equal(imported.code, 0, imported.stderr);
  assert.match(imported.stdout, /4 constraints of other read, 4 of them new or changed/);
  assert.match((await run('import', exported, '--site', 'other')).stdout, /4 .* read, 0 of them/);
  assert.deepEqual(await new ConstraintStore(engine.client, 'other').list(), await store.list());
});

test('a file with a wrong line is refused as a whole, with the line', async () => {
  const good = JSON.stringify({ kind: 'group', value: groupConstraintOf('g') });
  const bad = JSON.stringify({ kind: 'group', value: { ...groupConstraintOf('h'), maxImpactedMembers: 0 } });
  const { code, stderr } = await run(
    'import',
    file('bad.jsonl', `${good}\n\n${bad}\nnonsense\n`),
    '--site',
    'third',
  );
  assert.equal(code, 2);
  assert.match(stderr, /line 3: value\.maxImpactedMembers: /);
  assert.match(stderr, /line 4: /);
  assert.deepEqual(await new ConstraintStore(engine.client, 'third').list(), { instances: [], groups: [] });
});

test('what is typed wrong is a matter of usage', async () => {
  assert.equal((await run('export')).code, 2);
  assert.equal((await run('import', path.join(directory, 'nowhere'), '--site', SITE)).code, 2);
});
