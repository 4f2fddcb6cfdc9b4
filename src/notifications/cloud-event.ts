/** Events as CloudEvents 1.0 in JSON. */
import { CloudEvent, HTTP } from 'cloudevents';
import type { NoticeEvent } from '../core/notice.ts';
import { replyUrl } from './fenix-payload.ts';

/** The body, and the content type to send it with. `data` has what the event says, in the names of sessions. */
export function renderCloudEvent(
  event: NoticeEvent,
  { apiUrl }: { apiUrl?: string | undefined },
): { contentType: string; body: string } {
  const { id, at, type, ...facts } = event;
  const message = HTTP.structured(
    new CloudEvent({
      id,
      type,
      time: at,
      source: `/sites/${encodeURIComponent(event.site)}/sessions/${encodeURIComponent(event.session)}`,
      subject: subjectOf(event),
      datacontenttype: 'application/json',
      data: event.type === 'maintenance.scheduled' ? { ...facts, replyUrl: replyUrl(apiUrl, event) } : facts,
    }),
  );
  return { contentType: String(message.headers['content-type']), body: String(message.body) };
}

function subjectOf(event: NoticeEvent): string {
  switch (event.type) {
    case 'maintenance.scheduled':
      return event.project;
    case 'maintenance.host':
      return event.host;
    case 'maintenance.session':
      return event.session;
  }
}
