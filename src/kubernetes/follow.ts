/** The objects of a kind, kept up to date: a list, then its changes, and a list again where those are lost. */
import { rest } from '../drivers/transport.ts';
import type { CallContext, KubernetesClient, Selection } from './client.ts';
import { isExpired } from './failure.ts';
import type { KubernetesObject, Resource } from './resource.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;

export type Change<T> =
  /** All there are now, in place of all that was known. */
  { type: 'listed'; items: T[] } | { type: 'put' | 'deleted'; item: T };

/**
 * Lists and watches until the signal ends it. Failures do not: they are told, and after a pause that grows it goes on with
 * a new list.
 *
 * @param failed told of each failure, as a log would want it
 */
export async function* follow<T extends KubernetesObject>(
  client: KubernetesClient,
  resource: Resource<T>,
  selection: Selection,
  context: CallContext,
  failed: (error: unknown) => void,
): AsyncGenerator<Change<T>, void, undefined> {
  const { signal } = context;
  let pauseMs = FIRST_PAUSE_MS;
  let resourceVersion: string | undefined;
  while (!signal.aborted) {
    try {
      if (resourceVersion === undefined) {
        const listed = await client.list(resource, selection, context);
        resourceVersion = listed.resourceVersion;
        yield { type: 'listed', items: listed.items };
      }
      let toldAnything = false;
      for await (const event of client.watch(resource, { ...selection, resourceVersion }, context)) {
        ({ resourceVersion } = event);
        toldAnything = true;
        pauseMs = FIRST_PAUSE_MS;
        if (event.type !== 'BOOKMARK') {
          yield { type: event.type === 'DELETED' ? 'deleted' : 'put', item: event.object };
        }
      }
      if (toldAnything) continue;
    } catch (error) {
      if (isAborted(signal)) return;
      if (!isExpired(error)) failed(error);
    }
    // Who cannot watch, or is cut off at once by what stands between, is kept up to date by lists.
    resourceVersion = undefined;
    await rest(pauseMs, signal).catch(() => undefined);
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
  }
}

/** Asked again after a wait, which the compiler does not see. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;
