import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { readSession, summarize } from '../../src/cli/session-file.ts';
import { sessionSpec, type SessionInput } from '../../src/core/session-spec.ts';

const EXAMPLES = path.join(import.meta.dirname, '../../examples');

test('every session in examples/ is valid', async () => {
  const files = (await readdir(EXAMPLES)).filter(
    (file) => file.endsWith('.json') && !file.includes('schema'),
  );
  assert.ok(files.length >= 2);
  for (const file of files) await readSession(path.join(EXAMPLES, file));
});

const summaries: [SessionInput, string][] = [
  [{ site: 'demo' }, 'maintenance of all hosts at demo'],
  [{ site: 'demo', hosts: ['a'] }, 'maintenance of 1 host at demo'],
  [{ site: 'demo', hosts: ['a', 'b'] }, 'maintenance of 2 hosts at demo'],
  [
    { site: 'demo', hosts: { selector: { zone: 'az1', rack: 'r2' } } },
    'maintenance of hosts with zone=az1, rack=r2 at demo',
  ],
  [{ site: 'demo', dryRun: true }, 'plan for all hosts at demo'],
];
for (const [input, expected] of summaries) {
  test(expected, () => {
    assert.equal(summarize(sessionSpec.parse(input)), expected);
  });
}
