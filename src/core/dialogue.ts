/** One question to one project: what is asked, what an answer has to be, and what comes of it. Pure. */
import { z } from 'zod';
import { INSTANCE_ACTIONS, type InstanceAction, type NoticeState, type ScheduledEvent } from './notice.ts';
import { describeIssues } from './session-spec.ts';

const MAX_ACTIONS = 5_000;

/**
 * An answer of a project, as a signal or an update of its dialogue: `ACK_` or `NACK_` and the state that the notice had,
 * and what is to be done to its instances. Keys of other spelling are Fenix's API's to translate.
 */
export const answerMessage = z.strictObject({
  notice: z
    .string()
    .max(255)
    .optional()
    .describe(
      'Id of the notice that is answered: said to another one of the same state, the answer changes nothing',
    ),
  state: z
    .string()
    .regex(/^N?ACK_[A-Z_]{1,40}$/, 'must be ACK_ or NACK_ and the state of the notice')
    .describe('ACK_PLANNED_MAINTENANCE agrees, NACK_PLANNED_MAINTENANCE refuses'),
  instanceActions: z
    .record(z.string().min(1).max(255), z.enum(INSTANCE_ACTIONS))
    .refine((value) => Object.keys(value).length <= MAX_ACTIONS, `must have at most ${MAX_ACTIONS} entries`)
    .optional()
    .describe('What to do to each instance, by id; one that is not named is treated as its constraint says'),
  instanceAction: z
    .enum(INSTANCE_ACTIONS)
    .optional()
    .describe('What to do to the one instance that the notice is about, or to all of them'),
});
export type AnswerMessage = z.output<typeof answerMessage>;

/** What became of an answer: it counts; it says again what counts already; it came too late, or is not what was asked. */
export interface AnswerReceipt {
  verdict: 'accepted' | 'repeated' | 'refused';
  /** Why it was refused, for people. */
  reason?: string;
}

/** A notice that waits for an answer. */
export interface DialogueInput {
  notice: ScheduledEvent;
  /** The notice is about all instances of the project on hosts of the session: the dialogue looks for them itself. */
  lookUpInstances?: boolean;
}

export interface DialogueOutcome {
  answer: 'agreed' | 'refused' | 'silent';
  /** By id of the instance; only those that the project chose. */
  actions: Record<string, InstanceAction>;
  /** Nobody was told: no sink of the worker takes notices to this project. */
  untold?: true;
}

/** Answer of the query `notice` of a dialogue: what was asked last, also after it is over. */
export interface NoticeView {
  /** Id of the notice. */
  id: string;
  session: string;
  project: string;
  state: NoticeState;
  instances: string[];
  allowedActions: InstanceAction[];
  /** RFC 3339. */
  replyAt: string;
  /** Absent as long as nothing was answered. */
  answered?: { agreed: boolean; at: string };
  /** Its answer was not waited for any longer. */
  closed?: true;
}

/** What a project was asked, and what it has said. */
export class Dialogue {
  notice: ScheduledEvent;
  private answered: { message: AnswerMessage; agreed: boolean; at: string } | undefined;
  private closed = false;
  private untold = false;

  constructor(notice: ScheduledEvent) {
    this.notice = notice;
  }

  get isAnswered(): boolean {
    return this.answered !== undefined;
  }

  nameInstances(instances: string[]): void {
    this.notice = { ...this.notice, instances };
  }

  noteTold(sinks: readonly string[]): void {
    this.untold = sinks.length === 0;
  }

  /** @param raw whatever was sent */
  answer(raw: unknown, nowMs: number): AnswerReceipt {
    const parsed = answerMessage.safeParse(raw);
    if (!parsed.success) {
      return refused(describeIssues(parsed.error, 'is not a key of an answer').join('; '));
    }
    const message = parsed.data;
    const problem = this.whyNot(message);
    if (problem !== undefined) return refused(problem);
    if (this.answered) {
      return isSame(message, this.answered.message)
        ? { verdict: 'repeated' }
        : refused(`${this.notice.project} has answered ${this.answered.message.state} already`);
    }
    if (this.closed) return refused(`it was waited for until ${this.notice.replyAt}`);
    const agreed = message.state.startsWith('ACK_');
    this.answered = { message, agreed, at: new Date(nowMs).toISOString() };
    return { verdict: 'accepted' };
  }

  /** No more answers count. */
  close(): DialogueOutcome {
    this.closed = true;
    const { answered, notice } = this;
    if (!answered) return { answer: 'silent', actions: {}, ...(this.untold ? { untold: true } : {}) };
    const { message, agreed } = answered;
    const { instanceAction, instanceActions = {} } = message;
    const all =
      instanceAction === undefined ? [] : notice.instances.map((id) => [id, instanceAction] as const);
    const known = new Set(notice.instances);
    const named = Object.entries(instanceActions).filter(([id]) => known.has(id));
    return {
      answer: agreed ? 'agreed' : 'refused',
      actions: agreed ? Object.fromEntries([...all, ...named]) : {},
    };
  }

  view(): NoticeView {
    const { id, session, project, state, instances, allowedActions, replyAt = '' } = this.notice;
    const { agreed, at } = this.answered ?? {};
    return {
      id,
      session,
      project,
      state,
      instances,
      allowedActions,
      replyAt,
      ...(agreed === undefined || at === undefined ? {} : { answered: { agreed, at } }),
      ...(this.closed ? { closed: true } : {}),
    };
  }

  private whyNot(message: AnswerMessage): string | undefined {
    const { notice, state, instanceAction, instanceActions = {} } = message;
    if (notice !== undefined && notice !== this.notice.id) {
      return `notice: ${notice} is not what is asked now, which is ${this.notice.id}`;
    }
    const asked = state.replace(/^N?ACK_/, '');
    if (asked !== this.notice.state)
      return `state: ${state} answers ${asked}, and asked is ${this.notice.state}`;
    const { allowedActions } = this.notice;
    const chosen = [
      ...(instanceAction === undefined ? [] : [instanceAction]),
      ...Object.values(instanceActions),
    ];
    const impossible = chosen.find((action) => !allowedActions.includes(action));
    if (impossible === undefined) return undefined;
    return allowedActions.length === 0
      ? `${impossible}: nothing is to be chosen now`
      : `${impossible} is not possible; possible is ${allowedActions.join(', ')}`;
  }
}

const refused = (reason: string): AnswerReceipt => ({ verdict: 'refused', reason });

const isSame = (one: AnswerMessage, other: AnswerMessage): boolean =>
  JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));

const sorted = ({ state, instanceAction, instanceActions = {} }: AnswerMessage): unknown => [
  state,
  instanceAction,
  Object.entries(instanceActions).sort(([a], [b]) => (a < b ? -1 : 1)),
];
