import type { Command } from 'commander';
import { summarize } from '../../core/session-summary.ts';
import { UPDATES } from '../../names.ts';
import type { Report } from '../../core/progress.ts';
import { EXIT } from '../exit-codes.ts';
import { CliError } from '../failure.ts';
import { follow } from '../follow.ts';
import { createCommand, print, type OutputOptions } from '../output.ts';
import { renderPlan } from '../render-report.ts';
import { readSession } from '../session-file.ts';
import { stamp, withSessions, type Sessions } from '../sessions.ts';

/** A plan that takes longer is given up; also one that no worker takes. */
const TIMEOUT_MS = 10 * 60_000;
const PATIENCE_MS = 10_000;

export const planCommand = (): Command =>
  createCommand(
    'plan',
    'Show what a session would do: order, targets, moves, duration, what blocks. Touches nothing',
  )
    .argument('<file>', 'session as JSON')
    .action(plan);

async function plan(file: string, options: OutputOptions): Promise<void> {
  const { input, spec } = await readSession(file);
  const dryRun = { ...input, dryRun: true };
  const id = `plan-${spec.site}-${stamp(new Date())}`;
  const report = await withSessions(async (sessions) => {
    const summary = summarize({ ...spec, dryRun: true });
    await sessions.start({ id, input: dryRun, summary, timeoutMs: TIMEOUT_MS });
    const hint = setTimeout(() => {
      void sayWhy(sessions, id, spec.site);
    }, PATIENCE_MS);
    const following = new AbortController();
    const result = Promise.race([sessions.result(id), failWhenStuck(sessions, id, following.signal)]);
    return result.finally(() => {
      clearTimeout(hint);
      following.abort();
    });
  });
  if (!report.plan) throw new Error(`The session "${id}" ended without a plan`);
  print(options, report.plan, (found) => renderPlan(spec.site, found));
  if (report.plan.blockers.length > 0) process.exitCode = EXIT.failed;
}

/** Gives up a plan that only an operator can help: a site that never answers is one. */
async function failWhenStuck(sessions: Sessions, id: string, signal: AbortSignal): Promise<Report> {
  const followed = await follow(sessions, id, { signal, onProgress: ignore, onSilence: ignore });
  if (followed?.progress.state !== 'MAINTENANCE_FAILED') return sessions.result(id);
  const { reason } = followed.progress;
  await sessions.update(id, UPDATES.cancelSession, { reason: 'its plan cannot be made' });
  throw new CliError(EXIT.failed, `No plan can be made: ${reason}`);
}

const ignore = (): void => undefined;

/** Why there is no plan yet: a site that does not answer is asked again for a while. */
async function sayWhy(sessions: Sessions, id: string, site: string): Promise<void> {
  const trouble = await sessions.trouble(id).catch(() => undefined);
  const why = trouble === undefined ? `. Does a worker run that serves site ${site}?` : `: ${trouble}`;
  console.error(`Still planning as "${id}"${why}`);
}
