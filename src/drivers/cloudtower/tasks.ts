/** CloudTower's tasks in terms of the driver contract. */
import { type ErrorCode, MaintenanceError } from '../../core/errors.ts';
import type { CallContext, TaskKind, TaskStatus } from '../driver.ts';
import { rest } from '../transport.ts';
import type { Api } from './api.ts';
import { task, type TaskInfo } from './wire.ts';

/** Stands for the id of a task that CloudTower has not told: its subject says how far it is. */
export const NO_TASK = 'none';

const RUNNING = ['PENDING', 'EXECUTING', 'PAUSED'];

/**
 * What a task does, by its `resource_mutation` or else its description. The SDK has a field for the name of the mutation
 * and no list of names, so words are looked for in it.
 */
const WORDS: Readonly<Partial<Record<TaskKind, RegExp>>> = {
  move: /migrat/i,
  stop: /shut\s?_?down|power\s?_?off/i,
  start: /start|power\s?_?on/i,
  enter: /enter\w*[\s_]?(the\s)?maint/i,
  exit: /exit\w*[\s_]?(the\s)?maint/i,
};

/** A pre-check of entering is no entering. */
const PRECHECK = /pre[\s_-]?check/i;

/** Between two looks at a small task of CloudTower's own: this long at first, and twice as long each time. */
const FIRST_REST_MS = 50;
const LONGEST_REST_MS = 1_000;

export class Tasks {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** The tasks that work on these objects now, by their ids. */
  running(resources: readonly string[], context: CallContext): Promise<TaskInfo[]> {
    return this.#api.list('tasks', { resource_id_in: resources, status_in: RUNNING }, task, context);
  }

  /** The task of this kind that works on an object now. */
  async find(kind: TaskKind, resource: string, context: CallContext): Promise<TaskInfo | undefined> {
    return (await this.running([resource], context)).find((one) => isOf(kind, one));
  }

  async status(kind: TaskKind, id: string, context: CallContext): Promise<TaskStatus> {
    const body = { where: { id } };
    const [found] = await this.#api.read('get-tasks', body, task.array(), context);
    return statusOf(kind, found);
  }

  /** Waits for what is over in a moment, since it concerns nothing but CloudTower's own records. */
  async finish(id: string, what: string, context: CallContext): Promise<void> {
    for (let pause = FIRST_REST_MS; ; pause = Math.min(2 * pause, LONGEST_REST_MS)) {
      const status = await this.status('cordon', id, context);
      if (status.state === 'failed')
        throw new MaintenanceError('PlatformError', what, { cause: status.error });
      if (status.state !== 'running') return;
      await rest(pause, context.signal);
    }
  }
}

export function isOf(kind: TaskKind, { resource_mutation, description }: TaskInfo): boolean {
  const what = resource_mutation ?? description ?? '';
  return WORDS[kind]?.test(what) === true && !PRECHECK.test(what);
}

/** Any other is a PlatformError. */
const FAILURES: Readonly<Partial<Record<TaskKind, ErrorCode>>> = {
  move: 'MoveFailed',
  enter: 'EnterFailed',
  exit: 'ExitFailed',
};

function statusOf(kind: TaskKind, info: TaskInfo | undefined): TaskStatus {
  if (!info) return { state: 'vanished' };
  const what = info.description ?? info.resource_mutation ?? kind;
  switch (info.status) {
    case 'SUCCESSED':
      return { state: 'done' };
    case 'FAILED': {
      const vendor =
        [info.error_code, info.error_message].filter((text) => text).join(': ') || 'no reason given';
      return { state: 'failed', error: failure(kind, `${what} failed: ${vendor}`, { vendor }) };
    }
    case 'PAUSED':
      // It goes on only when somebody there says so.
      return {
        state: 'failed',
        error: failure(kind, `${what} is paused in CloudTower: let it go on there, then continue`, {
          retryable: false,
        }),
      };
    default: {
      const progress = info.progress === undefined ? {} : { progress: Math.round(info.progress * 100) };
      return { state: 'running', ...progress, detail: what };
    }
  }
}

const failure = (
  kind: TaskKind,
  message: string,
  options: { vendor?: string; retryable?: boolean },
): MaintenanceError => new MaintenanceError(FAILURES[kind] ?? 'PlatformError', message, options);
