/** Fleets to plan for: the one of the demo, and three larger ones with zones and groups. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { sessionSpec, type SessionInput, type SessionSpec } from '../src/core/session-spec.ts';
import { packageRoot } from '../src/devstack/node-command.ts';
import { fleetSpec, type FleetInput } from '../src/simulator/fleet.ts';

export interface PlannedFleet {
  name: string;
  fleet: FleetInput;
  spec: SessionSpec;
}

export const plannedFleets = (): PlannedFleet[] => [
  {
    name: 'demo, 2 at once',
    fleet: fleetSpec.parse(parse(readExample('fleets/demo.yaml'))),
    spec: sessionSpec.parse(JSON.parse(readExample('demo.json'))),
  },
  {
    name: '100 × 10, 3 zones, 5 at once',
    fleet: zonedFleet({ hosts: 100, perHost: 10, zones: 3, groups: 12 }),
    spec: specOf({ maxConcurrentHosts: 5 }),
  },
  {
    name: '1000 × 20, 3 zones, 20 at once in each',
    fleet: zonedFleet({ hosts: 1000, perHost: 20, zones: 3, groups: 60 }),
    spec: specOf({ maxConcurrentHosts: 60, perDomain: { label: 'zone', max: 20 } }),
  },
  {
    name: '5000 × 10, 5 zones, 5 % at once',
    fleet: zonedFleet({ hosts: 5000, perHost: 10, zones: 5, groups: 150 }),
    spec: specOf({ maxConcurrentHosts: '5%' }),
  },
];

const readExample = (file: string): string => readFileSync(path.join(packageRoot, 'examples', file), 'utf8');

const specOf = (budget: NonNullable<SessionInput['budget']>): SessionSpec =>
  sessionSpec.parse({
    site: 'bench',
    budget: { maxConcurrentMovesPerHost: 4, ...budget },
    actions: [{ plugin: 'wait', type: 'host', metadata: { seconds: 1200 } }],
  } satisfies SessionInput);

interface ZonedFleet {
  hosts: number;
  perHost: number;
  zones: number;
  groups: number;
}

/** About 70 % full, one host in fifty empty, a third of the instances bound to their zone, groups of three kinds. */
function zonedFleet({ hosts, perHost, zones, groups }: ZonedFleet): FleetInput {
  const instances = Math.floor(hosts * 0.98) * perHost;
  return {
    seed: 7,
    hosts: {
      count: hosts,
      zones,
      racksPerZone: 10,
      capacity: { vcpus: 4 * perHost, memoryMb: 7168 * perHost, diskGb: 60 * perHost },
    },
    emptyHosts: Math.ceil(hosts * 0.02),
    instances: {
      count: instances,
      pinned: Math.floor(instances / 3),
      sizes: [
        { weight: 3, vcpus: 2, memoryMb: 4096, diskGb: 20 },
        { weight: 1, vcpus: 4, memoryMb: 8192, diskGb: 40 },
      ],
    },
    groups: Array.from({ length: groups }, (_, index) => {
      const name = `group-${index + 1}`;
      if (index % 3 === 0) return { name, policy: 'anti-affinity', members: 8 };
      if (index % 3 === 1) return { name, policy: 'none', maxPerHost: 2, maxImpacted: 2, members: 8 };
      return { name, policy: 'affinity', members: 2 };
    }),
  };
}
