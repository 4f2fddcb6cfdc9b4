import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { sessionJsonSchema } from '../src/core/session-schema.ts';
import { sessionSpec } from '../src/core/session-spec.ts';

const examples = new URL('../examples/', import.meta.url);
const schemaFile = 'session.schema.json';
const read = (file: string): unknown => JSON.parse(readFileSync(new URL(file, examples), 'utf8'));

// Formats are left to zod: it adds a pattern for each.
const valid = new Ajv2020({ strict: true, allowUnionTypes: true, formats: { 'date-time': true } }).compile(
  sessionJsonSchema(),
);

test('the checked-in JSON Schema is the one of the session input; `npm run schema` renews it', () => {
  assert.deepEqual(read(schemaFile), JSON.parse(JSON.stringify(sessionJsonSchema())));
});

const sessions = readdirSync(examples).filter((file) => file.endsWith('.json') && file !== schemaFile);

test('there are examples', () => {
  assert.notEqual(sessions.length, 0);
});

for (const file of sessions) {
  test(`examples/${file} is a session, names the schema, and passes it`, () => {
    const session = read(file) as { $schema?: string };
    assert.deepEqual(sessionSpec.safeParse(session).error?.issues, undefined);
    assert.equal(valid(session), true, JSON.stringify(valid.errors));
    assert.equal(session.$schema, `./${schemaFile}`);
  });
}

for (const [what, input] of Object.entries({
  'an unknown key': { site: 'demo', budgett: {} },
  'no site': {},
  'a count that is no number': { site: 'demo', budget: { maxConcurrentHosts: '10 hosts' } },
  'a duration that is none': { site: 'demo', timeouts: { drain: 'soon' } },
  'a time without a zone': { site: 'demo', maintenanceAt: '2027-03-01T22:00:00' },
  'hosts that are one text': { site: 'demo', hosts: 'compute-1' },
})) {
  test(`the JSON Schema and the session schema both refuse ${what}`, () => {
    assert.equal(sessionSpec.safeParse(input).success, false);
    assert.equal(valid(input), false);
  });
}
