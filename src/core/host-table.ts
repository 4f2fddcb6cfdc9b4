/** The hosts of a session and how each stands: what the session decides from. Pure bookkeeping, O(1) a change. */
import type { HostReport } from './host-report.ts';
import type { Checkpoint, Hold, HostOutcome } from './host-run.ts';
import type { HostInFlight, Progress } from './progress.ts';
import { decodeStatuses, encodeStatuses, HOST_STATUSES, type HostStatus, type OutHost } from './standing.ts';

const SLOWEST_KEPT = 10;
const WARNINGS_KEPT = 100;

/** A host that is out, with what it last reported. */
export type HostOut = OutHost &
  Pick<HostInFlight, 'step' | 'moved' | 'total' | 'waitsFor'> & { stopped: number; sinceMs: number };

/** The table as plain data, to be carried into the next run of the session. */
export interface HostTableState {
  hosts: string[];
  statuses: string;
  held: Hold[];
  checkpoints: Record<string, Checkpoint>;
  retry: string[];
  instancesTotal: number;
  moved: number;
  stopped: number;
  durationsMs: { count: number; sum: number };
  slowest: { host: string; durationMs: number }[];
  warnings: string[];
}

export class HostTable {
  readonly hosts: readonly string[];
  readonly instancesTotal: number;
  readonly out = new Map<string, HostOut>();
  readonly held = new Map<string, Hold>();
  readonly checkpoints = new Map<string, Checkpoint>();
  /** Held hosts that are to be taken up again. */
  readonly retry = new Set<string>();
  readonly slowest: { host: string; durationMs: number }[];
  readonly warnings: string[];

  private readonly statuses = new Map<string, HostStatus>();
  private readonly counts = new Map<HostStatus, number>(HOST_STATUSES.map((status) => [status, 0]));
  private readonly durationsMs: { count: number; sum: number };
  private moved: number;
  private stopped: number;

  constructor(state: HostTableState) {
    this.hosts = state.hosts;
    this.instancesTotal = state.instancesTotal;
    this.moved = state.moved;
    this.stopped = state.stopped;
    this.durationsMs = { ...state.durationsMs };
    this.slowest = [...state.slowest];
    this.warnings = [...state.warnings];
    decodeStatuses(state.statuses).forEach((status, index) => {
      const host = state.hosts[index];
      if (host !== undefined) this.set(host, status);
    });
    for (const hold of state.held) this.held.set(hold.host, hold);
    for (const [host, checkpoint] of Object.entries(state.checkpoints))
      this.checkpoints.set(host, checkpoint);
    for (const host of state.retry) this.retry.add(host);
  }

  static of(hosts: string[], instancesTotal: number): HostTable {
    return new HostTable({
      hosts,
      statuses: 'p'.repeat(hosts.length),
      held: [],
      checkpoints: {},
      retry: [],
      instancesTotal,
      moved: 0,
      stopped: 0,
      durationsMs: { count: 0, sum: 0 },
      slowest: [],
      warnings: [],
    });
  }

  /** Only while no host is out: what runs now cannot be carried. */
  toState(): HostTableState {
    return {
      hosts: [...this.hosts],
      statuses: this.encodedStatuses(),
      held: [...this.held.values()],
      checkpoints: Object.fromEntries(this.checkpoints),
      retry: [...this.retry],
      instancesTotal: this.instancesTotal,
      moved: this.moved,
      stopped: this.stopped,
      durationsMs: this.durationsMs,
      slowest: this.slowest,
      warnings: this.warnings,
    };
  }

  encodedStatuses(): string {
    return encodeStatuses(this.hosts.map((host) => this.statuses.get(host) ?? 'pending'));
  }

  status(host: string): HostStatus | undefined {
    return this.statuses.get(host);
  }

  count(status: HostStatus): number {
    return this.counts.get(status) ?? 0;
  }

  /** Hosts that this session has done; those it took over from another are not among them. */
  get doneHere(): number {
    return this.durationsMs.count;
  }

  /** Mean time a host took so far, in milliseconds; undefined before the first came back. */
  get meanDurationMs(): number | undefined {
    const { count, sum } = this.durationsMs;
    return count === 0 ? undefined : sum / count;
  }

  start(out: OutHost, nowMs: number): void {
    this.set(out.host, 'out');
    this.retry.delete(out.host);
    this.held.delete(out.host);
    const before = this.checkpoints.get(out.host);
    this.out.set(out.host, {
      ...out,
      step: before?.step ?? 'precheck',
      moved: before?.moved.length ?? 0,
      stopped: before?.stopped.length ?? 0,
      total: (before?.moved.length ?? 0) + out.placement.length,
      sinceMs: nowMs,
    });
  }

