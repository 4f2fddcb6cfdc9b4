/** The size of a session that is measured. */
export interface SessionShape {
  hosts: number;
  instancesPerHost: number;
  /** Hosts out at one time. */
  window: number;
  /** Instances that leave a host at one time. */
  movesAtOnce: number;
}

/** Activities of a host: precheck, cordon, a move for each instance, enter, prove empty, exit, uncordon, verify. */
export const activitiesPerHost = ({ instancesPerHost }: SessionShape): number => 7 + instancesPerHost;
