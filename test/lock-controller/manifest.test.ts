import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { loadLockController } from '../../src/config.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'haulout-manifest-'));
after(() => {
  rmSync(directory, { recursive: true });
});

test('the configuration in deploy/lock-controller.yaml is one that it takes', () => {
  const manifest = readFileSync(path.join(import.meta.dirname, '../../deploy/lock-controller.yaml'), 'utf8');
  const objects = parseAllDocuments(manifest).map((document) => document.toJS() as Record<string, unknown>);
  const { data } = objects.find(({ kind }) => kind === 'ConfigMap') as { data: Record<string, string> };
  const file = path.join(directory, 'haulout.yaml');
  writeFileSync(file, data['haulout.yaml'] ?? '');
  assert.equal(loadLockController(file, {}).site, 'prod');
});
