/** What to do about the lock of the cluster. Pure, and level-triggered. */
import type { LockState } from '../kubernetes/lcm.ts';
import { isDeferred, whyDeferred, type Request } from './requests.ts';
import { ACTIVE, type LockStatus } from './status.ts';

export interface ClusterView {
  /** Its state is undefined until it was written for the first time. */
  lock?: { state?: LockState };
  /** Requests for the cluster that are not being deleted, in an order that is the same for all. */
  requests: readonly Request[];
}

export type ClusterDecision =
  | { do: 'create' }
  /** Look whether maintenance of a node could begin; `inactive` if so, else `active` and why not. */
  | { do: 'check' }
  | { do: 'say'; status: LockStatus };

export function decideCluster({ lock, requests }: ClusterView, release: string | undefined): ClusterDecision {
  if (!lock) return { do: 'create' };
  const [request] = requests;
  if (!request) return { do: 'say', status: ACTIVE };
  // What was agreed to stays so, whatever release this has become: what goes wrong from here on, the locks of the nodes say.
  if (lock.state === 'inactive') return { do: 'say', status: { state: 'inactive' } };
  return requests.some((one) => !isDeferred(one, release))
    ? { do: 'check' }
    : { do: 'say', status: { state: 'active', errorMessage: whyDeferred(request, release) } };
}
