/** How the hosts of a session stand, as its activities ask for it by the query `standing`. */
import type { Checkpoint, Hold, Placement } from './host-run.ts';
import type { Budget, InstanceWishes, SessionSpec } from './session-spec.ts';

export const HOST_STATUSES = ['pending', 'out', 'done', 'held', 'skipped', 'rolled-back'] as const;
export type HostStatus = (typeof HOST_STATUSES)[number];

const LETTERS: Record<HostStatus, string> = {
  pending: 'p',
  out: 'o',
  done: 'd',
  held: 'h',
  skipped: 's',
  'rolled-back': 'r',
};

/** One letter a host, so that ten thousand hosts travel in ten kilobytes. */
export const encodeStatuses = (statuses: Iterable<HostStatus>): string =>
  Array.from(statuses, (status) => LETTERS[status]).join('');

export function decodeStatuses(text: string): HostStatus[] {
  const byLetter = new Map(HOST_STATUSES.map((status) => [LETTERS[status], status]));
  return Array.from(text, (letter) => {
    const status = byLetter.get(letter);
    if (!status) throw new RangeError(`not a host status: ${letter}`);
    return status;
  });
}

/** A host that is out now, and what was reserved for it. */
export interface OutHost {
  host: string;
  placement: Placement[];
  moveSlots: number;
  groupShares: Record<string, number>;
  /** Its instances have left: only its group shares for stopped instances still count. */
  drained: boolean;
  /** Some that have left are recovering: all of its group shares still count. */
  recovering?: boolean;
}

export interface Standing {
  /** Run id; the hosts of a run never change. */
  run: string;
  chain: string;
  site: string;
  /** One letter a host, in the order of `hosts`. */
  statuses: string;
  out: OutHost[];
  /** Hosts to take up again from a checkpoint, before any new one. */
  retry: string[];
  budget: Budget;
  order?: SessionSpec['order'];
  instances: InstanceWishes;
  actions: SessionSpec['actions'];
  onBusyHost: SessionSpec['onBusyHost'];
  held: Hold[];
  checkpoints: Record<string, Checkpoint>;
  /** Sessions whose marks count as this one's, itself first. */
  sessions: string[];
  /** Names, in the order the statuses have; only when asked for, since they do not change. */
  hosts?: string[];
}

/** What a session that ended leaves to the one that resumes from it. */
export interface Legacy {
  hosts: string[];
  statuses: string;
  held: Hold[];
  checkpoints: Record<string, Checkpoint>;
  /** Sessions whose marks may still be on its hosts. */
  sessions: string[];
}
