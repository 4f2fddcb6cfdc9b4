/**
 * Run as `npm test`: all tests that need no bed, or with `npm test -- PART …` the files whose path holds one of the parts.
 * Provides what they share: a Temporal dev server, and Chromium for those that drive a browser.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { findChromium, installChromium } from './support/chromium.ts';
import { runTestFiles, testFilesIn } from './support/test-run.ts';

/** Files that run at one time. */
const CONCURRENCY = 2;

async function main(parts: string[]): Promise<number> {
  const files = testFilesIn('test')
    .filter((file) => !file.startsWith('test/beds/'))
    .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)));
  if (files.length === 0) {
    console.error(`No test file has a path with ${parts.join(' or ')} in it.`);
    return 2;
  }
  if (files.some(drivesBrowser)) await provideChromium();
  return runTestFiles(files, CONCURRENCY);
}

const drivesBrowser = (file: string): boolean =>
  readFileSync(path.join(import.meta.dirname, '..', file), 'utf8').includes('support/chromium');

/** Without a browser its tests fail, and say why. */
async function provideChromium(): Promise<void> {
  if (findChromium()) return;
  console.log('Installing Chromium for the browser tests');
  try {
    await installChromium();
  } catch (error) {
    if (process.env.CI) throw error;
    console.log(`${String(error)} The browser tests cannot pass.`);
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
