/** The session input: what an operator writes, checked by one schema at every door (workflow, CLI, API). */
import { z } from 'zod';
import { duration } from './fields.ts';
import { oneLine } from './listed.ts';
import { DRAINS, platformOptions } from './platform-options.ts';

/** Limits on what comes from outside; generous for ten thousand hosts, small enough for a Temporal payload. */
const MAX_HOSTS = 20_000;
const MAX_OVERRIDES = 5_000;
const MAX_METADATA_CHARS = 16_384;
const MAX_METADATA_DEPTH = 100;
/** Problems of one input in a message, and characters of each. */
const ISSUES_NAMED = 20;
const LONGEST_ISSUE = 300;

const name = z
  .string()
  .min(1)
  .max(255)
  .regex(
    /^[^\s\p{Cc}](?:[^\p{Cc}]*[^\s\p{Cc}])?$/u,
    'must not start or end with a blank, nor hold control characters',
  );

const timestamp = z.iso
  .datetime({ offset: true, error: 'must be a time with a zone, such as 2027-03-01T22:00:00Z' })
  .max(64)
  .describe('RFC 3339, with a zone: 2027-03-01T22:00:00Z');

/** Clocks of clients may be off by this much before a time counts as past. */
const PAST_TOLERANCE_MS = 60_000;

/** Whether a session that begins at this time, or ends its window then, comes too late. */
export const isPast = (time: string, nowMs: number): boolean => Date.parse(time) < nowMs - PAST_TOLERANCE_MS;

const metadata = z
  .record(z.string().max(255), z.unknown())
  .refine((value) => !isDeeper(value, MAX_METADATA_DEPTH), {
    message: `must not nest deeper than ${MAX_METADATA_DEPTH} levels`,
    abort: true,
  })
  .refine(
    (value) => JSON.stringify(value).length <= MAX_METADATA_CHARS,
    `must be at most ${MAX_METADATA_CHARS} characters of JSON`,
  );

/** Level by level: what recurses, as writing JSON does, ends with an overflow of the stack instead of an answer. */
function isDeeper(value: unknown, levels: number): boolean {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > levels) return true;
    level = level.flatMap((one): unknown[] =>
      typeof one === 'object' && one !== null ? Object.values(one) : [],
    );
  }
  return false;
}

export const ACTION_TYPES = ['pre', 'host', 'compute', 'controller', 'post'] as const;
export type ActionType = (typeof ACTION_TYPES)[number];

const action = z.strictObject({
  plugin: name.describe(
    'Name of a built-in action (wait, webhook, command, approval) or of one in the configuration of the worker',
  ),
  type: z
    .enum(ACTION_TYPES)
    .describe('pre and post: once; host: on each host; compute and controller: on hosts of that role'),
  metadata: metadata.optional().describe('Handed to the action as it is'),
  timeout: duration
    .optional()
    .describe('Deadline of this action; the default is what is left of timeouts.work'),
});

export const INSTANCE_MODES = ['live', 'live-then-cold', 'live-then-stop', 'cold', 'stop'] as const;
export type InstanceMode = (typeof INSTANCE_MODES)[number];

const hostCount = z.union([
  z.int().min(1).max(MAX_HOSTS),
  z
    .string()
    .regex(/^(100|[1-9]\d?)%$/, 'must be a whole number of hosts, or a percentage from "1%" to "100%"'),
]);

const budget = z.strictObject({
  maxConcurrentHosts: hostCount
    .default(1)
    .describe('Hosts out at one time; a percentage is of the hosts of the session, at least 1'),
  maxFailedHosts: z
    .int()
    .min(0)
    .max(MAX_HOSTS)
    .default(0)
    .describe('Held hosts the session tolerates before it starts no more'),
  maxConcurrentMoves: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe('Instances moving at one time over the whole session; no limit when absent'),
  maxConcurrentMovesPerHost: z
    .int()
    .min(1)
    .max(100)
    .default(1)
    .describe('Instances leaving one host at one time'),
  perDomain: z
    .strictObject({
      label: name.describe('Host label that names the failure domain, such as zone or rack'),
      max: z.int().min(1).max(MAX_HOSTS).describe('Hosts out at one time in each domain'),
    })
    .optional(),
  beyondPlatformLimits: z
    .literal(true)
    .optional()
    .describe(
      'Take the risk of more hosts out at one time than the platform is known to bear; absent: its limits hold beside these',
    ),
});

const instances = z.strictObject({
  mode: z.enum(INSTANCE_MODES).default('live').describe('How running instances leave their host'),
  stopped: z
    .enum(['stay', 'move'])
    .default('stay')
    .describe('Instances found stopped: left on the host, or moved cold'),
  return: z
    .boolean()
    .default(false)
    .describe('Move instances back to the host they came from when it is done'),
  overrides: z
    .record(name, z.enum(INSTANCE_MODES))
    .refine(
      (value) => Object.keys(value).length <= MAX_OVERRIDES,
      `must have at most ${MAX_OVERRIDES} entries`,
    )
    .default({})
    .describe('Mode by instance name or id, for those that need another one'),
});

