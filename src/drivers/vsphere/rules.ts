/** The DRS rules of a cluster as groups of instances, and as what instances require of a host. Pure. */
import type { Group } from '../../core/inventory.ts';
import type { ClusterProps, Rule } from './wire.ts';

const POLICIES: Readonly<Record<string, Group['policy']>> = {
  ClusterAffinityRuleSpec: 'affinity',
  ClusterAntiAffinityRuleSpec: 'anti-affinity',
};

/** What the rules of one cluster come to. Rules that are switched off are not among them. */
export interface Bonds {
  /** Rules that keep instances together or apart. */
  groups: readonly Group[];
  /** Ids of those groups, by id of the instance. */
  groupsOf: ReadonlyMap<string, readonly string[]>;
  /** Labels that rules between instances and hosts require, by id of the instance; only those that must be kept. */
  requires: ReadonlyMap<string, Readonly<Record<string, string>>>;
}

export function bondsOf(clusterId: string, { configurationEx }: ClusterProps): Bonds {
  const { rule: rules = [], group: drsGroups = [] } = configurationEx ?? {};
  const groups: Group[] = [];
  const groupsOf = new Map<string, string[]>();
  const requires = new Map<string, Record<string, string>>();
  for (const rule of rules) {
    if (rule.enabled !== true) continue;
    const policy = POLICIES[rule._typeName];
    if (policy !== undefined) {
      const id = `${clusterId}/${rule.key}`;
      groups.push({ id, name: rule.name, policy });
      for (const { value: vm } of rule.vm) groupsOf.set(vm, [...(groupsOf.get(vm) ?? []), id]);
    }
    const bound = drsGroups.find(({ name }) => name === rule.vmGroupName);
    for (const { value: vm } of bound?.vm ?? []) requires.set(vm, { ...requires.get(vm), ...labelsOf(rule) });
  }
  return { groups, groupsOf, requires };
}

/** Only rules that must be kept: those that should be are DRS's to weigh. */
function labelsOf({
  mandatory,
  affineHostGroupName: near,
  antiAffineHostGroupName: far,
}: Rule): Record<string, string> {
  if (mandatory !== true) return {};
  return {
    ...(near === undefined ? {} : { [hostGroupLabel(near)]: 'in' }),
    ...(far === undefined ? {} : { [hostGroupLabel(far)]: 'out' }),
  };
}

/** Labels of a host, by the groups of hosts in its cluster: `in` or `out` for each. */
export function hostGroupLabels(hostId: string, { configurationEx }: ClusterProps): Record<string, string> {
  const hostGroups = (configurationEx?.group ?? []).filter(
    ({ _typeName: type }) => type === 'ClusterHostGroup',
  );
  return Object.fromEntries(
    hostGroups.map(({ name, host }) => [
      hostGroupLabel(name),
      host.some(({ value }) => value === hostId) ? 'in' : 'out',
    ]),
  );
}

const hostGroupLabel = (group: string): string => `host-group:${group}`;
