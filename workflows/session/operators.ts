import { getExternalWorkflowHandle, setDefaultSignalHandler, setHandler } from '@temporalio/workflow';
import { hostReport } from '../../src/core/host-report.ts';
import { oneLine } from '../../src/core/listed.ts';
import type { Progress } from '../../src/core/progress.ts';
import {
  approveMessage,
  describeIssues,
  type ApproveMessage,
  type CancelMessage,
  type ContinueMessage,
} from '../../src/core/session-spec.ts';
import { hostWorkflowId } from '../../src/names.ts';
import { failWith } from '../failures.ts';
import {
  approveSignal,
  cancelSignal,
  cancelUpdate,
  continueSignal,
  continueUpdate,
  hostReportSignal,
  pauseSignal,
  pauseUpdate,
  planQuery,
  progressQuery,
  reportQuery,
  setBudgetUpdate,
  standingQuery,
} from '../messages.ts';
import {
  UNKNOWN_KEY,
  readBudget,
  readCancel,
  readContinue,
  readPause,
  type Command,
  type CommandContext,
} from './commands.ts';
import type { HostRunner } from './host-runner.ts';
import type { SessionRecord } from './session-record.ts';

/** Characters of a signal's name that are shown: anything may be sent. */
const NAME_SHOWN = 40;

/** Something operators may ask for: how it is read and checked, and what it changes. */
interface Order<Message> {
  name: string;
  read: (raw: unknown, context: CommandContext) => Command<Message>;
  apply: (message: Message) => void;
}

/** Takes what operators ask of a session, by signal or update, and answers queries. */
export class Operators {
  private readonly record: SessionRecord;
  private readonly hosts: HostRunner;
  /** Ends what the session itself waits for. */
  private readonly interrupt: () => void;

  constructor(record: SessionRecord, hosts: HostRunner, interrupt: () => void) {
    this.record = record;
    this.hosts = hosts;
    this.interrupt = interrupt;
  }

  /** Registers every handler; call before anything is awaited. */
  listen(): void {
    const { record } = this;
    const cancel = order('cancel', readCancel, (message) => this.cancel(message));
    const goOn = order('continue', readContinue, (message) => this.continue(message));
    const pause = order('pause', readPause, ({ reason = 'paused by an operator' }) => {
      record.paused = reason;
    });
    const setBudget = order('setBudget', readBudget, (budget) => {
      record.budget = budget;
    });

    setHandler(cancelSignal, (raw) => this.obey(cancel, raw), {
      description:
        'End the session early: {"mode": "rollback"|"finish", "reason": "…"}; by default hosts in flight are rolled back',
    });
    setHandler(continueSignal, (raw) => this.obey(goOn, raw), {
      description:
        'Go on after a hold or a pause: no input retries every held host; or {"retry": […], "skip": […], "rollback": […], "maintenanceUntil": "…"}',
    });
    setHandler(pauseSignal, (raw) => this.obey(pause, raw), {
      description: 'Start no more hosts until continue; hosts in flight go on: {"reason": "…"}',
    });
    setHandler(approveSignal, (raw) => this.approve(raw), {
      description: 'Answer an approval action: {"host": "…", "approved": true, "by": "…", "reason": "…"}',
    });
    setHandler(
      hostReportSignal,
      (raw) => {
        const report = hostReport.safeParse(raw);
        if (!report.success) return;
        record.table.report(report.data);
        if (report.data.step !== 'precheck') record.notePrepared(report.data.host);
        if (report.data.drained === true) record.touch();
        else record.show();
      },
      { description: 'From the workflows of the hosts; not for operators' },
    );

    setDefaultSignalHandler((name) =>
      this.showRefused(oneLine(name, NAME_SHOWN), [
        'there is no such signal; there are cancel, continue, pause and approve',
      ]),
    );

    setHandler(cancelUpdate, (raw) => this.comply(cancel, raw), {
      validator: (raw) => this.refuse(cancel, raw),
      description: 'As the signal cancel, answered with the progress or refused with a reason',
    });
    setHandler(continueUpdate, (raw) => this.comply(goOn, raw), {
      validator: (raw) => this.refuse(goOn, raw),
      description: 'As the signal continue, answered with the progress or refused with a reason',
    });
    setHandler(pauseUpdate, (raw) => this.comply(pause, raw), {
      validator: (raw) => this.refuse(pause, raw),
      description: 'As the signal pause, answered with the progress or refused with a reason',
    });
    setHandler(setBudgetUpdate, (raw) => this.comply(setBudget, raw), {
      validator: (raw) => this.refuse(setBudget, raw),
      description: 'Change fields of the budget while the session runs: {"maxConcurrentHosts": 4, …}',
    });

    setHandler(progressQuery, () => record.progress(), {
      description: 'State, counts, hosts in flight and held, what blocks, and when it will be done',
    });
    setHandler(planQuery, () => record.plan, {
      description: 'The plan made at the start: order, targets, moves, duration',
    });
    setHandler(reportQuery, () => record.report(), {
      description: 'The report so far; the final one when the session has ended',
    });
    setHandler(standingQuery, (request) => record.standing(request?.names === true), {
      description: 'For the engine itself',
    });
  }

