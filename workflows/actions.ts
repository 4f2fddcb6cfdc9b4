import { condition, sleep } from '@temporalio/workflow';
import { durationMs } from '../src/core/duration.ts';
import { MaintenanceError } from '../src/core/errors.ts';
import type { ActionInput, ResolvedAction } from '../src/core/host-run.ts';
import type { HostRole } from '../src/core/inventory.ts';
import type { ActionType, ApproveMessage } from '../src/core/session-spec.ts';
import { callExternal, callSite } from './activity-calls.ts';

/** Where an action asks for approval, and where the answer arrives. */
export interface ApprovalDesk {
  /** Says what is waited for, or with undefined that nothing is any more. */
  ask(question: string | undefined): void;
  /** Answers that came, oldest first; taken off by who reads them. */
  answers: ApproveMessage[];
}

type ActionContext = Omit<ActionInput, 'type' | 'plugin' | 'metadata' | 'idempotencyKey'> & {
  chain: string;
  /** How often an action has reported failure here before. */
  failures: number;
  /** Epoch milliseconds. */
  deadline: number;
  desk: ApprovalDesk;
};

/**
 * The actions of a session that concern this moment, in the order they run: those for every host before those for its
 * role, by name within a type, as Fenix has it. The index identifies an action in checkpoints and idempotency keys.
 */
export function actionsFor(
  actions: ResolvedAction[],
  types: ActionType[],
): { index: number; action: ResolvedAction }[] {
  return actions
    .map((action, index) => ({ action, index }))
    .filter(({ action }) => types.includes(action.type))
    .sort(
      (a, b) =>
        types.indexOf(a.action.type) - types.indexOf(b.action.type) ||
        compareNames(a.action.plugin, b.action.plugin) ||
        a.index - b.index,
    );
}

/** Types of the actions that run on a host of this role. */
export const hostActionTypes = (role: HostRole): ActionType[] =>
  role === 'other' ? ['host'] : ['host', role];

/** Runs one action to its end; throws a failure with a code of the catalogue. */
export async function runAction(
  action: ResolvedAction,
  index: number,
  context: ActionContext,
): Promise<void> {
  const { chain, failures, deadline: latest, desk, ...about } = context;
  const deadline = action.timeout ? Math.min(latest, Date.now() + durationMs(action.timeout)) : latest;
  const where = context.host ? ` on ${context.host}` : '';
  const summary = `action ${action.plugin}${where}`;
  const input: ActionInput = {
    ...about,
    type: action.type,
    plugin: action.plugin,
    metadata: action.metadata ?? {},
    idempotencyKey: `${chain}/${context.host ?? action.type}/${index}/${failures}`,
  };
  if (action.external) {
    await callExternal(action.external, input, { summary, deadline });
  } else if (action.plugin === 'wait') {
    const rest = waitMs(action);
    if (Date.now() + rest > deadline)
      throw new MaintenanceError('DeadlineExceeded', `${summary}: it rests longer than its timeout`);
    await sleep(rest, { summary: `${summary}: rest` });
  } else if (action.plugin === 'approval') {
    await awaitApproval(input, deadline, desk, summary);
  } else {
    await callSite(context.site, 'runAction', input, { summary, deadline });
  }
}

const waitMs = (action: ResolvedAction): number => Number(action.metadata?.['seconds'] ?? 0) * 1000;

async function awaitApproval(
  input: ActionInput,
  deadline: number,
  desk: ApprovalDesk,
  summary: string,
): Promise<void> {
  const question = `approval${input.host ? ` of ${input.host}` : ''}: signal approve`;
  // An answer to an earlier question is no answer to this one.
  desk.answers.length = 0;
  desk.ask(question);
  try {
    const answered = await condition(() => desk.answers.length > 0, Math.max(1, deadline - Date.now()), {
      summary: `${summary}: deadline for an answer`,
    });
    if (!answered) throw new MaintenanceError('DeadlineExceeded', `nobody answered the ${question}`);
    const answer = desk.answers.shift();
    if (!answer?.approved) {
      const by = answer?.by ? ` by ${answer.by}` : '';
      throw new MaintenanceError(
        'ApprovalRefused',
        `approval refused${by}: ${answer?.reason ?? 'no reason given'}`,
      );
    }
  } finally {
    desk.ask(undefined);
  }
}

/** Code-unit order: the same on every machine, unlike a locale's. */
const compareNames = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
