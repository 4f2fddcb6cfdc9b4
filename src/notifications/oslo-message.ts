/** An event as the notifier of oslo.messaging writes it to the bus. */
import type { NoticeEvent } from '../core/notice.ts';
import { fenixPayload, PUBLISHER, type FenixOptions } from './fenix-payload.ts';

/** The body of the message, as JSON: an envelope of version 2.0, in which the notification is JSON in a text. */
export function renderOsloMessage(event: NoticeEvent, options: FenixOptions): string {
  const notification = {
    message_id: event.id,
    publisher_id: PUBLISHER,
    event_type: event.type,
    priority: 'INFO',
    payload: fenixPayload(event, options),
    timestamp: `${new Date(event.at).toISOString().slice(0, -1).replace('T', ' ')}000`,
    // A listener drops a message whose id is that of one it has lately dealt with.
    _unique_id: event.id,
  };
  return JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': JSON.stringify(notification) });
}
