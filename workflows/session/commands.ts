import type { z } from 'zod';
import type { HostTable } from '../../src/core/host-table.ts';
import { listed } from '../../src/core/listed.ts';
import {
  budgetChange,
  budgetProblems,
  cancelMessage,
  continueMessage,
  describeIssues,
  pauseMessage,
  type Budget,
  type CancelMessage,
  type ContinueMessage,
  type PauseMessage,
} from '../../src/core/session-spec.ts';

/** A message may be wrong in as many ways as it names hosts. */
const PROBLEMS_NAMED = 20;

/** What is said of a key that a message does not take. */
export const UNKNOWN_KEY = 'is not a key of this message; see docs/session.md';

/** What an operator asked for, read and checked; or every reason why it cannot be done. */
export type Command<Message> = { message: Message } | { problems: string[] };

/** What commands are checked against. */
export interface CommandContext {
  table: HostTable;
  budget: Budget;
  /** Why the session takes no commands any more, or of this kind. */
  closed: string | undefined;
  cancelling: boolean;
  /** The window has ended and needs a new end. */
  windowClosed: boolean;
  nowMs: number;
}

export function readCancel(raw: unknown, context: CommandContext): Command<CancelMessage> {
  return check(read(cancelMessage, raw), () => (context.closed === undefined ? [] : [context.closed]));
}

export function readPause(raw: unknown, context: CommandContext): Command<PauseMessage> {
  return check(read(pauseMessage, raw), () => openProblems(context));
}

export function readContinue(raw: unknown, context: CommandContext): Command<ContinueMessage> {
  return check(read(continueMessage, raw), (message) => {
    if (context.closed !== undefined) return [context.closed];
    const problems = [
      ...named('retry', message.retry, context, ['held']),
      ...named('skip', message.skip, context, ['held', 'pending']),
      ...named('rollback', message.rollback, context, ['held', 'out']),
      ...namedTwice(message),
    ];
    if (context.cancelling && (message.skip ?? message.rollback) !== undefined) {
      problems.push('the session is being cancelled: every host is put back anyway');
    }
    if (message.maintenanceUntil !== undefined && Date.parse(message.maintenanceUntil) <= context.nowMs) {
      problems.push(`maintenanceUntil: "${message.maintenanceUntil}" is in the past`);
    } else if (context.windowClosed && message.maintenanceUntil === undefined && takesUp(message, context)) {
      problems.push('maintenanceUntil: the maintenance window has ended; name a new end, or cancel');
    }
    return problems;
  });
}

/** Whether hosts would be taken out because of it; putting some back needs no window. */
const takesUp = ({ retry, skip, rollback }: ContinueMessage, { cancelling }: CommandContext): boolean =>
  !cancelling && ((retry ?? []).length > 0 || (skip === undefined && rollback === undefined));

export function readBudget(raw: unknown, context: CommandContext): Command<Budget> {
  const change = read(budgetChange, raw);
  if ('problems' in change) return change;
  // Defaults of the schema must not undo what was set before: only what was typed counts.
  const typed = typeof raw === 'object' && raw !== null ? Object.keys(raw) : [];
  const changed = Object.fromEntries(Object.entries(change.message).filter(([key]) => typed.includes(key)));
  const merged: Budget = { ...context.budget, ...changed };
  return check({ message: merged }, () => [
    ...openProblems(context),
    ...budgetProblems(merged).map(({ path, message }) => `${path.join('.')}: ${message}`),
  ]);
}

function openProblems({ closed, cancelling }: CommandContext): string[] {
  if (closed !== undefined) return [closed];
  return cancelling ? ['the session is being cancelled'] : [];
}

function read<Schema extends z.ZodType>(schema: Schema, raw: unknown): Command<z.output<Schema>> {
  const parsed = schema.safeParse(raw ?? {});
  return parsed.success ? { message: parsed.data } : { problems: describeIssues(parsed.error, UNKNOWN_KEY) };
}

function check<Message>(
  command: Command<Message>,
  problemsOf: (message: Message) => string[],
): Command<Message> {
  if ('problems' in command) return command;
  const problems = problemsOf(command.message);
  return problems.length === 0 ? command : { problems: [listed(problems, PROBLEMS_NAMED, '; ')] };
}

function named(
  field: string,
  hosts: string[] | undefined,
  { table }: CommandContext,
  allowed: string[],
): string[] {
  if (hosts === undefined || hosts.length === 0) return [];
  if (table.hosts.length === 0)
    return [`${field}: the hosts of this session are not known yet; send it again`];
  return hosts.flatMap((host, index) => {
    const status = table.status(host);
    if (status === undefined) return [`${field}.${index}: "${host}" is not a host of this session`];
    return allowed.includes(status)
      ? []
      : [`${field}.${index}: "${host}" is ${wording[status]}, not ${allowed.join(' or ')}`];
  });
}

const wording = {
  pending: 'not started',
  out: 'being worked on',
  done: 'done',
  held: 'held',
  skipped: 'skipped',
  'rolled-back': 'rolled back',
} as const;

function namedTwice({ retry = [], skip = [], rollback = [] }: ContinueMessage): string[] {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const host of [...retry, ...skip, ...rollback]) {
    if (seen.has(host)) twice.add(host);
    seen.add(host);
  }
  return [...twice].map((host) => `"${host}" is named twice`);
}