  report(report: HostReport): void {
    const out = this.out.get(report.host);
    if (!out) return;
    out.step = report.step;
    out.moved = report.moved;
    out.stopped = report.stopped;
    out.total = report.total;
    if (report.drained === true) out.drained = true;
    if (report.recovering === true) out.recovering = true;
    else delete out.recovering;
    this.noteWait(report.host, report.waitsFor);
  }

  noteWait(host: string, what: string | undefined): void {
    const out = this.out.get(host);
    if (!out) return;
    if (what === undefined) delete out.waitsFor;
    else out.waitsFor = what;
  }

  finish(outcome: HostOutcome): void {
    this.close(outcome.host, outcome.outcome);
    this.moved += outcome.moved;
    this.stopped += outcome.stopped;
    this.warn(...outcome.warnings);
    if (outcome.outcome !== 'done') return;
    this.durationsMs.count += 1;
    this.durationsMs.sum += outcome.durationMs;
    this.slowest.push({ host: outcome.host, durationMs: outcome.durationMs });
    this.slowest.sort((a, b) => b.durationMs - a.durationMs);
    this.slowest.splice(SLOWEST_KEPT);
  }

  /** The host is in service again, without its maintenance. */
  giveUp(host: string, status: 'rolled-back' | 'skipped', warning?: string): void {
    const before = this.out.get(host) ?? this.checkpointCounts(host);
    this.moved += before.moved;
    this.stopped += before.stopped;
    this.close(host, status);
    if (warning !== undefined) this.warn(warning);
  }

  hold(hold: Hold, checkpoint: Checkpoint | undefined): void {
    this.out.delete(hold.host);
    this.retry.delete(hold.host);
    this.set(hold.host, 'held');
    this.held.set(hold.host, hold);
    if (checkpoint) this.checkpoints.set(hold.host, checkpoint);
  }

  /** A host that was not touched after all is to be taken later. */
  requeue(host: string): void {
    this.out.delete(host);
    this.set(host, 'pending');
  }

  /** Held hosts back among those to be taken. */
  retryHeld(host: string): void {
    this.set(host, 'pending');
    this.held.delete(host);
    this.retry.add(host);
  }

  warn(...warnings: string[]): void {
    this.warnings.push(...warnings.slice(0, WARNINGS_KEPT - this.warnings.length));
  }

  /** Takes over how hosts stood in a session that ended. */
  inherit(hosts: readonly string[], statuses: string, checkpoints: Record<string, Checkpoint>): void {
    decodeStatuses(statuses).forEach((status, index) => {
      const host = hosts[index];
      if (host === undefined || !this.statuses.has(host)) return;
      if (status === 'done' || status === 'skipped') this.set(host, status);
      const checkpoint = checkpoints[host];
      if (checkpoint) this.checkpoints.set(host, checkpoint);
      if (status === 'held' || status === 'out') this.retry.add(host);
    });
  }

  hostCounts(): Progress['hosts'] {
    return {
      total: this.hosts.length,
      pending: this.count('pending'),
      inFlight: this.count('out'),
      done: this.count('done'),
      held: this.count('held'),
      skipped: this.count('skipped'),
      rolledBack: this.count('rolled-back'),
    };
  }

  instanceCounts(): Progress['instances'] {
    let { moved, stopped } = this;
    for (const out of this.out.values()) {
      moved += out.moved;
      stopped += out.stopped;
    }
    for (const host of [...this.held.keys(), ...this.retry]) {
      const counts = this.checkpointCounts(host);
      moved += counts.moved;
      stopped += counts.stopped;
    }
    return { total: this.instancesTotal, moved, stopped };
  }

  private checkpointCounts(host: string): { moved: number; stopped: number } {
    const checkpoint = this.checkpoints.get(host);
    return { moved: checkpoint?.moved.length ?? 0, stopped: checkpoint?.stopped.length ?? 0 };
  }

  private close(host: string, status: HostStatus): void {
    this.out.delete(host);
    this.held.delete(host);
    this.retry.delete(host);
    this.checkpoints.delete(host);
    this.set(host, status);
  }

  private set(host: string, status: HostStatus): void {
    const before = this.statuses.get(host);
    if (before === status) return;
    if (before !== undefined) this.counts.set(before, this.count(before) - 1);
    this.counts.set(status, this.count(status) + 1);
    this.statuses.set(host, status);
  }
}
