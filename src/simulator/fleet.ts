/** Fleets: what a fleet file says, and the datacentre that is made from it. The same file gives the same datacentre. */
import { z } from 'zod';
import { GROUP_POLICIES, HOST_ROLES, type Group, type Resources } from '../core/inventory.ts';
import { instanceId } from './datacentre.ts';
import { type Fleet, type FleetHost, type FleetInstance, type SimulatedHost, inService } from './model.ts';
import { Occupancy } from './occupancy.ts';
import { type Random, seededRandom, shuffled } from './random.ts';

const name = z.string().min(1).max(255);
const labels = z.record(name, name);
const amount = z.number().min(0);
const milliseconds = z.number().min(0).max(86_400_000);
const resources = z.strictObject({ vcpus: amount, memoryMb: amount, diskGb: amount });

const explicitHost = z.strictObject({
  name,
  role: z.enum(HOST_ROLES).default('compute'),
  labels: labels.default({}),
  capacity: resources,
});

const generatedHosts = z.strictObject({
  count: z.int().min(1).max(20_000).describe('Compute hosts: compute-01, compute-02, …'),
  controllers: z
    .int()
    .min(0)
    .max(100)
    .default(0)
    .describe('Hosts of role controller beside them; they carry no instances'),
  zones: z
    .int()
    .min(1)
    .max(100)
    .default(1)
    .describe('Values of the label zone: az1, az2, …; hosts take turns'),
  racksPerZone: z.int().min(1).max(1000).default(1).describe('Values of the label rack in each zone'),
  capacity: resources,
});

const explicitInstance = z.strictObject({
  name,
  host: name,
  project: name.optional(),
  state: z.enum(['running', 'stopped', 'paused', 'error']).default('running'),
  resources,
  groups: z.array(name).default([]),
  requires: labels.default({}),
});

const generatedInstances = z
  .strictObject({
    count: z.int().min(0).max(200_000).optional(),
    perHost: z
      .int()
      .min(0)
      .max(1000)
      .optional()
      .describe('Instances for each compute host that is not to stay empty'),
    sizes: z
      .array(resources.extend({ weight: z.int().min(1).default(1) }))
      .min(1)
      .describe('Drawn in proportion to their weights'),
    stopped: z.int().min(0).default(0).describe('Instances of no group that are stopped'),
    pinned: z.int().min(0).default(0).describe('Instances of no group that require the zone they start in'),
    projects: z.array(name).min(1).default(['demo']).describe('Owners of the instances, who take turns'),
  })
  .refine(
    (spec) => (spec.count === undefined) !== (spec.perHost === undefined),
    'needs either count or perHost',
  );

const group = z.strictObject({
  name,
  policy: z.enum(GROUP_POLICIES).default('none'),
  maxPerHost: z.int().min(1).optional(),
  maxImpacted: z.int().min(1).optional(),
  members: z.int().min(0).default(0).describe('Generated instances that belong to it: <name>-1, <name>-2, …'),
});

export const fleetSpec = z.strictObject({
  seed: z.int().min(0).default(1),
  hosts: z.union([z.array(explicitHost).min(1), generatedHosts]),
  emptyHosts: z
    .int()
    .min(0)
    .default(0)
    .describe('Compute hosts without instances: the last ones, one zone after another'),
  instances: z.union([z.array(explicitInstance), generatedInstances]),
  groups: z.array(group).default([]),
  migration: z
    .strictObject({
      baseMs: milliseconds.default(200),
      mbPerSecond: z.number().min(0).default(8000).describe('0: copying memory takes no time'),
    })
    .prefault({}),
  durations: z
    .strictObject({
      stopMs: milliseconds.default(300),
      startMs: milliseconds.default(300),
      enterMs: milliseconds.default(300),
      exitMs: milliseconds.default(300),
      workMs: milliseconds.default(2000),
    })
    .prefault({}),
  latencyMs: milliseconds.default(0).describe('Added to every answer'),
});

/** A fleet as it is written. */
export type FleetInput = z.input<typeof fleetSpec>;
type FleetSpec = z.output<typeof fleetSpec>;
type GeneratedInstances = z.output<typeof generatedInstances>;

/** The datacentre at its start. Throws when the file is wrong or the instances do not fit. */
export function generateFleet(input: FleetInput): Fleet {
  const spec = fleetSpec.parse(input);
  const random = seededRandom(spec.seed);
  const hosts = Array.isArray(spec.hosts) ? spec.hosts : generateHosts(spec.hosts);
  const groups = spec.groups.map(toGroup);
  refuseDuplicates(hosts, 'host');
  refuseDuplicates(spec.groups, 'group');
  const floor = new Floor(hosts, groups);
  if (Array.isArray(spec.instances)) placeAsWritten(spec.instances, groups, floor);
  else placeGenerated(spec, spec.instances, floor, random);
  return {
    seed: spec.seed,
    timing: { latencyMs: spec.latencyMs, ...spec.durations, migration: spec.migration },
    hosts,
    instances: floor.instances,
    groups,
  };
}

