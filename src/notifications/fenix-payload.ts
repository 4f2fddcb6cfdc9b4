/** Events in the words of Fenix: what its clients read, from the message bus or in an alarm. */
import type { NoticeEvent, ScheduledEvent } from '../core/notice.ts';

/** Publisher of Fenix's notifications. */
export const PUBLISHER = 'fenix';

export interface FenixOptions {
  /** Address of the REST service, as projects reach it. Needed for maintenance.scheduled. */
  apiUrl?: string | undefined;
  /** Project id that events of hosts and sessions carry, since AODH picks alarms by it. */
  adminProject?: string | undefined;
}

/** `null` where there is nothing to say. */
export type FenixPayload = Readonly<Record<string, unknown>>;

/** The payload of a notification of Fenix. Dates are `YYYY-MM-DD HH:MM:SS`, UTC. */
export function fenixPayload(event: NoticeEvent, { apiUrl, adminProject }: FenixOptions): FenixPayload {
  const owner = adminProject === undefined ? {} : { project_id: adminProject };
  switch (event.type) {
    case 'maintenance.scheduled':
      return scheduled(event, apiUrl);
    case 'maintenance.host':
      return { ...owner, host: event.host, state: event.state, session_id: event.session };
    case 'maintenance.session':
      return { ...owner, state: event.state, percent_done: event.percentDone, session_id: event.session };
  }
}

function scheduled(event: ScheduledEvent, apiUrl: string | undefined): FenixPayload {
  return {
    project_id: event.project,
    instance_ids: listedInstances(event) ?? noticeUrl(apiUrl, event),
    allowed_actions: event.allowedActions,
    state: event.state,
    actions_at: event.actionsAt === undefined ? null : fenixTime(event.actionsAt),
    reply_at: event.replyAt === undefined ? null : fenixTime(event.replyAt),
    session_id: event.session,
    metadata: event.metadata,
    reply_url: replyUrl(apiUrl, event),
  };
}

/** A notice about one instance names it; one about many says where to ask for them. */
function listedInstances({ state, instance, instances }: ScheduledEvent): readonly string[] | undefined {
  if (instance !== undefined) return [instance];
  return state === 'INSTANCE_ACTION_DONE' ? instances : undefined;
}

/**
 * Where the project answers a notice. Its id is in it, so that an answer that comes again much later is not taken for one to
 * the next question.
 */
export function replyUrl(apiUrl: string | undefined, event: ScheduledEvent): string {
  const url = noticeUrl(apiUrl, event);
  return event.replyAt === undefined ? url : `${url}?notice=${encodeURIComponent(event.id)}`;
}

/** Where the project asks what a notice is about. */
function noticeUrl(apiUrl: string | undefined, { session, project, instance }: ScheduledEvent): string {
  const place = [session, project, ...(instance === undefined ? [] : [instance])].map(encodeURIComponent);
  return `${apiUrl?.replace(/\/+$/, '') ?? ''}/v1/maintenance/${place.join('/')}`;
}

/** `2027-03-01 22:00:00` */
const fenixTime = (rfc3339: string): string => new Date(rfc3339).toISOString().slice(0, 19).replace('T', ' ');
