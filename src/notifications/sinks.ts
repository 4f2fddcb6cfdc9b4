/** The sinks that a configuration describes. */
import { EVENT_TYPES, type EventInterest, type EventType } from '../core/notice.ts';
import { AmqpSink } from './amqp.ts';
import { AodhSink } from './aodh.ts';
import type { NotificationSettings, SinkSettings } from './settings.ts';
import type { Sink } from './sink.ts';
import { WebhookSink } from './webhook.ts';

/** All of them, by name. They connect to nothing yet. */
export const createSinks = ({ sinks, apiUrl }: NotificationSettings): ReadonlyMap<string, Sink> =>
  new Map(Object.entries(sinks).map(([name, settings]) => [name, createSink(settings, apiUrl)]));

function createSink(settings: SinkSettings, apiUrl: string | undefined): Sink {
  switch (settings.kind) {
    case 'webhook':
      return new WebhookSink(settings, apiUrl);
    case 'aodh':
      return new AodhSink(settings, apiUrl);
    case 'amqp':
      return new AmqpSink(settings, apiUrl);
  }
}

/** Types of events that some of them take. */
export const announcedTo = ({ sinks }: NotificationSettings): EventType[] =>
  EVENT_TYPES.filter((type) => Object.values(sinks).some(({ events }) => events.includes(type)));

/** Names of those that take such an event. */
export const sinksFor = ({ sinks }: NotificationSettings, interest: EventInterest): string[] =>
  Object.entries(sinks)
    .filter(([, settings]) => takes(settings, interest))
    .map(([name]) => name);

function takes(settings: SinkSettings, { type, project }: EventInterest): boolean {
  if (!settings.events.includes(type)) return false;
  if (project === undefined) return true;
  return projectsOf(settings)?.includes(project) ?? true;
}

/** Undefined: all of them. */
const projectsOf = (settings: SinkSettings): readonly string[] | undefined =>
  settings.kind === 'aodh' && settings.urls !== undefined ? Object.keys(settings.urls) : settings.projects;
