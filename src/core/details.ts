/** What the Web UI shows of a workflow as its current details: Markdown, the important things in the first lines. */
import type { Step } from './host-run.ts';
import { STEPS } from './host-run.ts';
import { listed, oneLine } from './listed.ts';
import type { NoticeView } from './dialogue.ts';
import type { Progress } from './progress.ts';

const NAMES_SHOWN = 5;
const BLOCKERS_SHOWN = 3;
const CHARS_SHOWN = 320;

/**
 * The pane clips what is tall, so lines are kept close together: Markdown breaks a line at two blanks. It also clips the
 * last of them, so that is an empty one.
 */
const render = (lines: readonly string[]): string => [...lines, '\u00a0'].join('  \n');

export interface HostView {
  host: string;
  session: string;
  step: Step;
  /** When the step began, RFC 3339. */
  since: string;
  /** Absent on its way to its work and back. */
  course?: 'being-put-back' | 'put-back' | 'done';
  /** Instances that have left. */
  gone: number;
  /** Names of those still to go. */
  left: string[];
  waitsFor?: string;
  /** Why its run ended early. */
  failedWith?: string;
}

export function renderHost(view: HostView): string {
  const total = view.gone + view.left.length;
  const lines = [`**${escape(view.host)}** · ${whereabouts(view)}`];
  if (view.failedWith !== undefined) lines.push(`**Failed:** ${escape(view.failedWith)}`);
  if (view.waitsFor !== undefined) lines.push(`**Waits for:** ${escape(view.waitsFor)}`);
  if (view.course === 'being-put-back') {
    lines.push('**Is being put back into service**, once what it has begun on the platform has ended');
  } else if (view.course !== 'put-back') {
    if (total > 0)
      lines.push(`${view.gone} of ${total} instances have left${after(' · still here: ', view.left)}`);
    // Before the precheck is over nobody has counted them.
    else if (view.step !== 'precheck') lines.push('No instance has to leave.');
  }
  lines.push(`Session: ${escape(view.session)}`);
  return render(lines);
}

function whereabouts({ step, since, course }: HostView): string {
  if (course === 'done') return `done · ${bar(1)}`;
  if (course === 'put-back') return 'put back into service';
  return `${step} · ${bar(STEPS.indexOf(step) / STEPS.length)} · since ${utc(since, 16)}`;
}

export function renderSession(progress: Progress): string {
  const { state, percent, eta, blockedBy, reason, inFlight, next } = progress;
  const end = eta === undefined ? '' : ` · done about ${utc(eta, 16)}`;
  const lines = [`**${state}** ${bar(percent / 100)} ${percent} %${end}`, counts(progress)];
  if (blockedBy.length > 0) lines.push(`**Blocked by:** ${blockers(blockedBy)}`);
  if (blockedBy.some((what) => what.startsWith('an answer of '))) {
    lines.push(
      `To answer for a project: signal answer to its workflow dialogue/${escape(progress.session)}/…`,
    );
  }
  if (reason !== '') lines.push(escape(reason));
  const out = inFlight.map(
    ({ host, step, moved, total }) => `${host} ${step}${total > 0 ? ` ${moved} of ${total}` : ''}`,
  );
  if (out.length > 0) lines.push(`Out: ${cut(out)}`);
  if (next.length > 0) lines.push(`Next: ${cut(next)}`);
  return render(lines);
}

export function renderDialogue(view: NoticeView & { refused: string | undefined }): string {
  const { project, state, instances, allowedActions, replyAt, answered, closed, refused } = view;
  const until = `until ${utc(replyAt, 19)}`;
  const lines = [
    `**${state}** to project ${escape(project)} · ${instances.length} ${instances.length === 1 ? 'instance' : 'instances'}`,
  ];
  if (answered) lines.push(`**${answered.agreed ? 'Agreed' : 'Refused'}** at ${utc(answered.at, 19)}`);
  else lines.push(closed === true ? `**Silent** ${until}` : `**Waits for its answer** ${until}`);
  if (!answered && closed !== true) {
    const choice =
      allowedActions.length === 0 ? '' : `; with "instanceAction" for all: ${allowedActions.join(', ')}`;
    lines.push(escape(`Signal answer: {"state": "ACK_${state}"} or {"state": "NACK_${state}"}${choice}`));
  }
  if (refused !== undefined) lines.push(`An answer that did not count: ${escape(refused)}`);
  return render(lines);
}

export interface ConstraintsSummary {
  site: string;
  shard: number;
  shards: number;
  instances: number;
  groups: number;
}

export function renderConstraints({ site, shard, shards, instances, groups }: ConstraintsSummary): string {
  return render([
    `**Constraints of ${escape(site)}** · part ${shard} of 0 to ${shards - 1}`,
    `${instances} instances · ${groups} groups`,
  ]);
}

const counts = ({ state, hosts, instances, warnings }: Progress): string => {
  if (hosts.total === 0) return 'Its hosts are not known yet.';
  return [
    `${hosts.done} of ${hosts.total} hosts done`,
    ...count(hosts.inFlight, 'out'),
    ...count(hosts.held, 'held'),
    ...count(hosts.pending, state === 'MAINTENANCE_CANCELLED' ? 'not started' : 'to go'),
    ...count(hosts.skipped, 'skipped'),
    ...count(hosts.rolledBack, 'rolled back'),
    movesOf(instances),
    ...count(instances.stopped, 'stopped'),
    ...count(warnings, 'warnings: see the query report'),
  ].join(' · ');
};

/** `2027-03-01 22:25 UTC`: so many characters of an RFC 3339 time in UTC. */
export const utc = (time: string, chars: number): string => `${time.slice(0, chars).replace('T', ' ')} UTC`;

/** Where hosts have no room but on each other, an instance moves more often than once. */
export const movesOf = ({ moved, total }: Progress['instances']): string =>
  moved > total ? `${moved} moves of ${total} instances` : `${moved} of ${total} instances moved`;

const blockers = (all: readonly string[]): string => listed(all.map(escape), BLOCKERS_SHOWN, ' — ');

/** `█████░░░░░`, for a share from 0 to 1. */
export function bar(share: number, width = 20): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}

const count = (value: number, what: string): string[] => (value === 0 ? [] : [`${value} ${what}`]);

const after = (prefix: string, names: readonly string[]): string =>
  names.length === 0 ? '' : prefix + cut(names);

const cut = (names: readonly string[]): string => listed(names.map(escape), NAMES_SHOWN);

/** Vendors' words must not turn into Markdown, nor the pane into many lines. Within a word `_` is no Markdown. */
const escape = (text: string): string =>
  oneLine(text, CHARS_SHOWN).replace(/[\\`*{}[\]<>#|~]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, '\\$&');
