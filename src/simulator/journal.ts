/** The audit journal: an append-only record of every request and every change, in the order they happened. */
import { createWriteStream, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import type { Group, Host, Instance, Resources } from '../core/inventory.ts';

export type MigrationMode = 'live' | 'cold';

export type JournalEvent =
  | { type: 'request'; method: string; path: string; client?: string }
  | { type: 'datacentre.created'; hosts: Host[]; instances: Instance[]; groups: Group[] }
  | {
      type: 'instance.migration.started';
      instance: string;
      from: string;
      to: string;
      mode: MigrationMode;
      task: string;
    }
  | {
      type: 'instance.migration.ended';
      instance: string;
      from: string;
      to: string;
      task: string;
      outcome: 'ok' | 'failed' | 'aborted';
      /** State of the instance from now on. */
      state: Instance['state'];
      message?: string;
    }
  | { type: 'instance.stopped'; instance: string; host: string; mark?: string }
  | { type: 'instance.started'; instance: string; host: string }
  | { type: 'instance.created'; instance: Instance }
  | { type: 'instance.deleted'; instance: string; host: string }
  | { type: 'host.cordoned'; host: string; reason: string }
  | { type: 'host.uncordoned'; host: string; reason?: string }
  | { type: 'host.entering'; host: string; reason: string; task: string }
  | { type: 'host.entered'; host: string }
  | { type: 'host.enter-failed'; host: string; message: string }
  | { type: 'host.exiting'; host: string; task: string }
  | { type: 'host.exited'; host: string }
  | { type: 'host.exit-failed'; host: string; message: string }
  | { type: 'host.died'; host: string }
  | { type: 'host.revived'; host: string }
  | { type: 'host.capacity'; host: string; capacity: Resources }
  | { type: 'work.started'; host: string; work: string; key: string }
  | { type: 'work.ended'; host: string; work: string; outcome: 'ok' | 'failed'; message?: string }
  | {
      type: 'fault.injected';
      fault: string;
      operation: string;
      effect: string;
      host?: string;
      instance?: string;
    };

/** `seq` counts from 1 without gaps; `time` is RFC 3339. */
export type JournalEntry = { seq: number; time: string } & JournalEvent;

export class Journal {
  readonly #entries: JournalEntry[] = [];
  readonly #file: WriteStream | undefined;

  /** With a file, each entry is also a line of JSON in it. The file is begun anew, as the datacentre is. */
  constructor(file?: string) {
    this.#file = file === undefined ? undefined : createWriteStream(file, { flags: 'w' });
  }

  get entries(): readonly JournalEntry[] {
    return this.#entries;
  }

  append(event: JournalEvent): void {
    const entry = { seq: this.#entries.length + 1, time: new Date().toISOString(), ...event };
    this.#entries.push(entry);
    this.#file?.write(`${JSON.stringify(entry)}\n`);
  }

  /** At most `limit` entries that follow the one numbered `seq`. */
  after(seq: number, limit: number): JournalEntry[] {
    return this.#entries.slice(seq, seq + limit);
  }

  /** Ends when the file, if there is one, holds everything. */
  async close(): Promise<void> {
    if (this.#file === undefined || this.#file.closed) return;
    const closed = once(this.#file, 'close');
    this.#file.end();
    await closed;
  }
}