  /** `temporal workflow cancel`: the same as the signal, but the workflow ends as cancelled. */
  cancelFromOutside(): void {
    this.record.cancelledFromOutside = true;
    this.cancel({ mode: 'rollback', reason: 'the workflow was cancelled' });
    this.record.touch();
  }

  private cancel(message: CancelMessage): void {
    this.record.cancel = message;
    this.record.stuck.clear();
    this.interrupt();
  }

  private continue({ retry, skip, rollback, maintenanceUntil }: ContinueMessage): void {
    const { record } = this;
    const { table } = record;
    record.paused = undefined;
    record.problem = undefined;
    record.failedAndRolledBack = 0;
    record.stuck.clear();
    if (maintenanceUntil !== undefined) {
      record.maintenanceUntil = maintenanceUntil;
      record.windowClosed = false;
    }
    if (record.cancel) return;
    const everyHeld = retry === undefined && skip === undefined && rollback === undefined;
    for (const host of everyHeld ? [...table.held.keys()] : (retry ?? [])) {
      if (!record.puttingBack.has(host)) table.retryHeld(host);
    }
    for (const host of skip ?? []) {
      if (table.status(host) === 'held' || table.retry.has(host)) this.hosts.putBack(host, 'skipped');
      else table.giveUp(host, 'skipped');
    }
    for (const host of rollback ?? []) {
      if (table.status(host) === 'held') this.hosts.putBack(host, 'rolled-back');
      else this.hosts.rollBack(host);
    }
  }

  /** An answer goes to the session itself if it is what waits, else to the hosts that do. */
  private approve(raw: unknown): void {
    const { record } = this;
    const parsed = approveMessage.safeParse(raw ?? {});
    if (!parsed.success) {
      this.showRefused('approve', describeIssues(parsed.error, UNKNOWN_KEY));
      return;
    }
    const { host } = parsed.data;
    if (host === undefined && record.approvalAsked !== undefined) record.desk.answers.push(parsed.data);
    else if (!this.passOnApproval(parsed.data)) {
      const nobody = host === undefined ? 'nothing waits' : `host: "${host}" is not waiting`;
      this.showRefused('approve', [`${nobody} for an approval`]);
      return;
    }
    record.refused = undefined;
    record.show();
  }

  /** Returns whether any host waits for it. */
  private passOnApproval(answer: ApproveMessage): boolean {
    const { table, spec } = this.record;
    const waiting = [...table.out.values()].filter(
      ({ host, waitsFor }) =>
        waitsFor?.startsWith('approval') === true && (answer.host === undefined || answer.host === host),
    );
    for (const { host } of waiting) {
      // A host that has ended meanwhile needs no answer.
      getExternalWorkflowHandle(hostWorkflowId(spec.site, host))
        .signal(approveSignal, answer)
        .catch(() => undefined);
      // Said twice, it must not be taken for the answer to what the host asks next.
      table.noteWait(host, undefined);
    }
    return waiting.length > 0;
  }

  /** A signal cannot be refused: what is wrong with it is shown instead. */
  private obey<Message>({ name, read, apply }: Order<Message>, raw: unknown): void {
    const command = read(raw, this.context());
    if ('problems' in command) this.showRefused(name, command.problems);
    else this.carryOut(apply, command.message);
  }

  private comply<Message>(wanted: Order<Message>, raw: unknown): Progress {
    const command = wanted.read(raw, this.context());
    if ('problems' in command) throw refusal(command.problems);
    this.carryOut(wanted.apply, command.message);
    return this.record.progress();
  }

  private refuse<Message>({ read }: Order<Message>, raw: unknown): void {
    const command = read(raw, this.context());
    if ('problems' in command) throw refusal(command.problems);
  }

  private carryOut<Message>(apply: (message: Message) => void, message: Message): void {
    apply(message);
    this.record.refused = undefined;
    this.record.version += 1;
    this.record.settle();
  }

  private showRefused(name: string, problems: string[]): void {
    this.record.refused = `signal ${name} changed nothing: ${problems.join('; ')}`;
    this.record.show();
  }

  private context(): CommandContext {
    const { table, budget, phase, cancel, windowClosed } = this.record;
    return {
      table,
      budget,
      closed: phase === 'ended' ? 'the session has ended' : undefined,
      cancelling: cancel !== undefined,
      windowClosed,
      nowMs: Date.now(),
    };
  }
}

const order = <Message>(
  name: string,
  read: Order<Message>['read'],
  apply: Order<Message>['apply'],
): Order<Message> => ({ name, read, apply });

/** Refuses an update in words an operator can act on. */
const refusal = (problems: string[]): Error => failWith('InvalidMessage', problems.join('; '));
