/**
 * Run as `npm run test:bed -- NAME [PART …]`: builds what test/beds/NAME is made of, brings up its servers, runs its tests
 * one after another, or the files whose path holds one of the parts, and takes the servers down again. `KEEP_BED=1` leaves
 * them up.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { runTestFiles, testFilesIn } from '../support/test-run.ts';

async function main([bed = '', ...parts]: string[]): Promise<number> {
  const folder = path.join(import.meta.dirname, bed);
  if (bed === '' || !existsSync(path.join(folder, 'build.sh'))) {
    console.error('Name a bed: a folder of test/beds.');
    return 2;
  }
  const files = testFilesIn(path.join('test/beds', bed)).filter(
    (file) => parts.length === 0 || parts.some((part) => file.includes(part)),
  );
  await run(path.join(folder, 'build.sh'));
  // Some beds are only programs that the tests start themselves.
  if (!existsSync(path.join(folder, 'up.sh'))) return runTestFiles(files, 1);
  try {
    await run(path.join(folder, 'up.sh'));
    return await runTestFiles(files, 1);
  } finally {
    if (!process.env.KEEP_BED) await run(path.join(folder, 'down.sh'));
  }
}

async function run(script: string): Promise<void> {
  // With inherited pipes a daemon that the script leaves behind would keep this process waiting.
  const child = spawn('bash', [script], { stdio: ['ignore', 'inherit', 'inherit'] });
  const [exitCode] = (await once(child, 'exit')) as [number | null];
  if (exitCode !== 0) throw new Error(`${script} ended with ${exitCode}`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
