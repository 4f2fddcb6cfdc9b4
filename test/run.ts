/**
 * Run as `npm test`: all tests, or with `npm test -- PART …` the files whose path holds one of the parts. Provides what
 * they share: a Temporal dev server at TEMPORAL_ADDRESS, and Chromium for those that drive a browser.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { startDevServer } from '../src/devstack/dev-server.ts';
import { Processes } from '../src/devstack/processes.ts';
import { findChromium, installChromium } from './support/chromium.ts';

/** Files that run at one time. */
const CONCURRENCY = 2;
/** No test and no file may take longer, so that one that hangs, or leaves something open, is named. */
const TEST_TIMEOUT_MS = 10 * 60_000;

const root = path.join(import.meta.dirname, '..');

async function main(parts: string[]): Promise<number> {
  const files = testFiles(parts);
  if (files.length === 0) {
    console.error(`No test file has a path with ${parts.join(' or ')} in it.`);
    return 2;
  }
  if (files.some(drivesBrowser)) await provideChromium();
  const directory = await mkdtemp(path.join(tmpdir(), 'haulout-test-'));
  const processes = new Processes(directory, (name, how) => {
    console.error(`The ${name} server of the tests ended with ${how}; see ${directory}`);
  });
  let exitCode = 1;
  try {
    const { address, env } = await startDevServer({ processes, directory, say: console.log });
    console.log(`${files.length} test files; Temporal at ${address}; logs in ${directory}`);
    const bundle = await bundleWorkflows(directory);
    exitCode = await runFiles(files, { ...env, HAULOUT_WORKFLOW_BUNDLE: bundle });
  } finally {
    await processes.stop();
    if (exitCode === 0) await rm(directory, { recursive: true });
  }
  return exitCode;
}

const testFiles = (parts: string[]): string[] =>
  readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .map((file) => path.join('test', file))
    .filter(
      (file) =>
        file.endsWith('.test.ts') && (parts.length === 0 || parts.some((part) => file.includes(part))),
    )
    .sort();

const drivesBrowser = (file: string): boolean =>
  readFileSync(path.join(root, file), 'utf8').includes('support/chromium');

/** Without a browser its tests are skipped, but never where nobody would read that. */
async function provideChromium(): Promise<void> {
  if (findChromium()) return;
  console.log('Installing Chromium for the browser tests');
  try {
    await installChromium();
  } catch (error) {
    if (process.env.CI) throw error;
    console.log(`${String(error)} The browser tests are skipped.`);
  }
}

/** Bundled once, and not by every worker of every test. */
async function bundleWorkflows(directory: string): Promise<string> {
  const workflowsPath = path.join(root, 'workflows/index.ts');
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
  const file = path.join(directory, 'workflow-bundle.js');
  await writeFile(file, code);
  return file;
}

async function runFiles(files: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const options = [
    ...['--import', 'tsx', '--test', '--test-reporter=spec'],
    ...[`--test-concurrency=${CONCURRENCY}`, `--test-timeout=${TEST_TIMEOUT_MS}`],
  ];
  const runner = spawn(process.execPath, [...options, ...files], { cwd: root, env, stdio: 'inherit' });
  const [exitCode] = (await once(runner, 'exit')) as [number | null];
  return exitCode ?? 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
