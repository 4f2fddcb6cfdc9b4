/** Between Fenix's words and Haulout's: sessions, states, answers and constraints. Pure. */
import type { WorkflowExecutionStatusName } from '@temporalio/client';
import type { z } from 'zod';
import { groupConstraint, instanceConstraint } from '../core/constraints.ts';
import type { GroupConstraint, InstanceConstraint } from '../core/constraints.ts';
import { answerMessage, type AnswerMessage, type AnswerReceipt, type NoticeView } from '../core/dialogue.ts';
import { describeIssues, sessionSpec, type SessionInput, type SessionSpec } from '../core/session-spec.ts';
import { FENIX_STATES, type FenixState } from '../core/session-state.ts';
import { ApiError } from './errors.ts';
import type {
  AnswerRequest,
  GroupRequest,
  InstanceRequest,
  SessionRequest,
  groupStored,
  instanceStored,
} from './schemas.ts';

/** Keys of a session that have one of their own in a request, and how that is spelled. */
const OWN_KEYS: Readonly<Record<string, string>> = {
  site: 'haulout.site',
  hosts: 'hosts',
  maintenanceAt: 'maintenance_at',
  workflow: 'workflow',
  metadata: 'metadata',
  actions: 'actions',
};

/** A session as it is started, and with every default filled in. Throws ApiError with the field that is wrong. */
export function sessionOf(
  { haulout, ...request }: SessionRequest,
  site: string,
): { input: SessionInput; spec: SessionSpec } {
  if (request.download.length > 0) {
    throw new ApiError(
      'InvalidRequest',
      'Nothing is downloaded: actions are those of the configuration of the worker. Leave "download" out',
      { path: 'download' },
    );
  }
  const taken = Object.keys(haulout).find((key) => key in OWN_KEYS);
  if (taken !== undefined) {
    const hint = taken === 'site' ? 'the site is that of the service' : `use "${OWN_KEYS[taken]}"`;
    throw new ApiError('InvalidRequest', `haulout.${taken}: ${hint}`, { path: `haulout.${taken}` });
  }
  const { hosts, maintenance_at: maintenanceAt, workflow, metadata, actions } = request;
  const { projects = {}, ...others } = haulout;
  const input = {
    ...others,
    site,
    hosts,
    maintenanceAt,
    workflow,
    metadata,
    actions,
    // Fenix asks projects; who wants none to be asked has to say so.
    ...(projects !== null && { projects }),
  };
  const parsed = sessionSpec.safeParse(input);
  if (!parsed.success) throw invalid(parsed.error, sessionPath);
  return { input: input as SessionInput, spec: parsed.data };
}

const sessionPath = ([key, ...rest]: string[]): string[] =>
  key === undefined ? [] : [...(OWN_KEYS[key] ?? `haulout.${key}`).split('.'), ...rest];

/**
 * State of a session as Fenix would name it. A session that stands still to be continued has failed for Fenix's clients,
 * and so has one that ended without being done; a paused one is in the middle of its work.
 *
 * @param state what the session says of itself; undefined before a worker has looked at it
 */
export function fenixState(status: WorkflowExecutionStatusName, state: string | undefined): FenixState {
  const isOpen = status === 'RUNNING' || status === 'CONTINUED_AS_NEW' || status === 'PAUSED';
  if (!isOpen && status !== 'COMPLETED') return 'MAINTENANCE_FAILED';
  if (state === 'MAINTENANCE_CANCELLED') return 'MAINTENANCE_FAILED';
  if (status === 'COMPLETED') return 'MAINTENANCE_DONE';
  if (state === 'MAINTENANCE_PAUSED') return 'PLANNED_MAINTENANCE';
  return FENIX_STATES.find((known) => known === state) ?? 'MAINTENANCE';
}

/** Throws ApiError with the field that is wrong. */
export function answerOf(
  { state, instance_actions, instance_action }: AnswerRequest,
  notice?: string,
): AnswerMessage {
  const parsed = answerMessage.safeParse({
    ...(notice !== undefined && { notice }),
    state,
    ...(instance_actions && { instanceActions: instance_actions }),
    ...(instance_action && { instanceAction: instance_action }),
  });
  if (!parsed.success) throw invalid(parsed.error, answerPath);
  return parsed.data;
}

const answerPath = (path: string[]): string[] =>
  path[0] === 'instanceActions' ? ['instance_actions', ...path.slice(1)] : path;

