/** Long-running operations: they start, take their time, and end well, badly, aborted or never. */
import { type ApiError, Refusal } from './refusal.ts';

/** What a fault makes of a task that was accepted. */
export type Fate = { kind: 'ends' } | ({ kind: 'fails' } & ApiError) | { kind: 'neverEnds' };

export const NATURAL: Fate = { kind: 'ends' };

export interface Task<Kind extends string> {
  id: string;
  kind: Kind;
  subject: string;
  state: 'running' | 'done' | 'failed' | 'aborted';
  /** 0 to 100. */
  progress: number;
  error?: ApiError;
}

interface Order<Kind extends string> {
  kind: Kind;
  subject: string;
  /** Hosts whose death ends the task. */
  hosts: readonly string[];
  durationMs: number;
  fate: Fate;
  /** Told the id before the task may end. */
  begin: (task: string) => void;
  /** Makes the change; an error it gives back fails the task. */
  complete: (task: string) => ApiError | undefined;
  /** Leaves things as they were. */
  revert: (task: string, outcome: 'failed' | 'aborted', error: ApiError) => void;
}

interface Entry<Kind extends string> {
  id: string;
  order: Order<Kind>;
  startedAt: number;
  timer: NodeJS.Timeout | undefined;
  state: Task<Kind>['state'];
  error: ApiError | undefined;
}

/** The tasks of one family; ids are `<prefix>-1`, `<prefix>-2`, … */
export class TaskBoard<Kind extends string> {
  readonly #prefix: string;
  readonly #all = new Map<string, Entry<Kind>>();
  readonly #running = new Map<string, Entry<Kind>>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  start(order: Order<Kind>): Task<Kind> {
    const record: Entry<Kind> = {
      id: `${this.#prefix}-${this.#all.size + 1}`,
      order,
      startedAt: Date.now(),
      timer: undefined,
      state: 'running',
      error: undefined,
    };
    this.#all.set(record.id, record);
    this.#running.set(record.id, record);
    order.begin(record.id);
    this.#schedule(record);
    return view(record);
  }

  /** Throws a 404 when there is none. */
  get(id: string): Task<Kind> {
    return view(this.#find(id));
  }

  /** In the order they were started. */
  list(filter: {
    kind?: Kind | undefined;
    subject?: string | undefined;
    state?: Task<Kind>['state'] | undefined;
  }): Task<Kind>[] {
    const pool = filter.state === 'running' ? this.#running : this.#all;
    return [...pool.values()]
      .filter(
        ({ order, state }) =>
          (filter.kind === undefined || order.kind === filter.kind) &&
          (filter.subject === undefined || order.subject === filter.subject) &&
          (filter.state === undefined || state === filter.state),
      )
      .map(view);
  }

  abort(id: string): void {
    const record = this.#find(id);
    if (record.state !== 'running')
      throw new Refusal(409, 'TaskEnded', `task ${id} has ended: ${record.state}`);
    this.#undo(record, 'aborted', { code: 'Aborted', message: 'the task was aborted' });
  }

  /** Fails every running task that needs the host. */
  failOnHost(host: string, error: ApiError): void {
    for (const record of [...this.#running.values()]) {
      if (record.order.hosts.includes(host)) this.#undo(record, 'failed', error);
    }
  }

  /** Fails every running task on the subject. */
  failOnSubject(subject: string, error: ApiError): void {
    for (const record of [...this.#running.values()]) {
      if (record.order.subject === subject) this.#undo(record, 'failed', error);
    }
  }

  /** Forgets the timers, so that a process can end. */
  close(): void {
    for (const { timer } of this.#running.values()) clearTimeout(timer);
  }

  #schedule(record: Entry<Kind>): void {
    const { fate, durationMs } = record.order;
    if (fate.kind === 'neverEnds') return;
    const end = (): void => {
      if (fate.kind === 'fails') this.#undo(record, 'failed', { code: fate.code, message: fate.message });
      else this.#complete(record);
    };
    if (durationMs <= 0) end();
    else record.timer = setTimeout(end, fate.kind === 'fails' ? durationMs / 2 : durationMs);
  }

  #complete(record: Entry<Kind>): void {
    const error = record.order.complete(record.id);
    if (error) this.#undo(record, 'failed', error);
    else this.#end(record, 'done');
  }

  #undo(record: Entry<Kind>, outcome: 'failed' | 'aborted', error: ApiError): void {
    this.#end(record, outcome, error);
    record.order.revert(record.id, outcome, error);
  }

  #end(record: Entry<Kind>, state: Task<Kind>['state'], error?: ApiError): void {
    clearTimeout(record.timer);
    record.state = state;
    record.error = error;
    this.#running.delete(record.id);
  }

  #find(id: string): Entry<Kind> {
    const record = this.#all.get(id);
    if (!record) throw new Refusal(404, 'TaskNotFound', `there is no task ${id}`);
    return record;
  }
}

function view<Kind extends string>({ id, order, state, startedAt, error }: Entry<Kind>): Task<Kind> {
  const elapsed = order.durationMs > 0 ? Math.round(((Date.now() - startedAt) / order.durationMs) * 100) : 0;
  return {
    id,
    kind: order.kind,
    subject: order.subject,
    state,
    progress: state === 'done' ? 100 : Math.min(99, elapsed),
    ...(error ? { error } : {}),
  };
}
