/** Ctrl-C, and being asked to end by a supervisor. */
import { EXIT } from './exit-codes.ts';
import { CliError } from './failure.ts';

/** Aborts at the first SIGINT or SIGTERM; after that they end the process as usual. */
export function onInterrupt(): AbortSignal {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      interrupted.abort(new CliError(EXIT.error, 'interrupted'));
    });
  }
  return interrupted.signal;
}
