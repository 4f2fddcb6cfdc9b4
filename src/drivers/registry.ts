/** Every platform there is a driver for, by the name a site gives as its `platform`. */
import { cloudtower } from './cloudtower/driver.ts';
import { mosk } from './mosk/driver.ts';
import { openstack } from './openstack/driver.ts';
import type { PlatformDefinition } from './platform.ts';
import { simulator } from './simulator/driver.ts';
import { vsphereSupervisor } from './vsphere-supervisor/driver.ts';
import { vsphere } from './vsphere/driver.ts';

export const PLATFORMS: Readonly<Record<string, PlatformDefinition>> = {
  cloudtower,
  mosk,
  openstack,
  simulator,
  vsphere,
  'vsphere-supervisor': vsphereSupervisor,
};
