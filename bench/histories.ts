/** How much history workflows leave behind. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';

/** Closed workflows appear in the list after a moment. */
const LISTED_WITHIN_MS = 60_000;
const POLL_MS = 200;

export interface HistorySize {
  /** Closed runs; a workflow that was continued as new has several. */
  runs: number;
  events: number;
  bytes: number;
  /** Events of the longest run. */
  longest: number;
}

/** Sums up the closed runs of a workflow type, of which there are at least `expected`. */
export async function historySize(client: Client, type: string, expected: number): Promise<HistorySize> {
  const runs = await closedRuns(client, type, expected);
  return {
    runs: runs.length,
    events: sum(runs.map(({ historyLength }) => historyLength)),
    bytes: sum(runs.map(({ historySize }) => historySize ?? 0)),
    longest: Math.max(...runs.map(({ historyLength }) => historyLength)),
  };
}

/** How many activities the closed runs of a workflow type have scheduled. */
export async function countActivities(client: Client, type: string, expected: number): Promise<number> {
  let count = 0;
  for (const { workflowId, runId } of await closedRuns(client, type, expected)) {
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    count += (events ?? []).filter((event) => event.activityTaskScheduledEventAttributes).length;
  }
  return count;
}

async function closedRuns(client: Client, type: string, expected: number): Promise<WorkflowExecutionInfo[]> {
  const query = `WorkflowType = "${type}" AND ExecutionStatus != "Running"`;
  const deadline = Date.now() + LISTED_WITHIN_MS;
  for (;;) {
    const runs: WorkflowExecutionInfo[] = [];
    for await (const run of client.workflow.list({ query, pageSize: 1000 })) runs.push(run);
    if (runs.length >= expected) return runs;
    if (Date.now() > deadline) {
      throw new Error(`only ${runs.length} of ${expected} workflows of type ${type} are listed as closed`);
    }
    await sleep(POLL_MS);
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
