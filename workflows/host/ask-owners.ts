import { sleep } from '@temporalio/workflow';
import type { Owner } from '../../activities/contract.ts';
import { utc } from '../../src/core/details.ts';
import { durationMs } from '../../src/core/duration.ts';
import type { DialogueOutcome } from '../../src/core/dialogue.ts';
import { MaintenanceError } from '../../src/core/errors.ts';
import type { ProjectQuestions } from '../../src/core/host-run.ts';
import { listed } from '../../src/core/listed.ts';
import type { InstanceAction } from '../../src/core/notice.ts';
import { ask, replyAtOf } from '../ask.ts';
import type { HostRun } from './host-run.ts';

const NAMES_SHOWN = 5;

/** What one project, or one of its instances, is asked about. */
interface Topic extends Owner {
  /** The notice is about this one alone. */
  instance?: string;
}

interface Answered extends Topic {
  outcome: DialogueOutcome;
}

/**
 * Asks the projects whose instances run on the host, before it is touched, and waits as long as they need until their
 * instances may be acted on. One that has agreed in an earlier run is not asked again.
 *
 * @returns whether there was anybody to ask
 * @throws MaintenanceError ProjectSilent or ProjectRefused, by name of the projects, where the session holds for it
 */
export async function askOwners(run: HostRun, questions: ProjectQuestions): Promise<boolean> {
  const { site, host } = run.input;
  const { owners, allowedActions } = await run.call(
    'findOwners',
    { site, host },
    `who owns what is on ${host}?`,
  );
  run.owners = new Map(owners.flatMap(({ project, instances }) => instances.map(({ id }) => [id, project])));
  const topics = topicsOf(owners, run, questions.style);
  if (topics.length === 0) return false;
  run.waitUntilHostDeadline();
  const projects = [...new Set(topics.map(({ project }) => project))];
  const replyWithinMs = durationMs(questions.replyWithin);
  const until = utc(replyAtOf(replyWithinMs), 19);
  const open = new Set(topics);
  run.setWaitsFor(waitsForAnswers(open, until));
  const askedAt = Date.now();
  const answered = await Promise.all(
    topics.map(async (topic): Promise<Answered> => {
      const actionsAt = askedAt + leadMs(topic);
      const outcome = await ask({
        session: run.input.session,
        site,
        project: topic.project,
        state: questions.state,
        instances: topic.instances.map(({ id }) => id),
        ...(topic.instance === undefined ? {} : { instance: topic.instance }),
        allowedActions,
        actionsAt: new Date(actionsAt).toISOString(),
        metadata: run.input.spec.metadata,
        replyWithinMs,
      });
      open.delete(topic);
      if (open.size > 0) run.showWaitsFor(waitsForAnswers(open, until));
      // An answer counts at once: another one that holds the host does not lose it.
      if (isAgreed(outcome, questions)) run.noteAgreed(agreedOf({ ...topic, outcome }, allowedActions));
      return { ...topic, outcome };
    }),
  );
  run.setWaitsFor(undefined);
  throwIfHeld(host, answered, questions);
  const lead = Math.max(0, ...topics.map((topic) => askedAt + leadMs(topic) - Date.now()));
  if (lead > 0) {
    run.setWaitsFor(`the lead time of ${listed(projects, NAMES_SHOWN)}`);
    await sleep(lead, { summary: 'lead time of the instances' });
    run.setWaitsFor(undefined);
  }
  return true;
}

function topicsOf(owners: readonly Owner[], run: HostRun, style: ProjectQuestions['style']): Topic[] {
  const open = owners
    .map((owner) => ({ ...owner, instances: owner.instances.filter(({ id }) => !run.hasAgreed(id)) }))
    .filter(({ instances }) => instances.length > 0);
  if (style === 'default') return open;
  return open.flatMap(({ project, instances }) =>
    instances.map((one) => ({ project, instances: [one], instance: one.id })),
  );
}

/** `an answer of shop, payments until 2027-03-01 22:05:00 UTC`. */
function waitsForAnswers(open: ReadonlySet<Topic>, until: string): string {
  const projects = [...new Set([...open].map(({ project }) => project))];
  return `an answer of ${listed(projects, NAMES_SHOWN)} until ${until}`;
}

const leadMs = ({ instances }: Topic): number =>
  1000 * Math.max(0, ...instances.map(({ leadSeconds = 0 }) => leadSeconds));

function isAgreed({ answer }: DialogueOutcome, { onSilence, onRefusal }: ProjectQuestions): boolean {
  if (answer === 'agreed') return true;
  return (answer === 'silent' ? onSilence : onRefusal) === 'proceed';
}

/** What it chose, else what it said beforehand, else what the session wishes for all. */
function agreedOf(
  { instances, outcome }: Answered,
  allowed: readonly InstanceAction[],
): [string, InstanceAction | 'as-wished'][] {
  return instances.map(({ id, wishes }) => {
    const said = wishes !== undefined && allowed.includes(wishes) ? wishes : 'as-wished';
    return [id, outcome.actions[id] ?? said];
  });
}

function throwIfHeld(host: string, answered: readonly Answered[], questions: ProjectQuestions): void {
  const held = answered.filter(({ outcome }) => !isAgreed(outcome, questions));
  const refused = held.filter(({ outcome }) => outcome.answer === 'refused');
  const [which, code, what] =
    refused.length > 0
      ? ([refused, 'ProjectRefused', 'answered no'] as const)
      : ([held, 'ProjectSilent', 'did not answer in time'] as const);
  if (which.length === 0) return;
  const untold = which.some(({ outcome }) => outcome.untold === true);
  const hint = untold ? '; no sink of the worker takes notices to all of them' : '';
  const projects = [...new Set(which.map(({ project }) => project))];
  throw new MaintenanceError(
    code,
    `${listed(projects, NAMES_SHOWN)} ${what} about instances on ${host}${hint}`,
  );
}
