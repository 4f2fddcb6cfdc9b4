import { InvalidArgumentError, type Command } from 'commander';
import { createCommand, print, type OutputOptions } from '../output.ts';
import { renderSessions } from '../render-report.ts';
import { withSessions } from '../sessions.ts';

interface ListOptions extends OutputOptions {
  limit: number;
}

export const listCommand = (): Command =>
  createCommand('list', 'List sessions, the newest first')
    .option('--limit <count>', 'at most so many', toCount, 50)
    .action(async (options: ListOptions) => {
      const entries = await withSessions((sessions) => sessions.list(options.limit));
      print(options, entries, renderSessions);
    });

/** A number of rows, as an option. */
export function toCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 1000) {
    throw new InvalidArgumentError('must be a number from 1 to 1000');
  }
  return count;
}
