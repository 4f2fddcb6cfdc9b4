/** What vCenter answers over VI/JSON, as far as it is read here. */
import { z } from 'zod';

/** A reference to an object of vCenter's inventory: its type, and an id that is unique among all of them. */
export const ref = z.object({ type: z.string(), value: z.string() });
export type Ref = z.output<typeof ref>;

/** What an argument of the declared type ManagedObjectReference is sent as. */
export const toWire = ({ type, value }: Ref): unknown => ({
  _typeName: 'ManagedObjectReference',
  type,
  value,
});

/** Where there is nothing vCenter leaves the field out, or writes null. */
const optional = <T extends z.ZodType>(schema: T): z.ZodType<z.output<T> | undefined> =>
  schema.nullish().transform((value) => value ?? undefined);
const list = <T extends z.ZodType>(schema: T): z.ZodType<z.output<T>[]> =>
  z
    .array(schema)
    .nullish()
    .transform((value) => value ?? []);

export const serviceContent = z.object({
  rootFolder: ref,
  propertyCollector: ref,
  viewManager: optional(ref),
  sessionManager: optional(ref),
  customFieldsManager: optional(ref),
  about: z.object({ fullName: z.string(), apiType: z.string() }),
});
export type ServiceContent = z.output<typeof serviceContent>;

const message = z.object({ key: optional(z.string()), message: optional(z.string()) });

/** A fault: a type of its own, and maybe what to tell people. */
export const fault = z.looseObject({
  _typeName: z.string(),
  faultMessage: list(message),
  /** VI/JSON has what people are told here. */
  faultstring: optional(z.string()),
  privilegeId: optional(z.string()),
});
export type Fault = z.output<typeof fault>;

const localizedFault = z.object({ fault, localizedMessage: optional(z.string()) });
export type LocalizedFault = z.output<typeof localizedFault>;

export const retrieveResult = z.object({
  token: optional(z.string()),
  objects: list(
    z.object({
      obj: ref,
      propSet: list(z.object({ name: z.string(), val: z.unknown() })),
    }),
  ),
});

const TASK_STATES = ['queued', 'running', 'success', 'error'] as const;

export const taskInfo = z.object({
  task: ref,
  descriptionId: z.string(),
  entity: optional(ref),
  state: z.enum(TASK_STATES),
  progress: optional(z.number()),
  error: optional(localizedFault),
  queueTime: z.string(),
});
export type TaskInfo = z.output<typeof taskInfo>;

const customValues = list(z.object({ key: z.number(), value: optional(z.string()) }));

export const hostProps = z.object({
  name: z.string(),
  parent: ref,
  'runtime.connectionState': z.string(),
  'runtime.powerState': z.string(),
  'runtime.inMaintenanceMode': z.boolean(),
  'summary.hardware': optional(z.object({ memorySize: z.number(), numCpuCores: z.number() })),
  datastore: list(ref),
  vm: list(ref),
  customValue: customValues,
  recentTask: list(ref),
});
export type HostProps = z.output<typeof hostProps>;

export const vmProps = z.object({
  name: z.string(),
  'runtime.host': optional(ref),
  'runtime.powerState': z.string(),
  'runtime.connectionState': z.string(),
  'runtime.faultToleranceState': optional(z.string()),
  'summary.config': z.object({
    template: z.boolean(),
    memorySizeMB: optional(z.number()),
    numCpu: optional(z.number()),
  }),
  'guest.toolsRunningStatus': optional(z.string()),
  datastore: list(ref),
  customValue: customValues,
  recentTask: list(ref),
});
export type VmProps = z.output<typeof vmProps>;

const rule = z.looseObject({
  _typeName: z.string(),
  key: z.number(),
  name: z.string(),
  enabled: optional(z.boolean()),
  mandatory: optional(z.boolean()),
  vm: list(ref),
  vmGroupName: optional(z.string()),
  affineHostGroupName: optional(z.string()),
  antiAffineHostGroupName: optional(z.string()),
});
export type Rule = z.output<typeof rule>;

/** Of a cluster; what stands for a host outside of any cluster has none of this. */
const clusterConfig = z.looseObject({
  drsConfig: optional(z.object({ enabled: optional(z.boolean()), defaultVmBehavior: optional(z.string()) })),
  drsVmConfig: list(z.object({ key: ref, enabled: optional(z.boolean()), behavior: optional(z.string()) })),
  rule: list(rule),
  group: list(z.object({ _typeName: z.string(), name: z.string(), vm: list(ref), host: list(ref) })),
  vsanConfigInfo: optional(z.object({ enabled: optional(z.boolean()) })),
});

export const clusterProps = z.object({
  name: z.string(),
  parent: optional(ref),
  configurationEx: optional(clusterConfig),
});
export type ClusterProps = z.output<typeof clusterProps>;

/** Folders, datacenters and datastores: what names and paths are made of. */
export const namedProps = z.object({ name: z.string(), parent: optional(ref) });
export type NamedProps = z.output<typeof namedProps>;

export const deviceList = list(
  z.looseObject({
    _typeName: z.string(),
    deviceInfo: optional(z.object({ label: optional(z.string()) })),
    backing: optional(z.looseObject({ _typeName: z.string() })),
    connectable: optional(z.object({ connected: optional(z.boolean()) })),
  }),
);
export type Devices = z.output<typeof deviceList>;

export const customFieldDef = z.object({
  key: z.number(),
  name: z.string(),
  managedObjectType: optional(z.string()),
});
export type CustomFieldDef = z.output<typeof customFieldDef>;
