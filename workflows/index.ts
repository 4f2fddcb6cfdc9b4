export { hostMaintenance } from './host-maintenance.ts';
export { maintenanceSession } from './maintenance-session.ts';
export { reconcile } from './reconcile.ts';
