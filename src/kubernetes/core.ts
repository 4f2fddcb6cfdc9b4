/** Nodes and pods: as much of them as is read here. */
import { z } from 'zod';
import { metadata, type Resource } from './resource.ts';

const quantities = z.record(z.string(), z.string()).default({});

const container = z.object({
  resources: z.object({ requests: quantities }).default({ requests: {} }),
});

const node = z.object({
  metadata,
  spec: z.object({ unschedulable: z.boolean().default(false) }),
  status: z
    .object({
      allocatable: quantities,
      conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
    })
    .default({ allocatable: {}, conditions: [] }),
});
export type KubeNode = z.output<typeof node>;

const pod = z.object({
  metadata,
  spec: z.object({
    /** Absent: not scheduled yet. */
    nodeName: z.string().optional(),
    containers: z.array(container).default([]),
    initContainers: z.array(container).default([]),
    volumes: z.array(z.object({ name: z.string(), emptyDir: z.unknown().optional() })).default([]),
  }),
  status: z.object({ phase: z.string().default('Unknown') }).default({ phase: 'Unknown' }),
});
export type Pod = z.output<typeof pod>;

export const NODES: Resource<KubeNode> = {
  apiVersion: 'v1',
  kind: 'Node',
  plural: 'nodes',
  schema: node,
};

export const PODS: Resource<Pod> = {
  apiVersion: 'v1',
  kind: 'Pod',
  plural: 'pods',
  schema: pod,
};

/** Its kubelet says that it can take pods, cordoned or not. */
export const isReady = ({ status }: KubeNode): boolean =>
  status.conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True');
