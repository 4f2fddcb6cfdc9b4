/** The sessions that empty hosts for requests, as Temporal has them. Everything is asked of Temporal, nothing is kept. */
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { callFailureOf } from '../call-failure.ts';
import type { HostMemo } from '../core/host-run.ts';
import type { Progress, Report } from '../core/progress.ts';
import type { CancelMessage, ApproveMessage, SessionInput } from '../core/session-spec.ts';
import {
  hostWorkflowId,
  lockSessionId,
  MAINTENANCE_QUEUE,
  QUERIES,
  SIGNALS,
  siteQueue,
  UPDATES,
  WORKFLOWS,
} from '../names.ts';
import { ATTRIBUTE_KEYS } from '../search-attributes.ts';
import type { ClosedSession, SessionStanding } from './node-lock.ts';
import type { Request } from './requests.ts';
import type { LockControllerSettings } from './settings.ts';

/** Of the server alone. */
const SERVER_MS = 10_000;
/** A worker may have just died, and another one takes over. */
const WORKER_MS = 15_000;
/** The server holds a question for news back for less than a minute. */
const NEWS_MS = 90_000;

/** A worker that runs asks for work at least this often. */
const POLLED_WITHIN_MS = 75_000;

/** Of the service's API. */
const WORKFLOW_QUEUE = 1;
const ACTIVITY_QUEUE = 2;

/** The same for all replicas: however often it is asked for, a session is cancelled once. */
const CANCEL_ID = 'request-gone';

/** What a request is about, for people who look at the session, and for ourselves when it has ended. */
interface SessionMemo {
  host: string;
}

/** A session that was left without a lock that remembers it. */
export interface OpenSession {
  session: string;
  node: string;
}

export class LockSessions {
  readonly #client: Client;
  readonly #settings: LockControllerSettings;

  constructor(client: Client, settings: LockControllerSettings) {
    this.#client = client;
    this.#settings = settings;
  }

