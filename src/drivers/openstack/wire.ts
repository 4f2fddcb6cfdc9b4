/** What OpenStack's services answer, as far as the driver reads it, under names without their extensions' prefixes. */
import { z } from 'zod';

const text = z.string();
const maybe = z.string().nullish();

export const authenticated = z.object({
  token: z.object({
    expires_at: text,
    user: z.object({ id: text }),
    catalog: z
      .array(
        z.object({
          type: text,
          endpoints: z.array(z.object({ interface: text, region: maybe, url: text })),
        }),
      )
      .default([]),
  }),
});

/** What is at the root of Nova's API. */
export const apiVersion = z.object({ version: z.object({ min_version: text, version: text }) });

/** Of a cell that does not answer, Nova says only binary and host. */
const service = z
  .object({
    id: text.default(''),
    binary: text,
    host: text,
    zone: maybe,
    status: text,
    state: text.default('down'),
    forced_down: z.boolean().default(false),
    disabled_reason: maybe,
  })
  .transform(({ forced_down, disabled_reason, zone, ...rest }) => ({
    ...rest,
    zone: zone ?? undefined,
    forcedDown: forced_down,
    reason: disabled_reason ?? undefined,
  }));
export type WireService = z.output<typeof service>;
export const serviceList = z.object({ services: z.array(service) });

const links = z.array(z.object({ rel: text })).default([]);

const hypervisor = z.object({
  /** Also that of its resource provider in Placement. */
  id: text,
  hypervisor_hostname: text,
  service: z.object({ host: text }),
});
export type WireHypervisor = z.output<typeof hypervisor>;
export const hypervisorPage = z.object({ hypervisors: z.array(hypervisor), hypervisors_links: links });

const aggregate = z.object({ name: text, hosts: z.array(text), metadata: z.record(text, text) });
export type WireAggregate = z.output<typeof aggregate>;
export const aggregateList = z.object({ aggregates: z.array(aggregate) });

const group = z.object({
  id: text,
  name: text,
  policy: maybe,
  rules: z.object({ max_server_per_host: z.coerce.number().optional() }).default({}),
  members: z.array(text),
});
export type WireGroup = z.output<typeof group>;
export const groupPage = z.object({ server_groups: z.array(group) });

const flavor = z.object({
  vcpus: z.number(),
  ram: z.number(),
  disk: z.number(),
  ephemeral: z.number().default(0),
  swap: z.number().default(0),
  extra_specs: z.record(text, text).default({}),
});

/** A power_state. */
const RUNNING = 1;

const placed = z
  .object({
    id: text,
    name: text,
    status: text,
    tenant_id: text,
    image: z.union([z.object({}), z.literal('')]).nullish(),
    flavor,
    metadata: z.record(text, text).default({}),
    tags: z.array(text).default([]),
    locked: z.boolean().default(false),
    locked_reason: maybe,
    fault: z.object({ message: text }).optional(),
    server_groups: z.array(text).optional(),
    pinned_availability_zone: maybe,
    'OS-EXT-AZ:availability_zone': maybe,
    'OS-EXT-SRV-ATTR:host': text,
    'OS-EXT-STS:vm_state': text,
    'OS-EXT-STS:task_state': maybe,
    'OS-EXT-STS:power_state': z.number().nullish(),
  })
  .transform((raw) => ({
    id: raw.id,
    name: raw.name,
    status: raw.status,
    project: raw.tenant_id,
    /** Its root disk is a volume, and so takes nothing of the host. */
    fromVolume: raw.image === '',
    flavor: raw.flavor,
    metadata: raw.metadata,
    tags: raw.tags,
    locked: raw.locked,
    lockedReason: raw.locked_reason ?? undefined,
    fault: raw.fault?.message,
    /** Only of a server that was asked for alone. */
    groups: raw.server_groups,
    zone: raw['OS-EXT-AZ:availability_zone'] ?? undefined,
    /** The zone it was asked to be in; null: it may go to any; undefined: this Nova does not say. */
    pinnedZone: raw.pinned_availability_zone,
    host: raw['OS-EXT-SRV-ATTR:host'],
    vmState: raw['OS-EXT-STS:vm_state'],
    taskState: raw['OS-EXT-STS:task_state'] ?? undefined,
    /** Its hypervisor says so, whatever Nova makes of it. */
    runs: raw['OS-EXT-STS:power_state'] === RUNNING,
  }));
export type WireServer = z.output<typeof placed>;

/**
 * Servers without a host are not built yet, shelved away, or in a cell that does not answer, and then half empty. Where
 * Nova says nothing of hosts at all, it hides them.
 */
const server = z
  .looseObject({ id: text, status: text, 'OS-EXT-SRV-ATTR:host': maybe })
  .transform((raw, context): { id: string; hidesHost: boolean; placed?: WireServer } => {
    const { id, status, 'OS-EXT-SRV-ATTR:host': host } = raw;
    const hidesHost = host === undefined && status !== 'UNKNOWN';
    if (!host) return { id, hidesHost };
    const parsed = placed.safeParse(raw);
    for (const issue of parsed.error?.issues ?? []) {
      context.issues.push({ ...issue, input: raw } as z.core.$ZodRawIssue);
    }
    return { id, hidesHost, ...(parsed.data === undefined ? {} : { placed: parsed.data }) };
  });
export type ListedServer = z.output<typeof server>;
export const serverPage = z.object({ servers: z.array(server), servers_links: links });
export const oneServer = z.object({ server });

/** Nova writes its times in UTC, and does not say so. */
const time = z.string().transform((written) => Date.parse(/Z$/.test(written) ? written : `${written}Z`));

const stamps = { created_at: time, updated_at: time.nullish() };

const migration = z.object({
  id: z.number(),
  instance_uuid: text,
  status: text,
  source_compute: maybe,
  dest_compute: maybe,
  ...stamps,
});
export type WireMigration = z.output<typeof migration>;
export const migrationList = z.object({ migrations: z.array(migration) });

/** A live migration that is under way. */
const running = z.object({
  id: z.number(),
  status: text,
  source_compute: maybe,
  memory_total_bytes: z.number().nullish(),
  memory_remaining_bytes: z.number().nullish(),
  ...stamps,
});
export type RunningMigration = z.output<typeof running>;
export const runningMigrations = z.object({ migrations: z.array(running) });

const action = z.object({ action: text, request_id: text, user_id: maybe, message: maybe });
export type WireAction = z.output<typeof action>;
export const actionList = z.object({ instanceActions: z.array(action) });
export const oneAction = z.object({
  instanceAction: action.extend({
    events: z
      .array(
        z.object({
          event: text,
          result: maybe,
          finish_time: maybe,
          details: maybe,
          traceback: maybe,
        }),
      )
      .default([]),
  }),
});
export type ActionDetails = z.output<typeof oneAction>['instanceAction'];

/** Whatever comes back from a call of which only the status counts. */
export const anything = z.unknown();

const amounts = z.record(text, z.object({ capacity: z.number() }));
export const candidates = z.object({
  provider_summaries: z.record(text, z.object({ resources: amounts, traits: z.array(text) })),
});
export const inventories = z.object({
  inventories: z.record(
    text,
    z.object({ total: z.number(), reserved: z.number(), allocation_ratio: z.number() }),
  ),
});
export const traits = z.object({ traits: z.array(text) });

export const segmentPage = z.object({ segments: z.array(z.object({ uuid: text })) });
export const haHostPage = z.object({
  hosts: z.array(z.object({ uuid: text, name: text, on_maintenance: z.boolean() })),
});

/** The answer to a change of a service. */
export const changedService = z.object({ service: z.object({ status: text }) });
