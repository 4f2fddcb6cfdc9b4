import { CancellationScope, ChildWorkflowFailure, isCancellation, log } from '@temporalio/workflow';
import type { ChosenHost } from '../../activities/contract.ts';
import { durationMs } from '../../src/core/duration.ts';
import type { ErrorCode } from '../../src/core/errors.ts';
import type { HostMaintenanceInput, HostOutcome, HostSpec } from '../../src/core/host-run.ts';
import { PLAIN_REQUEST } from '../../src/core/platform-options.ts';
import { viewFailure } from '../failures.ts';
import { failureDetails, runHost } from './run-host.ts';
import type { SessionRecord } from './session-record.ts';

/** So often a host that takes as long as expected tells the session where it is. */
const REPORTS_PER_HOST = 10;

/**
 * Each report is an event, and a line in the timeline that people look at: small sessions are watched live, in large ones
 * the reports would fill the history.
 */
function reportEveryMs(hosts: number, estimateMs: number): number {
  if (hosts > 1_000) return 0;
  const wanted = Math.min(5 * 60_000, Math.round(estimateMs / REPORTS_PER_HOST));
  return Math.max(hosts <= 100 ? 2_000 : 60_000, wanted);
}

/** Runs the workflows of a session's hosts, and writes into its record what comes of them. */
export class HostRunner {
  private readonly record: SessionRecord;
  /** Each host runs in a scope of its own, so that it can be cancelled alone. */
  private readonly scopes = new Map<string, CancellationScope>();

  constructor(record: SessionRecord) {
    this.record = record;
  }

  /** Takes a host out. */
  launch(chosen: ChosenHost): void {
    const { record } = this;
    const { host, placement, moveSlots, groupShares } = chosen;
    record.firstHostAt ??= Date.now();
    record.table.start({ host, placement, moveSlots, groupShares, drained: false }, Date.now());
    record.noteLaunch(host, placement.length > 0);
    this.watch(this.inputFor(chosen, 'maintain'));
  }

  /** Puts a held host back into service without its maintenance. */
  putBack(host: string, as: 'rolled-back' | 'skipped'): void {
    const { puttingBack } = this.record;
    if (puttingBack.has(host)) return;
    puttingBack.set(host, as);
    const nothingToMove = { placement: [], moveSlots: 1, groupShares: {}, estimateMs: 0, overrides: {} };
    this.watch(this.inputFor({ host, role: 'other', ...nothingToMove }, 'restore'));
  }

  /** Has a host in flight roll back. */
  rollBack(host: string): void {
    this.record.puttingBack.set(host, 'rolled-back');
    this.scopes.get(host)?.cancel();
  }

  /** Has every host in flight roll back, for the end of the session. */
  cancelAll(): void {
    for (const host of this.record.table.out.keys()) this.scopes.get(host)?.cancel();
  }

  /** Writes down that a host has ended. */
  finished(host: string, note: () => void): void {
    const { record } = this;
    note();
    this.scopes.delete(host);
    record.puttingBack.delete(host);
    record.notePrepared(host);
    const { pauseBetweenHosts } = record.spec;
    if (pauseBetweenHosts !== undefined) record.notBefore = Date.now() + durationMs(pauseBetweenHosts);
    record.touch();
  }

  private watch(input: HostMaintenanceInput): void {
    const { host } = input;
    const scope = new CancellationScope();
    this.scopes.set(host, scope);
    const running = scope.run(() =>
      runHost(input, (what) => {
        this.record.table.noteWait(host, what);
        this.record.show();
      }),
    );
    void running.then(
      (outcome) => this.finished(host, () => this.noteOutcome(outcome)),
      (error: unknown) => this.finished(host, () => this.noteFailure(host, error)),
    );
  }

  private noteOutcome(outcome: HostOutcome): void {
    const { table, puttingBack } = this.record;
    // A host whose work was over when it was told to roll back has been brought to its end all the same.
    if (outcome.outcome === 'done') {
      table.finish(outcome);
      return;
    }
    table.giveUp(outcome.host, puttingBack.get(outcome.host) ?? 'rolled-back');
    table.warn(...outcome.warnings);
  }

