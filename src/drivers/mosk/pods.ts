/** Which pods have to leave a node, and which must not be made to. Pure. */
import type { Instance, InstanceAbility } from '../../core/inventory.ts';
import { amountOf } from '../../kubernetes/quantity.ts';
import type { Pod } from '../../kubernetes/core.ts';
import type { PodsPolicy } from './request.ts';

/** A kubelet makes a pod like this by itself, and marks it so. */
const MIRROR = 'kubernetes.io/config.mirror';
/** Clocks differ, and a kubelet is not always prompt. */
const OVERDUE_MS = 30_000;
const MEBIBYTE = 2 ** 20;
const GIBIBYTE = 2 ** 30;

/** `shop/web-1`: a pod of a StatefulSet keeps its name wherever it runs. */
export const podId = ({ metadata: { namespace = 'default', name } }: Pod): string => `${namespace}/${name}`;

export function podName(id: string): { namespace: string; name: string } {
  const [namespace = '', name = ''] = id.split('/', 2);
  return { namespace, name };
}

/** Those of DaemonSets and of the kubelet itself belong to the node, and finished ones hold nothing. */
export function hasToLeave(pod: Pod): boolean {
  if (MIRROR in pod.metadata.annotations) return false;
  if (pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed') return false;
  return ownerOf(pod)?.kind !== 'DaemonSet';
}

export const isLeaving = ({ metadata }: Pod): boolean => metadata.deletionTimestamp !== undefined;

/** Why it is still there, long after it was to end; undefined: it need not have ended yet. `now` in epoch milliseconds. */
export function overdueReason({ metadata }: Pod, now: number): string | undefined {
  const { deletionTimestamp, finalizers = [] } = metadata;
  if (deletionTimestamp === undefined || now - Date.parse(deletionTimestamp) < OVERDUE_MS) return undefined;
  const cause =
    finalizers.length > 0
      ? `held by the finalizers ${finalizers.join(', ')}`
      : 'its kubelet has not ended it';
  return `was to end by ${deletionTimestamp}: ${cause}`;
}

/** Why it must not be evicted under this policy. */
export function obstacleOf(pod: Pod, policy: PodsPolicy): string | undefined {
  if (isLeaving(pod)) return undefined;
  const volumes = pod.spec.volumes.filter(({ emptyDir }) => emptyDir !== undefined);
  if (policy.emptyDir === 'block' && volumes.length > 0) {
    const named = volumes.map(({ name }) => name).join(', ');
    return `its data in emptyDir ${named} would be lost; mosk.pods.emptyDir "evict" allows that`;
  }
  if (policy.unmanaged === 'block' && !ownerOf(pod)) {
    return 'no controller would make it anew elsewhere; mosk.pods.unmanaged "evict" allows that';
  }
  return undefined;
}

/** Undefined for a pod that is nowhere yet, and one that need not leave. */
export function toInstance(pod: Pod): Instance | undefined {
  const { nodeName } = pod.spec;
  if (nodeName === undefined || !hasToLeave(pod)) return undefined;
  const { namespace, name } = pod.metadata;
  return {
    id: podId(pod),
    name,
    host: nodeName,
    ...(namespace === undefined ? {} : { project: namespace }),
    state: isLeaving(pod) ? 'moving' : 'running',
    resources: {
      vcpus: requested(pod, 'cpu'),
      memoryMb: Math.ceil(requested(pod, 'memory') / MEBIBYTE),
      diskGb: Math.ceil(requested(pod, 'ephemeral-storage') / GIBIBYTE),
    },
    groups: [],
    requires: {},
  };
}

/** Only the platform makes pods leave, and it cannot leave one where it is. */
export function abilityOf(instance: Instance, obstacle: string | undefined): InstanceAbility {
  const cold = obstacle ?? 'a pod is not moved: it is evicted, and made anew elsewhere';
  return {
    instance,
    ...(obstacle === undefined ? {} : { live: obstacle, byPlatform: obstacle }),
    cold,
    stop: obstacle ?? 'a pod is not stopped: it is evicted, and made anew elsewhere',
  };
}

const ownerOf = ({ metadata }: Pod): { kind: string } | undefined =>
  metadata.ownerReferences.find(({ controller }) => controller === true);

/** What the scheduler keeps for it: containers run together, each init container before them. */
function requested({ spec: { containers, initContainers } }: Pod, resource: string): number {
  const amounts = (of: typeof containers): number[] =>
    of.map(({ resources }) => amountOf(resources.requests[resource]));
  const together = amounts(containers).reduce((sum, amount) => sum + amount, 0);
  return Math.max(together, ...amounts(initContainers));
}
