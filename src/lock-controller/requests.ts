/** Maintenance requests as a lock controller sees them: which one is about what, and whether it is for now. Pure. */
import type { ClusterMaintenanceRequest, NodeMaintenanceRequest } from '../kubernetes/lcm.ts';

/** What a ClusterMaintenanceRequest and a NodeMaintenanceRequest have in common. */
export type Request = Pick<ClusterMaintenanceRequest | NodeMaintenanceRequest, 'metadata'> & {
  spec: ClusterMaintenanceRequest['spec'];
};

/** A request for a release that this controller is not of yet, or not any more. */
export const isDeferred = ({ spec: { release } }: Request, own: string | undefined): boolean =>
  own !== undefined && release !== undefined && release !== own;

export const whyDeferred = (
  { metadata: { name }, spec: { release = 'none' } }: Request,
  own = 'none',
): string => `request ${name} is for release ${release}, and this controller is of release ${own}`;

/**
 * Those that stand, in an order that is the same for every replica. One that is being deleted has been withdrawn, whoever
 * still holds it.
 */
export const standing = <R extends Request>(requests: Iterable<R>): R[] =>
  [...requests]
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .sort((a, b) => compare(a.metadata.name, b.metadata.name));

/** Code-unit order: the same on every machine, unlike a locale's. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
