/** How each instance of a host leaves it: the verdicts of the precheck. Pure. */
import type { ErrorCode } from './errors.ts';
import type { InstanceAbility } from './inventory.ts';
import type { HostSpec } from './host-run.ts';
import { wishedFor, type Wished } from './instance-mode.ts';

/** A live move that failed so often is done cold, or the instance stopped, where the session allows it. */
const LIVE_TRIES_BEFORE_OTHERWISE = 2;

export type Verdict =
  | { action: 'live' | 'cold' | 'stop' | 'stay' | 'own' }
  | { action: 'blocked'; code: ErrorCode; reason: string };

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
  const wished = wishedFor(instance, wishes);
  switch (instance.state) {
    case 'error':
      // It does not run, so it does not hold the host; repairing it is its owner's business.
      return { action: 'stay' };
    case 'stopped':
      // One that we stopped ourselves waits here to be started again.
      if (instance.stoppedBy !== undefined) return { action: 'stay' };
      if (wishes.stopped === 'stay') return { action: 'stay' };
      return wished.mode === 'ask'
        ? askOwner(wished.by)
        : allowed(ability, 'cold', 'instances.stopped "move"');
    case 'moving':
      // Nothing else can be asked of it now; whoever started the move, it is first seen to its end.
      return { action: firstWay(wished.mode) };
    case 'running':
    case 'paused':
      return leave(ability, wished, liveTries);
  }
}

const firstWay = (mode: Wished['mode']): 'live' | 'cold' | 'stop' =>
  mode === 'cold' || mode === 'stop' ? mode : 'live';

function leave(ability: InstanceAbility, { mode, by }: Wished, liveTries: number): Verdict {
  if (mode === 'ask') return askOwner(by);
  if (mode === 'own') return { action: 'own' };
  if (mode !== 'live-then-cold' && mode !== 'live-then-stop') return allowed(ability, mode, by);
  const otherwise = mode === 'live-then-cold' ? 'cold' : 'stop';
  const isHopeless = ability.live !== undefined || liveTries >= LIVE_TRIES_BEFORE_OTHERWISE;
  return allowed(ability, isHopeless ? otherwise : 'live', by);
}

const askOwner = (by: string): Verdict => ({
  action: 'blocked',
  code: 'MoveRefused',
  reason: `${by} asks that its owner be asked first; let the owner act, or name it in instances.overrides`,
});

function allowed(ability: InstanceAbility, action: 'live' | 'cold' | 'stop', by: string): Verdict {
  const reason = ability[action];
  return reason === undefined
    ? { action }
    : { action: 'blocked', code: 'MoveRefused', reason: `${by} asks for ${action}, but ${reason}` };
}
