/** Nodes as a lock controller sees them: which ones it serves, and which host each of them is. Pure. */
import type { Metadata } from '../kubernetes/resource.ts';
import type { LockControllerSettings } from './settings.ts';

/** A node that the controller serves. */
export interface ServedNode {
  name: string;
  /** Its host at the mapped site; undefined where it does not name one. */
  host: string | undefined;
}

type NodeSettings = LockControllerSettings['nodes'];

/** By default a host is called as its node is, without a domain. */
export function servedNode(
  { name, labels, annotations }: Metadata,
  { hostLabel, hostAnnotation }: NodeSettings,
): ServedNode {
  if (hostLabel !== undefined) return { name, host: labels[hostLabel] };
  if (hostAnnotation !== undefined) return { name, host: annotations[hostAnnotation] };
  return { name, host: name.split('.', 1)[0] };
}

/** In the words of the API server; none for all nodes. */
export function nodeSelection({ selector }: NodeSettings): { labelSelector?: string } {
  const labels = Object.entries(selector).map(([key, value]) => `${key}=${value}`);
  return labels.length === 0 ? {} : { labelSelector: labels.join(',') };
}
