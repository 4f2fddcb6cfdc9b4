import { utc } from '../../src/core/details.ts';
import { durationMs } from '../../src/core/duration.ts';
import { MaintenanceError } from '../../src/core/errors.ts';
import { listed } from '../../src/core/listed.ts';
import type { NoticeState } from '../../src/core/notice.ts';
import type { ProjectWishes } from '../../src/core/session-spec.ts';
import { ask, replyAtOf, tell } from '../ask.ts';
import type { SessionRecord } from './session-record.ts';

const NAMES_SHOWN = 5;

/** What projects are asked about the session as a whole. */
export type SessionNotice = Extract<NoticeState, 'MAINTENANCE' | 'SCALE_IN' | 'MAINTENANCE_COMPLETE'>;

/**
 * Asks every project of a session at once, and waits for all of their answers. One that does not agree is noted, and asked
 * again about each host that its instances are on; where the session fails for it, this throws.
 *
 * @param noLaterThan epoch milliseconds beyond which no answer is waited for
 * @throws MaintenanceError ProjectRefused or ProjectSilent, by name
 */
export async function askProjects(
  record: SessionRecord,
  wishes: ProjectWishes,
  state: SessionNotice,
  noLaterThan?: number,
): Promise<void> {
  const { id: session, spec, projects } = record;
  if (projects.length === 0) return;
  const replyWithinMs = durationMs(state === 'MAINTENANCE' ? wishes.replyWithin : wishes.makeRoomWithin);
  const until = utc(replyAtOf(replyWithinMs, noLaterThan), 19);
  const open = new Set(projects);
  const showOpen = (): void => {
    record.waitFor =
      open.size === 0
        ? undefined
        : `an answer of ${listed([...open], NAMES_SHOWN)} to ${state} until ${until}`;
    record.show();
  };
  showOpen();
  const refused: string[] = [];
  const silent: string[] = [];
  try {
    await Promise.all(
      projects.map(async (project) => {
        const question = {
          session,
          site: spec.site,
          project,
          state,
          instances: [],
          allowedActions: [],
          actionsAt: spec.maintenanceAt ?? new Date(Date.now() + replyWithinMs).toISOString(),
          metadata: spec.metadata,
          replyWithinMs,
          ...(noLaterThan === undefined ? {} : { noLaterThan }),
        };
        const { answer } = await ask(question, true);
        if (answer === 'refused') refused.push(project);
        if (answer === 'silent') silent.push(project);
        open.delete(project);
        showOpen();
      }),
    );
  } finally {
    record.waitFor = undefined;
  }
  // When all is done, there is nothing left to hold or to fail.
  const isOver = state === 'MAINTENANCE_COMPLETE';
  const { onRefusal, onSilence } = isOver
    ? { onRefusal: 'hold' as const, onSilence: 'hold' as const }
    : wishes;
  note(record, refused, `answered no to ${state}`, 'ProjectRefused', onRefusal);
  note(record, silent, `did not answer ${state} in time`, 'ProjectSilent', onSilence);
}

/** Tells every project of a session that was cancelled that it is over: they may have made room, or wait for more. */
export async function callOff(record: SessionRecord, { makeRoomWithin }: ProjectWishes): Promise<void> {
  const { id: session, spec, projects } = record;
  await Promise.all(
    projects.map(async (project) => {
      const told = await tell({
        session,
        site: spec.site,
        project,
        state: 'MAINTENANCE_COMPLETE',
        cancelled: true,
        instances: [],
        allowedActions: [],
        actionsAt: new Date(Date.now()).toISOString(),
        metadata: spec.metadata,
        replyWithinMs: durationMs(makeRoomWithin),
      });
      if (!told)
        record.table.warn(`${project} is being asked something, and was not told that it is cancelled`);
    }),
  );
}

function note(
  record: SessionRecord,
  projects: readonly string[],
  what: string,
  code: 'ProjectRefused' | 'ProjectSilent',
  policy: ProjectWishes['onSilence'],
): void {
  if (projects.length === 0) return;
  const words = `${listed(projects, NAMES_SHOWN)} ${what}`;
  if (policy === 'fail') throw new MaintenanceError(code, words);
  record.table.warn(words);
}
