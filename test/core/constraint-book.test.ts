import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { ConstraintBook } from '../../src/core/constraint-book.ts';
import {
  CONSTRAINT_SHARDS,
  constraintMessage,
  constraintShard,
  type ConstraintMessage,
} from '../../src/core/constraints.ts';
import { groupConstraintOf, instanceConstraintOf } from '../support/constraints.ts';

const EMPTY = { instances: [], groups: [] };
const instance = (id: string, more = {}): ConstraintMessage => ({
  kind: 'instance',
  value: instanceConstraintOf(id, more),
});
const group = (id: string, more = {}): ConstraintMessage => ({
  kind: 'group',
  value: groupConstraintOf(id, more),
});

test('keeps what was put last, by kind and id', () => {
  const book = new ConstraintBook(EMPTY);
  assert.equal(book.put(instance('x')), true);
  assert.equal(book.put(group('x')), true);
  assert.equal(book.put(instance('x', { leadSeconds: 7 })), true);
  assert.equal(book.put(instance('x', { leadSeconds: 7 })), false);
  assert.deepEqual(book.toState(), {
    instances: [instanceConstraintOf('x', { leadSeconds: 7 })],
    groups: [groupConstraintOf('x')],
  });
  assert.equal(book.delete({ kind: 'group', id: 'x' }), true);
  assert.equal(book.delete({ kind: 'group', id: 'x' }), false);
  assert.equal(book.get({ kind: 'group', id: 'x' }), undefined);
  assert.deepEqual(new ConstraintBook(book.toState()).toState(), book.toState());
});

test('takes thousands, says when it is full, and has room again for what was deleted', () => {
  const book = new ConstraintBook(EMPTY);
  const id = (index: number): string => `${String(index).padStart(8, '0')}-8b1d-4c6c-9f0e-1f2e3d4c5b6a`;
  const wide = { name: 'é'.repeat(100), group: randomUUID(), project: randomUUID() };
  let count = 0;
  while (book.whyNot(instance(id(count), wide)) === undefined) book.put(instance(id(count++), wide));
  assert.ok(count > 3_000, `full with ${count}`);
  assert.ok(Buffer.byteLength(JSON.stringify(book.toState())) < 1_600_000);
  assert.match(
    book.whyNot(instance('one-more', wide)) ?? '',
    new RegExp(`of ${count} instances and 0 groups`),
  );
  assert.equal(book.whyNot(instance(id(0), wide)), undefined, 'what is there may be put again');
  const copy = new ConstraintBook(book.toState());
  assert.ok(copy.whyNot(instance('one-more', wide)));
  copy.delete({ kind: 'instance', id: id(0) });
  assert.equal(copy.whyNot(instance('one-more', { ...wide, name: 'n' })), undefined);
});

test('ids are spread over all parts, and each always belongs to the same one', () => {
  const counts = new Array<number>(CONSTRAINT_SHARDS).fill(0);
  for (let index = 0; index < 10_000; index += 1) {
    const shard = constraintShard(randomUUID());
    counts[shard] = (counts[shard] ?? 0) + 1;
  }
  assert.ok(Math.min(...counts) > 450 && Math.max(...counts) < 800, counts.join(' '));
  assert.deepEqual(['', 'i-1', 'Ünïcødé'].map(constraintShard), EXPECTED_SHARDS);
});

test('a key that objects cannot have is no id', () => {
  const parsed = constraintMessage.safeParse(group('__proto__'));
  assert.match(parsed.error?.message ?? '', /must not be __proto__/);
});

const EXPECTED_SHARDS = [5, 14, 4];
