import { CancellationScope } from '@temporalio/workflow';
import type { Report } from '../src/core/progress.ts';
import { describeIssues, isPast, sessionSpec, type SessionSpec } from '../src/core/session-spec.ts';
import { failWith } from './failures.ts';
import type { Carried } from './session/session-record.ts';
import { Session } from './session/session.ts';

/**
 * Takes many hosts through planned maintenance and ends with a report. See docs/session.md for the input, the signals
 * and the queries.
 *
 * @param input a session as an operator writes it; anything else fails the workflow at once, before anything is touched.
 * @param carried standing of the run before, when the session continues as new.
 * @throws ApplicationFailure InvalidSession, with each problem's path
 */
export async function maintenanceSession(input: unknown, carried?: Carried): Promise<Report> {
  const session = new Session(parseSession(input, carried !== undefined), carried);
  session.listen();
  CancellationScope.current().cancelRequested.catch(() => session.cancelFromOutside());
  return CancellationScope.nonCancellable(() => session.run());
}

/** A ZodError thrown here would only fail the workflow task and be retried for ever; this fails the workflow. */
function parseSession(input: unknown, continued: boolean): SessionSpec {
  if (input === undefined || input === null)
    throw invalid(['the input is missing: a session is a JSON object']);
  const parsed = sessionSpec.safeParse(input);
  if (!parsed.success) throw invalid(describeIssues(parsed.error));
  const past = (['maintenanceAt', 'maintenanceUntil'] as const).flatMap((field) => {
    const time = parsed.data[field];
    const isLate = time !== undefined && isPast(time, Date.now());
    return isLate && !continued ? [`${field}: "${time}" is in the past`] : [];
  });
  if (past.length > 0) throw invalid(past);
  return parsed.data;
}

const invalid = (problems: string[]): Error => failWith('InvalidSession', problems.join('; '), { problems });
