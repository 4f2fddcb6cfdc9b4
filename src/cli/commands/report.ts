import type { Command } from 'commander';
import { assertReported, exitCodeOf } from '../follow.ts';
import { createCommand, print, type OutputOptions } from '../output.ts';
import { renderReport } from '../render-report.ts';
import { withSessions } from '../sessions.ts';

export const reportCommand = (): Command =>
  createCommand('report', 'Show the report of a session: the final one when it has ended')
    .argument('<id>', 'id of the session')
    .action(report);

async function report(id: string, options: OutputOptions): Promise<void> {
  await withSessions(async (sessions) => {
    const found = await sessions.report(id).catch(async (error: unknown) => {
      // One that ended before it could answer still tells why.
      await assertReported(sessions, id, await sessions.status(id));
      throw error;
    });
    print(options, found, renderReport);
    process.exitCode = exitCodeOf(found.state);
    await assertReported(sessions, id, await sessions.status(id));
  });
}
