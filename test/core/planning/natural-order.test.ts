import assert from 'node:assert/strict';
import test from 'node:test';
import { listNames, sortedByName } from '../../../src/core/planning/natural-order.ts';

const sorted = (...names: string[]): string[] => sortedByName(names, (name) => name);

test('numbers in names sort by value', () => {
  assert.deepEqual(sorted('compute-10', 'compute-2', 'compute-1'), ['compute-1', 'compute-2', 'compute-10']);
  assert.deepEqual(sorted('r2-n10', 'r10-n1', 'r2-n9'), ['r2-n9', 'r2-n10', 'r10-n1']);
  assert.deepEqual(sorted('n1', 'n', 'n12345678901234567890', 'n9'), [
    'n',
    'n1',
    'n9',
    'n12345678901234567890',
  ]);
});

test('names that differ in leading zeros only have an order too', () => {
  assert.deepEqual(sorted('n1', 'n01', 'n001'), sorted('n001', 'n1', 'n01'));
});

test('a long list of names is cut, but never for a single one more', () => {
  assert.equal(listNames(['a']), 'a');
  assert.equal(listNames(['a', 'b', 'c', 'd']), 'a, b, c and d');
  assert.equal(listNames(['a', 'b', 'c', 'd', 'e']), 'a, b, c and 2 more');
});
