/** Commands that tell a session something, and are answered. */
import { Option, type Command } from 'commander';
import type { z } from 'zod';
import { cancelMessage, continueMessage, describeIssues, pauseMessage } from '../../core/session-spec.ts';
import { UPDATES } from '../../names.ts';
import { EXIT } from '../exit-codes.ts';
import { CliError } from '../failure.ts';
import { createCommand, print, type OutputOptions } from '../output.ts';
import { counts } from '../render-progress.ts';
import { withSessions } from '../sessions.ts';

export const pauseCommand = (): Command =>
  createCommand('pause', 'Start no more hosts; those that are out go on')
    .argument('<id>', 'id of the session')
    .option('--reason <text>', 'for the record')
    .action((id: string, { json, ...message }: OutputOptions) =>
      tell(id, UPDATES.pauseSession, pauseMessage, message, { json }),
    );

interface ContinueOptions extends OutputOptions {
  until?: string;
}

export const continueCommand = (): Command =>
  createCommand('continue', 'Go on after a hold or a pause; without lists, every held host is tried again')
    .argument('<id>', 'id of the session')
    .option('--retry <hosts>', 'held hosts to take up again from where they stopped: a,b', names)
    .option('--skip <hosts>', 'hosts to leave out', names)
    .option('--rollback <hosts>', 'hosts to put back into service without further work', names)
    .option('--until <time>', 'a new end of the maintenance window, such as 2027-03-02T04:00:00Z')
    .action((id: string, { json, until, ...lists }: ContinueOptions) => {
      const message = until === undefined ? lists : { ...lists, maintenanceUntil: until };
      return tell(id, UPDATES.continueSession, continueMessage, message, { json });
    });

export const cancelCommand = (): Command =>
  createCommand('cancel', 'End a session early')
    .argument('<id>', 'id of the session')
    .addOption(
      new Option('--mode <mode>', 'what becomes of hosts that are out')
        .choices(['rollback', 'finish'])
        .default('rollback'),
    )
    .option('--reason <text>', 'for the record')
    .action((id: string, { json, ...message }: OutputOptions) =>
      tell(id, UPDATES.cancelSession, cancelMessage, message, { json }),
    );

const names = (list: string): string[] => list.split(',').map((name) => name.trim());

async function tell(
  id: string,
  update: (typeof UPDATES)[keyof typeof UPDATES],
  schema: z.ZodType<object>,
  message: object,
  options: OutputOptions,
): Promise<void> {
  const parsed = schema.safeParse(message);
  if (!parsed.success) throw new CliError(EXIT.usage, describeIssues(parsed.error).join('\n'));
  const progress = await withSessions((sessions) => sessions.update(id, update, parsed.data));
  print(options, progress, () => [`"${id}" takes it · ${counts(progress)}`]);
}
