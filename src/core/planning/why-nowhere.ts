/** Says, by name, why no host can take an instance. Only called once that is known. */
import type { Group, Resources } from '../inventory.ts';
import { affineHosts, maxPerHost, type Bundle } from './bundles.ts';
import { listNames } from './natural-order.ts';
import { failuresOf, HOPELESS, meetsLabels, withinLimit, type PlacementRequest } from './placement-rules.ts';
import type { HostIndex } from './snapshot.ts';

interface Rule {
  keeps: (host: HostIndex) => boolean;
  /** What is wrong when it keeps none. */
  otherwise: string;
}

/** `no host in zone az1 has 16384 MB free: best is compute-7 with 8192`. */
export function whyNowhere(request: PlacementRequest, bundle: Bundle): string {
  const reason = firstShortage(request, bundle) + failedHosts(request, bundle);
  return bundle.instances.length === 1
    ? reason
    : `they have to stay together (${affinityOf(bundle)}), and ${reason}`;
}

/** Takes hosts away by one rule after the other: the rule that leaves none is the reason. */
function firstShortage(request: PlacementRequest, bundle: Bundle): string {
  const { snapshot } = request.room;
  let left = [...snapshot.hosts.keys()].filter((host) => snapshot.host(host).name !== request.host);
  for (const { keeps, otherwise } of rulesFor(request, bundle)) {
    left = left.filter(keeps);
    if (left.length === 0) return otherwise;
  }
  return capacityShort(request, bundle, left);
}

/** `; compute-7 has failed twice`; empty when none has. */
function failedHosts(request: PlacementRequest, bundle: Bundle): string {
  const { hosts } = request.room.snapshot;
  const names = [...hosts.keys()]
    .filter((host) => failuresOf(request, bundle, host) >= HOPELESS)
    .map((host) => request.room.snapshot.host(host).name);
  if (names.length === 0) return '';
  return `; ${listNames(names)} ${names.length === 1 ? 'has' : 'have'} failed twice`;
}

function rulesFor(request: PlacementRequest, bundle: Bundle): Rule[] {
  const { targets, allowUnsafe } = request;
  const where = labelsOf(bundle);
  return [
    {
      keeps: (host) => meetsLabels(request, bundle, host),
      otherwise: `there is no other host${where}`,
    },
    ...affinityRules(request, bundle),
    {
      keeps: (host) => targets.kind(host) !== 'forbidden',
      otherwise: `every other host${where} is out, held or not in service`,
    },
    {
      keeps: (host) => targets.kind(host) === 'safe' || allowUnsafe,
      otherwise: `every other host${where} is still to be taken out`,
    },
    {
      keeps: (host) => failuresOf(request, bundle, host) < HOPELESS,
      otherwise: `no other host${where} is left to try`,
    },
    ...bundle.limits.map(({ group, members }) => ({
      keeps: (host: HostIndex) => withinLimit(request, group, members, host),
      otherwise: limitReached(group, members, where),
    })),
  ];
}

function affinityRules(request: PlacementRequest, bundle: Bundle): Rule[] {
  const { room, targets, host: name } = request;
  const affine = affineHosts(room, bundle, room.snapshot.indexOf(name) ?? -1);
  if (affine === undefined) return [];
  const others = [...affine].sort((a, b) => a - b).map((host) => room.snapshot.host(host).name);
  const whereabouts = others.includes(name)
    ? `another member stays on ${name}`
    : `the others are on ${listNames(others)}`;
  return [
    { keeps: (host) => affine.has(host), otherwise: `${affinityOf(bundle)}: ${whereabouts}` },
    {
      keeps: (host) => targets.kind(host) !== 'forbidden',
      otherwise: `${affinityOf(bundle)}: ${whereabouts}, out, held or not in service`,
    },
  ];
}

function limitReached(group: Group, members: number, where: string): string {
  const limit = maxPerHost(group);
  if (members > limit)
    return `${limitOf(group)} allows ${limit} on a host, and ${members} have to go together`;
  const full = limit === 1 ? 'has a member' : `has ${limit} members, as many as it allows`;
  return `${limitOf(group)}: every other host${where} ${full}`;
}

const UNITS = { memoryMb: 'MB', vcpus: 'vCPUs', diskGb: 'GB of disk' } as const;

function capacityShort({ room }: PlacementRequest, bundle: Bundle, hosts: readonly HostIndex[]): string {
  const { need } = bundle;
  const where = `${labelsOf(bundle)}${limitsOf(bundle)}`;
  for (const key of ['memoryMb', 'vcpus', 'diskGb'] as const) {
    const best = hosts.reduce((one, other) => (room.free(other)[key] > room.free(one)[key] ? other : one));
    const free = room.free(best)[key];
    if (need[key] === 0 || free >= need[key]) continue;
    return `no host${where} has ${need[key]} ${UNITS[key]} free: best is ${room.snapshot.host(best).name} with ${Math.max(0, free)}`;
  }
  return `no host${where} has ${describe(need)} free at once`;
}

const describe = ({ memoryMb, vcpus, diskGb }: Resources): string =>
  `${memoryMb} ${UNITS.memoryMb}, ${vcpus} ${UNITS.vcpus} and ${diskGb} ${UNITS.diskGb}`;

/** ` in zone az1 and rack r7`; empty when the bundle may go anywhere. */
function labelsOf({ instances }: Bundle): string {
  const labels = new Set(
    instances.flatMap(({ requires }) => Object.entries(requires).map(([key, value]) => `${key} ${value}`)),
  );
  return labels.size === 0 ? '' : ` in ${listNames([...labels].sort(), labels.size)}`;
}

/** ` with room for a member of db`; empty when no group limits it. */
const limitsOf = ({ limits }: Bundle): string =>
  limits.length === 0 ? '' : ` that may take a member of ${listNames(limits.map(({ group }) => group.name))}`;

const affinityOf = ({ affinities }: Bundle): string =>
  `affinity group ${listNames(affinities.map(({ name }) => name))}`;

const limitOf = ({ policy, name }: Group): string => `${policy === 'none' ? '' : `${policy} `}group ${name}`;
