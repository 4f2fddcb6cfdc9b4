import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { readSession } from '../../src/cli/session-file.ts';

const EXAMPLES = path.join(import.meta.dirname, '../../examples');

test('every session in examples/ is valid', async () => {
  const files = (await readdir(EXAMPLES)).filter(
    (file) => file.endsWith('.json') && !file.includes('schema'),
  );
  assert.ok(files.length >= 2);
  for (const file of files) await readSession(path.join(EXAMPLES, file));
});
