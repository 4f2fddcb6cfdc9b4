/**
 * The body that an event alarm of AODH posts: what a client of Fenix gets after a notification has come through
 * Ceilometer and AODH.
 */
import type { NoticeEvent } from '../core/notice.ts';
import { fenixPayload, PUBLISHER, type FenixOptions } from './fenix-payload.ts';
import { pythonText } from './python-text.ts';

/** Ceilometer cuts texts there. */
const TEXT_CHARS = 255;

/** Types of traits. */
const TEXT = 1;
const INTEGER = 2;
const TIME = 4;

const TIMES = ['actions_at', 'reply_at'];
const INTEGERS = ['percent_done'];

type Trait = [name: string, type: number, value: string | number];

/** The body, as JSON. */
export function renderAlarm(event: NoticeEvent, options: FenixOptions): string {
  const payload = { service: PUBLISHER, ...fenixPayload(event, options) };
  return JSON.stringify({
    alarm_name: 'haulout',
    alarm_id: event.id,
    severity: 'low',
    previous: 'alarm',
    current: 'alarm',
    reason: `Event <id=${event.id},event_type=${event.type}> hits the query <query=[]>.`,
    reason_data: {
      type: 'event',
      event: {
        event_type: event.type,
        message_id: event.id,
        generated: `${new Date(event.at).toISOString().slice(0, -1)}000`,
        raw: {},
        message_signature: '',
        traits: Object.entries(payload).flatMap(toTrait),
      },
    },
  });
}

/** Nothing, where there is no value: the same as Ceilometer does. */
function toTrait([name, value]: [string, unknown]): Trait[] {
  if (value === null) return [];
  if (INTEGERS.includes(name)) return [[name, INTEGER, Number(value)]];
  if (TIMES.includes(name)) return [[name, TIME, pythonText(value).replace(' ', 'T')]];
  return [[name, TEXT, charactersOf(value).slice(0, TEXT_CHARS).join('')]];
}

/** Whether a value is longer than Ceilometer lets it be: clients that read it as Python cannot make anything of the rest. */
export const isCut = (value: unknown): boolean => charactersOf(value).length > TEXT_CHARS;

/** As Python counts them. */
const charactersOf = (value: unknown): string[] => Array.from(pythonText(value));
