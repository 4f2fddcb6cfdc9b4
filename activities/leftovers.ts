/** Finds hosts that carry our mark although nobody looks after them any more. */
import type { Client } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { parseMark, type Mark } from '../src/core/mark.ts';
import type { Driver } from '../src/drivers/driver.ts';
import { hostWorkflowId, SEARCH_ATTRIBUTES, WORKFLOWS } from '../src/names.ts';
import type { SiteActivities } from './contract.ts';
import { perform } from './io.ts';
import { describe } from './session.ts';
import type { SessionStanding, StandingReader } from './standing-reader.ts';

const SITE = defineSearchAttributeKey(SEARCH_ATTRIBUTES.site, 'KEYWORD');

export function createLeftoverActivities(
  driver: Driver,
  client: Client,
  reader: StandingReader,
): Pick<SiteActivities, 'findLeftovers' | 'findLeftWindows'> {
  return {
    findLeftovers: ({ site }) =>
      perform(async (io) => {
        const { hosts, instances } = await driver.inventory(io);
        const marks = new Map<string, Mark>();
        for (const { stoppedBy } of instances) {
          const mark = parseMark(stoppedBy);
          if (mark) marks.set(mark.host, mark);
        }
        for (const { name, cordonReason } of hosts) {
          const mark = parseMark(cordonReason);
          if (mark?.host === name) marks.set(name, mark);
        }
        const found: Awaited<ReturnType<SiteActivities['findLeftovers']>> = [];
        for (const host of hosts) {
          const mark = marks.get(host.name);
          if (mark && !(await isLookedAfter(site, mark))) {
            found.push({ host: host.name, session: mark.session, role: host.role });
          }
        }
        return found;
      }),

    findLeftWindows: ({ site }) =>
      perform(async (io) => {
        const windows = (await driver.openWindows?.(io)) ?? [];
        const left: { session: string }[] = [];
        for (const { session } of windows) {
          if (!(await isOpenOrResumed(site, session))) left.push({ session });
        }
        return left;
      }),
  };

  /** Its own workflow runs; or its session, or an open one that has resumed it, means to go on with it. */
  async function isLookedAfter(site: string, { session, host }: Mark): Promise<boolean> {
    const run = await describe(client, hostWorkflowId(site, host));
    if (run?.status.name === 'RUNNING') return true;
    const owner = await describe(client, session);
    // Two sites may have hosts in common; each puts back its own.
    const ownersSite = owner?.typedSearchAttributes.get(SITE);
    if (ownersSite !== undefined && ownersSite !== site) return true;
    if (owner?.status.name === 'RUNNING') return meansToGoOn(await reader.read(session), session, host);
    for (const heir of await openSessions(site)) {
      if (meansToGoOn(await reader.read(heir), session, host)) return true;
    }
    return false;
  }

  /** It runs itself, or one that runs has resumed it, and closes its window with its own. */
  async function isOpenOrResumed(site: string, session: string): Promise<boolean> {
    if ((await describe(client, session))?.status.name === 'RUNNING') return true;
    for (const heir of await openSessions(site)) {
      if ((await reader.read(heir))?.sessions.includes(session)) return true;
    }
    return false;
  }

  async function openSessions(site: string): Promise<string[]> {
    const query = `WorkflowType="${WORKFLOWS.maintenanceSession}" AND ExecutionStatus="Running" AND ${SEARCH_ATTRIBUTES.site}="${site}"`;
    const found: string[] = [];
    for await (const { workflowId } of client.workflow.list({ query })) found.push(workflowId);
    return found;
  }
}

/** The marks of `session` count as its own, and it is not through with the host. */
function meansToGoOn(standing: SessionStanding | undefined, session: string, host: string): boolean {
  if (standing?.sessions.includes(session) !== true) return false;
  const status = standing.scope.get(host);
  return status === 'out' || status === 'held' || status === 'pending';
}
