/** Reports, plans and lists of sessions as lines of text. */
import { formatDuration } from '../core/duration.ts';
import type { Plan, PlannedHost, Report } from '../core/progress.ts';
import { counts } from './render-progress.ts';
import type { SessionEntry } from './sessions.ts';
import { table } from './table.ts';

const HOSTS_SHOWN = 60;
const TARGETS_SHOWN = 3;

export function renderReport(report: Report): string[] {
  const { session, site, state, reason, startedAt, endedAt, held, slowest, warnings } = report;
  const took =
    endedAt === undefined
      ? 'not ended'
      : `took ${formatDuration(Date.parse(endedAt) - Date.parse(startedAt))}`;
  return [
    `${session} at ${site} · ${state}${reason === '' ? '' : ` · ${reason}`}`,
    `started ${startedAt} · ${took}`,
    counts(report),
    ...list(
      'held',
      held.map(({ host, step, code, message }) => `${host} at ${step} · ${code}: ${message}`),
    ),
    ...list(
      'slowest',
      slowest.map(({ host, durationMs }) => `${host} ${formatDuration(durationMs)}`),
    ),
    ...list('warnings', warnings),
  ];
}

export function renderPlan(site: string, plan: Plan): string[] {
  const rows = plan.hosts.slice(0, HOSTS_SHOWN).map((host, index) => planRow(host, index));
  const hidden = plan.hostCount - rows.length;
  return [
    `Plan for ${plan.hostCount} hosts at ${site}; nothing was touched.`,
    `${plan.moves} moves (least possible ${plan.movesBound}) · about ${seconds(plan.makespan)} (least possible ${seconds(plan.makespanBound)})`,
    '',
    ...table(['#', 'HOST', 'AFTER', 'TAKES', 'MOVES', 'STOPS', 'TARGETS'], rows, [
      '#',
      'AFTER',
      'TAKES',
      'MOVES',
      'STOPS',
    ]),
    ...(hidden > 0 ? [`and ${hidden} more hosts; --json has the first 500`] : []),
    ...list('would block', plan.blockers),
  ];
}

export function renderSessions(entries: readonly SessionEntry[]): string[] {
  if (entries.length === 0) return ['No sessions.'];
  const rows = entries.map(({ session, site, state, status, startedAt, endedAt }) => [
    ...[session, site, state, status],
    ...[startedAt.slice(0, 19), endedAt?.slice(0, 19) ?? ''],
  ]);
  return table(['SESSION', 'SITE', 'STATE', 'STATUS', 'STARTED (UTC)', 'ENDED (UTC)'], rows);
}

function planRow(host: PlannedHost, index: number): string[] {
  const { targets } = host;
  const shown = targets.slice(0, TARGETS_SHOWN).join(', ');
  const hidden = targets.length - TARGETS_SHOWN;
  return [
    ...[String(index + 1), host.host, seconds(host.startsAfter), seconds(host.seconds)],
    ...[String(host.moves), String(host.stops), hidden > 0 ? `${shown} and ${hidden} more` : shown],
  ];
}

const seconds = (count: number): string => (count === 0 ? '0 s' : formatDuration(count * 1000));

const list = (title: string, items: readonly string[]): string[] =>
  items.length === 0 ? [] : ['', `${title}:`, ...items.map((item) => `  ${item}`)];
