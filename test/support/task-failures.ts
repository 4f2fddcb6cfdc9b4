/** Workflow tasks that failed: nothing an operator sends or a platform does may bring code to that. */
import type { WorkflowHandle } from '@temporalio/client';

/** `WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND`: the server gave a task back, for something new had come meanwhile. */
const UNHANDLED_COMMAND = 1;

/** What the history of a workflow says of tasks that failed; empty when none did. */
export async function taskFailures(workflow: WorkflowHandle): Promise<string[]> {
  const { events } = await workflow.fetchHistory();
  return (events ?? []).flatMap(({ workflowTaskFailedEventAttributes: failed }) =>
    !failed || Number(failed.cause) === UNHANDLED_COMMAND ? [] : [failed.failure?.message ?? 'no words'],
  );
}
