/** What the API of the simulator answers, as far as the driver reads it. */
import { z } from 'zod';
import { GROUP_POLICIES, HOST_ROLES, HOST_STANDINGS, INSTANCE_STATES } from '../../core/inventory.ts';

const labels = z.record(z.string(), z.string());
const resources = z.object({ vcpus: z.number(), memoryMb: z.number(), diskGb: z.number() });
const next = z.string().exactOptional();

export const wireHost = z.object({
  name: z.string(),
  role: z.enum(HOST_ROLES),
  labels,
  capacity: resources,
  standing: z.enum(HOST_STANDINGS),
  cordonReason: z.string().exactOptional(),
  maintenanceReason: z.string().exactOptional(),
});
export type WireHost = z.output<typeof wireHost>;

export const wireInstance = z.object({
  id: z.string(),
  name: z.string(),
  host: z.string(),
  project: z.string().exactOptional(),
  state: z.enum(INSTANCE_STATES),
  resources,
  groups: z.array(z.string()),
  requires: labels,
  stoppedBy: z.string().exactOptional(),
});

const wireGroup = z.object({
  id: z.string(),
  name: z.string(),
  policy: z.enum(GROUP_POLICIES),
  maxPerHost: z.number().exactOptional(),
  maxImpacted: z.number().exactOptional(),
});

export const wireTask = z.object({
  id: z.string(),
  kind: z.enum(['migrate', 'stop', 'start', 'enter', 'exit']),
  subject: z.string(),
  state: z.enum(['running', 'done', 'failed', 'aborted']),
  progress: z.number(),
  error: z.object({ code: z.string(), message: z.string() }).exactOptional(),
});
export type WireTask = z.output<typeof wireTask>;

export const hostPage = z.object({ hosts: z.array(wireHost), next });
export const instancePage = z.object({ instances: z.array(wireInstance), next });
export const groupPage = z.object({ groups: z.array(wireGroup), next });
export const taskPage = z.object({ tasks: z.array(wireTask), next });
export const started = z.object({ taskId: z.string() });
export const wireError = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
