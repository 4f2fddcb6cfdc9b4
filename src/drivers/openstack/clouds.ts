/**
 * Which cloud a site means, from where OpenStack's own clients look for it: clouds.yaml and secure.yaml, or the `OS_*`
 * environment variables. Reads files and environment only.
 */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { isReadable, SettingsError } from '../platform.ts';

const INTERFACES = ['public', 'internal', 'admin'] as const;

/** A user or project: by id, or by name within a domain. */
export type Named = { id: string } | { name: string; domain: { id: string } | { name: string } };

export type Credentials =
  | { type: 'password'; user: Named; password: string; project: Named }
  | {
      type: 'application-credential';
      credential: { id: string } | { name: string; user: Named };
      secret: string;
    };

export interface Cloud {
  /** What messages call it: `cloud "prod" of /etc/openstack/clouds.yaml`. */
  source: string;
  /** Of Keystone's version 3. */
  authUrl: string;
  credentials: Credentials;
  region?: string;
  interface: (typeof INTERFACES)[number];
  tls: { verify: boolean; caFile?: string };
  /** Addresses to use instead of those of the catalog, by service type. */
  endpoints: Readonly<Record<string, string>>;
  /** Microversion of Nova to speak instead of the best one. */
  computeMicroversion?: string;
}

/** YAML reads an id of digits as a number. */
const text = z.union([z.string(), z.number()]).transform(String);
const given = z.preprocess((value) => value ?? undefined, text.optional());

const rawCloud = z.looseObject({
  auth_type: given,
  auth: z
    .object({
      auth_url: given,
      username: given,
      user_id: given,
      password: given,
      user_domain_id: given,
      user_domain_name: given,
      project_id: given,
      project_name: given,
      tenant_name: given,
      project_domain_id: given,
      project_domain_name: given,
      domain_id: given,
      domain_name: given,
      default_domain: given,
      application_credential_id: given,
      application_credential_name: given,
      application_credential_secret: given,
    })
    .default({}),
  region_name: given,
  interface: given,
  endpoint_type: given,
  verify: z.boolean().default(true),
  cacert: given,
  compute_default_microversion: given,
});

type RawCloud = z.output<typeof rawCloud>;
type RawAuth = RawCloud['auth'];

type Variables = Readonly<Record<string, string | undefined>>;

/** A mapping of YAML. */
type Tree = Record<string, unknown>;

interface Found {
  source: string;
  tree: Tree;
  /** How the source spells a field: `auth.username`, or `OS_USERNAME`. */
  spell: (field: string) => string;
}

/**
 * The cloud of this name in clouds.yaml; without a name that of OS_CLOUD, else what the `OS_*` variables describe.
 * Throws SettingsError, with the field or file and the way out.
 */
export function findCloud(
  name: string | undefined,
  variables: NodeJS.ProcessEnv,
  cwd = process.cwd(),
): Cloud {
  // Scripts clear variables by making them empty.
  const env = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ''));
  const wanted = name ?? env['OS_CLOUD'];
  const found = wanted === undefined ? fromEnvironment(env) : fromFiles(wanted, env, cwd);
  const parsed = rawCloud.safeParse(found.tree);
  if (parsed.error) {
    throw new SettingsError(
      parsed.error.issues.map(({ path: at, message }) => `${found.source}: ${at.join('.')}: ${message}`),
    );
  }
  return toCloud(parsed.data, found);
}

