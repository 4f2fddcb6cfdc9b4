/** What the Web UI shows of a workflow as its current details: Markdown, the important things in the first lines. */
import type { Step } from './host-run.ts';
import { STEPS } from './host-run.ts';
import { listed, oneLine } from './listed.ts';
import type { Progress } from './progress.ts';

const NAMES_SHOWN = 5;
const BLOCKERS_SHOWN = 3;
const CHARS_SHOWN = 160;

/**
 * The pane clips what is tall, so lines are kept close together: Markdown breaks a line at two blanks. It also clips the
 * last of them, so that is an empty one.
 */
const render = (lines: readonly string[]): string => [...lines, '\u00a0'].join('  \n');

export interface HostView {
  host: string;
  session: string;
  step: Step;
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
  const done = STEPS.indexOf(view.step) / STEPS.length;
  const lines = [`**${escape(view.host)}** · ${view.step} · ${bar(done)}`];
  if (view.failedWith !== undefined) lines.push(`**Failed:** ${escape(view.failedWith)}`);
  if (view.waitsFor !== undefined) lines.push(`**Waits for:** ${escape(view.waitsFor)}`);
  lines.push(
    total === 0
      ? 'No instance has to leave.'
      : `${view.gone} of ${total} instances have left${after(' · still here: ', view.left)}`,
  );
  lines.push(`Session: ${escape(view.session)}`);
  return render(lines);
}

export function renderSession(progress: Progress): string {
  const { state, percent, eta, blockedBy, reason, inFlight, next } = progress;
  const end = eta === undefined ? '' : ` · done about ${eta.slice(0, 16).replace('T', ' ')} UTC`;
  const lines = [`**${state}** ${bar(percent / 100)} ${percent} %${end}`, counts(progress)];
  if (blockedBy.length > 0) lines.push(`**Blocked by:** ${blockers(blockedBy)}`);
  if (reason !== '') lines.push(escape(reason));
  const out = inFlight.map(
    ({ host, step, moved, total }) => `${host} ${step}${total > 0 ? ` ${moved} of ${total}` : ''}`,
  );
  if (out.length > 0) lines.push(`Out: ${cut(out)}`);
  if (next.length > 0) lines.push(`Next: ${cut(next)}`);
  return render(lines);
}

const counts = ({ hosts, instances }: Progress): string =>
  [
    `${hosts.done} of ${hosts.total} hosts done`,
    ...count(hosts.inFlight, 'out'),
    ...count(hosts.held, 'held'),
    ...count(hosts.pending, 'to go'),
    ...count(hosts.skipped, 'skipped'),
    ...count(hosts.rolledBack, 'rolled back'),
    `${instances.moved} of ${instances.total} instances moved`,
    ...count(instances.stopped, 'stopped'),
  ].join(' · ');

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

/** Vendors' words must not turn into Markdown, nor the pane into many lines. */
const escape = (text: string): string => oneLine(text, CHARS_SHOWN).replace(/[\\`*_{}[\]<>#|~]/g, '\\$&');
