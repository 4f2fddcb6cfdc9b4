/** Stopping and starting servers as tasks, with our mark in their metadata as long as they are stopped by us. */
import { MaintenanceError } from '../../core/errors.ts';
import type { Mark } from '../../core/mark.ts';
import type { CallContext, PlatformTask, TaskStatus } from '../driver.ts';
import { whyItFailed } from './actions.ts';
import { STOP_MARK } from './inventory.ts';
import type { Nova } from './nova.ts';
import { markText } from './reason.ts';
import type { WireServer } from './wire.ts';

type Turn = 'stop' | 'start';

/** The id of a task that had nothing to do. */
const NOTHING_ASKED = 'none';

/** States that nobody of us brings a server into, and that starting does not end. */
const OUT_OF_HAND: readonly string[] = [
  'suspended',
  'shelved',
  'shelved_offloaded',
  'soft-delete',
  'rescued',
];

const PASSING = { stop: 'powering-off', start: 'powering-on' } as const;

export class Power {
  readonly #nova: Nova;

  constructor(nova: Nova) {
    this.#nova = nova;
  }

  /** The mark comes first: a server that is stopped without one would stay so. */
  async stop({ id, vmState }: WireServer, mark: Mark, context: CallContext): Promise<PlatformTask> {
    if (vmState === 'stopped') return taskOf('stop', id, NOTHING_ASKED);
    await this.#nova.setMetadata(id, STOP_MARK, markText(mark), context);
    try {
      return taskOf('stop', id, await this.#nova.act(id, { 'os-stop': null }, context));
    } catch (error) {
      if (error instanceof MaintenanceError && error.code === 'MoveRefused') {
        await this.#nova.removeMetadata(id, STOP_MARK, context);
      }
      throw error;
    }
  }

  /** The mark goes last, when the server runs: see `poll`. */
  async start(
    { id, name, vmState, metadata }: WireServer,
    mark: Mark,
    context: CallContext,
  ): Promise<PlatformTask> {
    if (OUT_OF_HAND.includes(vmState)) {
      throw new MaintenanceError('OperatorInterfered', `${name} was made ${vmState} by somebody else`);
    }
    if (vmState !== 'stopped') return taskOf('start', id, NOTHING_ASKED);
    const stopper = metadata[STOP_MARK];
    if (stopper !== markText(mark)) {
      throw new MaintenanceError(
        'OperatorInterfered',
        `${name} was stopped by ${stopper ?? 'somebody else'}`,
      );
    }
    return taskOf('start', id, await this.#nova.act(id, { 'os-start': null }, context));
  }

  async find(turn: Turn, server: WireServer, context: CallContext): Promise<PlatformTask | undefined> {
    if (server.taskState !== PASSING[turn]) return undefined;
    const last = (await this.#nova.actions(server.id, context)).find(({ action }) => action === turn);
    return taskOf(turn, server.id, last?.request_id ?? NOTHING_ASKED);
  }

  async poll(turn: Turn, { id, subject }: PlatformTask, context: CallContext): Promise<TaskStatus> {
    const server = await this.#nova.server(subject, context);
    if (!server) return { state: 'vanished' };
    if (server.taskState !== undefined) return { state: 'running', detail: server.taskState };
    if ((server.vmState === 'stopped') === (turn === 'stop')) {
      const marked = STOP_MARK in server.metadata;
      if (turn === 'start' && marked) await this.#nova.removeMetadata(subject, STOP_MARK, context);
      return { state: 'done' };
    }
    const request = id.slice(turn.length + 1);
    const found = await whyItFailed(this.#nova, subject, request, context);
    const vendor = found?.words ?? `it is ${server.status}, without a reason`;
    return {
      state: 'failed',
      error: new MaintenanceError('PlatformError', `${turn} of ${server.name} failed: ${vendor}`, { vendor }),
    };
  }
}

const taskOf = (turn: Turn, subject: string, request: string): PlatformTask => ({
  id: `${turn}/${request}`,
  kind: turn,
  subject,
});
