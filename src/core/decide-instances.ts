/** How each instance of a host leaves it: the verdicts of the precheck. Pure. */
import type { ErrorCode } from './errors.ts';
import type { InstanceAbility } from './inventory.ts';
import type { HostSpec } from './host-run.ts';
import type { InstanceMode } from './session-spec.ts';

/** A live move that failed so often is done cold, where the session allows it. */
const LIVE_TRIES_BEFORE_COLD = 2;

export type Verdict =
  { action: 'live' | 'cold' | 'stop' | 'stay' } | { action: 'blocked'; code: ErrorCode; reason: string };

/**
 * What to do with one instance.
 *
 * @param liveTries how often moving it live has failed in this drain
 */
export function decideInstance(
  ability: InstanceAbility,
  wishes: HostSpec['instances'],
  liveTries = 0,
): Verdict {
  const { instance } = ability;
  switch (instance.state) {
    case 'error':
      // It does not run, so it does not hold the host; repairing it is its owner's business.
      return { action: 'stay' };
    case 'stopped':
      // One that we stopped ourselves waits here to be started again.
      if (instance.stoppedBy !== undefined) return { action: 'stay' };
      return wishes.stopped === 'stay'
        ? { action: 'stay' }
        : allowed(ability, 'cold', 'instances.stopped "move"');
    case 'moving':
      // Nothing else can be asked of it now; whoever started the move, it is first seen to its end.
      return { action: firstWay(modeOf(ability, wishes)) };
    case 'running':
    case 'paused':
      return leave(ability, modeOf(ability, wishes), liveTries);
  }
}

const firstWay = (mode: InstanceMode): 'live' | 'cold' | 'stop' =>
  mode === 'live-then-cold' ? 'live' : mode;

function leave(ability: InstanceAbility, mode: InstanceMode, liveTries: number): Verdict {
  if (mode !== 'live-then-cold') return allowed(ability, mode, `instances.mode "${mode}"`);
  const cold = ability.live !== undefined || liveTries >= LIVE_TRIES_BEFORE_COLD;
  return allowed(ability, cold ? 'cold' : 'live', `instances.mode "${mode}"`);
}

function allowed(ability: InstanceAbility, action: 'live' | 'cold' | 'stop', why: string): Verdict {
  const reason = ability[action];
  return reason === undefined
    ? { action }
    : { action: 'blocked', code: 'MoveRefused', reason: `${why} asks for ${action}, but ${reason}` };
}

const modeOf = ({ instance }: InstanceAbility, wishes: HostSpec['instances']): InstanceMode =>
  ownValue(wishes.overrides, instance.id) ?? ownValue(wishes.overrides, instance.name) ?? wishes.mode;

/** Tenants choose the names of instances, `constructor` too. */
const ownValue = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;
