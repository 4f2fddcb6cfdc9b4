/**
 * The configuration of a worker: which sites it reaches, which actions it may run, and how much it takes on. One YAML
 * file; examples/haulout.yaml shows every key with its default. How to reach Temporal is not in it: see client.ts. A lock
 * controller reads its own section alone.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { parseDuration } from './core/duration.ts';
import { PLATFORMS } from './drivers/registry.ts';
import { lockControllerSchema, type LockControllerSettings } from './lock-controller/settings.ts';
import { notificationsSchema } from './notifications/settings.ts';

/** Actions that need no entry under `actions.activities`, and whose names none there may take. */
const BUILT_IN_ACTIONS = ['wait', 'webhook', 'command', 'approval'];

/** What a command may have filled in. */
const PLACEHOLDERS = ['{host}', '{site}', '{session}'];

const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    'must be a name of letters, digits, ".", "_" and "-", at most 63 characters',
  );

const text = z.string().min(1);

const isDuration = (value: string): boolean => parseDuration(value) !== undefined;

const duration = z.string().refine(isDuration, 'must be a duration of at most 30d, such as 90s, 15m or 2h');

/** A section whose keys all have defaults may be left out, or left empty. */
const section = <T extends z.ZodType>(schema: T): z.ZodType<z.output<T>> =>
  z.preprocess((value) => value ?? {}, schema);

const site = z
  .looseObject({
    platform: z
      .enum(Object.keys(PLATFORMS))
      .describe('Kind of infrastructure; decides which other keys the site takes'),
    reconcileEvery: z
      .string()
      .refine(
        (value) => value === 'off' || isDuration(value),
        'must be "off", or a duration such as 90s or 15m',
      )
      .default('5m')
      .describe('How often to look for hosts that a dead workflow left out of service'),
  })
  .transform(({ platform, reconcileEvery, ...rest }, context) => {
    const parsed = PLATFORMS[platform]?.configSchema.safeParse(rest);
    for (const issue of parsed?.error?.issues ?? []) {
      context.issues.push({ ...issue, input: rest } as z.core.$ZodRawIssue);
    }
    return { platform, reconcileEvery, options: parsed?.data ?? {} };
  });

const endpoint = z.strictObject({
  url: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }),
  headers: z
    .record(
      z.string().regex(/^[\w!#$%&'*+.^`|~-]+$/, 'is not the name of an HTTP header'),
      z.string().regex(/^[^\r\n]*$/, 'must be one line'),
    )
    .default({})
    .describe('Sent with each request; write a secret as {env: NAME} or {file: PATH}'),
});

const argument = text.refine(
  (value) => (value.match(/\{\w+\}/g) ?? []).every((found) => PLACEHOLDERS.includes(found)),
  `may hold the placeholders ${PLACEHOLDERS.join(' ')} and no others`,
);

const command = z.strictObject({
  run: z
    .array(argument)
    .min(1)
    .describe('Program and arguments; no shell reads them. {host}, {site} and {session} are filled in'),
  timeout: duration
    .optional()
    .describe('The command is ended when it takes longer; absent: only the deadline of the action ends it'),
});

const externalActivity = z.strictObject({
  taskQueue: text.describe('Task queue of the worker that has the activity'),
  activity: text.describe('Activity type'),
});

const actions = z.strictObject({
  webhook: section(z.strictObject({ endpoints: z.record(name, endpoint).default({}) })).describe(
    'Endpoints that actions of plugin `webhook` may name in metadata.endpoint',
  ),
  command: section(z.strictObject({ allow: z.record(name, command).default({}) })).describe(
    'Commands that actions of plugin `command` may name in metadata.command',
  ),
  activities: z
    .record(
      name.refine((value) => !BUILT_IN_ACTIONS.includes(value), 'is the name of a built-in action'),
      externalActivity,
    )
    .default({})
    .describe('Activities of other workers, in any language of the SDK, by the plugin name sessions use'),
});

const worker = z.strictObject({
  serves: z.array(name).optional().describe('Sites whose activities run here; absent: all of them'),
  maintenance: z.boolean().default(true).describe('Also runs sessions and host workflows'),
  maxConcurrentActivities: z.int().min(1).max(10_000).default(200).describe('Activities at one time'),
  metricsAddress: z
    .string()
    .regex(/^\S+:\d{1,5}$/, 'must be HOST:PORT, such as 127.0.0.1:9464')
    .optional()
    .describe('Where to serve Prometheus metrics; absent: nowhere'),
});

const configSchema = z
  .strictObject({
    sites: z
      .record(name, site)
      .refine((sites) => Object.keys(sites).length > 0, 'must name at least one site')
      .describe('Sites by the name that sessions use'),
    actions: section(actions),
    notifications: section(notificationsSchema(name)),
    worker: section(worker),
    lockController: lockControllerSchema(name).optional(),
  })
  .superRefine((config, context) => {
    for (const [index, served] of (config.worker.serves ?? []).entries()) {
      if (served in config.sites) continue;
      const message = `"${served}" is not one of the sites: ${Object.keys(config.sites).join(', ')}`;
      context.addIssue({ code: 'custom', path: ['worker', 'serves', index], message });
    }
  });

