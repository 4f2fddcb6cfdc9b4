/**
 * Every name that crosses a process boundary: workflow ids, task queues, messages and search attributes.
 * Operators type these into the Temporal CLI, so a change here is a breaking change.
 */

/** Task queue of sessions and host workflows, and of activities that need no site. */
export const MAINTENANCE_QUEUE = 'maintenance';

/** Task queue of the activities that talk to one site; a worker inside that site's network may serve it alone. */
export const siteQueue = (site: string): string => `site.${site}`;

/** Id of the workflow that takes one host out and back. Temporal allows one open run of an id: the id is the lock. */
export const hostWorkflowId = (site: string, host: string): string => `host/${site}/${host}`;

/** Id of the Schedule that looks for hosts a dead workflow left out of service. */
export const reconcileScheduleId = (site: string): string => `reconcile/${site}`;

export const WORKFLOWS = {
  maintenanceSession: 'maintenanceSession',
  hostMaintenance: 'hostMaintenance',
  reconcile: 'reconcile',
} as const;

export const SIGNALS = {
  cancel: 'cancel',
  continue: 'continue',
  pause: 'pause',
  approve: 'approve',
  /** From a host workflow to its session; not for operators. */
  hostReport: 'hostReport',
} as const;

export const UPDATES = {
  cancelSession: 'cancelSession',
  continueSession: 'continueSession',
  pauseSession: 'pauseSession',
  setBudget: 'setBudget',
} as const;

export const QUERIES = {
  progress: 'progress',
  plan: 'plan',
  report: 'report',
  /** For activities: which hosts are done, out or next. Its shape may change between releases. */
  standing: 'standing',
} as const;

/** Search attributes, all of type Keyword. */
export const SEARCH_ATTRIBUTES = {
  state: 'MaintenanceState',
  site: 'MaintenanceSite',
  host: 'MaintenanceHost',
  session: 'MaintenanceSession',
} as const;
