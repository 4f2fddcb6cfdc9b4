import type { Command } from 'commander';
import { summarize } from '../../core/session-summary.ts';
import { createCommand, print, type OutputOptions } from '../output.ts';
import { readSession } from '../session-file.ts';
import { stamp, withSessions } from '../sessions.ts';

interface StartOptions extends OutputOptions {
  id?: string;
}

export const startCommand = (): Command =>
  createCommand('start', 'Start a session')
    .argument('<file>', 'session as JSON')
    .option('--id <id>', 'id of the session; default SITE-TIME')
    .action(start);

async function start(file: string, options: StartOptions): Promise<void> {
  const { input, spec } = await readSession(file);
  const session = options.id ?? `${spec.site}-${stamp(new Date())}`;
  const runId = await withSessions((sessions) =>
    sessions.start({ id: session, input, summary: summarize(spec) }),
  );
  print(options, { session, runId }, () => [
    `Started "${session}", ${summarize(spec)}.`,
    `  haulout watch ${session}`,
    `  temporal workflow query -w ${session} --type progress`,
  ]);
}
