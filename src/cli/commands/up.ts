import { once } from 'node:events';
import type { Command } from 'commander';
import { startStack } from '../../devstack/stack.ts';
import { addressesOf, renderAddresses } from '../addresses.ts';
import { EXIT } from '../exit-codes.ts';
import { CliError } from '../failure.ts';
import { onInterrupt } from '../interrupt.ts';
import { createCommand, print, type OutputOptions } from '../output.ts';

const DIRECTORY = '.haulout/up';

export const upCommand = (): Command =>
  createCommand('up', 'Run a Temporal dev server, a simulated datacentre and a worker, to try things out')
    .addHelpText(
      'after',
      `\nBegins anew each time; what it did is kept in ${DIRECTORY} until then. Ctrl-C ends it.`,
    )
    .action(up);

async function up(options: OutputOptions): Promise<void> {
  const lost = new AbortController();
  const stack = await startStack({
    directory: DIRECTORY,
    say,
    onLost: (name, how) => {
      if (name === 'worker') replaceWorker(how);
      else
        lost.abort(new CliError(EXIT.error, `The ${name} ended with ${how}; see ${DIRECTORY}/${name}.log`));
    },
  });
  const replaceWorker = (how: string): void => {
    say(`The worker ended with ${how}; starting another`);
    stack.startWorker().catch((error: unknown) => {
      lost.abort(error);
    });
  };
  // Only from here on: before, Ctrl-C ends this process as usual, and the reaper the parts that run by then.
  const interrupted = onInterrupt();
  try {
    print(options, addressesOf(stack), (found) => renderAddresses(found, process.env));
    const over = AbortSignal.any([lost.signal, interrupted]);
    if (!over.aborted) await once(over, 'abort');
  } finally {
    await stack.stop();
  }
  lost.signal.throwIfAborted();
}

function say(line: string): void {
  console.error(line);
}
