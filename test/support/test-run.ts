/** Runs test files with what they share: a Temporal dev server at TEMPORAL_ADDRESS, and the workflows bundled once. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { startDevServer } from '../../src/devstack/dev-server.ts';
import { Processes } from '../../src/devstack/processes.ts';

/** No test and no file may take longer, so that one that hangs, or leaves something open, is named. */
const TEST_TIMEOUT_MS = 10 * 60_000;

const root = path.join(import.meta.dirname, '../..');

/** Test files below a folder, as paths from the root of the project. */
export const testFilesIn = (folder: string): string[] =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => path.join(folder, file))
    .sort();

/**
 * Prints the tests as they end, and resolves to the exit code. Logs are kept when it is not 0.
 *
 * @param concurrency files that run at one time
 */
export async function runTestFiles(files: readonly string[], concurrency: number): Promise<number> {
  const directory = await mkdtemp(path.join(tmpdir(), 'haulout-test-'));
  const processes = new Processes(directory, (name, how) => {
    console.error(`The ${name} server of the tests ended with ${how}; see ${directory}`);
  });
  let exitCode = 1;
  try {
    const { address, env } = await startDevServer({ processes, directory, say: console.log });
    console.log(`${files.length} test files; Temporal at ${address}; logs in ${directory}`);
    const bundle = await bundleWorkflows(directory);
    exitCode = await runFiles(files, concurrency, { ...env, HAULOUT_WORKFLOW_BUNDLE: bundle });
  } finally {
    await processes.stop();
    if (exitCode === 0) await rm(directory, { recursive: true });
  }
  return exitCode;
}

/** Bundled once, and not by every worker of every test. */
async function bundleWorkflows(directory: string): Promise<string> {
  const workflowsPath = path.join(root, 'workflows/index.ts');
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
  const file = path.join(directory, 'workflow-bundle.js');
  await writeFile(file, code);
  return file;
}

async function runFiles(
  files: readonly string[],
  concurrency: number,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const options = [
    ...['--import', 'tsx', '--test', '--test-reporter=spec'],
    ...[`--test-concurrency=${concurrency}`, `--test-timeout=${TEST_TIMEOUT_MS}`],
  ];
  const runner = spawn(process.execPath, [...options, ...files], { cwd: root, env, stdio: 'inherit' });
  const [exitCode] = (await once(runner, 'exit')) as [number | null];
  return exitCode ?? 1;
}