function generateHosts(spec: z.output<typeof generatedHosts>): FleetHost[] {
  const digits = Math.max(2, String(spec.count).length);
  const make = (role: 'compute' | 'controller', index: number): FleetHost => {
    const zone = (index % spec.zones) + 1;
    const rack = (Math.floor(index / spec.zones) % spec.racksPerZone) + 1;
    return {
      name: `${role}-${String(index + 1).padStart(digits, '0')}`,
      role,
      labels: { zone: `az${zone}`, rack: `az${zone}-r${rack}` },
      capacity: spec.capacity,
    };
  };
  return [
    ...Array.from({ length: spec.count }, (_, index) => make('compute', index)),
    ...Array.from({ length: spec.controllers }, (_, index) => make('controller', index)),
  ];
}

const toGroup = (spec: FleetSpec['groups'][number]): Group => ({
  id: spec.name,
  name: spec.name,
  policy: spec.policy,
  ...(spec.maxPerHost === undefined ? {} : { maxPerHost: spec.maxPerHost }),
  ...(spec.maxImpacted === undefined ? {} : { maxImpacted: spec.maxImpacted }),
});

/** The hosts while instances are put on them. */
class Floor {
  readonly instances: FleetInstance[] = [];
  readonly hosts: readonly SimulatedHost[];
  readonly #occupancy: Occupancy;

  constructor(hosts: FleetHost[], groups: Group[]) {
    this.#occupancy = new Occupancy(groups);
    this.hosts = hosts.map(inService);
  }

  /** Why the host may not have it; undefined when it has it now. */
  put(wanted: Omit<FleetInstance, 'id' | 'host'>, host: SimulatedHost): string | undefined {
    const instance = { ...wanted, id: instanceId(this.instances.length + 1), host: host.name };
    const why = this.#occupancy.whyNot(instance, host);
    if (why) return why.message;
    this.#occupancy.settle(instance, host.name);
    this.instances.push(instance);
    return undefined;
  }
}

function placeAsWritten(wanted: z.output<typeof explicitInstance>[], groups: Group[], floor: Floor): void {
  refuseDuplicates(wanted, 'instance');
  const known = new Set(groups.map(({ id }) => id));
  const hosts = new Map(floor.hosts.map((host) => [host.name, host]));
  for (const { host: hostName, project, ...instance } of wanted) {
    const host = hosts.get(hostName);
    if (!host) throw new Error(`instance ${instance.name}: there is no host ${hostName}`);
    const stray = instance.groups.find((id) => !known.has(id));
    if (stray !== undefined) throw new Error(`instance ${instance.name}: there is no group ${stray}`);
    const why = floor.put({ ...instance, project }, host);
    if (why !== undefined) throw new Error(`instance ${instance.name} does not fit: ${why}`);
  }
}

/** Group members first, each on the next host that may have it: so hosts end up with about equally many. */
function placeGenerated(spec: FleetSpec, wanted: GeneratedInstances, floor: Floor, random: Random): void {
  const computes = floor.hosts.filter(({ role }) => role === 'compute');
  const hosts = shuffled(computes.slice(0, computes.length - spec.emptyHosts), random);
  const total = wanted.count ?? (wanted.perHost ?? 0) * hosts.length;
  const members = spec.groups.flatMap((owner) =>
    Array.from({ length: owner.members }, (_, index) => ({
      group: owner.name,
      name: `${owner.name}-${index + 1}`,
    })),
  );
  const loose = total - members.length;
  if (loose < wanted.stopped + wanted.pinned) {
    throw new Error(`${total} instances are too few for the groups, the stopped and the pinned ones`);
  }
  const draw = sizeDrawer(wanted.sizes, random);
  const projectOf = (index: number): string | undefined => wanted.projects[index % wanted.projects.length];

  let cursor = 0;
  const place = (make: (host: SimulatedHost) => Omit<FleetInstance, 'id' | 'host'>): void => {
    let why = 'there are no hosts';
    for (let tried = 0; tried < hosts.length; tried += 1) {
      const host = hosts[(cursor + tried) % hosts.length];
      if (!host) break;
      const refusal = floor.put(make(host), host);
      if (refusal === undefined) {
        cursor = (cursor + tried + 1) % hosts.length;
        return;
      }
      why = refusal;
    }
    throw new Error(`instance ${floor.instances.length + 1} of ${total} does not fit: ${why}`);
  };

  members.forEach((member, index) => {
    const size = draw();
    place(() => ({
      name: member.name,
      project: projectOf(index),
      state: 'running',
      resources: size,
      groups: [member.group],
      requires: {},
    }));
  });
  for (let index = 0; index < loose; index += 1) {
    const size = draw();
    place((host) => ({
      name: `vm-${index + 1}`,
      project: projectOf(index),
      state: index >= loose - wanted.stopped ? 'stopped' : 'running',
      resources: size,
      groups: [],
      requires: index < wanted.pinned && host.labels['zone'] ? { zone: host.labels['zone'] } : {},
    }));
  }
}

function sizeDrawer(sizes: GeneratedInstances['sizes'], random: Random): () => Resources {
  const pool = sizes.flatMap(({ weight, ...size }) => Array.from({ length: weight }, () => size));
  return () => {
    const size = pool[Math.floor(random() * pool.length)];
    if (!size) throw new Error('a fleet needs at least one size');
    return size;
  };
}

function refuseDuplicates(items: readonly { name: string }[], what: string): void {
  const seen = new Set<string>();
  for (const item of items) {
    if (seen.has(item.name)) throw new Error(`${what} ${item.name} is listed twice`);
    seen.add(item.name);
  }
}
