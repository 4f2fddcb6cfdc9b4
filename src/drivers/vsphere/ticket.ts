/** How far a cold move is, as it stands in the attribute of the VM. Pure. */

/**
 * `down`: shut down; `over`: relocated; `up`: started at its target; `back`: started where it was, since that failed;
 * `stuck`: off, since it could not be started.
 */
const PHASES = ['down', 'over', 'up', 'back', 'stuck'] as const;
export type Phase = (typeof PHASES)[number];

export interface Ticket {
  /** Ids of the hosts. */
  from: string;
  to: string;
  phase: Phase;
  /** Id of the task of this phase; of a phase `back` or `stuck`, that of what failed. */
  task: string;
}

/** In place of the id of a task that was not begun yet, or had nothing to do. */
export const NO_TASK = 'none';

export const formatTicket = ({ from, to, phase, task }: Ticket): string =>
  `haulout cold-move from=${from} to=${to} phase=${phase} task=${task}`;

const TICKET = /^haulout cold-move from=(?<from>\S+) to=(?<to>\S+) phase=(?<phase>\w+) task=(?<task>\S+)$/;

/** Undefined when the text is something else. */
export function parseTicket(text: string | undefined): Ticket | undefined {
  const { from, to, phase, task } = text?.match(TICKET)?.groups ?? {};
  const known = PHASES.find((one) => one === phase);
  return from === undefined || to === undefined || task === undefined || known === undefined
    ? undefined
    : { from, to, phase: known, task };
}
