import type { Command } from 'commander';
import { summarize } from '../../core/session-summary.ts';
import { EXIT } from '../exit-codes.ts';
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
    return sessions.result(id).finally(() => {
      clearTimeout(hint);
    });
  });
  if (!report.plan) throw new Error(`The session "${id}" ended without a plan`);
  print(options, report.plan, (found) => renderPlan(spec.site, found));
  if (report.plan.blockers.length > 0) process.exitCode = EXIT.failed;
}

/** Why there is no plan yet: a site that does not answer is asked again for a while. */
async function sayWhy(sessions: Sessions, id: string, site: string): Promise<void> {
  const trouble = await sessions.trouble(id).catch(() => undefined);
  const why = trouble === undefined ? `. Does a worker run that serves site ${site}?` : `: ${trouble}`;
  console.error(`Still planning as "${id}"${why}`);
}
