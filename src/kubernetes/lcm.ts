/**
 * The kinds of MOSK's node maintenance, group lcm.mirantis.com, version v1alpha1. Whoever does the maintenance writes the
 * requests; each application controller answers with its locks, whose status is written through its subresource only.
 */
import { z } from 'zod';
import { metadata, type Resource } from './resource.ts';

const apiVersion = 'lcm.mirantis.com/v1alpha1';

/** `drain`: pods leave, and the system of the node stays up; `os`: it may be rebooted. */
const scope = z.enum(['drain', 'os']);

export const clusterRequest = z.object({
  metadata,
  spec: z.object({ scope, release: z.string().optional() }),
});
export type ClusterMaintenanceRequest = z.output<typeof clusterRequest>;

export const nodeRequest = z.object({
  metadata,
  spec: z.object({ nodeName: z.string(), scope, release: z.string().optional() }),
});
export type NodeMaintenanceRequest = z.output<typeof nodeRequest>;

export const LOCK_STATES = ['active', 'inactive', 'failed'] as const;
export type LockState = (typeof LOCK_STATES)[number];

const lockStatus = z.object({
  state: z.enum(LOCK_STATES),
  errorMessage: z.string().optional(),
  release: z.string().optional(),
  inactivationProgress: z
    .object({ percentage: z.number().optional(), description: z.string().optional() })
    .optional(),
});
export type LockStatus = z.output<typeof lockStatus>;

/** A lock without a status is as good as active: its controller has not looked yet. */
export const clusterLock = z.object({
  metadata,
  spec: z.object({ controllerName: z.string() }),
  status: lockStatus.optional(),
});
export type ClusterWorkloadLock = z.output<typeof clusterLock>;

export const nodeLock = z.object({
  metadata,
  spec: z.object({ controllerName: z.string(), nodeName: z.string() }),
  status: lockStatus.optional(),
});
export type NodeWorkloadLock = z.output<typeof nodeLock>;

export const CLUSTER_REQUESTS: Resource<ClusterMaintenanceRequest> = {
  apiVersion,
  kind: 'ClusterMaintenanceRequest',
  plural: 'clustermaintenancerequests',
  schema: clusterRequest,
};

export const NODE_REQUESTS: Resource<NodeMaintenanceRequest> = {
  apiVersion,
  kind: 'NodeMaintenanceRequest',
  plural: 'nodemaintenancerequests',
  schema: nodeRequest,
};

export const CLUSTER_LOCKS: Resource<ClusterWorkloadLock> = {
  apiVersion,
  kind: 'ClusterWorkloadLock',
  plural: 'clusterworkloadlocks',
  schema: clusterLock,
};

export const NODE_LOCKS: Resource<NodeWorkloadLock> = {
  apiVersion,
  kind: 'NodeWorkloadLock',
  plural: 'nodeworkloadlocks',
  schema: nodeLock,
};

/** Whether two names mean one node: some write it with its domain, so only what stands before the first dot counts. */
export const isSameNode = (one: string, other: string): boolean => shortName(one) === shortName(other);

/** `node-1` of `node-1.example.org`. */
export const shortName = (name: string): string => name.split('.', 1)[0] ?? name;