  idOf(node: string, request: Request): string {
    return lockSessionId(this.#settings.controllerName, node, request.metadata.uid);
  }

  /** Starts it, unless it runs already, or was there and has not failed. */
  async start(session: string, node: string, host: string, request: Request): Promise<void> {
    const { site } = this.#settings;
    const memo: SessionMemo = { host };
    try {
      await this.#server(() =>
        this.#client.workflow.start(WORKFLOWS.maintenanceSession, {
          workflowId: session,
          workflowIdConflictPolicy: 'FAIL',
          workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
          taskQueue: MAINTENANCE_QUEUE,
          args: [this.#inputFor(node, host, request)],
          staticSummary: `empty ${host} for request ${request.metadata.name}`,
          memo: { ...memo },
          // The session sets them too, once a worker looks at it; it is to be found before that.
          typedSearchAttributes: [
            { key: ATTRIBUTE_KEYS.session, value: session },
            { key: ATTRIBUTE_KEYS.site, value: site },
            { key: ATTRIBUTE_KEYS.state, value: 'MAINTENANCE' },
          ],
        }),
      );
    } catch (error) {
      if (callFailureOf(error)?.kind !== 'in-use') throw error;
    }
  }

  /** Answers the approval that the host waits for. One that does not wait any more needs no answer. */
  async approve(session: string, host: string): Promise<void> {
    const message: ApproveMessage = {
      host,
      approved: true,
      by: `lock controller ${this.#settings.controllerName}`,
      reason: 'the maintenance request is gone',
    };
    await this.#unlessOver(() =>
      this.#server(() => this.#client.workflow.getHandle(session).signal(SIGNALS.approve, message)),
    );
  }

  /** Has the session put its host back from wherever it stands, and end. */
  async cancel(session: string): Promise<void> {
    const message: CancelMessage = { mode: 'rollback', reason: 'the maintenance request is gone' };
    await this.#unlessOver(() =>
      this.#worker(() =>
        this.#client.workflow
          .getHandle(session)
          .executeUpdate(UPDATES.cancelSession, { args: [message], updateId: CANCEL_ID }),
      ),
    );
  }

  async look(session: string): Promise<SessionStanding> {
    try {
      const found = await this.#describe(session);
      if (!found) return { kind: 'absent' };
      return found.status.name === 'RUNNING' ? await this.#ask(session) : await this.#autopsy(found);
    } catch (error) {
      return { kind: 'unknown', why: wordsOf(error) };
    }
  }

  /** Sessions of this controller that are open, with the nodes that they are for. */
  async listOpen(): Promise<OpenSession[]> {
    const prefix = lockSessionId(this.#settings.controllerName, '', '').replace(/\/$/, '');
    const query =
      `WorkflowType = '${WORKFLOWS.maintenanceSession}' AND ExecutionStatus = 'Running' ` +
      `AND WorkflowId STARTS_WITH '${prefix}'`;
    const found: OpenSession[] = [];
    await this.#server(async () => {
      for await (const { workflowId } of this.#client.workflow.list({ query })) {
        const node = workflowId.slice(prefix.length).split('/', 1)[0] ?? '';
        found.push({ session: workflowId, node });
      }
    });
    return found;
  }

  /** Why no host of the site could be taken out now; undefined when it looks as if one could. */
  async trouble(): Promise<string | undefined> {
    const { site } = this.#settings;
    try {
      const [runsSessions, servesSite] = await Promise.all([
        this.#isPolled(MAINTENANCE_QUEUE, WORKFLOW_QUEUE),
        this.#isPolled(siteQueue(site), ACTIVITY_QUEUE),
      ]);
      if (!runsSessions) return 'no worker runs sessions';
      return servesSite ? undefined : `no worker serves site ${site}`;
    } catch (error) {
      return wordsOf(error);
    }
  }

  /**
   * Calls `onNews` whenever something has happened in the session, and ends with it. Also ends when Temporal cannot be
   * asked any more: that is no news, and nothing is lost for one who looks again by himself.
   */
  async follow(session: string, onNews: () => void, signal: AbortSignal): Promise<void> {
    let nextPageToken: Uint8Array | undefined;
    do {
      const request = {
        namespace: this.#client.options.namespace,
        execution: { workflowId: session },
        waitNewEvent: true,
        ...(nextPageToken && { nextPageToken }),
      };
      // A signal of its own: the client listens to it, and never stops to.
      const page = await this.#client.withAbortSignal(AbortSignal.any([signal]), () =>
        this.#client.withDeadline(Date.now() + NEWS_MS, () =>
          this.#client.workflowService.getWorkflowExecutionHistory(request),
        ),
      );
      if ((page.history?.events ?? []).length > 0) onNews();
      nextPageToken = page.nextPageToken.length > 0 ? page.nextPageToken : undefined;
    } while (nextPageToken && !signal.aborted);
  }

  #inputFor(node: string, host: string, { metadata, spec }: Request): SessionInput {
    const { controllerName, site, session } = this.#settings;
    return {
      site,
      hosts: [host],
      actions: [{ plugin: 'approval', type: 'host' }],
      metadata: {
        controller: controllerName,
        node,
        request: metadata.name,
        scope: spec.scope,
        ...(spec.release !== undefined && { release: spec.release }),
      },
      ...session,
    };
  }

  async #ask(session: string): Promise<SessionStanding> {
    const progress = await this.#worker(() =>
      this.#client.workflow.getHandle(session).query<Progress>(QUERIES.progress),
    );
    return { kind: 'open', progress };
  }

  /** How a session has ended that is closed. */
  async #autopsy(found: WorkflowExecutionDescription): Promise<ClosedSession> {
    const { workflowId, runId, status, closeTime, memo } = found;
    const refused = status.name === 'FAILED';
    // These have seen to their host before they ended.
    const sawToIt = refused || status.name === 'COMPLETED' || status.name === 'CANCELLED';
    const { host } = (memo ?? {}) as Partial<SessionMemo>;
    return {
      kind: 'closed',
      how: await this.#endOf(workflowId, runId, status.name),
      refused,
      at: closeTime?.getTime() ?? 0,
      host: sawToIt || host === undefined ? 'back' : await this.#whereabouts(host, workflowId),
    };
  }

  async #endOf(session: string, runId: string, status: string): Promise<string> {
    try {
      const report = await this.#server(
        () => this.#client.workflow.getHandle(session, runId).result() as Promise<Report>,
      );
      return `has ended (${[report.state, report.reason].filter(Boolean).join(': ')})`;
    } catch (error) {
      if (callFailureOf(error)) throw error;
      return `has ended (${status}: ${wordsOf((error as Error).cause ?? error)})`;
    }
  }

  /** Where a session that could not see to it any more has left its host: the host's own workflow knows. */
  async #whereabouts(host: string, session: string): Promise<ClosedSession['host']> {
    const run = await this.#describe(hostWorkflowId(this.#settings.site, host));
    if (!run || (run.memo as Partial<HostMemo> | undefined)?.session !== session) return 'back';
    if (run.status.name === 'RUNNING') return 'returning';
    return run.status.name === 'COMPLETED' || run.status.name === 'CANCELLED' ? 'back' : 'out';
  }

  async #isPolled(name: string, taskQueueType: number): Promise<boolean> {
    const { pollers } = await this.#server(() =>
      this.#client.workflowService.describeTaskQueue({
        namespace: this.#client.options.namespace,
        taskQueue: { name },
        taskQueueType,
      }),
    );
    const since = Date.now() - POLLED_WITHIN_MS;
    return pollers.some(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000 >= since);
  }

  async #describe(workflowId: string): Promise<WorkflowExecutionDescription | undefined> {
    try {
      return await this.#server(() => this.#client.workflow.getHandle(workflowId).describe());
    } catch (error) {
      if (callFailureOf(error)?.kind === 'unknown') return undefined;
      throw error;
    }
  }

  async #unlessOver(call: () => Promise<unknown>): Promise<void> {
    try {
      await call();
    } catch (error) {
      if (callFailureOf(error)?.kind !== 'unknown') throw error;
    }
  }

  #server<T>(call: () => Promise<T>): Promise<T> {
    return this.#client.withDeadline(Date.now() + SERVER_MS, call);
  }

  #worker<T>(call: () => Promise<T>): Promise<T> {
    return this.#client.withDeadline(Date.now() + WORKER_MS, call);
  }
}

/** What a call of Temporal that failed means for somebody who reads a lock. */
export function wordsOf(error: unknown): string {
  const failure = callFailureOf(error);
  if (failure?.kind === 'no-server') return 'Temporal does not answer';
  if (failure?.kind === 'late' || failure?.kind === 'unanswered') return 'no worker answers';
  if (failure && 'reason' in failure) return failure.reason;
  return error instanceof Error ? error.message : String(error);
}
