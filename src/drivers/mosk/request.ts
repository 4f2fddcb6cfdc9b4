/** Our requests: whose they are and how far the maintenance of their node is, all kept in their annotations. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { parseJson } from '../../core/json.ts';
import { formatMark, formatSessionMark, parseMark, parseSessionMark } from '../../core/mark.ts';
import type { Mark, SessionMark } from '../../core/mark.ts';
import type { MoskOptions } from '../../core/platform-options.ts';
import type { ClusterMaintenanceRequest, NodeMaintenanceRequest } from '../../kubernetes/lcm.ts';

/** Of requests, and of a node that we have cordoned or that is on its way back: the mark. */
const MARK = 'haulout.io/mark';
/** Of a node that we have cordoned: when, RFC 3339. */
const CORDONED = 'haulout.io/cordoned';
const PHASE = 'haulout.io/phase';
/** How pods are to leave, as JSON. */
const PODS_POLICY = 'haulout.io/pods';
/** Somebody else had cordoned the node before: `false` says that it was us. */
const WAS_CORDONED = 'haulout.io/was-cordoned';
/** Well-known: what an object is for, in the words of its maker. */
const DESCRIPTION = 'kubernetes.io/description';

/** `kubectl get nmr -l app.kubernetes.io/managed-by=haulout` */
const LABELS = { 'app.kubernetes.io/managed-by': 'haulout' };

/**
 * How far the maintenance of a node is. Absent: the request stands, and no more. `locks`: its locks are waited for; `drain`:
 * it is cordoned, and its pods leave; `out`: it may be worked on; `back`: it takes pods again.
 */
const phase = z.enum(['locks', 'drain', 'out', 'back']);
export type Phase = z.output<typeof phase>;

export type PodsPolicy = NonNullable<MoskOptions['pods']>;

export const podsPolicy = z.object({
  emptyDir: z.enum(['block', 'evict']).default('block'),
  unmanaged: z.enum(['block', 'evict']).default('block'),
  gracePeriod: z.string().optional(),
});

const SLUG_CHARS = 40;
const HASH_CHARS = 8;

export function newClusterRequest(
  mark: SessionMark,
  { scope = 'drain', release }: Partial<MoskOptions> = {},
): Pick<ClusterMaintenanceRequest, 'spec'> & { metadata: { name: string } & Record<string, unknown> } {
  return {
    metadata: {
      name: clusterRequestName(mark),
      labels: LABELS,
      annotations: { [MARK]: formatSessionMark(mark) },
    },
    spec: { scope, ...(release === undefined ? {} : { release }) },
  };
}

export function newNodeRequest(
  node: string,
  mark: Mark,
  { scope = 'drain', release }: Partial<MoskOptions> = {},
): Pick<NodeMaintenanceRequest, 'spec'> & { metadata: { name: string } & Record<string, unknown> } {
  return {
    metadata: {
      name: nodeRequestName(node),
      labels: LABELS,
      annotations: { [MARK]: formatMark(mark) },
    },
    spec: { nodeName: node, scope, ...(release === undefined ? {} : { release }) },
  };
}

/** The same for every try of a session, so that there is one. Sessions are named freely, objects are not. */
export function clusterRequestName({ session }: SessionMark): string {
  const slug = session
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, SLUG_CHARS)
    .replace(/^-|-$/g, '');
  const hash = createHash('sha256').update(session).digest('hex').slice(0, HASH_CHARS);
  return ['haulout', slug, hash].filter((part) => part !== '').join('-');
}

/** One for each node, whoever asks: two sessions cannot both have it. */
export const nodeRequestName = (node: string): string => `haulout-${node}`;

export const windowOf = ({ metadata }: ClusterMaintenanceRequest): SessionMark | undefined =>
  parseSessionMark(metadata.annotations[MARK]);

/**
 * The text of our mark; undefined on what is somebody else's. A node that carries it without a request is not back yet: its
 * locks are not all active, or somebody else has deleted its request.
 */
export function markTextOf({ metadata }: Pick<NodeMaintenanceRequest, 'metadata'>): string | undefined {
  const text = metadata.annotations[MARK];
  return parseMark(text) && text;
}

export function phaseOf({ metadata }: NodeMaintenanceRequest): Phase | undefined {
  return phase.safeParse(metadata.annotations[PHASE]).data;
}

export function policyOf({ metadata }: NodeMaintenanceRequest): PodsPolicy {
  return podsPolicy.parse(parseJson(metadata.annotations[PODS_POLICY] ?? '') ?? {});
}

/** Its node takes no pods because of this request, or is about to. */
export const hasCordoned = ({ metadata }: NodeMaintenanceRequest): boolean =>
  metadata.annotations[WAS_CORDONED] === 'false';

/** Patch of a request whose node is to be emptied by this policy. */
export const toLocks = (policy: PodsPolicy = podsPolicy.parse({})): Record<string, unknown> =>
  annotated({ [PHASE]: 'locks', [PODS_POLICY]: JSON.stringify(policy), [WAS_CORDONED]: null });

export const toDrain = (isCordoned: boolean): Record<string, unknown> =>
  annotated({ [PHASE]: 'drain', [WAS_CORDONED]: String(isCordoned) });

export const toPhase = (next: 'drain' | 'out' | 'back' | undefined): Record<string, unknown> =>
  annotated({ [PHASE]: next ?? null });

/** Whose a request is that is not ours, as far as it says. */
export function describeForeign({ metadata }: ClusterMaintenanceRequest | NodeMaintenanceRequest): string {
  const { name, annotations } = metadata;
  return annotations[DESCRIPTION] ?? annotations[MARK] ?? `request ${name} of somebody else`;
}

/** What a request that was deleted still waits for. */
export function describeHeld({ metadata }: ClusterMaintenanceRequest | NodeMaintenanceRequest): string {
  const { name, finalizers = [] } = metadata;
  return `${name} to be let go${finalizers.length === 0 ? '' : ` by the finalizers ${finalizers.join(', ')}`}`;
}

/** Patch of a node that takes no pods any more. It says so itself, since anybody can delete its request. */
export const toCordoned = (mark: string, now: Date): Record<string, unknown> => ({
  ...annotated({ [MARK]: mark, [CORDONED]: now.toISOString() }),
  spec: { unschedulable: true },
});

/** Patch of a node that takes pods again and carries a mark until it is back. */
export const toReturning = (mark: string): Record<string, unknown> => ({
  ...annotated({ [MARK]: mark, [CORDONED]: null }),
  spec: { unschedulable: null },
});

/** The same for one that somebody else had cordoned before, and that stays so. */
export const toMarked = (mark: string): Record<string, unknown> => annotated({ [MARK]: mark });

/** Patch of a node that is back. */
export const toUnmarked = (): Record<string, unknown> => annotated({ [MARK]: null });

/** When we have cordoned the node, in epoch milliseconds; undefined where it was not us. */
export function cordonedAt({ metadata }: Pick<NodeMaintenanceRequest, 'metadata'>): number | undefined {
  const at = Date.parse(metadata.annotations[CORDONED] ?? '');
  return Number.isNaN(at) ? undefined : at;
}

const annotated = (annotations: Record<string, string | null>): Record<string, unknown> => ({
  metadata: { annotations },
});
