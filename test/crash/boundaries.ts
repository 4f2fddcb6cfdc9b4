/** The boundaries of activities at which a worker is killed: how the engine is held there, and how the journal shows it. */
import type { WorkflowHandle } from '@temporalio/client';
import type { SessionInput } from '../../src/core/session-spec.ts';
import type { Expectations } from '../../src/simulator/checker.ts';
import type { FaultSpec } from '../../src/simulator/faults.ts';
import type { FleetInput } from '../../src/simulator/fleet.ts';
import type { JournalEntry } from '../../src/simulator/journal.ts';
import { untilJournal, workAt, type Rig } from '../support/rig.ts';

type Operation = FaultSpec['match']['operation'];

/** Host that a session takes out; the other one of the fleet is empty and takes its instances. */
const HOST = 'compute-01';

/** So long that a task is still running when the next worker looks for it. */
const LONG_MS = 12_000;

const INSTANT = { stopMs: 10, startMs: 10, enterMs: 10, exitMs: 10, workMs: 10 };

export interface Boundary {
  /** Where the worker is killed; also the name of the site on which that is played. */
  name: string;
  fleet: FleetInput;
  session: Omit<SessionInput, 'site'>;
  /** A request that is done but not answered, and how many of its kind are answered before. */
  unanswered?: { operation: Operation; after?: number; host?: string };
  /** Whether an entry of the journal says that the engine is there. */
  reached: (entry: JournalEntry) => boolean;
  /** When to cancel the session before. */
  cancelAt?: (entry: JournalEntry) => boolean;
  expectations: Expectations;
}

type Play = Pick<Boundary, 'reached' | 'unanswered' | 'cancelAt'> & {
  durations?: Partial<typeof INSTANT> & { moveMs?: number };
  instances?: SessionInput['instances'];
  expectations?: Expectations;
};

function boundary(name: string, { durations = {}, instances, expectations, ...play }: Play): Boundary {
  const { moveMs = 10, ...others } = durations;
  return {
    name,
    ...play,
    fleet: {
      hosts: { count: 2, zones: 1, capacity: { vcpus: 8, memoryMb: 16_384, diskGb: 200 } },
      emptyHosts: 1,
      instances: { perHost: 1, sizes: [{ vcpus: 2, memoryMb: 4_096, diskGb: 20 }] },
      migration: { baseMs: moveMs, mbPerSecond: 0 },
      durations: { ...INSTANT, ...others },
    },
    session: { hosts: [HOST], actions: [workAt(name)], ...(instances === undefined ? {} : { instances }) },
    expectations: {
      worked: [HOST],
      maxConcurrentHosts: 1,
      maxConcurrentMovesPerHost: 1,
      ...expectations,
    },
  };
}

const type =
  (wanted: JournalEntry['type']) =>
  (entry: JournalEntry): boolean =>
    entry.type === wanted;

const posted =
  (path: RegExp) =>
  (entry: JournalEntry): boolean =>
    entry.type === 'request' && entry.method === 'POST' && path.test(entry.path);

const STOP = { mode: 'stop' } as const;

/** Work is not asked for, and not forbidden: one that runs is let come to its end. */
const CANCELLED = { expectations: { worked: [] } };

/** Starts the session of a boundary on its site, and waits until it is there. */
export async function bringTo(
  rig: Rig,
  { name, session: input, unanswered, reached, cancelAt }: Boundary,
): Promise<WorkflowHandle> {
  const simulator = rig.simulator(name);
  if (unanswered) {
    const match = { after: 0, probability: 1, times: 1, ...unanswered };
    simulator.faults.add({ match, effect: { kind: 'hang' } });
  }
  const session = await rig.startSession(name, input);
  if (cancelAt) {
    await untilJournal(simulator, cancelAt, `when to cancel ${name}`);
    await session.signal('cancel', {});
  }
  await untilJournal(simulator, reached, name);
  return session;
}

