/** Requests and answers on the wire, with Fenix's keys. The OpenAPI document is made of them. */
import { z } from 'zod';
import { answerMessage } from '../core/dialogue.ts';
import { INSTANCE_ACTIONS } from '../core/notice.ts';
import { FENIX_STATES } from '../core/session-state.ts';

const MAX_ID = 255;
const MAX_HOSTS = 20_000;

/** Of sessions, projects, instances and groups, as a part of a path. */
const id = z
  .string()
  .min(1)
  .max(MAX_ID)
  .regex(/^[ -.0-~\u00a1-\uffff]+$/, 'must be an id without slashes and control characters');

/** Whether Fenix wrote it in ISO or as Python prints it: without a zone it is UTC. */
const LOOSE_TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?)(Z|[+-]\d\d:\d\d)?$/;

const time = z
  .string()
  .max(64)
  .regex(LOOSE_TIME, 'must be a time such as "2027-03-01 22:00:00", which is UTC, or 2027-03-01T22:00:00Z')
  .transform((text) => text.replace(LOOSE_TIME, (_, date, clock, zone = 'Z') => `${date}T${clock}${zone}`))
  .pipe(z.iso.datetime({ offset: true, error: 'is not a time that exists' }));

/** A whole number of seconds or things; Tacker's own guide has `recovery_time: 60,`, which YAML reads as a text. */
const count = (least: number, most: number) =>
  z.union([
    z.int().min(least).max(most),
    z
      .string()
      .max(16)
      .regex(/^ *\d{1,9} *,? *$/, 'must be a whole number')
      .transform((text) => Number.parseInt(text, 10))
      .pipe(z.int().min(least).max(most)),
  ]);

const seconds = count(0, 7 * 24 * 3600);

const instanceAction = z.enum(INSTANCE_ACTIONS);

export const sessionParams = z.object({ session: id });
export const projectParams = z.object({ session: id, project: id });
export const instanceParams = z.object({ session: id, project: id, instance: id });
export const ofInstance = z.object({ instance: id });
export const ofGroup = z.object({ group: id });

/**
 * `POST /v1/maintenance`. Keys that are not known are refused here: with `host` for `hosts`, every host of the site would
 * be taken out.
 */
export const sessionRequest = z.strictObject({
  hosts: z.array(z.string().max(MAX_ID)).max(MAX_HOSTS).default([]).describe('Empty: all hosts of the site'),
  state: z.string().max(64).optional().describe('A session always starts in MAINTENANCE'),
  maintenance_at: time.describe('No host starts before; UTC unless it has a zone'),
  workflow: z.string().max(64).default('default').describe('`default`, or `vnf`: a notice for each instance'),
  metadata: z.record(z.string(), z.unknown()).default({}).describe('Handed to projects and to actions'),
  actions: z
    .array(
      z.strictObject({
        plugin: z.string().max(MAX_ID),
        type: z.string().max(32),
        metadata: z.record(z.string(), z.unknown()).optional(),
      }),
    )
    .max(100)
    .default([]),
  download: z.array(z.unknown()).max(100).default([]).describe('Refused unless it is empty'),
  haulout: z
    .record(z.string(), z.unknown())
    .default({})
    .describe(
      'Other keys of a Haulout session, such as budget or timeouts; with "projects": null nobody is asked',
    ),
});
export type SessionRequest = z.output<typeof sessionRequest>;

/** The key makes a repeated request start nothing a second time. */
export const sessionHeaders = z.looseObject({ 'idempotency-key': z.string().min(1).max(255).optional() });

/** What a project, or for one instance, answers. Clients also send keys that say nothing new; those are passed over. */
export const answerRequest = z.object({
  state: answerMessage.shape.state,
  instance_actions: z.record(z.string().max(MAX_ID), instanceAction).nullish(),
  instance_action: instanceAction.nullish(),
});
export type AnswerRequest = z.output<typeof answerRequest>;

/** As the address has it that a notice wants to be answered at. */
export const answerQuery = z.object({
  notice: answerMessage.shape.notice,
});
export type AnswerQuery = z.output<typeof answerQuery>;

