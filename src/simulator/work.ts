/** Work on hosts, such as a firmware update: asked for with an idempotency key, done in the background. */
import type { Journal } from './journal.ts';
import { Refusal } from './refusal.ts';
import { type Fate, type Task, TaskBoard } from './tasks.ts';

/** A piece of work as the API shows it. */
export interface WorkView {
  id: string;
  host: string;
  status: 'running' | 'done' | 'failed';
  message?: string;
}

export class Workshop {
  readonly #board = new TaskBoard<'work'>('work');
  readonly #byKey = new Map<string, { id: string; host: string }>();
  readonly #journal: Journal;
  readonly #durationMs: number;

  constructor(journal: Journal, durationMs: number) {
    this.#journal = journal;
    this.#durationMs = durationMs;
  }

  /** Starts work on the host; the same key gives the same work, however often it is asked for. */
  start(host: string, key: string, fate: Fate): WorkView {
    const known = this.#byKey.get(key);
    if (known && known.host !== host) {
      throw new Refusal(422, 'KeyReused', `the key ${key} was used for work on ${known.host}`);
    }
    if (known) return this.get(known.id);
    const { id } = this.#board.start({
      kind: 'work',
      subject: host,
      hosts: [host],
      durationMs: this.#durationMs,
      fate,
      begin: (work) => this.#journal.append({ type: 'work.started', host, work, key }),
      complete: (work) => {
        this.#journal.append({ type: 'work.ended', host, work, outcome: 'ok' });
        return undefined;
      },
      revert: (work, _outcome, { message }) =>
        this.#journal.append({ type: 'work.ended', host, work, outcome: 'failed', message }),
    });
    this.#byKey.set(key, { id, host });
    return this.get(id);
  }

  /** Throws a 404 when there is none. */
  get(id: string): WorkView {
    return view(this.#board.get(id));
  }

  /** Fails what is being done on a host that went down. */
  hostDied(host: string): void {
    this.#board.failOnHost(host, { code: 'HostDown', message: `${host} went down` });
  }

  close(): void {
    this.#board.close();
  }
}

function view({ id, subject, state, error }: Task<'work'>): WorkView {
  return {
    id,
    host: subject,
    status: state === 'aborted' ? 'failed' : state,
    ...(error ? { message: error.message } : {}),
  };
}
