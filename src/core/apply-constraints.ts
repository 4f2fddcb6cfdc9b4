/** An inventory as its projects want it handled: what the platform says, and what they said beforehand. Pure. */
import type { Constraints, GroupConstraint } from './constraints.ts';
import type { Group, Instance, Inventory } from './inventory.ts';
import { maxPerHost } from './planning/bundles.ts';

/** Groups of the platform are tightened, never loosened; constraints of what is not there change nothing. */
export function applyConstraints(inventory: Inventory, constraints: Constraints): Inventory {
  const { instances, groups } = constraints;
  return {
    hosts: inventory.hosts,
    instances:
      instances.size === 0
        ? inventory.instances
        : inventory.instances.map((instance) => constrainInstance(instance, constraints)),
    groups: groups.size === 0 ? inventory.groups : constrainGroups(inventory.groups, groups),
  };
}

/** The instance in the group that its project put it in, beside those that the platform knows. */
export function constrainInstance(
  instance: Instance,
  { instances }: Pick<Constraints, 'instances'>,
): Instance {
  const group = instances.get(instance.id)?.group;
  if (group === undefined || instance.groups.includes(group)) return instance;
  return { ...instance, groups: [...instance.groups, group] };
}

function constrainGroups(groups: readonly Group[], constraints: Constraints['groups']): Group[] {
  const known = new Set(groups.map(({ id }) => id));
  const added = [...constraints.values()].filter(({ group }) => !known.has(group));
  return [
    ...groups.map((group) => {
      const constraint = constraints.get(group.id);
      return constraint === undefined ? group : tighten(group, constraint);
    }),
    ...added.map((constraint) => {
      const { group: id, name = id } = constraint;
      return tighten({ id, name, policy: 'none' }, constraint);
    }),
  ];
}

/** An affinity group stays one: its members have to stay together whatever else is asked. */
function tighten(group: Group, constraint: GroupConstraint): Group {
  const { antiAffinity, maxInstancesPerHost, maxImpactedMembers, recoverySeconds } = constraint;
  const most = Math.min(
    maxPerHost(group),
    antiAffinity ? 1 : Infinity,
    maxInstancesPerHost === 0 ? Infinity : maxInstancesPerHost,
  );
  const recovery = Math.max(group.recoverySeconds ?? 0, recoverySeconds);
  return {
    ...group,
    policy: antiAffinity && group.policy === 'none' ? 'anti-affinity' : group.policy,
    ...(most === Infinity ? {} : { maxPerHost: most }),
    maxImpacted: Math.min(group.maxImpacted ?? Infinity, maxImpactedMembers),
    ...(recovery === 0 ? {} : { recoverySeconds: recovery }),
  };
}
