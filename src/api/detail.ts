/** Everything that is known of a session: what Temporal recorded of it, of its hosts and of its dialogues. */
import type { WorkflowExecutionDescription, WorkflowExecutionInfo } from '@temporalio/client';
import { callFailureOf } from '../call-failure.ts';
import type { NoticeView } from '../core/dialogue.ts';
import type { Progress } from '../core/progress.ts';
import { dialogueWorkflowId, hostWorkflowId, QUERIES, SEARCH_ATTRIBUTES, WORKFLOWS } from '../names.ts';
import { ApiError } from './errors.ts';
import type { SessionDetail, StepView } from './schemas.ts';
import type { SessionEntry } from './session-store.ts';
import { failureIn, notePending, startIn, stepsIn, type Event } from './steps.ts';
import { quoted, type Temporal } from './temporal.ts';
import { fenixState } from './translate.ts';

/** Of one run of a workflow; a host with more than some hundred instances has more. */
const EVENTS_READ = 5_000;
/** Of a session that has continued as new: runs before the last one are read until there are so many. */
const STEPS_READ = 1_000;
const DIALOGUES_READ = 300;
/** Histories and dialogues asked for at one time. */
const AT_ONCE = 8;

/** Activities that concern one instance. */
const INSTANCE_STEPS = new Set(['moveInstance', 'stopInstance', 'startInstance']);

/** Runs of hosts to tell of: one that was held and continued has several. */
export interface Page {
  offset: number;
  limit: number;
}

interface RunView {
  steps: StepView[];
  error?: StepView['error'];
  /** There are more steps than these. */
  truncated: boolean;
  startedAt: Date | undefined;
  /** Id of the run that this one has continued. */
  continues: string | undefined;
}

export class DetailReader {
  readonly #temporal: Temporal;
  readonly #site: string;

  constructor(temporal: Temporal, site: string) {
    this.#temporal = temporal;
    this.#site = site;
  }

  async read(session: SessionEntry, page: Page): Promise<SessionDetail> {
    const { session: id, status, state } = session;
    const [own, progress, runs, dialogues] = await Promise.all([
      this.#readChain(id, session.runId, session.status === 'RUNNING'),
      this.#ask<Progress>(id, QUERIES.progress),
      this.#temporal.list(hostsOf(id), page.offset + page.limit + 1),
      this.#temporal.list(dialoguesOf(id), DIALOGUES_READ),
    ]);
    // Where the session has no worker to answer, its dialogues have none either.
    const isAnswered = progress !== undefined;
    const shown = runs.slice(page.offset, page.offset + page.limit);
    return {
      session_id: id,
      state: fenixState(status, state),
      haulout_state: state ?? 'MAINTENANCE',
      status,
      ...timesOf(own.startedAt ?? session.startedAt, session.endedAt),
      ...(own.error && { error: own.error }),
      progress: progress ?? null,
      steps: own.steps,
      truncated: own.truncated,
      hosts: await inTurns(shown, (run) => this.#readHost(run)),
      ...(runs.length > page.offset + page.limit && { next_offset: page.offset + page.limit }),
      dialogues: await inTurns(dialogues, (run) => this.#readDialogue(id, run, isAnswered)),
    };
  }

  async #readHost(run: WorkflowExecutionInfo): Promise<SessionDetail['hosts'][number]> {
    const { steps, error, truncated } = await this.#readRun(
      run.workflowId,
      run.runId,
      run.status.name === 'RUNNING',
    );
    return {
      host: run.workflowId.slice(hostWorkflowId(this.#site, '').length),
      status: run.status.name,
      ...timesOf(run.startTime, run.closeTime),
      ...(error && { error }),
      steps: steps.filter(({ step }) => !INSTANCE_STEPS.has(step)),
      instances: steps.filter(({ step }) => INSTANCE_STEPS.has(step)),
      truncated,
    };
  }

  async #readDialogue(
    session: string,
    run: WorkflowExecutionInfo,
    isAnswered: boolean,
  ): Promise<SessionDetail['dialogues'][number]> {
    const { workflowId, runId } = run;
    const notice = isAnswered ? await this.#ask<NoticeView>(workflowId, QUERIES.notice, runId) : undefined;
    const [project = '', instance] = workflowId.slice(dialogueWorkflowId(session, '').length).split('/');
    return {
      project,
      ...(instance !== undefined && { instance }),
      status: run.status.name,
      ...timesOf(run.startTime, run.closeTime),
      notice: notice ?? null,
    };
  }

  /** As of the last run, with the steps of those before it that it continues: a long session continues as new. */
  async #readChain(workflowId: string, runId: string, isOpen: boolean): Promise<RunView> {
    const last = await this.#readRun(workflowId, runId, isOpen);
    let { steps, truncated, startedAt, continues } = last;
    while (continues !== undefined && !truncated && steps.length < STEPS_READ) {
      // After its retention a run is forgotten.
      const before = await this.#readRun(workflowId, continues, false).catch(unlessUnknown);
      if (before) steps = [...before.steps, ...steps];
      truncated = before?.truncated ?? true;
      startedAt = before?.startedAt ?? startedAt;
      continues = before?.continues;
    }
    return { ...last, steps, startedAt, truncated: truncated || continues !== undefined };
  }

