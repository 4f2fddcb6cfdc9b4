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
  /** Names of hosts that are out of the question for an instance, by its id: those that have just failed to take it. */
  avoid?: ReadonlyMap<string, ReadonlySet<string>>;
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

/** The host has just failed to take one of the instances. */
export const isAvoided = (
  { room, avoid }: PlacementRequest,
  { instances }: Bundle,
  host: HostIndex,
): boolean =>
  avoid !== undefined && instances.some(({ id }) => avoid.get(id)?.has(room.snapshot.host(host).name));
