/** What the pre-check comes to for each instance, and what stands against taking a host out. Pure. */
import type { Host, Instance, InstanceAbility } from '../../core/inventory.ts';
import { parseMark } from '../../core/mark.ts';
import type { MaintenanceRequest } from '../../core/platform-options.ts';
import type { HostCheck } from '../driver.ts';
import { isEntering, isInMaintenance, markLabelOf, whyNotConnected } from './inventory.ts';
import type { HostInfo, VmInfo } from './wire.ts';

const CANNOT_MOVE =
  "CloudTower's pre-check says it has to be shut down: do that and continue, or allow it in another session, by" +
  ' instances.mode "live-then-stop" or "stop" in instances.overrides';
const MAY_NOT_STOP = 'CloudTower shuts down only what its pre-check names';
const NOT_COLD = 'CloudTower moves a VM that runs live, or shuts it down';

/** @param toShutDown what the pre-check names, by either id of a VM; undefined when there was no pre-check */
export function abilityOf(
  instance: Instance,
  vm: VmInfo,
  toShutDown: ReadonlySet<string> | undefined,
): InstanceAbility {
  const all = (reason: string): InstanceAbility => ({
    instance,
    live: reason,
    cold: reason,
    stop: reason,
    byPlatform: reason,
  });
  switch (instance.state) {
    case 'moving':
      return all('is being moved');
    case 'error':
      return all(`is ${vm.status}`);
    case 'stopped':
      return {
        instance,
        live: 'is powered off',
        ...(vm.in_recycle_bin === true ? { cold: 'is in the recycle bin' } : {}),
      };
    case 'running':
    case 'paused':
      return runningAbility(instance, vm, toShutDown);
  }
}

function runningAbility(
  instance: Instance,
  vm: VmInfo,
  toShutDown: ReadonlySet<string> | undefined,
): InstanceAbility {
  if (toShutDown === undefined) return { instance, cold: NOT_COLD };
  if (isNamed(vm, toShutDown)) {
    return { instance, live: CANNOT_MOVE, cold: CANNOT_MOVE, byPlatform: CANNOT_MOVE, platformStops: true };
  }
  return { instance, cold: NOT_COLD, stop: MAY_NOT_STOP };
}

/** Whether a list of CloudTower's maintenance means this VM: it has the id of the cluster, the SDK does not say which. */
const isNamed = ({ id, local_id }: VmInfo, names: ReadonlySet<string>): boolean =>
  names.has(id) || (local_id !== undefined && names.has(local_id));

/** The VM that is called so, by either of its ids. */
export const findNamed = (vms: readonly VmInfo[], name: string): VmInfo | undefined =>
  vms.find((one) => isNamed(one, new Set([name])));

/**
 * What of a pre-check nobody can shut down, each a sentence: CloudTower does not show it, or does not know how it stands.
 *
 * @param toShutDown what the pre-check names, by either id of a VM
 * @param vms those of them that CloudTower knows, wherever they are by now
 */
export function unableToShutDown(toShutDown: ReadonlySet<string>, vms: readonly VmInfo[]): string[] {
  return [...toShutDown].flatMap((named) => {
    const vm = findNamed(vms, named);
    if (!vm)
      return [`VM ${named} has to be shut down by the pre-check, and CloudTower does not show it to us`];
    return vm.status === 'UNKNOWN' ? [`${vm.name} has to be shut down by the pre-check, and is UNKNOWN`] : [];
  });
}

type Obstacles = Pick<HostCheck, 'blockers' | 'warnings'>;

export function obstaclesOf({ name, cordonReason }: Host, info: HostInfo): Obstacles {
  const blockers: string[] = [];
  const warnings: string[] = [];
  const lost = whyNotConnected(info);
  if (lost !== undefined) blockers.push(`${name} is ${lost}`);
  else if (info.status !== 'CONNECTED_HEALTHY') warnings.push(`${name} is ${info.status}`);
  if (cordonReason !== undefined && !parseMark(cordonReason)) {
    warnings.push(`${name} was labelled by somebody else and will stay so: ${cordonReason}`);
  }
  return { blockers, warnings };
}

/**
 * What stands against taking a host out beside others of its cluster: each that is out already, unless a session has it
 * out and this one takes the risk.
 *
 * @param peers the other hosts of the cluster
 */
export function obstaclesBeside(
  info: HostInfo,
  peers: readonly HostInfo[],
  { beyondLimits }: Pick<MaintenanceRequest, 'beyondLimits'>,
): Obstacles {
  const blockers: string[] = [];
  const warnings: string[] = [];
  // One that is on its way already has to be seen to its end, whatever became of the others.
  const isOnItsWay = isEntering(info) || isInMaintenance(info);
  for (const peer of peers) {
    const out = whyOut(peer);
    if (out === undefined) continue;
    const label = markLabelOf(peer)?.value;
    const isRiskTaken = beyondLimits === true && parseMark(label) !== undefined;
    const whose = label === undefined ? '' : ` (${label})`;
    const sentence = `${peer.name}, of the same cluster ${peer.cluster.name}, is ${out}${whose}`;
    (isRiskTaken || isOnItsWay ? warnings : blockers).push(sentence);
  }
  return { blockers, warnings };
}

function whyOut(info: HostInfo): string | undefined {
  if (isEntering(info) || isInMaintenance(info)) return info.host_state?.state;
  return whyNotConnected(info);
}
