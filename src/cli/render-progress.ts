/** The progress of a session as lines of text: a live picture for terminals, and what changed for logs. */
import { bar, movesOf } from '../core/details.ts';
import { formatDuration } from '../core/duration.ts';
import { STEPS } from '../core/host-run.ts';
import type { HostInFlight, Progress } from '../core/progress.ts';
import { cut } from './table.ts';

const HOSTS_SHOWN = 20;
const NEXT_SHOWN = 5;
const HOST_BAR = 16;

/** A picture of the session: a bar in all and one for each host that is out, what is held and what blocks. */
export function renderProgress(
  progress: Progress,
  { columns, now }: { columns: number; now: Date },
): string[] {
  const { session, site, state, percent, hosts, held, inFlight, next, reason, warnings } = progress;
  const width = Math.max(0, ...[...inFlight, ...held].map(({ host }) => host.length));
  const lines = [
    `${session} at ${site} · ${state}${reason === '' ? '' : ` · ${reason}`}`,
    `${bar(percent / 100, 30)} ${percent} % · ${counts(progress)}${remaining(progress, now)}`,
    ...inFlight.slice(0, HOSTS_SHOWN).map((host) => renderHost(host, width)),
    ...more(inFlight.length, hosts.inFlight, 'out'),
    ...(warnings > 0 ? [`  ${ofWarnings(warnings)}`] : []),
    ...held
      .slice(0, HOSTS_SHOWN)
      .map(
        ({ host, step, code, message }) => `  ${host.padEnd(width)}  held at ${step} · ${code}: ${message}`,
      ),
    ...more(held.length, hosts.held, 'held'),
    ...otherBlockers(progress).map((blocker) => `  blocked by: ${blocker}`),
  ];
  if (next.length > 0)
    lines.push(`  next: ${next.slice(0, NEXT_SHOWN).join(', ')}${next.length > NEXT_SHOWN ? ', …' : ''}`);
  return lines.map((line) => cut(line, columns));
}

/** What is different from the progress before, a line for each change. */
export function describeChanges(before: Progress | undefined, after: Progress): string[] {
  const lines: string[] = [];
  if (before?.state !== after.state || before.reason !== after.reason) {
    lines.push(after.reason === '' ? after.state : `${after.state}: ${after.reason}`);
  }
  const wereOut = new Map(before?.inFlight.map((host) => [host.host, host]));
  for (const host of after.inFlight) {
    const was = wereOut.get(host.host);
    wereOut.delete(host.host);
    if (was?.step !== host.step || was.moved !== host.moved) lines.push(`${host.host}: ${standing(host)}`);
    if (host.waitsFor !== undefined && host.waitsFor !== was?.waitsFor) {
      lines.push(`${host.host} waits for ${host.waitsFor}`);
    }
  }
  const wereHeld = new Set(before?.held.map(({ host, since }) => `${host} ${since}`));
  for (const { host, step, code, message, since } of after.held) {
    wereOut.delete(host);
    if (!wereHeld.has(`${host} ${since}`)) lines.push(`${host}: held at ${step} · ${code}: ${message}`);
  }
  for (const host of wereOut.keys()) lines.push(`${host}: back in service`);
  const wasBlockedBy = new Set(before?.blockedBy);
  for (const blocker of otherBlockers(after)) {
    if (!wasBlockedBy.has(blocker)) lines.push(`blocked by: ${blocker}`);
  }
  if (after.warnings > (before?.warnings ?? 0)) lines.push(ofWarnings(after.warnings));
  if (before === undefined || finished(before) !== finished(after)) {
    lines.push(`${after.percent} % · ${counts(after)}`);
  }
  return lines;
}

/** `5 of 12 hosts done · 2 out · 23 of 60 instances moved`. */
export function counts({ hosts, instances }: Pick<Progress, 'hosts' | 'instances'>): string {
  if (hosts.total === 0) return 'its hosts are not known yet';
  const optional = [
    [hosts.inFlight, 'out'],
    [hosts.held, 'held'],
    [hosts.skipped, 'skipped'],
    [hosts.rolledBack, 'rolled back'],
  ] as const;
  return [
    `${hosts.done} of ${hosts.total} hosts done`,
    ...optional.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`),
    movesOf(instances),
    ...(instances.stopped > 0 ? [`${instances.stopped} stopped`] : []),
  ].join(' · ');
}

function renderHost(host: HostInFlight, width: number): string {
  const waits = host.waitsFor === undefined ? '' : ` · waits for ${host.waitsFor}`;
  return `  ${host.host.padEnd(width)}  ${bar(share(host), HOST_BAR)}  ${standing(host)}${waits}`;
}

const standing = ({ step, moved, total }: HostInFlight): string =>
  step === 'drain' && total > 0 ? `${step}, ${moved} of ${total} instances have left` : step;

/** How far through its steps a host is, from 0 to 1; within the drain, by what has left. */
function share({ step, moved, total }: HostInFlight): number {
  const within = step === 'drain' && total > 0 ? moved / total : 0;
  return (STEPS.indexOf(step) + within) / STEPS.length;
}

const finished = ({ hosts }: Progress): number => hosts.done + hosts.skipped + hosts.rolledBack;

/** Held hosts and what hosts wait for are shown with them. */
function otherBlockers({ blockedBy, held, inFlight }: Progress): string[] {
  const shown = new Set([...held.map(({ message }) => message), ...inFlight.map(({ waitsFor }) => waitsFor)]);
  return blockedBy.filter((blocker) => !shown.has(blocker)).slice(0, 3);
}

const ofWarnings = (count: number): string => `${count} warnings: see the report`;

function remaining({ eta }: Progress, now: Date): string {
  if (eta === undefined) return '';
  return ` · about ${formatDuration(Math.max(0, Date.parse(eta) - now.getTime()))} to go`;
}

function more(given: number, total: number, what: string): string[] {
  const hidden = total - Math.min(given, HOSTS_SHOWN);
  return hidden > 0 ? [`  and ${hidden} more ${what}`] : [];
}
