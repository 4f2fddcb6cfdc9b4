/** What the demo shows. Each scenario is a script: it waits for something to be seen, and then does something. */
import type { Progress } from '../core/progress.ts';
import type { SessionState } from '../core/session-state.ts';
import type { Stack } from '../devstack/stack.ts';
import { UPDATES } from '../names.ts';
import { needsOperator } from './follow.ts';
import type { Sessions } from './sessions.ts';

/** A session that runs on a stack, and whoever watches it. */
export interface Scene {
  stack: Stack;
  sessions: Sessions;
  session: string;
  /** Shows the progress until this is seen. Throws when the session ends before. */
  until: (what: string, seen: (progress: Progress) => boolean) => Promise<void>;
  say: (line: string) => void;
}

export interface Scenario {
  summary: string;
  /** Before the session starts. */
  prepare?: (stack: Stack) => Promise<void>;
  /** While it runs; then the session is watched to its end. */
  play?: (scene: Scene) => Promise<void>;
  /** How the session has to end. */
  end: SessionState;
  /** Every host has to have been worked on. */
  allWorked: boolean;
}

/** A host with instances that is neither among the first nor among the last. */
const VICTIM = 'compute-04';

export const SCENARIOS: Record<'plain' | 'failure' | 'crash' | 'cancel', Scenario> = {
  plain: { summary: 'all hosts go through maintenance', end: 'MAINTENANCE_DONE', allWorked: true },
  failure: {
    summary: 'the work on one host fails; the session holds the host, is told to continue, and resumes',
    prepare: ({ simulator }) =>
      simulator.addFault({
        match: { operation: 'work', host: VICTIM, probability: 1, after: 0 },
        effect: { kind: 'fail', status: 422, code: 'ImageCorrupt', message: 'the firmware image is corrupt' },
      }),
    play: async ({ stack, sessions, session, until, say }) => {
      await until('a host is held', needsOperator);
      say(`${VICTIM} is held, cordoned and empty. Repairing the cause and sending "continue"`);
      await stack.simulator.clearFaults();
      await sessions.update(session, UPDATES.continueSession, {});
    },
    end: 'MAINTENANCE_DONE',
    allWorked: true,
  },
  crash: {
    summary: 'the worker is killed while a host is drained; another one goes on',
    play: async ({ stack, until, say }) => {
      await until('a host is being drained', isDraining);
      say(`Killing the worker (SIGKILL, process ${stack.worker.pid}) and starting another`);
      await stack.worker.kill();
      await stack.startWorker();
      say(`A new worker runs (process ${stack.worker.pid})`);
    },
    end: 'MAINTENANCE_DONE',
    allWorked: true,
  },
  cancel: {
    summary: 'the session is cancelled half-way; hosts that are out are put back',
    play: async ({ sessions, session, until, say }) => {
      await until('a host is being drained', (progress) => progress.hosts.done >= 4 && isDraining(progress));
      say('Cancelling the session, with rollback');
      await sessions.update(session, UPDATES.cancelSession, {
        mode: 'rollback',
        reason: 'the demo shows it',
      });
    },
    end: 'MAINTENANCE_CANCELLED',
    allWorked: false,
  },
};

/** Some instances have left a host, and others have not. */
const isDraining = ({ inFlight }: Progress): boolean =>
  inFlight.some(({ step, moved, total }) => step === 'drain' && moved > 0 && moved < total);
