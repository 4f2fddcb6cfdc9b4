/** The state machine of a session. State names are Fenix's, spelled as Fenix spells them; PAUSED and CANCELLED are ours. */

/** Those that Fenix's clients know. */
export const FENIX_STATES = [
  'MAINTENANCE',
  'SCALE_IN',
  'PREPARE_MAINTENANCE',
  'START_MAINTENANCE',
  'PLANNED_MAINTENANCE',
  'MAINTENANCE_COMPLETE',
  'MAINTENANCE_DONE',
  'MAINTENANCE_FAILED',
] as const;
export type FenixState = (typeof FENIX_STATES)[number];

export const SESSION_STATES = [...FENIX_STATES, 'MAINTENANCE_PAUSED', 'MAINTENANCE_CANCELLED'] as const;
export type SessionState = (typeof SESSION_STATES)[number];

/**
 * Where each state may go.
 * MAINTENANCE: accepted, projects told, waiting for maintenanceAt. SCALE_IN and PREPARE_MAINTENANCE: projects make room.
 * START_MAINTENANCE: empty hosts go first. PLANNED_MAINTENANCE: hosts with instances follow. MAINTENANCE_COMPLETE: all
 * hosts done, `post` actions run. PAUSED, FAILED: no new host starts until an operator says so.
 */
export const TRANSITIONS: Readonly<Record<SessionState, readonly SessionState[]>> = {
  MAINTENANCE: [
    'SCALE_IN',
    'PREPARE_MAINTENANCE',
    'START_MAINTENANCE',
    'MAINTENANCE_FAILED',
    'MAINTENANCE_PAUSED',
    'MAINTENANCE_CANCELLED',
  ],
  SCALE_IN: [
    'PREPARE_MAINTENANCE',
    'START_MAINTENANCE',
    'PLANNED_MAINTENANCE',
    'MAINTENANCE_FAILED',
    'MAINTENANCE_PAUSED',
    'MAINTENANCE_CANCELLED',
  ],
  PREPARE_MAINTENANCE: [
    'SCALE_IN',
    'START_MAINTENANCE',
    'MAINTENANCE_FAILED',
    'MAINTENANCE_PAUSED',
    'MAINTENANCE_CANCELLED',
  ],
  START_MAINTENANCE: [
    'SCALE_IN',
    'PLANNED_MAINTENANCE',
    'MAINTENANCE_COMPLETE',
    'MAINTENANCE_FAILED',
    'MAINTENANCE_PAUSED',
    'MAINTENANCE_CANCELLED',
  ],
  PLANNED_MAINTENANCE: [
    'SCALE_IN',
    'START_MAINTENANCE',
    'MAINTENANCE_COMPLETE',
    'MAINTENANCE_FAILED',
    'MAINTENANCE_PAUSED',
    'MAINTENANCE_CANCELLED',
  ],
  MAINTENANCE_COMPLETE: ['MAINTENANCE_DONE', 'MAINTENANCE_FAILED', 'MAINTENANCE_CANCELLED'],
  MAINTENANCE_DONE: [],
  MAINTENANCE_FAILED: [
    'MAINTENANCE',
    'SCALE_IN',
    'PREPARE_MAINTENANCE',
    'START_MAINTENANCE',
    'PLANNED_MAINTENANCE',
    'MAINTENANCE_COMPLETE',
    'MAINTENANCE_PAUSED',
    'MAINTENANCE_CANCELLED',
  ],
  MAINTENANCE_PAUSED: [
    'MAINTENANCE',
    'SCALE_IN',
    'PREPARE_MAINTENANCE',
    'START_MAINTENANCE',
    'PLANNED_MAINTENANCE',
    'MAINTENANCE_COMPLETE',
    'MAINTENANCE_FAILED',
    'MAINTENANCE_CANCELLED',
  ],
  MAINTENANCE_CANCELLED: [],
};

export const isFinal = (state: SessionState): boolean => TRANSITIONS[state].length === 0;

export const mayGo = (from: SessionState, to: SessionState): boolean =>
  from === to || TRANSITIONS[from].includes(to);
