/**
 * Run as `download.ts DIRECTORY`: has the SDK download its dev server into the directory. The SDK downloads only to
 * start, so the server runs for a moment. What goes wrong is told on stderr in one line.
 */
import { TestWorkflowEnvironment } from '@temporalio/testing';

const [, , downloadDir = '.'] = process.argv;
try {
  const executable = { type: 'cached-download', downloadDir } as const;
  const environment = await TestWorkflowEnvironment.createLocal({ server: { executable } });
  await environment.teardown();
} catch (error) {
  // The message repeats the URL at each level; the innermost reason comes last.
  process.stderr.write(`${String(error).split('): ').at(-1)}\n`);
  process.exitCode = 1;
}
