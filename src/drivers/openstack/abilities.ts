/** Why a server cannot leave its host, in Nova's terms, and what stands against taking a host out. Pure. */
import type { Host, Instance, InstanceAbility } from '../../core/inventory.ts';
import { listed } from '../../core/listed.ts';
import { parseMark } from '../../core/mark.ts';
import type { HostCheck } from '../driver.ts';
import { isBetweenHosts, isCompute, isUp } from './inventory.ts';
import type { WireMigration, WireServer, WireService } from './wire.ts';

/** What in a flavor keeps Nova from moving a server live. */
const HINDRANCES: readonly (readonly [key: RegExp, reason: string])[] = [
  [/^pci_passthrough:alias$/, 'has a PCI device of its host'],
  [/^resources[^:]*:VGPU$/, 'has a virtual GPU'],
  [/^accel:device_profile$/, 'has an accelerator'],
  [/^hw:tpm_version$/, 'has a virtual TPM'],
  [/^hw:mem_encryption$/, 'has encrypted memory'],
  [/^hw:pmem$/, 'has persistent memory of its host'],
];

/** Migrations that are over. One that is `finished` waits for somebody to confirm it, and blocks nothing. */
const OVER = ['completed', 'done', 'confirmed', 'reverted', 'failed', 'error', 'cancelled', 'finished'];

/** It is not on its way any more. */
export const isMigrationOver = (status: string): boolean => OVER.includes(status);

const NAMED = 5;

export function abilityOf(server: WireServer, instance: Instance): InstanceAbility {
  const all = (reason: string): InstanceAbility => ({ instance, live: reason, cold: reason, stop: reason });
  if (instance.state === 'moving') return all(`is busy: task_state ${server.taskState ?? server.vmState}`);
  switch (server.vmState) {
    case 'active': {
      const live = hindranceOf(server);
      return live === undefined ? { instance } : { instance, live };
    }
    case 'stopped':
      return { instance, live: 'is SHUTOFF' };
    case 'paused':
      return { instance, cold: 'is PAUSED', stop: 'is PAUSED' };
    case 'error':
      return all(`is in ERROR${server.fault === undefined ? '' : `: ${server.fault}`}`);
    case 'resized':
      return all('is in VERIFY_RESIZE: its owner has to confirm or revert the resize');
    default:
      return all(`is ${server.status}`);
  }
}

function hindranceOf({ flavor }: WireServer): string | undefined {
  for (const [key, value] of Object.entries(flavor.extra_specs)) {
    const found = /^(false|0|)$/i.test(value) ? undefined : HINDRANCES.find(([pattern]) => pattern.test(key));
    if (found) return `${found[1]} (${key}=${value})`;
  }
  return undefined;
}

/** What stands against taking the host out, and what is only odd. */
export function obstaclesOf(about: {
  service: WireService;
  host: Host;
  servers: readonly WireServer[];
  hasHypervisor: boolean;
  /** To and from the host, finished ones too. */
  migrations: readonly WireMigration[];
}): Pick<HostCheck, 'blockers' | 'warnings'> {
  const { service, host, servers, hasHypervisor, migrations } = about;
  const { name } = host;
  const blockers: string[] = [];
  if (service.status === 'UNKNOWN') blockers.push(`the cell of ${name} does not answer`);
  else if (service.forcedDown) blockers.push(`${service.binary} on ${name} is forced down`);
  else if (!isUp(service)) blockers.push(`${service.binary} on ${name} is down`);
  if (isCompute(service) && !hasHypervisor) {
    blockers.push(`Nova lists no hypervisor of ${name}: nova-compute never reported one, or is in no cell`);
  }
  const warnings = [...cordonWarnings(service, host), ...busyWarnings(name, servers)];
  return { blockers, warnings: [...warnings, ...migrationWarnings(name, migrations)] };
}

function cordonWarnings({ status }: WireService, { name, cordonReason }: Host): string[] {
  if (status !== 'disabled' || parseMark(cordonReason)) return [];
  return [`${name} was disabled by somebody else and will stay so: ${cordonReason ?? 'they gave no reason'}`];
}

/** Something goes on that soon passes; a move is refused until then. */
function busyWarnings(host: string, servers: readonly WireServer[]): string[] {
  const busy = servers.flatMap((server) =>
    server.taskState === undefined || server.vmState === 'building' || isBetweenHosts(server)
      ? []
      : [`${server.name} (task_state ${server.taskState})`],
  );
  return busy.length === 0 ? [] : [`busy on ${host}, and moved when they are not: ${listed(busy, NAMED)}`];
}

function migrationWarnings(host: string, migrations: readonly WireMigration[]): string[] {
  const from = migrations.filter(({ source_compute: source }) => source === host);
  const arriving = migrations.filter((one) => one.dest_compute === host && !isMigrationOver(one.status));
  const revertible = from.filter(({ status }) => status === 'finished');
  const queued = from.filter(({ status }) => status === 'queued');
  const warn = (what: string, which: readonly WireMigration[]): string[] =>
    which.length === 0
      ? []
      : [
          `${what}: ${listed(
            which.map((one) => one.instance_uuid),
            NAMED,
          )}`,
        ];
  return [
    ...warn(`on their way to ${host} already`, arriving),
    ...warn(`resized away from ${host}, and may be reverted to it`, revertible),
    ...warn(`queued for a live migration off ${host} already`, queued),
  ];
}
