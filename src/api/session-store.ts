/** Sessions of one site, as Temporal has them. What a request asks is answered by Temporal, never by memory. */
import { createHash, randomUUID } from 'node:crypto';
import type { WorkflowExecutionDescription, WorkflowExecutionStatusName } from '@temporalio/client';
import { callFailureOf } from '../call-failure.ts';
import {
  isPast,
  type CancelMessage,
  type ContinueMessage,
  type SessionInput,
  type SessionSpec,
} from '../core/session-spec.ts';
import { summarize } from '../core/session-summary.ts';
import { MAINTENANCE_QUEUE, SEARCH_ATTRIBUTES, SIGNALS, UPDATES, WORKFLOWS } from '../names.ts';
import { ATTRIBUTE_KEYS } from '../search-attributes.ts';
import { ApiError, unknownSession } from './errors.ts';
import { quoted, type Temporal } from './temporal.ts';

const LISTED = 1_000;

/** A session and how it stands, by Temporal's own record. */
export interface SessionEntry {
  session: string;
  runId: string;
  status: WorkflowExecutionStatusName;
  /** What it says of itself. */
  state?: string;
  startedAt: Date;
  endedAt?: Date;
}

export interface NewSession {
  input: SessionInput;
  spec: SessionSpec;
  /** Who asks for it. */
  caller: string;
  /** The same key of the same caller is the same session. */
  idempotencyKey?: string;
}

/** Of the request, kept with the session: another one under the same key is told from a repeated one by it. */
interface SessionMemo {
  request: string;
}

export class SessionStore {
  readonly #temporal: Temporal;
  readonly #site: string;

  constructor(temporal: Temporal, site: string) {
    this.#temporal = temporal;
    this.#site = site;
  }

  /**
   * Starts a session and returns its id; for a request that was seen before, the id of the session it started. Throws
   * ApiError KeyReused for another request under the same key, and InvalidRequest for a new one that starts in the past.
   */
  async create({ input, spec, caller, idempotencyKey }: NewSession): Promise<string> {
    const session = idempotencyKey === undefined ? randomUUID() : idOf([this.#site, caller, idempotencyKey]);
    const request = digest([JSON.stringify(input)]);
    const memo: SessionMemo = { request };
    const { maintenanceAt } = spec;
    if (maintenanceAt !== undefined && isPast(maintenanceAt, Date.now())) {
      return this.#repeated(session, request).catch((error: unknown) => {
        const isNew = error instanceof ApiError && error.code === 'UnknownSession';
        throw isNew ? startsInThePast(maintenanceAt) : error;
      });
    }
    try {
      await this.#temporal.server(() =>
        this.#temporal.client.workflow.start(WORKFLOWS.maintenanceSession, {
          workflowId: session,
          workflowIdConflictPolicy: 'FAIL',
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          taskQueue: MAINTENANCE_QUEUE,
          args: [input],
          staticSummary: summarize(spec),
          memo: { ...memo },
          // The session sets them too, once a worker looks at it; it is to be found before that.
          typedSearchAttributes: [
            { key: ATTRIBUTE_KEYS.session, value: session },
            { key: ATTRIBUTE_KEYS.site, value: this.#site },
            { key: ATTRIBUTE_KEYS.state, value: 'MAINTENANCE' },
          ],
        }),
      );
    } catch (error) {
      const failure = callFailureOf(error);
      if (failure?.kind === 'in-use') return this.#repeated(session, request);
      if (failure?.kind !== 'invalid') throw error;
      throw new ApiError('Unavailable', `Temporal refuses the session: ${failure.reason}`, { cause: error });
    }
    return session;
  }

  /** Throws ApiError UnknownSession when there is none of this id at this site. */
  async find(session: string): Promise<SessionEntry> {
    const found = await this.#describe(session);
    const { runId, status, startTime, closeTime, typedSearchAttributes } = found;
    const state = typedSearchAttributes.get(ATTRIBUTE_KEYS.state);
    return {
      session,
      runId,
      status: status.name,
      ...(state !== undefined && { state }),
      startedAt: startTime,
      ...(closeTime && { endedAt: closeTime }),
    };
  }

  /** Ids of those that are open, the newest first. */
  async listOpen(): Promise<string[]> {
    const query =
      `WorkflowType = '${WORKFLOWS.maintenanceSession}' AND ExecutionStatus = 'Running' ` +
      `AND ${SEARCH_ATTRIBUTES.site} = ${quoted(this.#site)}`;
    return (await this.#temporal.list(query, LISTED)).map(({ workflowId }) => workflowId);
  }

  /** Goes on with what is held or paused; a session that is done has nothing to continue. Throws ApiError Refused. */
  async continue(session: string): Promise<void> {
    const { status, endedAt } = await this.find(session);
    if (status === 'COMPLETED') return;
    if (endedAt) throw ended(session, status);
    const message: ContinueMessage = {};
    try {
      await this.#temporal.worker(() =>
        this.#temporal.client.workflow
          .getHandle(session)
          .executeUpdate(UPDATES.continueSession, { args: [message] }),
      );
    } catch (error) {
      const failure = callFailureOf(error);
      // It has ended since.
      if (failure?.kind === 'unknown') return;
      if (failure?.kind === 'refused') throw new ApiError('Refused', failure.reason, { cause: error });
      throw error;
    }
  }

  /** Ends an open session: hosts in flight are put back. One that has ended stays as it is. */
  async end(session: string): Promise<void> {
    const { endedAt } = await this.find(session);
    if (endedAt) return;
    const message: CancelMessage = { mode: 'rollback', reason: 'deleted through the API' };
    try {
      // A signal is kept until a worker runs; nobody has to wait for that.
      await this.#temporal.server(() =>
        this.#temporal.client.workflow.getHandle(session).signal(SIGNALS.cancel, message),
      );
    } catch (error) {
      if (callFailureOf(error)?.kind !== 'unknown') throw error;
    }
  }

  async #describe(session: string): Promise<WorkflowExecutionDescription> {
    const found = await this.#temporal
      .server(() => this.#temporal.client.workflow.getHandle(session).describe())
      .catch((error: unknown) => {
        const kind = callFailureOf(error)?.kind;
        if (kind === 'unknown' || kind === 'invalid') throw unknownSession(session);
        throw error;
      });
    const isOurs =
      found.type === WORKFLOWS.maintenanceSession &&
      found.typedSearchAttributes.get(ATTRIBUTE_KEYS.site) === this.#site;
    if (!isOurs) throw unknownSession(session);
    return found;
  }

  async #repeated(session: string, request: string): Promise<string> {
    const { memo } = await this.#describe(session);
    if ((memo as Partial<SessionMemo> | undefined)?.request === request) return session;
    throw new ApiError(
      'KeyReused',
      'The Idempotency-Key was used for another session; a new request needs a new key',
    );
  }
}

const startsInThePast = (maintenanceAt: string): ApiError =>
  new ApiError('InvalidRequest', `maintenance_at: "${maintenanceAt}" is in the past`, {
    path: 'maintenance_at',
  });

function ended(session: string, status: WorkflowExecutionStatusName): ApiError {
  const hint = `to take it up again, create a session with "haulout": {"resumeFrom": "${session}"}`;
  return new ApiError('Refused', `Session "${session}" has ended (${status}); ${hint}`);
}

const digest = (parts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex');

/** In the shape of a UUID, as all ids of Fenix's sessions. */
function idOf(parts: readonly string[]): string {
  const hex = digest(parts);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}