/** Every boundary from a session's first look to its last: orders not answered, tasks under way, tasks that ended unseen. */
export const BOUNDARIES: Boundary[] = [
  boundary('hosts-looked-up', { unanswered: { operation: 'inventory' }, reached: type('fault.injected') }),
  boundary('session-planned', {
    unanswered: { operation: 'inventory', after: 3 },
    reached: type('fault.injected'),
  }),
  boundary('host-prechecked', {
    unanswered: { operation: 'inventory', host: HOST },
    reached: type('fault.injected'),
  }),
  boundary('cordon-ordered', { unanswered: { operation: 'cordon' }, reached: type('host.cordoned') }),
  boundary('move-ordered', {
    unanswered: { operation: 'migrate' },
    reached: type('instance.migration.started'),
  }),
  boundary('moving', { durations: { moveMs: LONG_MS }, reached: type('instance.migration.started') }),
  boundary('moved', {
    unanswered: { operation: 'task:migrate' },
    reached: type('instance.migration.ended'),
  }),
  boundary('stop-ordered', {
    instances: STOP,
    unanswered: { operation: 'stop' },
    reached: type('instance.stopped'),
  }),
  boundary('stopping', { instances: STOP, durations: { stopMs: LONG_MS }, reached: posted(/\/stop$/) }),
  boundary('enter-ordered', { unanswered: { operation: 'enter' }, reached: type('host.entering') }),
  boundary('entering', { durations: { enterMs: LONG_MS }, reached: type('host.entering') }),
  boundary('entered', { unanswered: { operation: 'task:enter' }, reached: type('host.entered') }),
  boundary('work-ordered', { unanswered: { operation: 'work' }, reached: type('work.started') }),
  boundary('working', { durations: { workMs: LONG_MS }, reached: type('work.started') }),
  boundary('worked', { unanswered: { operation: 'task:work' }, reached: type('work.ended') }),
  boundary('exit-ordered', { unanswered: { operation: 'exit' }, reached: type('host.exiting') }),
  boundary('exiting', { durations: { exitMs: LONG_MS }, reached: type('host.exiting') }),
  boundary('exited', { unanswered: { operation: 'task:exit' }, reached: type('host.exited') }),
  boundary('uncordon-ordered', {
    unanswered: { operation: 'uncordon' },
    reached: type('host.uncordoned'),
  }),
  boundary('start-ordered', {
    instances: STOP,
    unanswered: { operation: 'start' },
    reached: type('instance.started'),
  }),
  boundary('starting', { instances: STOP, durations: { startMs: LONG_MS }, reached: posted(/\/start$/) }),
  boundary('return-ordered', {
    instances: { return: true },
    unanswered: { operation: 'migrate', after: 1 },
    reached: (entry) => entry.type === 'instance.migration.started' && entry.to === HOST,
    expectations: { maxMovesPerInstance: 2, returned: true },
  }),
  boundary('abort-of-move-ordered', {
    ...CANCELLED,
    durations: { moveMs: LONG_MS },
    cancelAt: type('instance.migration.started'),
    unanswered: { operation: 'abort' },
    reached: type('instance.migration.ended'),
  }),
  boundary('abort-of-enter-ordered', {
    ...CANCELLED,
    durations: { enterMs: LONG_MS },
    cancelAt: type('host.entering'),
    unanswered: { operation: 'abort' },
    reached: type('host.enter-failed'),
  }),
  boundary('exit-ordered-in-roll-back', {
    ...CANCELLED,
    durations: { workMs: 1_000 },
    cancelAt: type('work.started'),
    unanswered: { operation: 'exit' },
    reached: type('host.exiting'),
  }),
  boundary('uncordon-ordered-in-roll-back', {
    ...CANCELLED,
    durations: { enterMs: LONG_MS },
    cancelAt: type('host.entering'),
    unanswered: { operation: 'uncordon' },
    reached: type('host.uncordoned'),
  }),
  boundary('start-ordered-in-roll-back', {
    ...CANCELLED,
    instances: STOP,
    durations: { enterMs: LONG_MS },
    cancelAt: type('host.entering'),
    unanswered: { operation: 'start' },
    reached: type('instance.started'),
  }),
];
