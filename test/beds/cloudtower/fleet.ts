/** Four hosts of one cluster, with a VM of each sort on the first one. */
import type { HostSpec } from '../../fakes/cloudtower/tower.ts';

export const FLEET: readonly HostSpec[] = [
  {
    name: 'smtx-01',
    vms: [
      { name: 'web', group: 'front' },
      { name: 'gpu', ha: false, pinned: 'it has a GPU of its host' },
      { name: 'off', status: 'STOPPED' },
      { name: 'off-without-ha', status: 'STOPPED', ha: false },
      { name: 'in-recycle-bin', recycled: true },
      { name: 'protected', protected: true },
    ],
  },
  { name: 'smtx-02', vms: [{ name: 'web-2', group: 'front' }] },
  { name: 'smtx-03', vms: [{ name: 'db', memoryGib: 16 }] },
  {
    name: 'smtx-04',
    vms: [
      { name: 'batch', ha: false },
      { name: 'old', recycled: true },
    ],
  },
];
