import type { Command } from 'commander';
import { createDisplay } from '../display.ts';
import { exitCodeOf, follow, needsOperator, waitsForApproval } from '../follow.ts';
import { onInterrupt } from '../interrupt.ts';
import { createCommand, type OutputOptions } from '../output.ts';
import { withSessions } from '../sessions.ts';

export const watchCommand = (): Command =>
  createCommand('watch', 'Show the progress of a session until it ends or waits for an operator')
    .argument('<id>', 'id of the session')
    .addHelpText('after', '\nCtrl-C ends the watching, not the session. With --json, a line for each change.')
    .action(watch);

async function watch(id: string, options: OutputOptions): Promise<void> {
  const display = createDisplay(options);
  const signal = onInterrupt();
  const seen = await withSessions((sessions) =>
    follow(sessions, id, {
      signal,
      onProgress: (progress) => {
        display.show(progress);
      },
      onSilence: () => {
        display.note('No worker answers at present; the session goes on as soon as one runs.');
      },
    }),
  );
  if (signal.aborted) display.say(`Stopped watching; "${id}" goes on. To end it: haulout cancel ${id}`);
  if (!seen || signal.aborted) return;
  if (seen.status === 'RUNNING' && needsOperator(seen.progress)) {
    const wayOn = waitsForApproval(seen.progress)
      ? `temporal workflow signal -w ${id} --name approve`
      : `haulout continue ${id}`;
    display.say(`"${id}" waits for you: ${wayOn}, or haulout cancel ${id}`);
  }
  process.exitCode = exitCodeOf(seen.progress.state);
}