function toCloud(raw: RawCloud, { source, spell }: Found): Cloud {
  const problems: string[] = [];
  const need = (field: keyof RawAuth, hint = ''): string => {
    const value = raw.auth[field];
    if (value === undefined || value === '')
      problems.push(`${source}: ${spell(`auth.${field}`)} is missing${hint}`);
    return value ?? '';
  };
  const authUrl = versioned(need('auth_url'));
  const credentials = credentialsOf(raw, need, problems, source);
  const face = interfaceOf(raw);
  const caFile = raw.cacert === undefined ? undefined : expand(raw.cacert);
  if (authUrl !== '' && !URL.canParse(authUrl))
    problems.push(`${source}: ${spell('auth.auth_url')} is not a URL`);
  if (face === undefined) {
    problems.push(`${source}: ${spell('interface')} must be one of ${INTERFACES.join(', ')}`);
  }
  if (caFile !== undefined && !isReadable(caFile)) {
    problems.push(`${source}: ${spell('cacert')}: ${caFile} cannot be read`);
  }
  const { compute_default_microversion: microversion } = raw;
  if (microversion !== undefined && !isSupported(microversion)) {
    problems.push(
      `${source}: ${spell('compute_default_microversion')} "${microversion}" must be 2.71 or newer; leave it out, and the best one is found`,
    );
  }
  if (problems.length > 0 || face === undefined || credentials === undefined)
    throw new SettingsError(problems);
  return {
    source,
    authUrl,
    credentials,
    interface: face,
    tls: { verify: raw.verify, ...(caFile === undefined ? {} : { caFile }) },
    endpoints: overridesOf(raw),
    ...(raw.region_name ? { region: raw.region_name } : {}),
    ...(raw.compute_default_microversion ? { computeMicroversion: raw.compute_default_microversion } : {}),
  };
}

/** Microversions count: 2.9 is before 2.71. */
function isSupported(version: string): boolean {
  const minor = /^2\.(\d{1,4})$/.exec(version)?.[1];
  return minor !== undefined && Number(minor) >= 71;
}

function credentialsOf(
  { auth, auth_type: type }: RawCloud,
  need: (field: keyof RawAuth, hint?: string) => string,
  problems: string[],
  source: string,
): Credentials | undefined {
  const kind =
    type ?? (auth.application_credential_secret === undefined ? 'password' : 'v3applicationcredential');
  if (kind === 'v3applicationcredential') {
    const secret = need('application_credential_secret');
    const { application_credential_id: id } = auth;
    if (id !== undefined) return { type: 'application-credential', credential: { id }, secret };
    const name = need('application_credential_name', '; application_credential_id would do as well');
    const credential = { name, user: named(auth.user_id, () => need('username'), userDomain(auth)) };
    return { type: 'application-credential', credential, secret };
  }
  if (kind !== 'password' && kind !== 'v3password') {
    problems.push(
      `${source}: auth_type ${kind} is not supported; v3password and v3applicationcredential are`,
    );
    return undefined;
  }
  return {
    type: 'password',
    user: named(auth.user_id, () => need('username'), userDomain(auth)),
    password: need('password'),
    project: named(
      auth.project_id,
      () => auth.tenant_name ?? need('project_name'),
      domain(auth.project_domain_id ?? auth.domain_id, auth.project_domain_name ?? auth.domain_name, auth),
    ),
  };
}

type Domain = { id: string } | { name: string };

const named = (id: string | undefined, name: () => string, of: Domain): Named =>
  id === undefined ? { name: name(), domain: of } : { id };

const userDomain = (auth: RawAuth): Domain =>
  domain(auth.user_domain_id ?? auth.domain_id, auth.user_domain_name ?? auth.domain_name, auth);

function domain(id: string | undefined, name: string | undefined, { default_domain }: RawAuth): Domain {
  if (id !== undefined) return { id };
  return name === undefined ? { id: default_domain ?? 'default' } : { name };
}

/** Older files write `publicURL`. */
function interfaceOf(raw: RawCloud): Cloud['interface'] | undefined {
  const written = (raw.interface ?? raw.endpoint_type ?? 'public').replace(/URL$/, '');
  return INTERFACES.find((face) => face === written);
}

/** `compute_endpoint_override` is that of service type `compute`, `instance_ha_…` that of `instance-ha`. */
function overridesOf(raw: RawCloud): Record<string, string> {
  const overrides: Record<string, string> = {};
  for (const [key, value] of Object.entries(raw)) {
    const type = /^(.+)_endpoint_override$/.exec(key)?.[1];
    if (type !== undefined && typeof value === 'string') overrides[type.replaceAll('_', '-')] = value;
  }
  return overrides;
}

