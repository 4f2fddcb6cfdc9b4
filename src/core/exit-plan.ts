/** What a platform has done to the instances of a host in its own maintenance, and can undo when the host leaves it. */
import type { InstanceRef } from './host-run.ts';

export interface ExitPlan {
  /** Those that it has shut down. */
  start: InstanceRef[];
  /** Those that it took elsewhere, and how they would come back. */
  back: (InstanceRef & { how: 'live' | 'cold' })[];
  /** Those that are not any more as the maintenance has left them, and why: nothing is done to them. */
  changed: (InstanceRef & { reason: string })[];
}
