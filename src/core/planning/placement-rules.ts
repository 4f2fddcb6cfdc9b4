/** What makes a host a possible target, rule by rule: for choosing one, and for saying why there is none. */
import type { Group, Instance } from '../inventory.ts';
import { maxPerHost, type Bundle } from './bundles.ts';
import { carries } from './pools.ts';
import type { Room } from './room.ts';
import type { HostIndex } from './snapshot.ts';
import type { Targets } from './targets.ts';

export interface PlacementRequest {
  /** What there is room for, less what is reserved for hosts in flight. It is left as it was. */
  room: Room;
  /** The host that is emptied. */
  host: string;
  /** Those that have to leave it. Whatever else is on the host, and not reserved a target, counts as staying there. */
  instances: readonly Instance[];
  targets: Targets;
  /** Also onto hosts that are still to be taken out where nothing else will do; it costs a second move. */
  allowUnsafe: boolean;
  /** Targets to keep wherever they are still possible, by instance id: what was reserved when the host was chosen. */
  preferred?: ReadonlyMap<string, string>;
  /**
   * Names of hosts that have just failed to take an instance, by its id, once for each time. One that has failed once is
   * taken after other safe ones: it may not have been its fault. After the second time it is out of the question.
   */
  failed?: ReadonlyMap<string, readonly string[]>;
}

/** The host carries the labels that the instances require. */
export const meetsLabels = ({ room }: PlacementRequest, { instances }: Bundle, host: HostIndex): boolean =>
  instances.every(({ requires }) => carries(room.snapshot.host(host).labels, requires));

/** The host may take so many more members of the group. */
export const withinLimit = (
  { room }: PlacementRequest,
  group: Group,
  members: number,
  host: HostIndex,
): boolean => room.membersOn(group.id, host) + members <= maxPerHost(group);

/** How often the host has just failed to take one of the instances. */
export function failuresOf(
  { room, failed }: PlacementRequest,
  { instances }: Bundle,
  host: HostIndex,
): number {
  if (failed === undefined) return 0;
  const { name } = room.snapshot.host(host);
  const counts = instances.map(({ id }) => (failed.get(id) ?? []).filter((one) => one === name).length);
  return Math.max(...counts);
}

/** A host that has failed so often is not tried again. */
export const HOPELESS = 2;
