import type { ActionContext } from '../../../activities/actions/action.ts';
import type { ActionInput } from '../../../src/core/host-run.ts';

/** A context that records its heartbeats; `abort` is the signal's controller. */
export function actionContext(
  resumed?: unknown,
): ActionContext & { beats: unknown[]; abort: AbortController } {
  const abort = new AbortController();
  const beats: unknown[] = [];
  return { abort, beats, signal: abort.signal, heartbeat: (details) => beats.push(details), resumed };
}

/** Input of a host action, as a worker gets it. */
export const actionInput = (
  plugin: string,
  metadata: Record<string, unknown>,
  overrides: Partial<ActionInput> = {},
): ActionInput => ({
  session: 'rack-12',
  site: 'demo',
  host: 'compute-3',
  type: 'host',
  plugin,
  metadata,
  sessionMetadata: { ticket: 'CHG-7' },
  idempotencyKey: 'rack-12/compute-3/0',
  ...overrides,
});

/** Waits until the condition holds; fails after 10 seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('the condition did not come true in 10 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
