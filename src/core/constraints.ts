/** What projects say of their instances once and for all, before any session: the input of Fenix's constraint API. */
import { z } from 'zod';
import { INSTANCE_ACTIONS } from './notice.ts';

/** The one name that no object can have as a key of its own, as shares of groups do. */
const UNUSABLE = '__proto__';

const id = z
  .string()
  .min(1)
  .max(255)
  .refine((text) => text !== UNUSABLE, `must not be ${UNUSABLE}`);
const seconds = z
  .int()
  .min(0)
  .max(7 * 24 * 3600);

/** The project has put it itself, and not an operator for it: it counts for nothing but what is its own. */
const fromProject = z.literal(true).optional();

export const instanceConstraint = z.strictObject({
  instance: id,
  project: id,
  fromProject,
  group: id.optional(),
  name: z.string().max(255).optional(),
  /** How it is moved where its project does not say otherwise. */
  migrationType: z.enum(INSTANCE_ACTIONS),
  /** Longest interruption of a live migration that it bears, in seconds. */
  maxInterruptionSeconds: seconds,
  /** Its project has to make room before it is acted on. */
  resourceMitigation: z.boolean(),
  /** Its project wants to know this long before it is acted on, in seconds. */
  leadSeconds: seconds,
});
export type InstanceConstraint = z.output<typeof instanceConstraint>;

export const groupConstraint = z.strictObject({
  group: id,
  project: id,
  fromProject,
  name: z.string().max(255).optional(),
  antiAffinity: z.boolean(),
  /** 0: no limit. */
  maxInstancesPerHost: z.int().min(0).max(10_000),
  /** Members being acted on, or recovering from it, at one time. */
  maxImpactedMembers: z.int().min(1).max(10_000),
  /** How long a member needs after it was acted on until it is whole again, in seconds. */
  recoverySeconds: seconds,
  resourceMitigation: z.boolean(),
});
export type GroupConstraint = z.output<typeof groupConstraint>;

/** By id. */
export interface Constraints {
  instances: ReadonlyMap<string, InstanceConstraint>;
  groups: ReadonlyMap<string, GroupConstraint>;
}

/** Parts that a site's constraints are kept in, each by a workflow of its own, so that no history has to hold them all. */
export const CONSTRAINT_SHARDS = 16;

/** Which part holds the constraint of this id, 0 to 15. It is in the ids of workflows, and so never changes. */
export function constraintShard(id: string): number {
  // FNV-1a, over UTF-16 code units.
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index += 1) {
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % CONSTRAINT_SHARDS;
}

export const CONSTRAINT_KINDS = ['instance', 'group'] as const;

/** Input of the update `putConstraint`; also a line of an export. */
export const constraintMessage = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('instance'), value: instanceConstraint }),
  z.strictObject({ kind: z.literal('group'), value: groupConstraint }),
]);
export type ConstraintMessage = z.output<typeof constraintMessage>;

/** Input of the update `deleteConstraint` and of the query `constraint`. */
export const constraintRef = z.strictObject({ kind: z.enum(CONSTRAINT_KINDS), id });
export type ConstraintRef = z.output<typeof constraintRef>;

export const refOfConstraint = ({ kind, value }: ConstraintMessage): ConstraintRef => ({
  kind,
  id: 'instance' in value ? value.instance : value.group,
});

/** Answer of both updates. */
export interface ConstraintReceipt {
  /** False: it was so already. */
  changed: boolean;
}

/** Input of a workflow that keeps a part of the constraints. */
export const constraintsInput = z.strictObject({
  site: id,
  shard: z
    .int()
    .min(0)
    .max(CONSTRAINT_SHARDS - 1),
});

/** All that a part holds, as plain data. */
export interface ConstraintsState {
  instances: InstanceConstraint[];
  groups: GroupConstraint[];
}

/** Answer of the query `constraints`. */
export interface ConstraintsView {
  /** Another one whenever something has changed, and never one that was there before. */
  version: string;
  /** Absent when nothing has changed since the version that was asked about. */
  state?: ConstraintsState;
}