  /** What was done in one run of a workflow, and why it failed if it did. */
  async #readRun(workflowId: string, runId: string, isOpen: boolean): Promise<RunView> {
    const { events, truncated } = await this.#readHistory(workflowId, runId);
    const steps = stepsIn(events);
    if (isOpen) notePending(steps, await this.#describe(workflowId, runId));
    const error = failureIn(events);
    return { steps: [...steps.values()], ...(error && { error }), truncated, ...startIn(events) };
  }

  async #readHistory(workflowId: string, runId: string): Promise<{ events: Event[]; truncated: boolean }> {
    const { client } = this.#temporal;
    const events: Event[] = [];
    let nextPageToken: Uint8Array | undefined;
    do {
      const request = {
        namespace: client.options.namespace,
        execution: { workflowId, runId },
        ...(nextPageToken && { nextPageToken }),
      };
      const page = await this.#temporal.server(() =>
        client.workflowService.getWorkflowExecutionHistory(request),
      );
      events.push(...(page.history?.events ?? []));
      nextPageToken = page.nextPageToken.length > 0 ? page.nextPageToken : undefined;
    } while (nextPageToken && events.length < EVENTS_READ);
    return { events, truncated: nextPageToken !== undefined };
  }

  #describe(workflowId: string, runId: string): Promise<WorkflowExecutionDescription> {
    return this.#temporal.server(() =>
      this.#temporal.client.workflow.getHandle(workflowId, runId).describe(),
    );
  }

  /** Undefined when nobody answers, or there is no answer to it. */
  async #ask<T>(workflowId: string, query: string, runId?: string): Promise<T | undefined> {
    try {
      return await this.#temporal.query(() =>
        this.#temporal.client.workflow.getHandle(workflowId, runId).query<T>(query),
      );
    } catch (error) {
      if (error instanceof ApiError || callFailureOf(error)) return undefined;
      throw error;
    }
  }
}

function unlessUnknown(error: unknown): undefined {
  if (callFailureOf(error)?.kind !== 'unknown') throw error;
}

const hostsOf = (session: string): string =>
  `WorkflowType = '${WORKFLOWS.hostMaintenance}' AND ${SEARCH_ATTRIBUTES.session} = ${quoted(session)}`;

const dialoguesOf = (session: string): string =>
  `WorkflowType = '${WORKFLOWS.projectDialogue}' AND WorkflowId STARTS_WITH ${quoted(dialogueWorkflowId(session, ''))}`;

const timesOf = (startedAt: Date, endedAt?: Date): { started_at: string; ended_at?: string } => ({
  started_at: startedAt.toISOString(),
  ...(endedAt && { ended_at: endedAt.toISOString() }),
});

/** Does the work for each item, for a few at one time. */
async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let next = 0; next < items.length; next += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(next, next + AT_ONCE).map(work))));
  }
  return results;
}