/**
 * A checked configuration with every default filled in and every secret resolved; frozen. Never log it. A site has in
 * `options` the keys of its platform, as the schema of that platform gave them.
 */
export type Config = Readonly<z.output<typeof configSchema>>;

const lockControllerFile = z.object({
  lockController: z.custom((value) => value !== undefined, 'is missing').pipe(lockControllerSchema(name)),
});

/** What actions may do from this worker, and where. */
export type ActionsConfig = Config['actions'];

/** The configuration is missing or wrong. `problems` has one `path: message` each; no value of a secret is in it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(headline: string, problems: readonly string[]) {
    super([headline, ...problems.map((problem) => `  ${problem}`)].join('\n'));
    this.problems = problems;
  }
}

/**
 * Reads and checks the configuration: `file`, else the file that HAULOUT_CONFIG names, else ./haulout.yaml.
 * Throws ConfigError.
 */
export const loadConfig = (file?: string, env: NodeJS.ProcessEnv = process.env): Config =>
  load(configSchema, (content) => content, file, env);

/**
 * Reads and checks the section of the lock controller in the same file. What else is there is for others: their secrets
 * need not be here. Throws ConfigError.
 */
export const loadLockController = (
  file?: string,
  env: NodeJS.ProcessEnv = process.env,
): LockControllerSettings =>
  load(lockControllerFile, ({ lockController }) => ({ lockController }), file, env).lockController;

function load<Schema extends z.ZodType>(
  schema: Schema,
  pick: (content: Record<string, unknown>) => unknown,
  file: string | undefined,
  env: NodeJS.ProcessEnv,
): z.output<Schema> {
  const found = path.resolve(file ?? env.HAULOUT_CONFIG ?? 'haulout.yaml');
  const secrets = new SecretReader(path.dirname(found), env);
  const content = parseYaml(found, readConfig(found));
  const raw = secrets.resolve(isRecord(content) ? pick(content) : content, []);
  if (secrets.problems.length > 0) throw unusable(found, secrets.problems);
  const parsed = schema.safeParse(raw);
  if (parsed.error) throw unusable(found, parsed.error.issues.flatMap(describeIssue).map(secrets.redact));
  return deepFreeze(parsed.data);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function readConfig(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'There is no' : 'Cannot read the';
    throw new ConfigError(
      `${reason} configuration file ${file}. Set HAULOUT_CONFIG to the path of one, or put a haulout.yaml into the ` +
        'current directory; examples/haulout.yaml shows every key.',
      [],
    );
  }
}

function parseYaml(file: string, content: string): unknown {
  const document = parseDocument(content, { prettyErrors: false });
  if (document.errors.length === 0) return document.toJS();
  const lineOf = (offset: number): number => content.slice(0, offset).split('\n').length;
  throw unusable(
    file,
    document.errors.map((error) => `line ${lineOf(error.pos[0])}: ${error.message}`),
  );
}

const unusable = (file: string, problems: readonly string[]): ConfigError =>
  new ConfigError(`The configuration ${file} cannot be used:`, problems);

function describeIssue(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${formatPath([...issue.path, key])}: is not a key that is known here`);
  }
  const inner = issue.code === 'invalid_key' ? issue.issues[0] : undefined;
  return [`${formatPath(issue.path)}: ${inner?.message ?? issue.message}`];
}

const formatPath = (keys: readonly PropertyKey[]): string =>
  keys.length === 0 ? '(file)' : keys.map(String).join('.');

/** Puts the values in the place of `{env: NAME}` and `{file: PATH}`, wherever they stand for a text. */
class SecretReader {
  readonly problems: string[] = [];
  readonly #values: string[] = [];
  readonly #directory: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(directory: string, env: NodeJS.ProcessEnv) {
    this.#directory = directory;
    this.#env = env;
  }

  /** A copy of `node` with values in; what cannot be read goes to `problems`. */
  resolve(node: unknown, at: readonly string[]): unknown {
    if (Array.isArray(node)) return node.map((item, index) => this.resolve(item, [...at, String(index)]));
    if (typeof node !== 'object' || node === null) return node;
    const entries = Object.entries(node);
    const [key, value] = entries.length === 1 ? (entries[0] ?? []) : [];
    if (typeof value === 'string') {
      if (key === 'env')
        return this.#keep(this.#env[value], at, `environment variable ${value} is not set, or empty`);
      if (key === 'file')
        return this.#keep(this.#read(value), at, `file ${value} cannot be read, or is empty`);
    }
    return Object.fromEntries(entries.map(([name, item]) => [name, this.resolve(item, [...at, name])]));
  }

  /** Takes secrets out of a message. */
  readonly redact = (message: string): string =>
    this.#values.reduce((cleaned, value) => cleaned.replaceAll(value, '***'), message);

  #read(file: string): string | undefined {
    try {
      return readFileSync(path.resolve(this.#directory, file), 'utf8').trimEnd();
    } catch {
      return undefined;
    }
  }

  #keep(value: string | undefined, at: readonly string[], absence: string): string {
    if (value) this.#values.push(value);
    else this.problems.push(`${formatPath(at)}: ${absence}`);
    return value ?? '';
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}
