/** The section `notifications` of the configuration: where events of sessions are delivered, and how. */
import { z } from 'zod';
import { durationMs, parseDuration } from '../core/duration.ts';
import { EVENT_TYPES } from '../core/notice.ts';

/** Longest time for one delivery; the engine takes a worker that needs longer for dead. */
const LONGEST_DELIVERY_MS = durationMs('1h');

/** Standard Webhooks asks for 24 to 64 bytes. */
const SECRET_BYTES = { min: 24, max: 64 };

const text = z.string().min(1);

const timeout = z.string().refine((value) => {
  const milliseconds = parseDuration(value);
  return milliseconds !== undefined && milliseconds > 0 && milliseconds <= LONGEST_DELIVERY_MS;
}, 'must be a duration of at most 1h, such as 90s or 10m');

const hasNoCredentials = (value: string): boolean => {
  if (!URL.canParse(value)) return true;
  const { username, password } = new URL(value);
  return username === '' && password === '';
};

const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .refine(hasNoCredentials, 'must have no credentials in it');

const amqpUrl = z.url({ protocol: /^amqps?$/, error: 'must be an amqp or amqps URL' });

const events = z.array(z.enum(EVENT_TYPES)).min(1);

/** What every sink takes, whatever its kind. */
const common = {
  projects: z
    .array(text)
    .min(1)
    .optional()
    .describe('Ids of the projects whose notices are delivered here; absent: all'),
  ca: z
    .string()
    .includes('-----BEGIN CERTIFICATE-----', { error: 'must be a certificate in PEM' })
    .optional()
    .describe('CA to trust instead of those of the system, as PEM; best written as {file: PATH}'),
};

const webhook = z.strictObject({
  kind: z.literal('webhook'),
  ...common,
  events: events.default([...EVENT_TYPES]),
  url: httpUrl,
  secret: z
    .string()
    .refine(isSigningKey, 'must be base64 of 24 to 64 bytes, with or without whsec_ before it')
    .describe('Key of the signature'),
  timeout: timeout.default('10m'),
});

const aodh = z.strictObject({
  kind: z.literal('aodh'),
  ...common,
  events: events.default(['maintenance.scheduled']),
  url: httpUrl.optional().describe('Where every event goes'),
  urls: z.record(text, httpUrl).optional().describe('Where the notices of each project go, by its id'),
  adminProject: text.optional().describe('Project id that events of hosts and sessions carry'),
  timeout: timeout.default('10m'),
});

const amqp = z.strictObject({
  kind: z.literal('amqp'),
  ...common,
  events: events.default([...EVENT_TYPES]),
  url: z
    .union([amqpUrl, z.array(amqpUrl).min(1)], { error: 'must be an amqp or amqps URL, or a list of them' })
    .describe('A broker, or the brokers of a cluster, tried in this order'),
  exchange: text.default('openstack'),
  topic: text.default('notifications'),
  queues: z
    .enum(['transient', 'durable', 'quorum'])
    .default('transient')
    .describe('How exchange and queue are declared; has to be what the listeners are configured for'),
  adminProject: text.optional().describe('Project id that events of hosts and sessions carry'),
  timeout: timeout.default('30s'),
});

/** `urls` says by itself which projects and events are delivered. */
function checkAddresses({ url, urls, projects, events }: z.output<typeof aodh>, issue: AddIssue): void {
  if ((url === undefined) === (urls === undefined)) issue([], 'must have either url or urls');
  if (urls === undefined) return;
  if (projects !== undefined) issue(['projects'], 'is not for a sink with urls, which lists its projects');
  if (events.some((type) => type !== 'maintenance.scheduled')) {
    issue(['events'], 'has events that are for no project, which need a url instead of urls');
  }
}

type AddIssue = (path: readonly string[], message: string) => void;

const sink = z.discriminatedUnion('kind', [webhook, aodh, amqp], {
  error: 'must have a kind: webhook, aodh or amqp',
});
export type SinkSettings = z.output<typeof sink>;
export type WebhookSettings = z.output<typeof webhook>;
export type AodhSettings = z.output<typeof aodh>;
export type AmqpSettings = z.output<typeof amqp>;

/** The section; `name` is what a sink may be called. */
export const notificationsSchema = (name: z.ZodType<string, string>) =>
  z
    .strictObject({
      apiUrl: httpUrl
        .optional()
        .describe('Address at which projects reach the REST service; needed for maintenance.scheduled'),
      sinks: z.record(name, sink).default({}).describe('Where events are delivered, by name'),
    })
    .superRefine(({ apiUrl, sinks }, context) => {
      for (const [sinkName, settings] of Object.entries(sinks)) {
        if (apiUrl === undefined && settings.events.includes('maintenance.scheduled')) {
          const message = `is needed: sink "${sinkName}" delivers maintenance.scheduled, which projects answer`;
          context.addIssue({ code: 'custom', path: ['apiUrl'], message });
        }
        if (settings.kind !== 'aodh') continue;
        checkAddresses(settings, (path, message) => {
          context.addIssue({ code: 'custom', path: ['sinks', sinkName, ...path], message });
        });
      }
    });

/** A checked section, secrets in plain text: never log it. */
export type NotificationSettings = z.output<ReturnType<typeof notificationsSchema>>;

function isSigningKey(secret: string): boolean {
  const encoded = secret.replace(/^whsec_/, '');
  const key = Buffer.from(encoded, 'base64');
  return (
    key.toString('base64') === encoded && key.length >= SECRET_BYTES.min && key.length <= SECRET_BYTES.max
  );
}
