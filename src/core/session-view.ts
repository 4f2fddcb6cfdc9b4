/** What a session shows of itself: the answers of `progress` and `report`, made from what it knows. Pure. */
import type { HostTable } from './host-table.ts';
import type { Plan, Progress, Report } from './progress.ts';
import type { SessionState } from './session-state.ts';

const HELD_SHOWN = 100;
const OUT_SHOWN = 200;
const NEXT_SHOWN = 20;

export interface SessionFacts {
  session: string;
  site: string;
  state: SessionState;
  reason: string;
  table: HostTable;
  /** What blocks beside held and waiting hosts. */
  blockedBy: string[];
  next: string[];
  /** Epoch milliseconds. */
  startedAt: number;
  /** When the first host was taken out; undefined before. */
  firstHostAt?: number;
  endedAt?: number;
  now: number;
  /** Hosts that may be out at one time. */
  concurrency: number;
  /** How long the plan expects it to take, in milliseconds. */
  plannedMs?: number;
  /** It goes on by itself: an end can be foreseen. */
  moving: boolean;
}

export function describeProgress(facts: SessionFacts): Progress {
  const { table } = facts;
  const hosts = table.hostCounts();
  const held = [...table.held.values()];
  const out = [...table.out.values()].slice(0, OUT_SHOWN);
  // How long others take to answer or to make room nobody can estimate.
  const allWait = out.length > 0 && out.every(({ waitsFor }) => waitsFor !== undefined);
  const eta = facts.moving && !allWait ? estimateEnd(facts) : undefined;
  return {
    session: facts.session,
    site: facts.site,
    state: facts.state,
    reason: facts.reason,
    hosts,
    instances: table.instanceCounts(),
    inFlight: out.map(({ host, step, moved, stopped, total, waitsFor, sinceMs }) => ({
      host,
      step,
      moved: moved + stopped,
      total,
      since: rfc3339(sinceMs),
      ...(waitsFor === undefined ? {} : { waitsFor }),
    })),
    held: held.slice(0, HELD_SHOWN),
    next: facts.next.slice(0, NEXT_SHOWN),
    blockedBy: [
      ...held.slice(0, HELD_SHOWN).map(({ message }) => message),
      ...out.flatMap(({ waitsFor }) => (waitsFor === undefined ? [] : [waitsFor])),
      ...facts.blockedBy,
    ],
    warnings: table.warnings.length,
    percent: percentOf(hosts),
    startedAt: rfc3339(facts.startedAt),
    ...(eta === undefined ? {} : { eta: rfc3339(eta) }),
  };
}

export function describeReport(facts: SessionFacts, plan: Plan | undefined): Report {
  const { table } = facts;
  return {
    session: facts.session,
    site: facts.site,
    state: facts.state,
    reason: facts.reason,
    startedAt: rfc3339(facts.startedAt),
    ...(facts.endedAt === undefined ? {} : { endedAt: rfc3339(facts.endedAt) }),
    hosts: table.hostCounts(),
    instances: table.instanceCounts(),
    held: [...table.held.values()].slice(0, HELD_SHOWN),
    slowest: table.slowest,
    warnings: table.warnings,
    ...(plan === undefined ? {} : { plan }),
  };
}

function percentOf({ total, done, skipped, rolledBack }: Progress['hosts']): number {
  return total === 0 ? 0 : Math.floor((100 * (done + skipped + rolledBack)) / total);
}

/**
 * By what was measured: the pace so far once a few hosts are back, before that their mean, and before that the plan, until
 * its time is over.
 */
function estimateEnd({
  table,
  now,
  startedAt,
  firstHostAt,
  concurrency,
  plannedMs,
}: SessionFacts): number | undefined {
  const remaining = table.count('pending') + table.count('out') / 2;
  const done = table.doneHere;
  const mean = table.meanDurationMs;
  if (mean === undefined || firstHostAt === undefined) {
    const planned = plannedMs === undefined ? undefined : (firstHostAt ?? startedAt) + plannedMs;
    return planned === undefined || planned <= now ? undefined : planned;
  }
  const perHost = done > concurrency ? (now - firstHostAt) / done : mean / concurrency;
  return Math.round(now + remaining * perHost);
}

const rfc3339 = (milliseconds: number): string => new Date(milliseconds).toISOString();
