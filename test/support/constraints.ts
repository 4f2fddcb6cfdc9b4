/** Constraints for tests, with what does not matter filled in. */
import type { Constraints, GroupConstraint, InstanceConstraint } from '../../src/core/constraints.ts';

export const instanceConstraintOf = (
  instance: string,
  more: Partial<InstanceConstraint> = {},
): InstanceConstraint => ({
  instance,
  project: 'demo',
  migrationType: 'LIVE_MIGRATE',
  maxInterruptionSeconds: 120,
  resourceMitigation: true,
  leadSeconds: 40,
  ...more,
});

export const groupConstraintOf = (group: string, more: Partial<GroupConstraint> = {}): GroupConstraint => ({
  group,
  project: 'demo',
  antiAffinity: false,
  maxInstancesPerHost: 0,
  maxImpactedMembers: 100,
  recoverySeconds: 0,
  resourceMitigation: true,
  ...more,
});

/** One group and its members. */
export const constraintsOf = (
  { group, ...more }: Pick<GroupConstraint, 'group'> & Partial<GroupConstraint>,
  members: readonly string[],
): Constraints => ({
  instances: new Map(members.map((id) => [id, instanceConstraintOf(id, { group })])),
  groups: new Map([[group, groupConstraintOf(group, more)]]),
});
