/** How far a cold move is, as it stands in the attribute of the VM. Pure. */

/** `down`: shut down; `over`: relocated; `up`: started at its target; `back`: started where it was, since that failed. */
const PHASES = ['down', 'over', 'up', 'back'] as const;
export type Phase = (typeof PHASES)[number];

export interface Ticket {
  /** Id of the host. */
  to: string;
  phase: Phase;
  /** Id of the task of this phase; of a phase `back`, that of the relocation which failed. */
  task: string;
}

/** In place of the id of a task that was not begun yet, or had nothing to do. */
export const NO_TASK = 'none';

export const formatTicket = ({ to, phase, task }: Ticket): string =>
  `haulout cold-move to=${to} phase=${phase} task=${task}`;

/** Undefined when the text is something else. */
export function parseTicket(text: string | undefined): Ticket | undefined {
  const [, to, phase, task] = text?.match(/^haulout cold-move to=(\S+) phase=(\w+) task=(\S+)$/) ?? [];
  const known = PHASES.find((one) => one === phase);
  return to === undefined || task === undefined || known === undefined
    ? undefined
    : { to, phase: known, task };
}
