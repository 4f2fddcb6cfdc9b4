/** What is wished for an instance: by the operator for this very one, else by its owner, else for all. Pure. */
import type { Instance } from './inventory.ts';
import type { InstanceAction } from './notice.ts';
import type { InstanceMode, InstanceWishes } from './session-spec.ts';

export interface Wishes extends Pick<InstanceWishes, 'overrides' | 'mode'> {
  /** What their projects have chosen, by instance id. */
  answers?: Readonly<Record<string, InstanceAction>>;
}

export interface Wished {
  /** `ask`: its owner is to be asked, and until then it stays. `own`: its project acts on it itself. */
  mode: InstanceMode | 'ask' | 'own';
  /** Who wishes so, for the operator: `instances.mode "live"`, or where its owner says it. */
  by: string;
}

export function wishedFor(
  { id, name, wish }: Pick<Instance, 'id' | 'name' | 'wish'>,
  { overrides, answers = {}, mode }: Wishes,
): Wished {
  const own = ownValue(overrides, id) ?? ownValue(overrides, name);
  const answer = ownValue(answers, id);
  if (own === undefined && answer !== undefined)
    return { mode: modeOf(answer, mode), by: `its project's ${answer}` };
  if (own === undefined && wish !== undefined) return { mode: wish.mode, by: wish.saidBy };
  const wished = own ?? mode;
  return { mode: wished, by: `instances.mode "${wished}"` };
}

/** A live migration that its project has chosen is not turned into anything else, unless the session may do that to any. */
function modeOf(answer: InstanceAction, mode: InstanceMode): Wished['mode'] {
  if (answer === 'OWN_ACTION') return 'own';
  if (answer === 'MIGRATE') return 'cold';
  return mode === 'live-then-cold' || mode === 'live-then-stop' ? mode : 'live';
}

/** Tenants choose the names of instances, `constructor` too. */
const ownValue = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;
