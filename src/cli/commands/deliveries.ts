import type { Command } from 'commander';
import { withDeliveries, type FailedDelivery } from '../deliveries.ts';
import { createCommand, print, type OutputOptions } from '../output.ts';
import { cut, table } from '../table.ts';
import { toCount } from './list.ts';

const REASON_CHARS = 120;

interface ListOptions extends OutputOptions {
  limit: number;
}

/** `deliveries`, and `deliveries retry`. */
export const deliveriesCommand = (): Command =>
  createCommand('deliveries', 'List notifications that a sink has not got, the newest first')
    .option('--limit <count>', 'at most so many', toCount, 50)
    .action(async (options: ListOptions) => {
      const failed = await withDeliveries((deliveries) => deliveries.failed(options.limit));
      print(options, failed, renderFailed);
    })
    .addCommand(retryCommand());

const retryCommand = (): Command =>
  createCommand('retry', 'Send them once more, whatever has become of the time to answer')
    .argument('<id...>', 'ids of failed deliveries')
    .action(async (ids: string[], _options: OutputOptions, command: Command) => {
      await withDeliveries(async (deliveries) => {
        for (const id of ids) await deliveries.retry(id);
      });
      // The command around it knows --json too, and takes it wherever it stands.
      print(command.optsWithGlobals<OutputOptions>(), { retried: ids }, () =>
        ids.map((id) => `Sends ${id} again.`),
      );
    });

function renderFailed(failed: readonly FailedDelivery[]): string[] {
  if (failed.length === 0) return ['No delivery has failed.'];
  const rows = failed.map(({ failedAt, session, about, reason }) => [
    ...[failedAt.slice(0, 19), session, about],
    cut(reason.replace(/\s+/g, ' '), REASON_CHARS),
  ]);
  return [
    ...table(['FAILED (UTC)', 'SESSION', 'EVENT', 'REASON'], rows),
    '',
    'To send them again:',
    ...failed.map(({ id }) => `  haulout deliveries retry ${id}`),
  ];
}
