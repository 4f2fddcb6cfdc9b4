/** What a stack asks of its simulator beside the platform API: trouble on demand, and the journal. */
import type { FaultSpec } from '../simulator/faults.ts';
import type { JournalEntry } from '../simulator/journal.ts';

export class SimulatorControl {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** Strikes requests that match, until the faults are cleared. */
  async addFault(fault: FaultSpec): Promise<void> {
    await this.#call('POST', '/v1/faults', fault);
  }

  async clearFaults(): Promise<void> {
    await this.#call('DELETE', '/v1/faults');
  }

  /** Every entry from the beginning. */
  async journal(): Promise<JournalEntry[]> {
    const entries: JournalEntry[] = [];
    for (let after: number | undefined = 0; after !== undefined;) {
      const answer = await this.#call('GET', `/v1/journal?after=${after}&limit=10000`);
      const page = (await answer.json()) as { entries: JournalEntry[]; next?: number };
      entries.push(...page.entries);
      after = page.next;
    }
    return entries;
  }

  async #call(method: string, path: string, body?: object): Promise<Response> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`The simulator answers ${method} ${path} with ${answer.status}`);
    return answer;
  }
}