/** Addresses of Keystone are written with and without the version. */
function versioned(url: string): string {
  const base = url.replace(/\/+$/, '').replace(/\/v2\.0$/, '');
  return base === '' || base.endsWith('/v3') ? base : `${base}/v3`;
}

function fromFiles(name: string, env: Variables, cwd: string): Found {
  const places = placesOf('clouds', env['OS_CLIENT_CONFIG_FILE'], env, cwd);
  const file = places.find((place) => existsSync(place));
  if (file === undefined) {
    throw new SettingsError([
      `cloud "${name}": there is no clouds.yaml; looked for ${places.join(', ')}. Put one there, or set ` +
        'OS_CLIENT_CONFIG_FILE to its path',
    ]);
  }
  const clouds = cloudsIn(file);
  const open = clouds[name];
  if (open === undefined) {
    const others = Object.keys(clouds).sort().join(', ') || 'none';
    throw new SettingsError([`cloud "${name}" is not in ${file}; it has ${others}`]);
  }
  const secretFile = placesOf('secure', env['OS_CLIENT_SECURE_FILE'], env, cwd).find((place) =>
    existsSync(place),
  );
  const secret = secretFile === undefined ? {} : cloudsIn(secretFile)[name];
  return {
    source: `cloud "${name}" of ${file}`,
    tree: merged(open, secret ?? {}),
    spell: (field) => field,
  };
}

/** The files that may hold clouds, the first that exists counts; a variable that names one is the only place. */
function placesOf(kind: string, named: string | undefined, env: Variables, cwd: string): string[] {
  if (named !== undefined) return [path.resolve(cwd, expand(named))];
  const config = env['XDG_CONFIG_HOME'] ?? path.join(homedir(), '.config');
  return [cwd, path.join(config, 'openstack'), '/etc/openstack'].flatMap((directory) =>
    ['yaml', 'yml'].map((extension) => path.join(directory, `${kind}.${extension}`)),
  );
}

function cloudsIn(file: string): Record<string, Tree> {
  let content: unknown;
  try {
    content = parse(readFileSync(file, 'utf8'));
  } catch {
    // What the parser says quotes the line, which may hold a password.
    throw new SettingsError([`${file} cannot be read, or is not YAML`]);
  }
  const clouds = isTree(content) && isTree(content.clouds) ? content.clouds : {};
  return Object.fromEntries(
    Object.entries(clouds).filter((entry): entry is [string, Tree] => isTree(entry[1])),
  );
}

function merged(base: Tree, over: Tree): Tree {
  const result: Tree = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const before = result[key];
    result[key] = isTree(before) && isTree(value) ? merged(before, value) : value;
  }
  return result;
}

/** Fields outside `auth`; every other variable is one of its fields. */
const OUTER_FIELDS = [
  'auth_type',
  'region_name',
  'interface',
  'endpoint_type',
  'cacert',
  'compute_default_microversion',
];

function fromEnvironment(env: Variables): Found {
  if (env['OS_AUTH_URL'] === undefined) {
    throw new SettingsError([
      'cloud: name a cloud of clouds.yaml, or set OS_CLOUD, or OS_AUTH_URL and the other OS_* variables of an openrc file',
    ]);
  }
  const auth: Tree = {};
  const tree: Tree = { auth };
  for (const [variable, value] of Object.entries(env)) {
    const field = /^OS_([A-Z_]+)$/.exec(variable)?.[1]?.toLowerCase();
    if (field === undefined) continue;
    const outer = OUTER_FIELDS.includes(field) || field.endsWith('_endpoint_override');
    (outer ? tree : auth)[field] = value;
  }
  return {
    source: 'environment',
    tree,
    spell: (field) => `OS_${field.replace(/^auth\./, '').toUpperCase()}`,
  };
}

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const expand = (file: string): string => file.replace(/^~(?=\/)/, homedir());
