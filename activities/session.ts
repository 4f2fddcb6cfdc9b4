/** Activities of the session itself: they talk to Temporal, not to a platform. */
import { ApplicationFailure, Context } from '@temporalio/activity';
import {
  QueryNotRegisteredError,
  WorkflowNotFoundError,
  type Client,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import type { HostMemo, HostOutcome } from '../src/core/host-run.ts';
import type { Standing } from '../src/core/standing.ts';
import { hostWorkflowId, QUERIES, siteQueue } from '../src/names.ts';
import type { NotificationSettings } from '../src/notifications/settings.ts';
import { announcedTo, lossesOf } from '../src/notifications/sinks.ts';
import type { HostHolder, SessionActivities } from './contract.ts';
import { perform } from './io.ts';

const LOOK_AGAIN_MS = 2_000;

export function createSessionActivities(
  client: Client,
  ownSites: readonly string[],
  notifications: NotificationSettings,
): Omit<SessionActivities, 'findSinks'> {
  return {
    lookUpSite: ({ site, metadata = {} }) =>
      perform(async () => {
        if (ownSites.includes(site) || (await hasPollers(site))) {
          return { announces: announcedTo(notifications), warnings: lossesOf(notifications, metadata) };
        }
        const known = ownSites.length === 0 ? '' : `; this worker serves ${[...ownSites].sort().join(', ')}`;
        throw invalidSession(`site: no worker serves a site named "${site}"${known}`);
      }),

    readLegacy: ({ session, site }) =>
      perform(async () => {
        if (session === Context.current().info.workflowExecution?.workflowId) {
          throw invalidSession(
            `resumeFrom: "${session}" is the id of this session itself; start it under another id`,
          );
        }
        const description = await describe(client, session);
        if (!description) throw invalidSession(`resumeFrom: there is no session "${session}"`);
        if (description.status.name === 'RUNNING') {
          throw invalidSession(
            `resumeFrom: session "${session}" is still open; signal continue to it instead`,
          );
        }
        const handle = client.workflow.getHandle(session, description.runId);
        const standing = await handle
          .query<Standing, [{ names: boolean }]>(QUERIES.standing, { names: true })
          .catch((error: unknown) => {
            if (!(error instanceof QueryNotRegisteredError)) throw error;
            throw invalidSession(`resumeFrom: "${session}" is no session but a ${description.type}`);
          });
        if (standing.site !== site) {
          throw invalidSession(`resumeFrom: session "${session}" was for site ${standing.site}, not ${site}`);
        }
        const { hosts = [], statuses, held, checkpoints, sessions } = standing;
        return { hosts, statuses, held, checkpoints, sessions };
      }),

    findHolder: ({ site, host }) =>
      perform(async () => holderOf(await describe(client, hostWorkflowId(site, host)))),

    awaitHost: ({ site, host, chain }) =>
      perform(async (io) => {
        const workflowId = hostWorkflowId(site, host);
        let description = await describe(client, workflowId);
        while (description?.status.name === 'RUNNING') {
          await io.sleep(LOOK_AGAIN_MS);
          description = await describe(client, workflowId);
        }
        const outcome = await readOutcome(client, description, chain);
        return outcome === undefined ? {} : { outcome };
      }),
  };

  async function hasPollers(site: string): Promise<boolean> {
    const { pollers } = await client.workflowService.describeTaskQueue({
      namespace: client.options.namespace,
      taskQueue: { name: siteQueue(site) },
      taskQueueType: ACTIVITY_QUEUE,
    });
    return pollers.length > 0;
  }
}

/** `TASK_QUEUE_TYPE_ACTIVITY` of the service's API. */
const ACTIVITY_QUEUE = 2;

/** The outcome of a run that has taken its host through maintenance on behalf of this chain. */
export async function readOutcome(
  client: Client,
  description: WorkflowExecutionDescription | undefined,
  chain: string,
): Promise<HostOutcome | undefined> {
  if (description?.status.name !== 'COMPLETED') return undefined;
  const memo = memoOf(description);
  if (memo.chain !== chain || memo.purpose !== 'maintain') return undefined;
  const handle = client.workflow.getHandle(description.workflowId, description.runId);
  return (await handle.result()) as HostOutcome;
}

/** Who has a host, by what is known of its workflow; undefined when nobody has. */
export function holderOf(description: WorkflowExecutionDescription | undefined): HostHolder | undefined {
  if (description?.status.name !== 'RUNNING') return undefined;
  const { session, chain } = memoOf(description);
  return { session, chain };
}

/** Undefined when there is no such workflow. */
export async function describe(
  client: Client,
  workflowId: string,
): Promise<WorkflowExecutionDescription | undefined> {
  try {
    return await client.workflow.getHandle(workflowId).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/** Whose run it is; started by hand, it is nobody's. */
function memoOf({ memo, workflowId }: WorkflowExecutionDescription): HostMemo {
  const { session = workflowId, chain = '', purpose = 'maintain' } = (memo ?? {}) as Partial<HostMemo>;
  return { session, chain, purpose };
}

/** What is wrong with the input of a session, found only by looking. */
export const invalidSession = (message: string): ApplicationFailure =>
  ApplicationFailure.create({ type: 'InvalidSession', message, nonRetryable: true });
