/** Brings the lock of the cluster to where it should be. */
import type { ClusterMaintenanceRequest, ClusterWorkloadLock } from '../kubernetes/lcm.ts';
import { decideCluster } from './cluster-lock.ts';
import type { Locks } from './locks.ts';
import { standing } from './requests.ts';
import type { LockSessions } from './sessions.ts';

/** No worker runs: one that is started is noticed after this long. */
const CHECK_AGAIN_MS = 5_000;

export interface ClusterParts {
  locks: Locks;
  sessions: LockSessions;
  release: string | undefined;
}

/** Resolves to the milliseconds after which to look again, if it should be done even without news. */
export async function settleCluster(
  { locks, sessions, release }: ClusterParts,
  lock: ClusterWorkloadLock | undefined,
  requests: Iterable<ClusterMaintenanceRequest>,
): Promise<number | undefined> {
  const view = {
    requests: standing(requests),
    ...(lock && { lock: lock.status ? { state: lock.status.state } : {} }),
  };
  const decision = decideCluster(view, release);
  if (!lock || decision.do === 'create') {
    await locks.createForCluster();
    return undefined;
  }
  if (decision.do === 'say') {
    await locks.sayOfCluster(lock, decision.status);
    return undefined;
  }
  const trouble = await sessions.trouble();
  await locks.sayOfCluster(
    lock,
    trouble === undefined ? { state: 'inactive' } : { state: 'active', errorMessage: trouble },
  );
  return trouble === undefined ? undefined : CHECK_AGAIN_MS;
}