/**
 * What an answer means that came when nothing waited for it any more. Clients say some things twice, and take anything
 * but success for a reason to say them again.
 */
export function judgeLate({ id, state, answered }: NoticeView, answer: AnswerMessage): AnswerReceipt {
  if (answer.notice !== undefined && answer.notice !== id) {
    return { verdict: 'refused', reason: 'another notice has come since the one that it answers' };
  }
  const said = `${answered?.agreed === true ? 'ACK' : 'NACK'}_${state}`;
  if (answered && answer.state === said) return { verdict: 'repeated' };
  const reason = answered
    ? `${state} was answered at ${answered.at} already`
    : `nothing is waited for: the time to answer ${state} is over`;
  return { verdict: 'refused', reason };
}

/** @param project who puts it and owns it, whatever the body says; undefined: an operator does, for whom the body says */
export function instanceConstraintOf(
  instance: string,
  request: InstanceRequest,
  project?: string,
): InstanceConstraint {
  assertSame('instance_id', request.instance_id, instance);
  return check(instanceConstraint, {
    instance,
    ...ownerOf(request, project),
    ...(request.group_id && { group: request.group_id }),
    ...(request.instance_name && { name: request.instance_name }),
    migrationType: request.migration_type,
    maxInterruptionSeconds: request.max_interruption_time,
    resourceMitigation: request.resource_mitigation,
    leadSeconds: request.lead_time,
  });
}

export const instanceAnswer = (value: InstanceConstraint): z.output<typeof instanceStored> => ({
  instance_id: value.instance,
  project_id: value.project,
  ...(value.group !== undefined && { group_id: value.group }),
  ...(value.name !== undefined && { instance_name: value.name }),
  max_interruption_time: value.maxInterruptionSeconds,
  migration_type: value.migrationType,
  resource_mitigation: value.resourceMitigation,
  lead_time: value.leadSeconds,
});

/** @param project who puts it and owns it, whatever the body says; undefined: an operator does, for whom the body says */
export function groupConstraintOf(group: string, request: GroupRequest, project?: string): GroupConstraint {
  assertSame('group_id', request.group_id, group);
  return check(groupConstraint, {
    group,
    ...ownerOf(request, project),
    ...(request.group_name && { name: request.group_name }),
    antiAffinity: request.anti_affinity_group,
    maxInstancesPerHost: request.max_instances_per_host,
    maxImpactedMembers: request.max_impacted_members,
    recoverySeconds: request.recovery_time,
    resourceMitigation: request.resource_mitigation,
  });
}

export const groupAnswer = (value: GroupConstraint): z.output<typeof groupStored> => ({
  group_id: value.group,
  project_id: value.project,
  ...(value.name !== undefined && { group_name: value.name }),
  anti_affinity_group: value.antiAffinity,
  max_instances_per_host: value.maxInstancesPerHost,
  max_impacted_members: value.maxImpactedMembers,
  recovery_time: value.recoverySeconds,
  resource_mitigation: value.resourceMitigation,
});

const ownerOf = (
  { project_id }: { project_id: string },
  project: string | undefined,
): Pick<InstanceConstraint, 'project' | 'fromProject'> =>
  project === undefined ? { project: project_id } : { project, fromProject: true };

function assertSame(path: string, inBody: string | undefined, inPath: string): void {
  if (inBody === undefined || inBody === inPath) return;
  throw new ApiError('InvalidRequest', `${path}: "${inBody}" is not the one of the path, "${inPath}"`, {
    path,
  });
}

function check<Schema extends z.ZodType>(schema: Schema, value: z.input<Schema>): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalid(parsed.error);
  return parsed.data;
}

/** @param spell the path of a field as the client spells it */
export function invalid(error: z.ZodError, spell = (path: string[]) => path): ApiError {
  const issues = error.issues.map((issue) => ({ ...issue, path: spell(issue.path.map(String)) }));
  const message = describeIssues({ ...error, issues }, 'is not a key that is known here').join('; ');
  const path = issues.flatMap(pathOf)[0];
  return new ApiError('InvalidRequest', message, path === undefined ? {} : { path });
}

function pathOf(issue: z.core.$ZodIssue): string[] {
  const keys = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const path = [...issue.path, ...keys].join('.');
  return path === '' ? [] : [path];
}
