import { actionsFor, hostActionTypes, runAction } from '../actions.ts';
import type { HostRun } from './host-run.ts';

/** Runs the actions that concern this host, in order. Those an earlier run of it has finished are not run again. */
export async function workOnHost(run: HostRun): Promise<void> {
  const { input } = run;
  for (const { index, action } of actionsFor(input.spec.actions, hostActionTypes(input.role))) {
    if (run.actionsDone.has(index)) continue;
    await runAction(action, index, {
      session: input.session,
      site: input.site,
      host: input.host,
      sessionMetadata: input.spec.metadata,
      chain: input.chain,
      failures: run.actionFailures,
      deadline: run.deadline,
      desk: run.desk,
    });
    run.actionsDone.add(index);
  }
}
