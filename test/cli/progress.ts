/** A session half-way, for tests of what is shown of it. */
import type { HostInFlight, Progress } from '../../src/core/progress.ts';

const DRAINING: HostInFlight = {
  host: 'compute-3',
  step: 'drain',
  moved: 2,
  total: 4,
  since: '2027-03-01T22:00:00Z',
};

/** With changes; the counts of hosts out and held follow from them. */
export function progressOf(changes: Partial<Progress> = {}): Progress {
  const { inFlight = [DRAINING], held = [] } = changes;
  return {
    session: 'rack-12',
    site: 'demo',
    state: 'PLANNED_MAINTENANCE',
    reason: '',
    hosts: {
      ...{ total: 12, pending: 8, done: 3, skipped: 0, rolledBack: 0 },
      ...{ inFlight: inFlight.length, held: held.length },
    },
    instances: { total: 60, moved: 15, stopped: 0 },
    inFlight,
    held,
    next: ['compute-4'],
    blockedBy: [],
    warnings: 0,
    percent: 25,
    startedAt: '2027-03-01T21:59:00Z',
    ...changes,
  };
}

export const HOLD = {
  host: 'compute-7',
  step: 'work',
  code: 'ActionFailed',
  message: 'the image is corrupt',
  retryable: false,
  since: '2027-03-01T22:00:30Z',
} as const;
