/** What the simulated datacentre consists of, and how the API shows it. */
import type { Group, Host, HostStanding, Instance, InstanceState, Resources } from '../core/inventory.ts';

/** Durations of the platform's operations, in milliseconds. Zero ends a task within the request that starts it. */
export interface Timing {
  /** Added to every answer of the API. */
  latencyMs: number;
  stopMs: number;
  startMs: number;
  enterMs: number;
  exitMs: number;
  workMs: number;
  migration: {
    baseMs: number;
    /** Speed at which memory is copied; 0: copying takes no time. */
    mbPerSecond: number;
  };
}

/** A datacentre at its start, as the generator makes it. */
export interface Fleet {
  seed: number;
  timing: Timing;
  hosts: FleetHost[];
  instances: FleetInstance[];
  groups: Group[];
}

export type FleetHost = Pick<Host, 'name' | 'role' | 'labels' | 'capacity'>;

export interface FleetInstance {
  id: string;
  name: string;
  host: string;
  project: string | undefined;
  state: Exclude<InstanceState, 'moving'>;
  resources: Resources;
  groups: readonly string[];
  requires: Readonly<Record<string, string>>;
}

export interface SimulatedHost extends FleetHost {
  cordonReason: string | undefined;
  maintenance: 'out' | 'entering' | 'in' | 'exiting';
  maintenanceReason: string | undefined;
  down: boolean;
}

export interface SimulatedInstance extends FleetInstance {
  /** Target of the migration that runs. */
  movingTo: string | undefined;
  stoppedBy: string | undefined;
}

/** A host as the API shows it. */
export interface HostView extends Host {
  maintenanceReason?: string;
}

/** A host as it is when the datacentre starts. */
export const inService = (host: FleetHost): SimulatedHost => ({
  ...host,
  cordonReason: undefined,
  maintenance: 'out',
  maintenanceReason: undefined,
  down: false,
});

const STANDING_OF_MAINTENANCE = { entering: 'entering', in: 'maintenance', exiting: 'exiting' } as const;

export function standingOf(host: SimulatedHost): HostStanding {
  if (host.down) return 'down';
  if (host.maintenance !== 'out') return STANDING_OF_MAINTENANCE[host.maintenance];
  return host.cordonReason === undefined ? 'in-service' : 'cordoned';
}

export function viewHost(host: SimulatedHost): HostView {
  return {
    name: host.name,
    role: host.role,
    labels: host.labels,
    capacity: host.capacity,
    standing: standingOf(host),
    ...(host.cordonReason === undefined ? {} : { cordonReason: host.cordonReason }),
    ...(host.maintenanceReason === undefined ? {} : { maintenanceReason: host.maintenanceReason }),
  };
}

/** An instance as the API shows it; what ran on a host that is down shows as failed until the host comes back. */
export function viewInstance(instance: SimulatedInstance, hostIsDown: boolean): Instance {
  const { id, name, host, project, resources, groups, requires, stoppedBy } = instance;
  const settled = hostIsDown && instance.state !== 'stopped' ? 'error' : instance.state;
  return {
    id,
    name,
    host,
    ...(project === undefined ? {} : { project }),
    state: instance.movingTo === undefined ? settled : 'moving',
    resources,
    groups,
    requires,
    ...(stoppedBy === undefined ? {} : { stoppedBy }),
  };
}
