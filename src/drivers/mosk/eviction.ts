/** Makes pods leave by the eviction API, which obeys PodDisruptionBudgets. */
import { durationMs } from '../../core/duration.ts';
import { MaintenanceError } from '../../core/errors.ts';
import type { KubernetesClient } from '../../kubernetes/client.ts';
import { PODS, type Pod } from '../../kubernetes/core.ts';
import { causeOf } from '../../kubernetes/failure.ts';
import type { CallContext } from '../driver.ts';
import { unlessGone } from '../gone.ts';
import { podId } from './pods.ts';
import type { PodsPolicy } from './request.ts';

/** A pod that may not leave yet, and why. */
export interface HeldPod {
  id: string;
  reason: string;
}

/** Resolves to those that may not leave yet; the others go, each in its grace period. */
export async function evictAll(
  client: KubernetesClient,
  pods: readonly Pod[],
  { gracePeriod }: PodsPolicy,
  context: CallContext,
): Promise<HeldPod[]> {
  const held: HeldPod[] = [];
  // One by one: the first to go may use up a budget that the next one needs.
  for (const pod of pods) {
    const reason = await evict(client, pod, gracePeriod, context);
    if (reason !== undefined) held.push({ id: podId(pod), reason });
  }
  return held;
}

/** Why the pod may not leave yet. */
async function evict(
  client: KubernetesClient,
  { metadata: { name, namespace = 'default', uid } }: Pod,
  gracePeriod: string | undefined,
  context: CallContext,
): Promise<string | undefined> {
  const seconds = gracePeriod === undefined ? undefined : Math.ceil(durationMs(gracePeriod) / 1000);
  const eviction = {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name, namespace },
    deleteOptions: {
      // Not another one that has got its name meanwhile.
      preconditions: { uid },
      ...(seconds === undefined ? {} : { gracePeriodSeconds: seconds }),
    },
  };
  try {
    await unlessGone(client.createBelow(PODS, { name, namespace }, 'eviction', eviction, context));
    return undefined;
  } catch (error) {
    const reason = whyHeld(error);
    if (reason === undefined) throw error;
    return reason;
  }
}

function whyHeld(error: unknown): string | undefined {
  const budget = causeOf(error, 'DisruptionBudget');
  if (budget !== undefined) return budget;
  // Whoever deletes the namespace deletes the pod.
  const namespace = causeOf(error, 'NamespaceTerminating');
  if (namespace !== undefined) return namespace;
  // Busy, in conflict, or with several budgets at once, which the API server answers with an error of its own.
  const mayPass =
    error instanceof MaintenanceError && (error.code === 'PlatformBusy' || error.code === 'PlatformError');
  return mayPass ? (error.vendor ?? error.message) : undefined;
}
