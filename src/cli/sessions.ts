/** Sessions as the command line sees them: started, asked and told through Temporal, with errors in operators' words. */
import {
  QueryNotRegisteredError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  isGrpcDeadlineError,
  isGrpcServiceError,
  type ServiceError,
  type WorkflowExecutionInfo,
  type WorkflowExecutionStatusName,
  type WorkflowHandle,
} from '@temporalio/client';
import { ApplicationFailure, defineSearchAttributeKey } from '@temporalio/common';
import { connectTemporal, type TemporalConnection } from '../client.ts';
import type { Progress, Report } from '../core/progress.ts';
import type { SessionInput } from '../core/session-spec.ts';
import { MAINTENANCE_QUEUE, QUERIES, SEARCH_ATTRIBUTES, WORKFLOWS, type UPDATES } from '../names.ts';
import { EXIT } from './exit-codes.ts';
import { CliError } from './failure.ts';

/** How long a worker may take to answer; one that has just died is missed for about as long. */
const ANSWER_MS = 15_000;

/** gRPC status codes. */
const FAILED_PRECONDITION = 9;
const UNAVAILABLE = 14;

const ATTRIBUTES = {
  site: defineSearchAttributeKey(SEARCH_ATTRIBUTES.site, 'KEYWORD'),
  state: defineSearchAttributeKey(SEARCH_ATTRIBUTES.state, 'KEYWORD'),
};

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

  /** The report of a session once it has ended. Throws CliError when it ends in another way than with a report. */
  async result(id: string): Promise<Report> {
    return inOperatorsWords(id, async () => this.#handle(id).result() as Promise<Report>);
  }

  /** Sends a command and returns the progress after it. Throws CliError when it is refused. */
  async update(id: string, name: (typeof UPDATES)[keyof typeof UPDATES], message: object): Promise<Progress> {
    try {
      return await this.#ask(id, (handle) =>
        handle.executeUpdate<Progress, [object]>(name, { args: [message] }),
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
export async function withSessions<T>(work: (sessions: Sessions) => Promise<T>): Promise<T> {
  const temporal = await connectTemporal();
  try {
    return await work(new Sessions(temporal));
  } finally {
    await temporal.connection.close();
  }
}

/** `20270301-220000-123`: part of ids that are made up. */
export const stamp = (now: Date): string =>
  now.toISOString().replace(/[-:Z]/g, '').replace('T', '-').replace('.', '-');

const toEntry = (info: WorkflowExecutionInfo): SessionEntry => ({
  session: info.workflowId,
  site: info.typedSearchAttributes.get(ATTRIBUTES.site) ?? '',
  state: info.typedSearchAttributes.get(ATTRIBUTES.state) ?? '',
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
  if (error instanceof WorkflowExecutionAlreadyStartedError) {
    return new CliError(
      EXIT.refused,
      `A session "${id}" runs already; watch it, or choose another --id`,
      error,
    );
  }
  if (error instanceof WorkflowNotFoundError) {
    return new CliError(EXIT.notFound, `There is no session "${id}"`, error);
  }
  if (error instanceof QueryNotRegisteredError) {
    return new CliError(EXIT.notFound, `"${id}" is not a session, or was refused at its start`, error);
  }
  if (error instanceof WorkflowUpdateFailedError) {
    return new CliError(
      EXIT.refused,
      `Session "${id}" refuses: ${error.cause?.message ?? error.message}`,
      error,
    );
  }
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
    const hint = 'the command may still be taken when one does';
    return new CliError(EXIT.noAnswer, `No worker answers for session "${id}"; ${hint}`, error);
  }
  if (error instanceof WorkflowFailedError) return translateEnd(id, error.cause ?? error);
  return translateRpc(id, error);
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

function translateRpc(id: string, error: unknown): unknown {
  const cause = (error as ServiceError).cause ?? error;
  const code: number | undefined = isGrpcServiceError(cause) ? cause.code : undefined;
  if (isGrpcDeadlineError(error) || code === FAILED_PRECONDITION) {
    return new CliError(EXIT.noAnswer, `No worker answers for session "${id}"; is one running?`, error);
  }
  if (code === UNAVAILABLE)
    return new CliError(EXIT.noAnswer, 'The Temporal server does not answer any more', error);
  return error;
}