const timeouts = z.strictObject({
  precheck: duration.default('5m'),
  cordon: duration.default('5m'),
  drain: duration.default('2h'),
  enter: duration.default('30m'),
  work: duration.default('2h'),
  exit: duration.default('30m'),
  restore: duration.default('1h'),
  verify: duration.default('10m'),
  host: duration.default('6h').describe('All steps of one host together'),
});

export const WORKFLOW_STYLES = ['default', 'vnf'] as const;
export type WorkflowStyle = (typeof WORKFLOW_STYLES)[number];

/**
 * `hold`: hosts with its instances are held by its name; `proceed`: as the project has said beforehand, or as the session
 * says; `fail`: no more hosts start until somebody continues.
 */
const UNAGREED = ['hold', 'proceed', 'fail'] as const;

const projects = z.strictObject({
  onSilence: z
    .enum(UNAGREED)
    .default('hold')
    .describe('What it means that a project does not answer in time'),
  onRefusal: z.enum(UNAGREED).default('hold').describe('What it means that a project answers no'),
  replyWithin: duration
    .default('5m')
    .describe('How long an answer is waited for; an early one ends the wait'),
  makeRoomWithin: duration.default('15m').describe('The same where the project has to change what it runs'),
  scaleInRounds: z
    .int()
    .min(0)
    .max(20)
    .default(3)
    .describe('How often projects are asked to make room, in all, where no host could be emptied'),
});
export type ProjectWishes = z.output<typeof projects>;

const hostList = z
  .array(name)
  .max(MAX_HOSTS)
  .superRefine((hosts, context) => {
    const seen = new Set<string>();
    hosts.forEach((host, index) => {
      if (seen.has(host))
        context.addIssue({ code: 'custom', path: [index], message: `"${host}" is listed twice` });
      seen.add(host);
    });
  });

const order = z.strictObject({
  label: name.describe('Host label that hosts are ordered by, such as role'),
  values: z
    .array(name)
    .min(1)
    .max(100)
    .refine((values) => new Set(values).size === values.length, 'must name no value twice')
    .describe('Hosts with the first value are all through before one with the next starts; others come last'),
});
export type HostOrder = z.output<typeof order>;

const selector = z.strictObject({
  selector: z
    .record(name, name)
    .refine((labels) => Object.keys(labels).length > 0, 'must name at least one label')
    .describe('Hosts that carry all of these labels'),
});

export const sessionSpec = z
  .strictObject({
    $schema: z.string().max(2048).optional().describe('For editors; ignored'),
    site: name.describe('Name of a site in the configuration of the worker'),
    hosts: z
      .union([hostList, selector])
      .default([])
      .describe('Host names, or a selector; absent or empty: all hosts of the site'),
    maintenanceAt: timestamp.optional().describe('No host starts before; absent: at once'),
    maintenanceUntil: timestamp
      .optional()
      .describe('No host starts that cannot be expected to be done before'),
    workflow: z
      .enum(WORKFLOW_STYLES)
      .default('default')
      .describe('How projects are asked: about all of their instances at once, or (vnf) about each one'),
    projects: projects
      .optional()
      .describe('Ask the projects whose instances are touched; absent: nobody is asked'),
    metadata: metadata.default({}).describe('Notes that travel with the session; handed to actions'),
    actions: z.array(action).max(100).default([]),
    budget: budget.prefault({}),
    order: order
      .optional()
      .describe('Which hosts have to be through before others start; absent: what ends the session soonest'),
    instances: instances.prefault({}),
    drain: z
      .enum(DRAINS)
      .optional()
      .describe(
        'Who empties hosts: the engine, instance by instance, or the platform in its own maintenance task; absent: the engine, where the platform lets it',
      ),
    ...platformOptions,
    timeouts: timeouts
      .prefault({})
      .describe('Deadlines of each step, absolute from its start whatever is retried'),
    onFailure: z.enum(['hold', 'rollback']).default('hold').describe('What becomes of a host that fails'),
    onBusyHost: z
      .enum(['wait', 'fail'])
      .default('wait')
      .describe('What to do about a host that another session has'),
    pauseBetweenHosts: duration.optional().describe('Rest after each host before the next one starts'),
    dryRun: z
      .boolean()
      .default(false)
      .describe('Plan only: order, targets, moves, duration and blockers; nothing is touched'),
    resumeFrom: name.optional().describe('Id of an ended session whose standing this one takes over'),
  })
  .superRefine((spec, context) => {
    const issue = (path: (string | number)[], message: string): void => {
      context.addIssue({ code: 'custom', path, message });
    };
    if (
      spec.maintenanceAt &&
      spec.maintenanceUntil &&
      Date.parse(spec.maintenanceUntil) <= Date.parse(spec.maintenanceAt)
    ) {
      issue(
        ['maintenanceUntil'],
        `"${spec.maintenanceUntil}" is not after maintenanceAt "${spec.maintenanceAt}"`,
      );
    }
    for (const problem of budgetProblems(spec.budget)) issue(['budget', ...problem.path], problem.message);
  });

