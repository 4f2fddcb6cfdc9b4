/**
 * Answers of CloudTower's API, as far as they are read. Field names are those of the vendor's SDK (cloudtower-sdk 2.23.0,
 * its models). What the SDK calls optional may be absent or null. Where the vendor's documents and the SDK have two shapes
 * of one answer, both are taken.
 */
import { z } from 'zod';

const optional = <T extends z.ZodType>(schema: T): z.ZodType<z.output<T> | undefined> =>
  schema.nullish().transform((value) => value ?? undefined);

const list = <T extends z.ZodType>(schema: T): z.ZodType<z.output<T>[]> =>
  z
    .array(schema)
    .nullish()
    .transform((values) => values ?? []);

/** One object, or a list whose first it is. */
const oneOrListed = <T extends z.ZodType>(schema: T): z.ZodType<z.output<T>> =>
  z.union([schema, z.tuple([schema], z.unknown()).transform(([first]) => first as z.output<T>)]);

const named = z.object({ id: z.string(), name: z.string() });

const label = z.object({ id: z.string(), key: z.string(), value: optional(z.string()) });
export type Label = z.output<typeof label>;

/** A label by itself, with how often it stands on something. */
export const labelUse = z.object({
  id: z.string(),
  value: optional(z.string()),
  total_num: optional(z.number()),
});
export type LabelUse = z.output<typeof labelUse>;

export const host = z.object({
  id: z.string(),
  name: z.string(),
  cluster: named,
  status: z.string(),
  connect_status: optional(z.string()),
  merged_status: optional(z.string()),
  host_state: optional(z.object({ state: z.string() })),
  entityAsyncStatus: optional(z.string()),
  labels: list(label),
  total_cpu_cores: z.number(),
  total_memory_bytes: z.number(),
  os_memory_bytes: z.number(),
});
export type HostInfo = z.output<typeof host>;

export const vm = z.object({
  id: z.string(),
  /** What the cluster itself knows it by. */
  local_id: optional(z.string()),
  name: z.string(),
  status: z.string(),
  vcpu: z.number(),
  memory: z.number(),
  host: optional(named),
  cluster: optional(named),
  in_recycle_bin: optional(z.boolean()),
  entityAsyncStatus: optional(z.string()),
  labels: list(label),
  vm_placement_group: list(named),
});
export type VmInfo = z.output<typeof vm>;

export const placementGroup = z.object({
  id: z.string(),
  name: z.string(),
  enabled: z.boolean(),
  vm_vm_policy: z.string(),
  vm_vm_policy_enabled: z.boolean(),
});
export type PlacementGroup = z.output<typeof placementGroup>;

export const cluster = named;

export const task = z.object({
  id: z.string(),
  status: z.string(),
  /** 0 to 1. */
  progress: optional(z.number()),
  description: optional(z.string()),
  error_code: optional(z.string()),
  error_message: optional(z.string()),
  resource_id: optional(z.string()),
  resource_mutation: optional(z.string()),
});
export type TaskInfo = z.output<typeof task>;

/**
 * What a call that changes something has started: nothing, where the object of the call was not found. What has no `data`
 * is something else, such as an error.
 */
const started = z.object({ task_id: optional(z.string()), data: z.looseObject({}) });
export const startedTasks = z.union([z.array(started), started.transform((one) => [one])]);

export const createdLabel = oneOrListed(
  z.object({ task_id: optional(z.string()), data: z.object({ id: z.string() }) }),
);

export const login = oneOrListed(z.object({ data: z.object({ token: z.string() }) }));

/** Answer of `/api`, where a directory to log in by is asked for. */
export const authnStrategies = z.object({
  data: z.object({ authnStrategies: z.array(z.object({ id: z.string(), type: z.string() })) }),
});

export const precheckTask = oneOrListed(z.object({ task_id: z.string() }));

/** Of the VMs that have to be shut down it gives what the cluster knows them by. */
export const precheckResult = oneOrListed(
  z.discriminatedUnion('done', [
    z.object({ done: z.literal(false) }),
    z.object({
      done: z.literal(true),
      shutdownVms: z.array(
        z.union([z.string(), z.object({ vm_uuid: z.string() }).transform(({ vm_uuid }) => vm_uuid)]),
      ),
    }),
  ]),
);

const takenVm = z.object({
  vm_uuid: optional(z.string()),
  vm_name: optional(z.string()),
  verify: optional(z.object({ changed: optional(z.boolean()), reason: optional(z.string()) })),
});
export type TakenVm = z.output<typeof takenVm>;

export const exitPrecheckResult = oneOrListed(
  z.object({
    shutDownVms: z.array(takenVm),
    liveMigrateVms: z.array(takenVm),
    offlineMigrateVms: z.array(takenVm),
  }),
);

export const errorBody = z.object({ message: z.string(), code: optional(z.string()) });
