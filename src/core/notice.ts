/**
 * What the outside is told of a session: projects that they have to act or to agree, everybody else how hosts and the
 * session stand. Names and values are Fenix's, since its clients read them.
 */
import type { SessionState } from './session-state.ts';

/** What a project may be told. */
export const NOTICE_STATES = [
  'MAINTENANCE',
  'SCALE_IN',
  'PREPARE_MAINTENANCE',
  'PLANNED_MAINTENANCE',
  'INSTANCE_ACTION_DONE',
  'MAINTENANCE_COMPLETE',
] as const;
export type NoticeState = (typeof NOTICE_STATES)[number];

/** What a project may have done to an instance. */
export const INSTANCE_ACTIONS = ['MIGRATE', 'LIVE_MIGRATE', 'OWN_ACTION'] as const;
export type InstanceAction = (typeof INSTANCE_ACTIONS)[number];

export interface EventFacts {
  /** The same for every attempt to deliver it, and for nothing else. */
  id: string;
  /** When it happened. RFC 3339. */
  at: string;
  site: string;
  /** Workflow id. */
  session: string;
}

/** To one project. */
export interface ScheduledEvent extends EventFacts {
  type: 'maintenance.scheduled';
  project: string;
  state: NoticeState;
  /** Ids; of a notice that asks about a single one, just that. */
  instances: string[];
  /** The answer is for this very instance, and the notice lists it instead of an address to ask at. */
  instance?: string;
  /** Empty where the project has nothing to choose. */
  allowedActions: InstanceAction[];
  /** When the instances are acted on, RFC 3339. Absent where nothing is answered. */
  actionsAt?: string;
  /** Until when an answer counts, RFC 3339. Absent where none is waited for. */
  replyAt?: string;
  /** The session was cancelled: nothing of what was to come is done any more. */
  cancelled?: true;
  /** As in the session. */
  metadata: Record<string, unknown>;
}

export interface HostEvent extends EventFacts {
  type: 'maintenance.host';
  host: string;
  state: 'IN_MAINTENANCE' | 'MAINTENANCE_COMPLETE';
}

export interface SessionEvent extends EventFacts {
  type: 'maintenance.session';
  state: SessionState;
  /** 0 to 100. */
  percentDone: number;
}

export type NoticeEvent = ScheduledEvent | HostEvent | SessionEvent;

export const EVENT_TYPES = ['maintenance.scheduled', 'maintenance.host', 'maintenance.session'] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** What an event tells, for people: `PLANNED_MAINTENANCE to project p-1`. */
export function describeEvent(event: NoticeEvent): string {
  switch (event.type) {
    case 'maintenance.scheduled': {
      const about = event.instance === undefined ? '' : ` about ${event.instance}`;
      return `${event.state} to project ${event.project}${about}`;
    }
    case 'maintenance.host':
      return `${event.state} of host ${event.host}`;
    case 'maintenance.session':
      return `${event.state} of the session, ${event.percentDone} %`;
  }
}

/** Which events somebody wants: those of a type, and of the type for projects those for this one. */
export interface EventInterest {
  type: EventType;
  project?: string;
}

/** Input of a delivery: one event to one sink of the worker's configuration. */
export interface DeliveryInput {
  event: NoticeEvent;
  /** Its name. */
  sink: string;
  /** Somebody sends it again, and it does not matter how late it is. */
  again?: boolean;
}

/** Memo of a delivery: what lists show of it. */
export interface DeliveryMemo {
  type: EventType;
  /** As of `describeEvent`. */
  about: string;
  session: string;
  sink: string;
}
