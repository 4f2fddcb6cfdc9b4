/**
 * Every name that crosses a process boundary: workflow ids, task queues, messages and search attributes.
 * Operators type these into the Temporal CLI, so a change here is a breaking change.
 */

/** Task queue of sessions and host workflows, and of activities that need no site. */
export const MAINTENANCE_QUEUE = 'maintenance';

/** Task queue of the activities that talk to one site; a worker inside that site's network may serve it alone. */
export const siteQueue = (site: string): string => `site.${site}`;

/** Task queue of the deliveries to one sink of notifications: one that is slow or down keeps no other waiting. */
export const sinkQueue = (sink: string): string => `sink.${sink}`;

/** Id of the workflow that takes one host out and back. Temporal allows one open run of an id: the id is the lock. */
export const hostWorkflowId = (site: string, host: string): string => `host/${site}/${host}`;

/** Id of the Schedule that looks for hosts a dead workflow left out of service. */
export const reconcileScheduleId = (site: string): string => `reconcile/${site}`;

/**
 * Id of the workflow that asks a project, or asks it about one instance. A project is asked one thing at a time, so its
 * answer needs no other address than this.
 */
export const dialogueWorkflowId = (session: string, project: string, instance?: string): string =>
  `dialogue/${session}/${project}${instance === undefined ? '' : `/${instance}`}`;

/** Id of the workflow that keeps a part of the constraints of a site; which part holds an id is `constraintShard`. */
export const constraintsWorkflowId = (site: string, shard: number): string => `constraints/${site}/${shard}`;

/** Id of the workflow that delivers one event to one sink. */
export const deliveryWorkflowId = (event: string, sink: string): string => `delivery/${event}/${sink}`;

/**
 * Id of the session that a lock controller starts for a request: the same for every replica of it, so that there is one.
 * `node` and `request` are the name and the uid of Kubernetes' objects.
 */
export const lockSessionId = (controller: string, node: string, request: string): string =>
  `lock/${controller}/${node}/${request}`;

export const WORKFLOWS = {
  maintenanceSession: 'maintenanceSession',
  hostMaintenance: 'hostMaintenance',
  reconcile: 'reconcile',
  projectDialogue: 'projectDialogue',
  constraints: 'constraints',
  delivery: 'delivery',
} as const;

export const SIGNALS = {
  cancel: 'cancel',
  continue: 'continue',
  pause: 'pause',
  approve: 'approve',
  /** To a dialogue. */
  answer: 'answer',
  /** From a host workflow to its session; not for operators. */
  hostReport: 'hostReport',
  /** From an activity of a host to the workflow that waits for it; not for operators. */
  hostWaits: 'hostWaits',
} as const;

export const UPDATES = {
  cancelSession: 'cancelSession',
  continueSession: 'continueSession',
  pauseSession: 'pauseSession',
  setBudget: 'setBudget',
  /** Of a dialogue. */
  answerNotice: 'answerNotice',
  /** Of constraints. */
  putConstraint: 'putConstraint',
  deleteConstraint: 'deleteConstraint',
} as const;

export const QUERIES = {
  progress: 'progress',
  plan: 'plan',
  report: 'report',
  /** For activities: which hosts are done, out or next. Its shape may change between releases. */
  standing: 'standing',
  /** Of a dialogue. */
  notice: 'notice',
  /** Of constraints. */
  constraint: 'constraint',
  constraints: 'constraints',
} as const;

/** Search attributes, all of type Keyword. */
export const SEARCH_ATTRIBUTES = {
  state: 'MaintenanceState',
  site: 'MaintenanceSite',
  host: 'MaintenanceHost',
  session: 'MaintenanceSession',
} as const;
