/** Events of tests, one of each type. */
import type { HostEvent, ScheduledEvent, SessionEvent } from '../../src/core/notice.ts';

const facts = {
  id: '6f1c0d0e-6f0b-4c8e-9a52-3a1a4f2f7c11',
  at: '2027-03-01T21:59:30.250Z',
  site: 'demo',
  session: 'rack 12',
};

export const planned: ScheduledEvent = {
  ...facts,
  type: 'maintenance.scheduled',
  project: 'p-1',
  state: 'PLANNED_MAINTENANCE',
  instances: ['vm-1', 'vm-2'],
  allowedActions: ['MIGRATE', 'LIVE_MIGRATE', 'OWN_ACTION'],
  actionsAt: '2027-03-01T22:05:00Z',
  replyAt: '2027-03-01T23:00:10+01:00',
  metadata: { openstack_version: 'Train' },
};

export const actionDone: ScheduledEvent = {
  ...facts,
  type: 'maintenance.scheduled',
  project: 'p-1',
  state: 'INSTANCE_ACTION_DONE',
  instances: ['vm-1'],
  allowedActions: [],
  metadata: {},
};

export const hostOut: HostEvent = {
  ...facts,
  type: 'maintenance.host',
  host: 'compute-3',
  state: 'IN_MAINTENANCE',
};

export const halfDone: SessionEvent = {
  ...facts,
  type: 'maintenance.session',
  state: 'PLANNED_MAINTENANCE',
  percentDone: 50,
};
