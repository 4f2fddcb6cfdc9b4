/** What a platform bears to have out at one time, whatever else the budget of a session allows. */

interface Limit {
  /** The label of hosts that it goes by: `cluster`, `zone`. Hosts without it are one group together. */
  label: string;
  /** For operators: `storage is replicated within a cluster`. */
  why?: string;
}

/** So many hosts of each group, or of the one with this value. */
export interface HostsPerGroup extends Limit {
  value?: string;
  maxHosts: number;
}

/** Hosts of so many groups. */
export interface GroupsAtOnce extends Limit {
  maxGroups: number;
}

export type HostLimit = HostsPerGroup | GroupsAtOnce;
