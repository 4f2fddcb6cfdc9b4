/** What the Web UI shows of a workflow as its current details: Markdown, the important things in the first lines. */
import type { Step } from './host-run.ts';
import { STEPS } from './host-run.ts';
import type { Progress } from './progress.ts';

/** The pane clips tall content after about six lines. */
const NAMES_SHOWN = 5;

export interface HostView {
  host: string;
  session: string;
  step: Step;
  /** Instances that have left. */
  gone: number;
  /** Names of those still to go. */
  left: string[];
  waitsFor?: string;
}

export function renderHost(view: HostView): string {
  const total = view.gone + view.left.length;
  const done = STEPS.indexOf(view.step) / STEPS.length;
  const lines = [`**${view.host}** · ${view.step} · ${bar(done)}`];
  if (view.waitsFor !== undefined) lines.push(`**Waits for:** ${escape(view.waitsFor)}`);
  lines.push(
    total === 0
      ? 'No instance has to leave.'
      : `${view.gone} of ${total} instances have left${listed(' · still here: ', view.left)}`,
  );
  lines.push(`Session: ${escape(view.session)}`);
  return lines.join('\n\n');
}

export function renderSession(progress: Progress): string {
  const { hosts, instances } = progress;
  const lines = [`**${progress.state}** ${bar(progress.percent / 100)} ${progress.percent} %`];
  if (progress.blockedBy.length > 0)
    lines.push(`**Blocked by:** ${progress.blockedBy.slice(0, 3).map(escape).join(' — ')}`);
  const counts = [
    `${hosts.done} of ${hosts.total} hosts done`,
    ...count(hosts.inFlight, 'out'),
    ...count(hosts.held, 'held'),
    ...count(hosts.pending, 'to go'),
    ...count(hosts.skipped, 'skipped'),
    ...count(hosts.rolledBack, 'rolled back'),
    `${instances.moved} of ${instances.total} instances moved`,
    ...count(instances.stopped, 'stopped'),
  ];
  lines.push(counts.join(' · '));
  if (progress.reason !== '') lines.push(escape(progress.reason));
  const out = progress.inFlight.map(
    ({ host, step, moved, total }) => `${host} ${step}${total > 0 ? ` ${moved} of ${total}` : ''}`,
  );
  const tail = [
    progress.eta === undefined ? '' : `done about ${progress.eta.slice(0, 16).replace('T', ' ')} UTC`,
    out.length === 0 ? '' : `out: ${cut(out)}`,
    progress.next.length === 0 ? '' : `next: ${cut(progress.next)}`,
  ].filter((part) => part !== '');
  if (tail.length > 0) lines.push(tail.join(' · '));
  return lines.join('\n\n');
}

/** `█████░░░░░`, for a share from 0 to 1. */
export function bar(share: number, width = 20): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}

const count = (value: number, what: string): string[] => (value === 0 ? [] : [`${value} ${what}`]);

const listed = (prefix: string, names: readonly string[]): string =>
  names.length === 0 ? '' : prefix + cut(names);

const cut = (names: readonly string[]): string =>
  names.length <= NAMES_SHOWN
    ? names.join(', ')
    : `${names.slice(0, NAMES_SHOWN).join(', ')} and ${names.length - NAMES_SHOWN} more`;

/** Vendors' words must not turn into Markdown, nor the pane into many lines. */
const escape = (text: string): string =>
  text
    .replace(/\s+/g, ' ')
    .replace(/[\\`*_{}[\]<>#|]/g, '\\$&')
    .slice(0, 400);
