/** How the workflow of a host learns whom one of its activities waits for, while that is still under way. */
import type { Context } from '@temporalio/activity';
import type { HostWaits } from '../src/core/host-report.ts';
import { oneLine } from '../src/core/listed.ts';
import { SIGNALS } from '../src/names.ts';

/** What is over within so long is not told: each notice is an event in the history, and most waits are short. */
const FIRST_MS = 3_000;
/** Later notices follow after a tenth of what was waited, so that a wait of days has few of them. */
const PAUSE_SHARE = 1 / 10;
const SHORTEST_PAUSE_MS = 10_000;
const LONGEST_PAUSE_MS = 5 * 60_000;

const CHARS_TOLD = 1_000;
const DELIVERY_MS = 5_000;

export class WaitNotice {
  readonly #context: Context;
  /** Since when it has waited without a break, and when its workflow was last told of that: epoch milliseconds. */
  #since: number | undefined;
  #toldAt: number | undefined;
  #told: string | undefined;
  #sending: Promise<void> | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Tells it, if it is new and time to tell it. */
  say(waitsFor: string | undefined): void {
    const now = Date.now();
    if (waitsFor === undefined) this.#since = undefined;
    else this.#since ??= now;
    if (waitsFor === this.#told || this.#sending || !this.#isDue(now)) return;
    this.#told = waitsFor;
    this.#toldAt = now;
    this.#sending = this.#send(waitsFor).finally(() => (this.#sending = undefined));
  }

  /** Resolves when nothing is on its way any more. */
  async delivered(): Promise<void> {
    await this.#sending;
  }

  #isDue(now: number): boolean {
    // It goes on: what was shown is not so any more.
    if (this.#since === undefined) return true;
    const waitedMs = now - this.#since;
    if (this.#told === undefined || this.#toldAt === undefined) return waitedMs >= FIRST_MS;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, waitedMs * PAUSE_SHARE));
    return now - this.#toldAt >= pauseMs;
  }

  async #send(waitsFor: string | undefined): Promise<void> {
    const { client, info } = this.#context;
    if (!info.workflowExecution) return;
    const { workflowId, runId } = info.workflowExecution;
    const notice: HostWaits = waitsFor === undefined ? {} : { waitsFor: oneLine(waitsFor, CHARS_TOLD) };
    // Nothing depends on it, and the heartbeat says the same; the end of the activity waits for it.
    await client
      .withDeadline(Date.now() + DELIVERY_MS, () =>
        client.workflow.getHandle(workflowId, runId).signal(SIGNALS.hostWaits, notice),
      )
      .catch(() => undefined);
  }
}
