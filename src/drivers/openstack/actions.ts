/** Nova promises nothing with its 202; why something failed then is only in the events of the server's actions. */
import type { CallContext } from '../driver.ts';
import { rest } from '../transport.ts';
import type { Nova } from './nova.ts';
import type { ActionDetails } from './wire.ts';

/** The record of a failure appears a little after the failure. */
const LOOKS = 5;
const PAUSE_MS = 200;

interface Reason {
  /** In Nova's own words. */
  words: string;
  /** The scheduler found no host, and no host has said why it would not do. */
  noTarget: boolean;
}

/** Undefined when Nova says nothing. */
export async function whyItFailed(
  nova: Nova,
  server: string,
  request: string,
  context: CallContext,
): Promise<Reason | undefined> {
  for (let look = 1; ; look += 1) {
    const action = await nova.action(server, request, context);
    if (!action) return undefined;
    const settled = action.events.every(({ finish_time: end }) => Boolean(end));
    if (settled || look === LOOKS) return reasonIn(action);
    await rest(PAUSE_MS, context.signal);
  }
}

/** What the events of an action say went wrong; those of hosts come first, since they know most. */
export function reasonIn({ events }: Pick<ActionDetails, 'events'>): Reason | undefined {
  const failed = events.filter(({ result }) => result === 'Error');
  const said = failed
    .map((one) => ({
      fromHost: one.event.startsWith('compute_'),
      words: one.details ?? lastLine(one.traceback),
    }))
    .filter((one): one is { fromHost: boolean; words: string } => Boolean(one.words))
    .sort((a, b) => Number(b.fromHost) - Number(a.fromHost));
  if (said.length === 0) return undefined;
  return {
    words: [...new Set(said.map(({ words }) => words.trim()))].join('; '),
    noTarget: said.every(({ fromHost, words }) => !fromHost && words.startsWith('No valid host')),
  };
}

/** Before microversion 2.84 an event has only its traceback, which ends in the error. */
const lastLine = (traceback: string | null | undefined): string | undefined =>
  traceback
    ?.trim()
    .split('\n')
    .at(-1)
    ?.replace(/^[\w.]+: /, '');
