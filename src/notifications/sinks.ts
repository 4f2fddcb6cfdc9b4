/** The sinks that a configuration describes. */
import { EVENT_TYPES, type EventInterest, type EventType } from '../core/notice.ts';
import { AmqpSink } from './amqp.ts';
import { isCut } from './aodh-alarm.ts';
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

/** What is lost of a session's metadata on its way to the projects, for people: a line, or none. */
export function lossesOf({ sinks }: NotificationSettings, metadata: Record<string, unknown>): string[] {
  const cutting = Object.entries(sinks)
    .filter(([, { kind, events }]) => kind === 'aodh' && events.includes('maintenance.scheduled'))
    .map(([name]) => name);
  if (cutting.length === 0 || !isCut(metadata)) return [];
  const where = `sink${cutting.length === 1 ? '' : 's'} ${cutting.join(', ')}`;
  return [
    `metadata is too long for ${where}: it is cut there, and clients may not be able to read the notices`,
  ];
}

function takes(settings: SinkSettings, { type, project }: EventInterest): boolean {
  if (!settings.events.includes(type)) return false;
  if (project === undefined) return true;
  return projectsOf(settings)?.includes(project) ?? true;
}

/** Undefined: all of them. */
const projectsOf = (settings: SinkSettings): readonly string[] | undefined =>
  settings.kind === 'aodh' && settings.urls !== undefined ? Object.keys(settings.urls) : settings.projects;
