/** Activities that tell the outside how sessions stand. */
import type { NotificationSettings } from '../src/notifications/settings.ts';
import type { Sink } from '../src/notifications/sink.ts';
import { sinksFor } from '../src/notifications/sinks.ts';
import type { SessionActivities, SinkActivities } from './contract.ts';
import { perform } from './io.ts';

export const createAnnouncingActivities = (
  settings: NotificationSettings,
): Pick<SessionActivities, 'findSinks'> => ({
  findSinks: async (interest) => sinksFor(settings, interest),
});

/** The activities of the queue of one sink. */
export const createSinkActivities = (sink: Sink): SinkActivities => ({
  deliverEvent: ({ event, interrupted }) =>
    perform(({ signal }) => sink.deliver(event, { signal, interrupted })),
});