  private noteFailure(host: string, error: unknown): void {
    const { record } = this;
    if (isCancellation(error) && !(error instanceof ChildWorkflowFailure)) {
      this.noteNotStarted(host);
      return;
    }
    if (isCancellation(error)) {
      const wasAsked = record.cancel !== undefined || record.puttingBack.has(host);
      const warning = wasAsked ? undefined : `${host}: its workflow was cancelled from outside`;
      record.table.giveUp(host, 'rolled-back', warning);
      return;
    }
    const found = viewFailure(error);
    if (found.code === 'HostBusy' && record.spec.onBusyHost === 'wait') {
      // Another session has got it first; it is chosen again when that one lets go.
      record.table.requeue(host);
      return;
    }
    const checkpoint = failureDetails(error)?.checkpoint;
    if (checkpoint?.rolledBack === true) {
      record.failedAndRolledBack += 1;
      record.table.giveUp(host, 'rolled-back', found.message);
      return;
    }
    if (found.code === 'RollbackFailed') record.stuck.add(host);
    if (this.failsSession(found.code)) record.problem = found;
    log.warn('host held', { host, code: found.code, message: found.message });
    const step = checkpoint?.step ?? record.table.out.get(host)?.step ?? 'precheck';
    const message = found.message.includes(host) ? found.message : `${host}: ${found.message}`;
    const since = new Date(Date.now()).toISOString();
    record.table.hold({ host, step, ...found, message, since }, checkpoint);
  }

  /** Whether no more hosts are to start, however many may be held. */
  private failsSession(code: ErrorCode): boolean {
    const { onRefusal, onSilence } = this.record.spec.projects ?? {};
    return (
      (code === 'ProjectRefused' && onRefusal === 'fail') ||
      (code === 'ProjectSilent' && onSilence === 'fail')
    );
  }

  /** Cancelled while it waited for its lock: no workflow of ours has run, so nothing was put back either. */
  private noteNotStarted(host: string): void {
    const { table, puttingBack } = this.record;
    const checkpoint = table.checkpoints.get(host);
    if (checkpoint) {
      const message = `${host}: cancelled while it waited for another session to let go of it`;
      const since = new Date(Date.now()).toISOString();
      table.hold(
        { host, step: checkpoint.step, code: 'HostBusy', message, retryable: false, since },
        checkpoint,
      );
    } else if (puttingBack.has(host)) table.giveUp(host, 'rolled-back');
    else table.requeue(host);
  }

  private inputFor(chosen: ChosenHost, purpose: HostMaintenanceInput['purpose']): HostMaintenanceInput {
    const { record } = this;
    const { spec, table, budget } = record;
    const checkpoint = table.checkpoints.get(chosen.host);
    return {
      session: record.id,
      chain: record.chain,
      site: spec.site,
      host: chosen.host,
      role: chosen.role,
      spec: {
        actions: record.actions,
        instances: {
          mode: spec.instances.mode,
          stopped: spec.instances.stopped,
          return: spec.instances.return,
          overrides: chosen.overrides,
        },
        timeouts: spec.timeouts,
        onFailure: spec.onFailure,
        onBusyHost: spec.onBusyHost,
        metadata: spec.metadata,
        ...this.askOfPlatform(),
      },
      placement: chosen.placement,
      moveSlots: chosen.moveSlots,
      groupShares: chosen.groupShares,
      ...(checkpoint === undefined ? {} : { checkpoint }),
      purpose,
      adopts: record.adopts,
      ...(purpose === 'maintain' ? this.questionsFor(chosen.host) : {}),
      ...(record.announces.includes('maintenance.host') ? { announces: true } : {}),
      reportEveryMs: reportEveryMs(table.hosts.length, chosen.estimateMs),
      reportDrained: budget.maxConcurrentMoves !== undefined || Object.keys(chosen.groupShares).length > 0,
    };
  }

  /** The budget may change while the session runs. */
  private askOfPlatform(): { maintenance?: NonNullable<HostSpec['maintenance']> } {
    const { maintenance, budget } = this.record;
    if (budget.beyondPlatformLimits === true) {
      return { maintenance: { ...(maintenance ?? PLAIN_REQUEST), beyondLimits: true } };
    }
    return maintenance === undefined ? {} : { maintenance };
  }

  private questionsFor(host: string): Pick<HostMaintenanceInput, 'projects'> {
    const { spec, preparing } = this.record;
    if (spec.projects === undefined) return {};
    const { onSilence, onRefusal, replyWithin } = spec.projects;
    const state = preparing.has(host) ? 'PREPARE_MAINTENANCE' : 'PLANNED_MAINTENANCE';
    return { projects: { style: spec.workflow, state, onSilence, onRefusal, replyWithin } };
  }
}
