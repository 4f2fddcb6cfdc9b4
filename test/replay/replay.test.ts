/** Every history that was ever recorded has to replay: a session may be older than the worker that goes on with it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import { DeterminismViolationError } from '@temporalio/workflow';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';

Runtime.install({ logger: new DefaultLogger('ERROR') });

const directory = path.join(import.meta.dirname, '../histories');
const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.json'),
);
let workflowBundle: { code: string };

before(async () => {
  const prebuilt = process.env.HAULOUT_WORKFLOW_BUNDLE;
  const workflowsPath = path.join(import.meta.dirname, '../../workflows/index.ts');
  workflowBundle = prebuilt
    ? { code: readFileSync(prebuilt, 'utf8') }
    : await bundleWorkflowCode({ workflowsPath });
});

interface SavedHistory {
  events: { eventType: string; workflowExecutionStartedEventAttributes?: { workflowId?: string } }[];
}

const read = (file: string): SavedHistory =>
  JSON.parse(readFileSync(path.join(directory, file), 'utf8')) as SavedHistory;

const replay = (history: SavedHistory): Promise<void> =>
  Worker.runReplayHistory(
    { workflowBundle },
    history,
    history.events[0]?.workflowExecutionStartedEventAttributes?.workflowId ?? 'replayed',
  );

test('histories are there to be replayed', () => {
  assert.ok(files.length >= 10, `only ${files.length} in ${directory}`);
});

for (const file of files) {
  test(`${file} replays`, () => replay(read(file)));
}

test('a history of other code does not replay', async () => {
  const history = read(files.find((file) => file.endsWith('session-done.json')) ?? '');
  const text = JSON.stringify(history).replaceAll('"lookUpSite"', '"lookUpAnotherSite"');
  await assert.rejects(replay(JSON.parse(text) as SavedHistory), DeterminismViolationError);
});
