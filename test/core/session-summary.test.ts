import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sessionSpec, type SessionInput } from '../../src/core/session-spec.ts';
import { summarize } from '../../src/core/session-summary.ts';

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
