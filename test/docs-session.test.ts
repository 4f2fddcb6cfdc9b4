/** docs/session.md and docs/concepts.md say what the code does: every field with its default, the shapes, the states. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { z } from 'zod';
import type { Plan, Progress, Report } from '../src/core/progress.ts';
import {
  approveMessage,
  cancelMessage,
  continueMessage,
  pauseMessage,
  sessionSpec,
} from '../src/core/session-spec.ts';
import { SESSION_STATES, TRANSITIONS } from '../src/core/session-state.ts';
import { SEARCH_ATTRIBUTES, SIGNALS } from '../src/names.ts';

const read = (page: string): string => readFileSync(new URL(`../docs/${page}`, import.meta.url), 'utf8');
const page = read('session.md');

/** The part under a heading, up to the next one of any level. */
function section(text: string, heading: string): string {
  const [, rest] = text.split(new RegExp(`^#+ ${heading}$`, 'm'));
  assert.ok(rest, `the page has no heading "${heading}"`);
  return rest.split(/^#/m)[0] ?? '';
}

/** First cell, without its backticks, and second cell of each row of the tables in a text. */
const rowsOf = (text: string): [string, string][] =>
  [...text.matchAll(/^\| `([^`]+)` +\| (.*?) +\|/gm)].map(([, first = '', second = '']) => [first, second]);

/** The part of JSON Schema that zod writes. */
interface Schema {
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  default?: unknown;
}

/** Path and default of each field, as a row of the page has them: `budget.maxConcurrentHosts`, `1`. */
function fieldsOf(schema: Schema, prefix = ''): [string, string][] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, field]): [string, string][] => {
    const path = `${prefix}${key}`;
    return [
      [path, defaultOf(field, schema.required?.includes(key) ?? false)],
      ...fieldsOf(field, `${path}.`),
    ];
  });
  const inItems = schema.items ? fieldsOf(schema.items, `${prefix.slice(0, -1)}[].`) : [];
  return [...own, ...inItems, ...(schema.anyOf ?? []).flatMap((branch) => fieldsOf(branch, prefix))];
}

function defaultOf(field: Schema, required: boolean): string {
  if (required) return 'required';
  return field.default === undefined ? 'none' : `\`${JSON.stringify(field.default)}\``;
}

for (const [heading, schema] of Object.entries({
  Input: sessionSpec,
  [`\`${SIGNALS.cancel}\``]: cancelMessage,
  [`\`${SIGNALS.continue}\``]: continueMessage,
  [`\`${SIGNALS.pause}\``]: pauseMessage,
  [`\`${SIGNALS.approve}\``]: approveMessage,
})) {
  test(`docs/session.md has every field of ${heading} with its default, and no other`, () => {
    const fields = fieldsOf(z.toJSONSchema(schema, { io: 'input' }) as Schema);
    assert.deepEqual(rowsOf(section(page, heading)), fields);
  });
}

const hosts = { total: 12, pending: 5, inFlight: 1, done: 5, held: 1, skipped: 0, rolledBack: 0 };

const progress: Required<Progress> = {
  session: 'rack-12',
  site: 'demo',
  state: 'PLANNED_MAINTENANCE',
  reason: '',
  hosts,
  instances: { total: 60, moved: 27, stopped: 0 },
  inFlight: [
    {
      host: 'compute-05',
      step: 'drain',
      moved: 2,
      total: 5,
      since: '2027-03-01T22:10:00.000Z',
      waitsFor: 'compute-05: session night-shift has it',
    },
  ],
  held: [
    {
      host: 'compute-04',
      step: 'work',
      code: 'ActionFailed',
      message: 'compute-04: work: webhook "firmware": checksum mismatch',
      retryable: false,
      since: '2027-03-01T22:08:00.000Z',
    },
  ],
  next: ['compute-06', 'compute-08'],
  blockedBy: [
    'compute-04: work: webhook "firmware": checksum mismatch',
    'compute-05: session night-shift has it',
  ],
  warnings: 0,
  percent: 41,
  startedAt: '2027-03-01T22:00:00.000Z',
  eta: '2027-03-01T22:25:00.000Z',
};

const report: Required<Omit<Report, 'plan'>> = {
  session: 'rack-12',
  site: 'demo',
  state: 'MAINTENANCE_DONE',
  reason: '',
  startedAt: '2027-03-01T22:00:00.000Z',
  endedAt: '2027-03-01T22:24:00.000Z',
  hosts: { ...hosts, pending: 0, inFlight: 0, done: 11, held: 0, skipped: 1 },
  instances: { total: 60, moved: 58, stopped: 0 },
  held: [],
  slowest: [{ host: 'compute-05', durationMs: 312_000 }],
  warnings: ['web-7 was deleted meanwhile'],
};

const plan: Required<Plan> = {
  hosts: [
    {
      host: 'compute-04',
      moves: 5,
      stops: 0,
      targets: ['compute-07', 'compute-08'],
      startsAfter: 0,
      seconds: 21.5,
      blockers: [],
    },
  ],
  hostCount: 12,
  moves: 57,
  movesBound: 57,
  makespan: 129.5,
  makespanBound: 120,
  blockers: [],
};

for (const [query, example] of Object.entries({ progress, report, plan })) {
  test(`docs/session.md shows the shape of ${query} as the types have it`, () => {
    const [, json = ''] = /```json\n([^]*?)```/.exec(section(page, `\`${query}\``)) ?? [];
    assert.deepEqual(JSON.parse(json), example);
  });
}

test('docs/session.md has every search attribute', () => {
  const documented = rowsOf(section(page, 'Search attributes')).map(([name]) => name);
  assert.deepEqual(documented.sort(), Object.values(SEARCH_ATTRIBUTES).sort());
});

test('docs/concepts.md has the table of transitions', () => {
  const rows = rowsOf(section(read('concepts.md'), 'Where each state may go'));
  const documented = Object.fromEntries(
    rows.map(([from, to]) => [from, [...to.matchAll(/`(\w+)`/g)].map(([, state]) => state)]),
  );
  assert.deepEqual(documented, TRANSITIONS);
});

test('docs/operations.md says of every state what to do', () => {
  const documented = rowsOf(section(read('operations.md'), 'States, and what to do')).map(([state]) => state);
  assert.deepEqual(documented, [...SESSION_STATES]);
});
