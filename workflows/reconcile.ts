import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ParentClosePolicy,
  WorkflowIdReusePolicy,
  executeChild,
  patched,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { HostMaintenanceInput } from '../src/core/host-run.ts';
import { sessionSpec } from '../src/core/session-spec.ts';
import { hostWorkflowId } from '../src/names.ts';
import { callSite } from './activity-calls.ts';
import { failWith, viewFailure } from './failures.ts';
import { hostMaintenance } from './host-maintenance.ts';
import { hostAttributes } from './search-attributes.ts';

const LOOK_MS = 10 * 60_000;

export interface ReconcileReport {
  site: string;
  putBack: string[];
  /** Hosts that are still left out, and why. */
  failed: { host: string; reason: string }[];
  /** Sessions that had told the platform of themselves, which was taken back; absent: none. */
  windowsClosed?: string[];
}

/**
 * Finds hosts that a dead workflow left out of service under our mark, and puts them back. Only a terminated or lost
 * workflow leaves any: terminating runs no code of the one it hits, so somebody else has to look. Run by a Schedule.
 */
export async function reconcile({ site }: { site: string }): Promise<ReconcileReport> {
  const deadline = Date.now() + LOOK_MS;
  const leftovers = await callSite(
    site,
    'findLeftovers',
    { site },
    { summary: `what was left out at ${site}?`, deadline },
  );
  const report: ReconcileReport = { site, putBack: [], failed: [] };
  for (const { host, session, role } of leftovers) {
    try {
      await putBack({ site, host, session, role });
      report.putBack.push(host);
    } catch (error) {
      const reason =
        error instanceof WorkflowExecutionAlreadyStartedError
          ? 'its workflow runs again'
          : viewFailure(error).message;
      report.failed.push({ host, reason });
    }
    setCurrentDetails(
      `${report.putBack.length} of ${leftovers.length} hosts put back, ${report.failed.length} failed`,
    );
  }
  if (patched('windows')) await closeWindows(site, deadline, report);
  if (report.failed.length > 0) {
    const named = report.failed.map(({ host, reason }) => `${host} (${reason})`).join('; ');
    throw failWith('RollbackFailed', `still out of service at ${site}: ${named}`, report);
  }
  return report;
}

/** What a session that is gone has told the platform is taken back once none of its hosts is out. */
async function closeWindows(site: string, deadline: number, report: ReconcileReport): Promise<void> {
  const summary = `is ${site} in maintenance for nobody?`;
  for (const { session } of await callSite(site, 'findLeftWindows', { site }, { summary, deadline })) {
    if (report.failed.length > 0) return;
    const close = `close the maintenance that ${session} has left open`;
    const request = { site, session, adopts: [], lookMs: LOOK_MS };
    await callSite(site, 'closeWindow', request, { summary: close, deadline: Date.now() + 2 * LOOK_MS });
    report.windowsClosed = [...(report.windowsClosed ?? []), session];
  }
}

async function putBack(
  about: Pick<HostMaintenanceInput, 'site' | 'host' | 'session' | 'role'>,
): Promise<void> {
  const wishes = sessionSpec.parse({ site: about.site });
  const input: HostMaintenanceInput = {
    ...about,
    chain: workflowInfo().firstExecutionRunId,
    spec: {
      actions: [],
      instances: { mode: 'live', stopped: 'stay', return: false, overrides: {} },
      timeouts: wishes.timeouts,
      onFailure: 'hold',
      onBusyHost: 'fail',
      metadata: {},
    },
    placement: [],
    moveSlots: 1,
    groupShares: {},
    purpose: 'restore',
    adopts: [],
    reportEveryMs: 0,
    reportDrained: false,
  };
  await executeChild(hostMaintenance, {
    workflowId: hostWorkflowId(about.site, about.host),
    args: [input],
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
    parentClosePolicy: ParentClosePolicy.ABANDON,
    staticSummary: `put back ${about.host}, left by ${about.session}`,
    memo: { session: about.session, chain: input.chain, purpose: input.purpose },
    typedSearchAttributes: hostAttributes(input),
  });
}
