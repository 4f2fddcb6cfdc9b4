/** Calls of Temporal on behalf of a request: each with a deadline, and with an answer for who asked when it fails. */
import { isGrpcDeadlineError, type Client, type WorkflowExecutionInfo } from '@temporalio/client';
import { callFailureOf, untilTaken } from '../call-failure.ts';
import { ApiError } from './errors.ts';

/** Of the server alone. */
const SERVER_MS = 10_000;
/** A worker may have just died, and another one takes over. */
const WORKER_MS = 20_000;
/** For one attempt of a query: one that comes just when a workflow ends may never be answered. */
const QUERY_MS = 3_000;

/** The server gives no longer pages of a list. */
const LONGEST_PAGE = 1_000;

export class Temporal {
  readonly client: Client;

  constructor(client: Client) {
    this.client = client;
  }

  /** Asks the server. Throws ApiError Unavailable when it does not answer, and all else as the SDK does. */
  server<T>(call: () => Promise<T>): Promise<T> {
    return this.#within(SERVER_MS, 'Temporal does not answer; try again', call);
  }

  /** Asks a workflow that is known to be there. Throws ApiError Unavailable when nobody answers, else as the SDK does. */
  worker<T>(call: () => Promise<T>, ms = WORKER_MS): Promise<T> {
    return this.#within(ms, 'No worker answers; try again when one runs', () => untilTaken(call));
  }

  /** As `worker`, for what changes nothing: it is asked again when there is no answer. */
  query<T>(call: () => Promise<T>): Promise<T> {
    const deadline = Date.now() + WORKER_MS;
    return this.worker(async () => {
      for (;;) {
        try {
          return await this.client.withDeadline(Math.min(Date.now() + QUERY_MS, deadline), call);
        } catch (error) {
          if (!isGrpcDeadlineError(error) || Date.now() >= deadline) throw error;
        }
      }
    });
  }

  /** Workflows that a query of visibility finds, the newest first. */
  async list(query: string, most: number): Promise<WorkflowExecutionInfo[]> {
    const found: WorkflowExecutionInfo[] = [];
    await this.server(async () => {
      for await (const info of this.client.workflow.list({ query, pageSize: Math.min(most, LONGEST_PAGE) })) {
        found.push(info);
        if (found.length === most) break;
      }
    });
    return found;
  }

  async #within<T>(ms: number, whenLate: string, call: () => Promise<T>): Promise<T> {
    try {
      return await this.client.withDeadline(Date.now() + ms, call);
    } catch (error) {
      const failure = callFailureOf(error);
      if (failure?.kind === 'no-server') {
        throw new ApiError('Unavailable', 'Temporal does not answer; try again', { cause: error });
      }
      if (failure?.kind === 'denied') {
        throw new ApiError('Unavailable', `Temporal does not do it: ${failure.reason}`, { cause: error });
      }
      if (failure?.kind === 'late' || failure?.kind === 'unanswered') {
        throw new ApiError('Unavailable', whenLate, { cause: error });
      }
      throw error;
    }
  }
}

/** A text as a value in a query of visibility. */
export const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