export const instanceRequest = z.object({
  instance_id: id.optional(),
  project_id: id,
  group_id: id.nullish(),
  instance_name: z.string().max(MAX_ID).nullish(),
  max_interruption_time: seconds,
  migration_type: instanceAction,
  resource_mitigation: z.boolean(),
  lead_time: seconds,
});
export type InstanceRequest = z.output<typeof instanceRequest>;

export const groupRequest = z.object({
  group_id: id.optional(),
  project_id: id,
  group_name: z.string().max(MAX_ID).nullish(),
  anti_affinity_group: z.boolean(),
  max_instances_per_host: count(0, 10_000).describe('0: no limit'),
  max_impacted_members: count(1, 10_000),
  recovery_time: seconds,
  resource_mitigation: z.boolean(),
});
export type GroupRequest = z.output<typeof groupRequest>;

export const detailQuery = z.object({
  offset: z.coerce.number().int().min(0).max(100_000).default(0),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});

export const nothing = z.object({});
export const sessionCreated = z.object({ session_id: z.string() });
export const sessionList = z.object({ sessions: z.array(z.string()), session_id: z.array(z.string()) });
export const sessionState = z.object({ session_id: z.string(), state: z.enum(FENIX_STATES) });
export const sessionContinued = z.object({ maintenance: z.string(), session_id: z.string() });
export const projectInstances = z.object({ instance_ids: z.array(z.string()) });
export const answerTaken = z.object({
  session_id: z.string(),
  state: z.string(),
  verdict: z.enum(['accepted', 'repeated', 'ignored']),
});

export const instanceStored = z.object({
  instance_id: z.string(),
  project_id: z.string(),
  group_id: z.string().optional(),
  instance_name: z.string().optional(),
  max_interruption_time: z.number(),
  migration_type: instanceAction,
  resource_mitigation: z.boolean(),
  lead_time: z.number(),
});

export const groupStored = z.object({
  group_id: z.string(),
  project_id: z.string(),
  group_name: z.string().optional(),
  anti_affinity_group: z.boolean(),
  max_instances_per_host: z.number(),
  max_impacted_members: z.number(),
  recovery_time: z.number(),
  resource_mitigation: z.boolean(),
});

const stepError = z.object({ code: z.string().optional(), message: z.string() });
const OUTCOMES = ['waiting', 'running', 'done', 'failed', 'timed-out', 'cancelled'] as const;
export type StepOutcome = (typeof OUTCOMES)[number];

/** Something that was done to a host, to an instance, or for the session. */
export const step = z.object({
  step: z.string().describe('Name of the activity, such as cordonHost'),
  summary: z.string(),
  outcome: z.enum(OUTCOMES),
  attempts: z.number(),
  started_at: z.string().optional(),
  ended_at: z.string().optional(),
  error: stepError.optional().describe('Of the last attempt that failed'),
  instance_id: z.string().optional(),
  instance_name: z.string().optional(),
  from: z.string().optional(),
  to: z.string().optional(),
  how: z.string().optional(),
});
export type StepView = z.output<typeof step>;

const runStatus = z.string().describe('Status of the workflow at Temporal');
const runTimes = { started_at: z.string(), ended_at: z.string().optional() };

export const sessionDetail = z.object({
  session_id: z.string(),
  state: z.enum(FENIX_STATES),
  haulout_state: z.string().describe('As Haulout has it: it can also be paused or cancelled'),
  status: runStatus,
  ...runTimes,
  error: stepError.optional().describe('Why the session ended without a report'),
  progress: z.unknown().describe('As the query `progress` answers it; null while no worker answers'),
  steps: z.array(step).describe('Of the session itself'),
  truncated: z.boolean().describe('There are more steps than are read'),
  hosts: z.array(
    z.object({
      host: z.string(),
      status: runStatus,
      ...runTimes,
      error: stepError.optional(),
      steps: z.array(step),
      instances: z.array(step),
      truncated: z.boolean(),
    }),
  ),
  next_offset: z.number().optional().describe('There are more runs of hosts, from here'),
  dialogues: z.array(
    z.object({
      project: z.string(),
      instance: z.string().optional(),
      status: runStatus,
      ...runTimes,
      notice: z.unknown().describe('As the query `notice` answers it; null while no worker answers'),
    }),
  ),
});
export type SessionDetail = z.output<typeof sessionDetail>;

export const errorBody = z.object({
  error: z.string(),
  code: z.string(),
  message: z.string(),
  path: z.string().optional(),
});
