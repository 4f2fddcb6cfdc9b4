/** Sessions as the command line sees them: started, asked and told through Temporal, with errors in operators' words. */
import {
  WorkflowFailedError,
  type WorkflowExecutionInfo,
  type WorkflowExecutionStatusName,
  type WorkflowHandle,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { callFailureOf, untilTaken, type CallFailure } from '../call-failure.ts';
import { withTemporal, type TemporalConnection } from '../client.ts';
import type { Progress, Report } from '../core/progress.ts';
import type { SessionInput } from '../core/session-spec.ts';
import { MAINTENANCE_QUEUE, QUERIES, WORKFLOWS, type UPDATES } from '../names.ts';
import { ATTRIBUTE_KEYS } from '../search-attributes.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { CliError } from './failure.ts';

/** How long a worker may take to answer; one that has just died is missed for about as long. */
const ANSWER_MS = 15_000;

/** One line of the list of sessions. */
export interface SessionEntry {
  session: string;
  site: string;
  state: string;
  status: WorkflowExecutionStatusName;
  /** RFC 3339. */
  startedAt: string;
  endedAt?: string;
}

export interface StartOptions {
  id: string;
  input: SessionInput;
  summary: string;
  /** The session is ended when it takes longer; absent: no limit. */
  timeoutMs?: number;
}

export class Sessions {
  readonly #temporal: TemporalConnection;

  constructor(temporal: TemporalConnection) {
    this.#temporal = temporal;
  }

  /** Starts a session and returns the id of its run. An id that is in use is refused. */
  async start({ id, input, summary, timeoutMs }: StartOptions): Promise<string> {
    const handle = await inOperatorsWords(id, () =>
      this.#temporal.client.workflow.start(WORKFLOWS.maintenanceSession, {
        workflowId: id,
        workflowIdConflictPolicy: 'FAIL',
        taskQueue: MAINTENANCE_QUEUE,
        args: [input],
        staticSummary: summary,
        ...(timeoutMs === undefined ? {} : { workflowExecutionTimeout: timeoutMs }),
      }),
    );
    return handle.firstExecutionRunId;
  }

  progress(id: string): Promise<Progress> {
    return this.#ask(id, (handle) => handle.query<Progress>(QUERIES.progress));
  }

  report(id: string): Promise<Report> {
    return this.#ask(id, (handle) => handle.query<Report>(QUERIES.report));
  }

  async status(id: string): Promise<WorkflowExecutionStatusName> {
    const { status } = await this.#ask(id, (handle) => handle.describe());
    return status.name;
  }

  /** What a session has failed at and tries again, in the words of the last attempt; undefined where there is nothing. */
  async trouble(id: string): Promise<string | undefined> {
    const { raw } = await this.#ask(id, (handle) => handle.describe());
    return raw.pendingActivities?.flatMap(({ lastFailure }) => lastFailure?.message ?? [])[0];
  }

  /** The report of a session once it has ended. Throws CliError when it ends in another way than with a report. */
  async result(id: string): Promise<Report> {
    return inOperatorsWords(id, async () => this.#handle(id).result() as Promise<Report>);
  }

  /** Sends a command and returns the progress after it. Throws CliError when it is refused. */
  async update(id: string, name: (typeof UPDATES)[keyof typeof UPDATES], message: object): Promise<Progress> {
    try {
      return await this.#ask(id, (handle) =>
        untilTaken(() => handle.executeUpdate<Progress, [object]>(name, { args: [message] })),
      );
    } catch (error) {
      if (!(error instanceof CliError) || error.exitCode !== EXIT.notFound) throw error;
      const status = await this.status(id);
      throw new CliError(EXIT.refused, `Session "${id}" has ended (${status}); it takes no commands`, error);
    }
  }

  /** The newest sessions first. */
  async list(limit: number): Promise<SessionEntry[]> {
    const query = `WorkflowType = '${WORKFLOWS.maintenanceSession}'`;
    const found: SessionEntry[] = [];
    for await (const info of this.#temporal.client.workflow.list({ query, pageSize: limit })) {
      found.push(toEntry(info));
      if (found.length === limit) break;
    }
    return found;
  }

  #handle(id: string): WorkflowHandle {
    return this.#temporal.client.workflow.getHandle(id);
  }

  #ask<T>(id: string, question: (handle: WorkflowHandle) => Promise<T>): Promise<T> {
    const deadline = Date.now() + ANSWER_MS;
    return inOperatorsWords(id, () =>
      this.#temporal.client.withDeadline(deadline, () => question(this.#handle(id))),
    );
  }
}