/** What is contradictory in a budget, by path within it. */
export function budgetProblems(value: Budget): { path: string[]; message: string }[] {
  const problems: { path: string[]; message: string }[] = [];
  if (value.maxConcurrentMoves !== undefined && value.maxConcurrentMovesPerHost > value.maxConcurrentMoves) {
    problems.push({
      path: ['maxConcurrentMovesPerHost'],
      message: `${value.maxConcurrentMovesPerHost} is more than maxConcurrentMoves (${value.maxConcurrentMoves}) allows in all`,
    });
  }
  if (
    value.perDomain &&
    typeof value.maxConcurrentHosts === 'number' &&
    value.perDomain.max > value.maxConcurrentHosts
  ) {
    problems.push({
      path: ['perDomain', 'max'],
      message: `${value.perDomain.max} is more than maxConcurrentHosts (${value.maxConcurrentHosts}) allows in all`,
    });
  }
  return problems;
}

/** Input of the update `setBudget`: the fields to change. */
export const budgetChange = budget.partial();

/** A session as an operator writes it. */
export type SessionInput = z.input<typeof sessionSpec>;
/** A session with every default filled in. */
export type SessionSpec = z.output<typeof sessionSpec>;
export type Budget = z.output<typeof budget>;
export type InstanceWishes = z.output<typeof instances>;
export type ActionSpec = z.output<typeof action>;

/** Input of the signal `cancel` and the update `cancelSession`. */
export const cancelMessage = z.strictObject({
  mode: z
    .enum(['rollback', 'finish'])
    .default('rollback')
    .describe('Hosts in flight: put back as they are (rollback), or taken to their end (finish)'),
  reason: z.string().max(1000).optional(),
});
export type CancelMessage = z.output<typeof cancelMessage>;

/** Input of the signal `continue` and the update `continueSession`; empty: retry every held host. */
export const continueMessage = z.strictObject({
  retry: hostList.optional().describe('Held hosts to take up again from where they stopped'),
  skip: hostList
    .optional()
    .describe('Hosts to leave out: those not started are not touched, held ones are put back'),
  rollback: hostList
    .optional()
    .describe('Held hosts, or hosts in flight, to put back into service without further work'),
  maintenanceUntil: timestamp.optional().describe('A new end of the maintenance window'),
});
export type ContinueMessage = z.output<typeof continueMessage>;

/** Input of the signal `pause` and the update `pauseSession`. */
export const pauseMessage = z.strictObject({ reason: z.string().max(1000).optional() });
export type PauseMessage = z.output<typeof pauseMessage>;

/** Input of the signal `approve`: an answer to an `approval` action. */
export const approveMessage = z.strictObject({
  host: name.optional().describe('The host that waits; absent: every one that waits, or the session itself'),
  approved: z.boolean().default(true),
  by: z.string().max(255).optional(),
  reason: z.string().max(1000).optional(),
});
export type ApproveMessage = z.output<typeof approveMessage>;

/**
 * One line per problem, each with the path of the field: `budget.maxConcurrentHosts: …`.
 *
 * @param unknownKey what is said of a key that should not be there
 */
export function describeIssues(
  error: z.ZodError,
  unknownKey = 'is not a key of a session; see docs/session.md',
): string[] {
  // Paths hold keys that somebody typed, of whatever length.
  const lines = flatten(error.issues, unknownKey).map(({ path, message }) =>
    oneLine(`${formatPath(path)}: ${message}`, LONGEST_ISSUE),
  );
  return lines.length <= ISSUES_NAMED
    ? lines
    : [...lines.slice(0, ISSUES_NAMED), `… and ${lines.length - ISSUES_NAMED} more`];
}

type Issue = { path: PropertyKey[]; message: string };

/** A failed union says only "invalid input"; the branch that came furthest says why. */
function flatten(
  issues: readonly z.core.$ZodIssue[],
  unknownKey: string,
  prefix: PropertyKey[] = [],
): Issue[] {
  return issues.flatMap((issue): Issue[] => {
    const path = [...prefix, ...issue.path];
    if (isAbsent(issue)) return [{ path, message: 'is required' }];
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      const branches = issue.errors.filter(
        (branch) => !branch.some((i) => i.code === 'invalid_type' && i.path.length === 0),
      );
      const best = branches[0] ?? issue.errors[0];
      if (branches.length === 0) {
        const expected = issue.errors
          .flatMap((branch) => branch.map((i) => ('expected' in i ? String(i.expected) : '')))
          .filter(Boolean);
        return [{ path, message: `expected ${[...new Set(expected)].join(' or ')}` }];
      }
      return flatten(best ?? [], unknownKey, path);
    }
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: unknownKey,
      }));
    }
    return [{ path, message: issue.message }];
  });
}

/** The value itself is not in the issue, only in its words. */
const isAbsent = (issue: z.core.$ZodIssue): boolean =>
  issue.code === 'invalid_union' && issue.errors.length > 0
    ? issue.errors.every(
        (branch) => branch.length > 0 && branch.every((one) => one.path.length === 0 && isAbsent(one)),
      )
    : issue.code === 'invalid_type' && issue.message.endsWith('received undefined');

const formatPath = (path: PropertyKey[]): string =>
  path.length === 0 ? '(input)' : path.map(String).join('.');
