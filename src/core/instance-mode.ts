/** What is wished for an instance: by the operator for this very one, else by its owner, else for all. Pure. */
import type { Instance } from './inventory.ts';
import type { InstanceMode, InstanceWishes } from './session-spec.ts';

export interface Wished {
  /** `ask`: its owner is to be asked, and until then it stays. */
  mode: InstanceMode | 'ask';
  /** Who wishes so, for the operator: `instances.mode "live"`, or where its owner says it. */
  by: string;
}

export function wishedFor(
  { id, name, wish }: Pick<Instance, 'id' | 'name' | 'wish'>,
  { overrides, mode }: Pick<InstanceWishes, 'overrides' | 'mode'>,
): Wished {
  const own = ownValue(overrides, id) ?? ownValue(overrides, name);
  if (own === undefined && wish !== undefined) return { mode: wish.mode, by: wish.saidBy };
  const wished = own ?? mode;
  return { mode: wished, by: `instances.mode "${wished}"` };
}

/** Tenants choose the names of instances, `constructor` too. */
const ownValue = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;