/** Connects, does the work, and disconnects. */
export const withSessions = <T>(work: (sessions: Sessions) => Promise<T>): Promise<T> =>
  withTemporal((temporal) => work(new Sessions(temporal)));

/** `20270301-220000-123`: part of ids that are made up. */
export const stamp = (now: Date): string =>
  now.toISOString().replace(/[-:Z]/g, '').replace('T', '-').replace('.', '-');

const toEntry = (info: WorkflowExecutionInfo): SessionEntry => ({
  session: info.workflowId,
  site: info.typedSearchAttributes.get(ATTRIBUTE_KEYS.site) ?? '',
  state: info.typedSearchAttributes.get(ATTRIBUTE_KEYS.state) ?? '',
  status: info.status.name,
  startedAt: info.startTime.toISOString(),
  ...(info.closeTime && { endedAt: info.closeTime.toISOString() }),
});

async function inOperatorsWords<T>(id: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw translate(id, error);
  }
}

function translate(id: string, error: unknown): unknown {
  if (error instanceof WorkflowFailedError) return translateEnd(id, error.cause ?? error);
  const failure = callFailureOf(error);
  const told = failure && tell(id, failure);
  return told ? new CliError(told.exitCode, told.message, error) : error;
}

/** Undefined where the words of the server say it best. */
function tell(id: string, failure: CallFailure): { exitCode: ExitCode; message: string } | undefined {
  switch (failure.kind) {
    case 'in-use':
      return {
        exitCode: EXIT.refused,
        message: `A session "${id}" runs already; watch it, or choose another --id`,
      };
    case 'unknown':
      return { exitCode: EXIT.notFound, message: `There is no session "${id}"` };
    case 'no-query':
      return { exitCode: EXIT.notFound, message: `"${id}" is not a session, or was refused at its start` };
    case 'refused':
      return { exitCode: EXIT.refused, message: `Session "${id}" refuses: ${failure.reason}` };
    case 'unanswered': {
      const hint = 'the command may still be taken when one does';
      return { exitCode: EXIT.noAnswer, message: `No worker answers for session "${id}"; ${hint}` };
    }
    case 'late':
      return {
        exitCode: EXIT.noAnswer,
        message: `No worker answers for session "${id}"; is one running?`,
      };
    case 'no-server':
      return { exitCode: EXIT.noAnswer, message: 'The Temporal server does not answer any more' };
    case 'invalid':
    case 'denied':
      return undefined;
  }
}

function translateEnd(id: string, error: Error): CliError {
  const cause = innermost(error);
  if (!(cause instanceof ApplicationFailure)) {
    const hint = `to take it up again, start a session with "resumeFrom": "${id}"`;
    return new CliError(
      EXIT.failed,
      `Session "${id}" ended without a report: ${cause.message}; ${hint}`,
      error,
    );
  }
  const isInput = ['InvalidSession', 'UnknownSite', 'UnknownHost'].includes(cause.type ?? '');
  return new CliError(isInput ? EXIT.usage : EXIT.failed, `${cause.type}: ${cause.message}`, error);
}

/** The failures around it only say where it happened. */
const innermost = (error: Error): Error => (error.cause instanceof Error ? innermost(error.cause) : error);
