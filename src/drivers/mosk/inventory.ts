/** Nodes as hosts. Pure. */
import type { Host, HostRole, HostStanding } from '../../core/inventory.ts';
import { parseMark } from '../../core/mark.ts';
import { isReady, type KubeNode } from '../../kubernetes/core.ts';
import { isSameNode, shortName, type NodeMaintenanceRequest } from '../../kubernetes/lcm.ts';
import { amountOf } from '../../kubernetes/quantity.ts';
import { describeForeign, markTextOf, phaseOf, type Phase } from './request.ts';

const ZONE = 'topology.kubernetes.io/zone';
const MEBIBYTE = 2 ** 20;
const GIBIBYTE = 2 ** 30;

/** Labels of nodes that say what they are for, the weightiest first: a node may be several things. */
const ROLES: readonly { role: NodeRole; label: string; value?: string }[] = [
  { role: 'control-plane', label: 'openstack-control-plane', value: 'enabled' },
  { role: 'control-plane', label: 'node-role.kubernetes.io/control-plane' },
  { role: 'control-plane', label: 'node-role.kubernetes.io/master' },
  { role: 'gateway', label: 'openstack-gateway', value: 'enabled' },
];
type NodeRole = 'control-plane' | 'gateway' | 'compute';

const HOST_ROLES: Readonly<Record<NodeRole, HostRole>> = {
  'control-plane': 'controller',
  gateway: 'other',
  compute: 'compute',
};

const STANDINGS: Readonly<Record<Phase, HostStanding>> = {
  locks: 'entering',
  drain: 'entering',
  out: 'maintenance',
  back: 'exiting',
};

/** A node, and the requests that are about it. */
export interface SeenNode {
  node: KubeNode;
  /** Ours, of whichever session. */
  own: NodeMaintenanceRequest | undefined;
  foreign: readonly NodeMaintenanceRequest[];
}

export function seeNode(node: KubeNode, requests: readonly NodeMaintenanceRequest[]): SeenNode {
  const { name } = node.metadata;
  const about = requests.filter(({ spec }) => isSameNode(spec.nodeName, name));
  // Nodes of two domains may have a short name in common: the request of the one is not the other's.
  const own = about.find((request) => parseMark(markTextOf(request))?.host === name);
  return { node, own, foreign: about.filter((request) => request !== own) };
}

/** @param isEmpty whether no pod is on the node that has to leave it */
export function toHost(seen: SeenNode, isEmpty: boolean): Host {
  const { metadata, status } = seen.node;
  const { name } = metadata;
  const short = shortName(name);
  const role = roleOf(metadata.labels);
  const zone = metadata.labels[ZONE];
  const reason = reasonOf(seen);
  return {
    name,
    ...(short === name ? {} : { aliases: [short] }),
    role: HOST_ROLES[role],
    labels: { ...metadata.labels, role, ...(zone === undefined ? {} : { zone }) },
    capacity: {
      vcpus: Math.floor(amountOf(status.allocatable['cpu'])),
      memoryMb: Math.floor(amountOf(status.allocatable['memory']) / MEBIBYTE),
      diskGb: Math.floor(amountOf(status.allocatable['ephemeral-storage']) / GIBIBYTE),
    },
    standing: standingOf(seen, isEmpty),
    ...(reason === undefined ? {} : { cordonReason: reason }),
  };
}

function standingOf({ node, own, foreign }: SeenNode, isEmpty: boolean): HostStanding {
  const phase = own && phaseOf(own);
  // A scheduler that had not heard yet of the cordon has put one there, or somebody has taken the cordon off.
  if (phase === 'out' && !(isEmpty && node.spec.unschedulable)) return STANDINGS.drain;
  // One that restarts in its maintenance does not answer meanwhile.
  if (phase) return STANDINGS[phase];
  if (own ?? markTextOf(node)) return 'cordoned';
  if (!isReady(node)) return 'down';
  return foreign.length > 0 || node.spec.unschedulable ? 'cordoned' : 'in-service';
}

function reasonOf({ node, own, foreign: [foreign] }: SeenNode): string | undefined {
  const mark = (own && markTextOf(own)) ?? markTextOf(node);
  if (mark !== undefined) return mark;
  if (foreign) return describeForeign(foreign);
  return node.spec.unschedulable ? 'unschedulable, set by somebody else' : undefined;
}

function roleOf(labels: Readonly<Record<string, string>>): NodeRole {
  const found = ROLES.find(
    ({ label, value }) => labels[label] !== undefined && (value === undefined || labels[label] === value),
  );
  return found?.role ?? 'compute';
}
