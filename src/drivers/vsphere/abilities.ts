/** Why an instance cannot leave its host, in vCenter's terms, and what stands against taking a host out. Pure. */
import type { Host, Instance, InstanceAbility } from '../../core/inventory.ts';
import { parseMark } from '../../core/mark.ts';
import type { HostCheck } from '../driver.ts';
import { whyNoRoom } from './attribute.ts';
import type { ClusterProps, Devices, HostProps, VmProps } from './wire.ts';

/** Devices that bind a VM that runs to its host, by type of the device or of what is behind it. */
const HINDRANCES: readonly (readonly [type: RegExp, reason: string])[] = [
  [/^VirtualPCIPassthroughVmiopBackingInfo$/, 'has a virtual GPU'],
  [/^VirtualPCIPassthrough/, 'has a PCI device of its host'],
  [/^VirtualSriovEthernetCard$/, 'has an SR-IOV network card of its host'],
  [/^VirtualSCSIPassthrough$/, 'has a SCSI device of its host'],
  [/^VirtualUSBUSBBackingInfo$/, 'has a USB device of its host'],
  [
    /^Virtual(Cdrom(Atapi|Passthrough)|FloppyDevice|SerialPortDevice|ParallelPortDevice|SoundCardDevice)BackingInfo$/,
    'has a device of its host',
  ],
];

/** States of Fault Tolerance that bind nothing. */
const FT_OFF = ['notConfigured', 'disabled'];

export function abilityOf(
  instance: Instance,
  props: VmProps,
  devices: Devices,
  cluster: ClusterProps | undefined,
): InstanceAbility {
  const all = (reason: string): InstanceAbility => ({
    instance,
    live: reason,
    cold: reason,
    stop: reason,
    byPlatform: reason,
  });
  if (instance.state === 'moving') return all('is being moved');
  if (instance.state === 'error') {
    const connection = props['runtime.connectionState'];
    return all(connection === 'connected' ? 'was moved, and does not start' : `is ${connection}`);
  }
  const platform = whyNotByPlatform(instance.id, cluster);
  if (instance.state === 'stopped') {
    const off = props['runtime.powerState'] === 'suspended' ? 'is suspended' : 'is powered off';
    return { instance, live: off, ...(platform === undefined ? {} : { byPlatform: platform }) };
  }
  const live = hindranceOf(props, devices);
  const byPlatform = live ?? platform;
  // Both leave a note on it, so that whoever finds it off can start it again.
  const noted = whyNoRoom(instance.stoppedBy);
  return {
    instance,
    ...(live === undefined ? {} : { live }),
    ...(noted === undefined ? {} : { cold: noted, stop: noted }),
    ...(byPlatform === undefined ? {} : { byPlatform }),
  };
}

function hindranceOf(props: VmProps, devices: Devices): string | undefined {
  const ft = props['runtime.faultToleranceState'];
  if (ft !== undefined && !FT_OFF.includes(ft)) return `is protected by Fault Tolerance (${ft})`;
  for (const { _typeName: type, backing, connectable, deviceInfo } of devices) {
    // What is not connected holds nothing; what cannot be disconnected always does.
    if (connectable?.connected === false) continue;
    const found = HINDRANCES.find(
      ([pattern]) => (backing !== undefined && pattern.test(backing._typeName)) || pattern.test(type),
    );
    if (found) return `${found[1]} (${deviceInfo?.label ?? type})`;
  }
  return undefined;
}

/** Why DRS does not take it off a host that enters maintenance. */
function whyNotByPlatform(id: string, cluster: ClusterProps | undefined): string | undefined {
  const drs = cluster?.configurationEx?.drsConfig;
  if (!cluster || drs?.enabled !== true) return 'DRS is off';
  const own = cluster.configurationEx?.drsVmConfig.find(({ key }) => key.value === id);
  if (own?.enabled === false) return 'DRS is off for this VM';
  const behavior = own?.behavior ?? drs.defaultVmBehavior;
  return behavior === 'fullyAutomated'
    ? undefined
    : `DRS is ${behavior ?? 'not fully automated'} for this VM`;
}

/** What stands against taking the host out, and what is only odd. */
export function obstaclesOf(
  { name, cordonReason }: Host,
  props: HostProps,
  cluster: ClusterProps | undefined,
  vsanMode: string | undefined,
): Pick<HostCheck, 'blockers' | 'warnings'> {
  const blockers: string[] = [];
  const { 'runtime.connectionState': connection, 'runtime.powerState': power } = props;
  if (connection !== 'connected') blockers.push(`${name} is ${connection}`);
  else if (power !== 'poweredOn') blockers.push(`${name} is ${power}`);
  if (vsanMode !== undefined && cluster?.configurationEx?.vsanConfigInfo?.enabled !== true) {
    blockers.push(
      `vsphere.vsanMode is ${vsanMode}, but vSAN is not enabled on ${cluster?.name ?? 'what the host is in'}`,
    );
  }
  const isForeign = cordonReason !== undefined && !parseMark(cordonReason);
  return {
    blockers,
    warnings: isForeign ? [`${name} was marked by somebody else and will stay so: ${cordonReason}`] : [],
  };
}
