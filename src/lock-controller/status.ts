/** The status of a workload lock: what its controller says to whoever waits for it. Pure. */

import type { LockState, LockStatus as StatusOfLock } from '../kubernetes/lcm.ts';

/** What the controller decides of a status; what it does not say is taken out of the lock. */
export interface LockStatus {
  /**
   * `active`: hands off; `inactive`: nothing of this controller is there any more; `failed`: it will not come to that
   * before somebody has seen to it.
   */
  state: LockState;
  errorMessage?: string;
  inactivationProgress?: { percentage: number; description: string };
}

export const ACTIVE: LockStatus = { state: 'active' };

/** A status as it is written: a field that is absent has to be taken out by name. */
export interface StatusPatch {
  state: LockState;
  errorMessage: string | null;
  inactivationProgress: { percentage: number; description: string } | null;
  release: string | null;
}

export const statusPatch = (status: LockStatus, release: string | undefined): StatusPatch => ({
  state: status.state,
  errorMessage: status.errorMessage ?? null,
  inactivationProgress: status.inactivationProgress ?? null,
  release: release ?? null,
});

/** Whether the lock says already what it is to say: writing it again would only wake everybody who watches it. */
export const says = (current: StatusOfLock | undefined, patch: StatusPatch): boolean =>
  current?.state === patch.state &&
  (current.errorMessage ?? null) === patch.errorMessage &&
  (current.release ?? null) === patch.release &&
  current.inactivationProgress?.percentage === patch.inactivationProgress?.percentage &&
  current.inactivationProgress?.description === patch.inactivationProgress?.description;
