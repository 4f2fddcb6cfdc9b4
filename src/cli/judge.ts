/** Whether a scenario of the demo went as it should, by the state of its session and the journal of the datacentre. */
import { resolveBudget } from '../core/planning/budget.ts';
import type { SessionSpec } from '../core/session-spec.ts';
import type { SessionState } from '../core/session-state.ts';
import { checkJournal, type Expectations } from '../simulator/checker.ts';
import type { JournalEntry } from '../simulator/journal.ts';
import type { Scenario } from './scenarios.ts';

export interface Performance {
  spec: SessionSpec;
  scenario: Pick<Scenario, 'end' | 'allWorked'>;
  /** How the session ended. */
  state: SessionState;
}

/** A line for everything that is not as it should be; none when all is well. */
export function judge(entries: readonly JournalEntry[], { spec, scenario, state }: Performance): string[] {
  const violations = checkJournal(entries, expectationsOf(spec, scenario.allWorked, entries));
  return [
    ...(state === scenario.end ? [] : [`the session is ${state}, not ${scenario.end}`]),
    ...violations.map(({ rule, message, seq }) => `${rule}: ${message} (journal entry ${seq})`),
  ];
}

function expectationsOf(
  spec: SessionSpec,
  allWorked: boolean,
  entries: readonly JournalEntry[],
): Expectations {
  const hosts = entries.flatMap((entry) => (entry.type === 'datacentre.created' ? entry.hosts : []));
  const { maxConcurrentHosts, maxConcurrentMoves, maxConcurrentMovesPerHost, perDomain } = resolveBudget(
    spec.budget,
    hosts.length,
  );
  return {
    maxConcurrentHosts,
    maxConcurrentMovesPerHost,
    ...(maxConcurrentMoves !== undefined && { maxConcurrentMoves }),
    ...(perDomain && { perDomain }),
    ...(allWorked && { worked: hosts.map(({ name }) => name) }),
  };
}
