/** An inventory as its projects want it handled: what the platform says, and what they said beforehand. Pure. */
import type { Constraints, GroupConstraint, InstanceConstraint } from './constraints.ts';
import type { Group, Instance, Inventory } from './inventory.ts';
import { maxPerHost } from './planning/bundles.ts';

/**
 * Groups of the platform are tightened, never loosened; constraints of what is not there, or of what belongs to another
 * project, change nothing.
 */
export function applyConstraints(inventory: Inventory, constraints: Constraints): Inventory {
  const { instances, groups } = constraints;
  return {
    hosts: inventory.hosts,
    instances:
      instances.size === 0
        ? inventory.instances
        : inventory.instances.map((instance) => constrainInstance(instance, constraints)),
    groups: groups.size === 0 ? inventory.groups : constrainGroups(inventory, groups),
  };
}

/** What was said of an instance beforehand, unless that was a project that does not own it. */
export function constraintOf(
  { id, project }: Pick<Instance, 'id' | 'project'>,
  { instances }: Pick<Constraints, 'instances'>,
): InstanceConstraint | undefined {
  const said = instances.get(id);
  return said && isOwn(said, project) ? said : undefined;
}

/** @param owner undefined: the platform knows no owners */
const isOwn = (
  { project, fromProject }: Pick<InstanceConstraint, 'project' | 'fromProject'>,
  owner: string | undefined,
): boolean => fromProject === undefined || owner === undefined || owner === project;

/** The instance in the group that its project put it in, beside those that the platform knows. */
export function constrainInstance(instance: Instance, constraints: Constraints): Instance {
  const said = constraintOf(instance, constraints);
  const group = said?.group;
  if (group === undefined || instance.groups.includes(group)) return instance;
  const asked = constraints.groups.get(group);
  if (asked && !isOwn(asked, said?.project)) return instance;
  return { ...instance, groups: [...instance.groups, group] };
}

function constrainGroups({ groups, instances }: Inventory, constraints: Constraints['groups']): Group[] {
  const known = new Set(groups.map(({ id }) => id));
  const owners = ownersOf(instances);
  const added = [...constraints.values()].filter(({ group }) => !known.has(group));
  return [
    ...groups.map((group) => {
      const constraint = constraints.get(group.id);
      if (constraint === undefined) return group;
      const isOwned = [...(owners.get(group.id) ?? [])].every((owner) => isOwn(constraint, owner));
      return isOwned ? tighten(group, constraint) : group;
    }),
    ...added.map((constraint) => {
      const { group: id, name = id } = constraint;
      return tighten({ id, name, policy: 'none' }, constraint);
    }),
  ];
}

/** Projects that have instances in each group. */
function ownersOf(instances: readonly Instance[]): Map<string, Set<string | undefined>> {
  const owners = new Map<string, Set<string | undefined>>();
  for (const { groups, project } of instances) {
    for (const group of groups) owners.set(group, (owners.get(group) ?? new Set()).add(project));
  }
  return owners;
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
