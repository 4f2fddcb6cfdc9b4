export { constraints } from './constraints.ts';
export { delivery } from './delivery.ts';
export { hostMaintenance } from './host-maintenance.ts';
export { maintenanceSession } from './maintenance-session.ts';
export { projectDialogue } from './project-dialogue.ts';
export { reconcile } from './reconcile.ts';
