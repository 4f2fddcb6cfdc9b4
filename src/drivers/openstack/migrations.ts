/**
 * Moves as tasks. Nova gives a move no id: it answers 202, and a migration record appears a little later. So a task is
 * named after the request, and after the newest migration that the server had before it; whoever knows both can follow
 * the move, and whoever does not can work them out.
 */
import { MaintenanceError } from '../../core/errors.ts';
import type { CallContext, PlatformTask, TaskStatus } from '../driver.ts';
import { rest } from '../transport.ts';
import { whyItFailed } from './actions.ts';
import { hostServices, isBetweenHosts, isUp } from './inventory.ts';
import type { Nova } from './nova.ts';
import type { RunningMigration, WireAction, WireMigration, WireServer } from './wire.ts';

/** A migration can be aborted once its source has it in hand; until then, so often is looked again. */
const ABORT_LOOKS = 60;
const ABORT_PAUSE_MS = 500;

/**
 * What nova-compute had in hand when it died keeps its state until it is back, if not for ever. A record that has not
 * changed for so long is not believed any more without a look at the server. Clocks that differ only make that sooner
 * or later.
 */
const STALE_MS = 60_000;

/** What Nova calls moves in the actions of a server. */
const MOVES = ['live-migration', 'migrate', 'resize', 'evacuate'];

/** `ours-cold` is confirmed when it is done; what others began is theirs to end, and is only watched. */
const WAYS = ['ours-live', 'ours-cold', 'others-live', 'others-cold'] as const;
type Way = (typeof WAYS)[number];

interface Ticket {
  way: Way;
  request: string;
  /** Id of the newest migration before it; 0 when it is the server's first. */
  after: number;
}

export class Migrations {
  readonly #nova: Nova;
  readonly #userId: (context: CallContext) => Promise<string>;

  /** `userId`: who we are to Nova. */
  constructor(nova: Nova, userId: (context: CallContext) => Promise<string>) {
    this.#nova = nova;
    this.#userId = userId;
  }

  async start(
    server: string,
    { how, target }: { how: 'live' | 'cold'; target?: string },
    context: CallContext,
  ): Promise<PlatformTask> {
    const [newest] = await this.#nova.migrations({ instance_uuid: server }, 1, context);
    const body =
      how === 'live'
        ? { 'os-migrateLive': { host: target ?? null, block_migration: 'auto' } }
        : { migrate: target === undefined ? null : { host: target } };
    const request = await this.#nova.act(server, body, context);
    return taskOf(server, { way: `ours-${how}`, request, after: newest?.id ?? 0 });
  }

  /** The move that is under way, whoever began it; one that we have to confirm is not over. */
  async find(server: WireServer, context: CallContext): Promise<PlatformTask | undefined> {
    if (!isBetweenHosts(server) && !(await this.#awaitsUs(server, context))) return undefined;
    const [last, [newest, before]] = await Promise.all([
      this.#lastMove(server.id, context),
      this.#nova.migrations({ instance_uuid: server.id }, 2, context),
    ]);
    if (last === undefined) return undefined;
    const live = last.action === 'live-migration';
    const ours = live || last.action === 'migrate' ? await this.#isOurs(last, context) : false;
    // Its record may not have appeared yet: then the newest one is that of the move before.
    const recorded = newest !== undefined && !isOver(newest);
    return taskOf(server.id, {
      way: `${ours ? 'ours' : 'others'}-${live ? 'live' : 'cold'}`,
      request: last.request_id,
      after: (recorded ? before : newest)?.id ?? 0,
    });
  }

  /** The host that it leaves, if it was we who moved it cold and have yet to confirm that. */
  async awaitsUsFrom(server: WireServer, context: CallContext): Promise<string | undefined> {
    if (!(await this.#awaitsUs(server, context))) return undefined;
    const [newest] = await this.#nova.migrations({ instance_uuid: server.id }, 1, context);
    return newest?.source_compute ?? server.host;
  }

  async #awaitsUs(server: WireServer, context: CallContext): Promise<boolean> {
    if (server.vmState !== 'resized') return false;
    const last = await this.#lastMove(server.id, context);
    return last?.action === 'migrate' && (await this.#isOurs(last, context));
  }

  /** How the move stands. A cold one of ours is confirmed on the way, since it is not over before. */
  async poll({ id, subject }: PlatformTask, context: CallContext): Promise<TaskStatus> {
    const ticket = parseTicket(id);
    if (!ticket) return { state: 'vanished' };
    if (isLive(ticket)) {
      const running = await this.#running(subject, ticket, context);
      if (running) return this.#pollRunning(subject, running, progressOf(running), context);
    }
    const migration = await this.#recordOf(subject, ticket, context);
    if (!migration) return this.#pollUnrecorded(subject, ticket, context);
    switch (migration.status) {
      case 'completed':
      case 'done':
        return { state: 'done' };
      case 'confirmed':
        return this.#pollConfirmed(subject, context);
      case 'finished':
        return ticket.way === 'ours-cold' ? this.#confirm(subject, context) : { state: 'done' };
      case 'failed':
      case 'error':
      case 'cancelled':
      case 'reverted':
        return { state: 'failed', error: await this.#failure(subject, ticket, migration, context) };
      default:
        return this.#pollRunning(subject, migration, { detail: migration.status }, context);
    }
  }

  /** Aborts a live migration of ours. A cold one cannot be aborted, and is seen to its end; so is what others began. */
  async cancel(task: PlatformTask, context: CallContext): Promise<void> {
    const { id, subject } = task;
    const ticket = parseTicket(id);
    if (ticket?.way !== 'ours-live') return;
    for (let look = 0; look < ABORT_LOOKS; look += 1) {
      const running = await this.#running(subject, ticket, context);
      if (running?.status === 'queued' || running?.status === 'running') {
        await unlessOver(this.#nova.abortMigration(subject, running.id, context));
        return;
      }
      if ((await this.poll(task, context)).state !== 'running') return;
      await rest(ABORT_PAUSE_MS, context.signal);
    }
    throw new MaintenanceError('PlatformBusy', `the move of ${subject} cannot be aborted yet`);
  }

  async #running(
    server: string,
    { after }: Ticket,
    context: CallContext,
  ): Promise<RunningMigration | undefined> {
    return (await this.#nova.runningMigrations(server, context)).find(({ id }) => id > after);
  }

  /** The first migration after the one that was the newest before. */
  async #recordOf(
    server: string,
    { after }: Ticket,
    context: CallContext,
  ): Promise<WireMigration | undefined> {
    const newestFirst = await this.#nova.migrations({ instance_uuid: server }, 10, context);
    return newestFirst.filter(({ id }) => id > after).at(-1);
  }

  async #pollRunning(
    server: string,
    migration: Pick<WireMigration, 'created_at' | 'updated_at' | 'source_compute'>,
    progress: { progress?: number; detail: string },
    context: CallContext,
  ): Promise<TaskStatus> {
    const { created_at: created, updated_at: updated, source_compute: source } = migration;
    if (Date.now() - (updated ?? created) < STALE_MS) return { state: 'running', ...progress };
    if ((await this.#nova.server(server, context))?.taskState === undefined) return { state: 'vanished' };
    const service = source
      ? hostServices(await this.#nova.services({ host: source }, context)).get(source)
      : undefined;
    if (service === undefined || isUp(service)) return { state: 'running', ...progress };
    const words = `nova-compute on ${source} is down, in the middle of moving ${server} (${progress.detail})`;
    return { state: 'failed', error: new MaintenanceError('MoveFailed', words) };
  }

  /** Nova has accepted it and made no record yet, or could not even do that. */
  async #pollUnrecorded(subject: string, ticket: Ticket, context: CallContext): Promise<TaskStatus> {
    const server = await this.#nova.server(subject, context);
    if (server?.taskState !== undefined) return { state: 'running', detail: server.taskState };
    const action = await this.#nova.action(subject, ticket.request, context);
    if (!action?.message) return { state: 'vanished' };
    return { state: 'failed', error: await this.#failure(subject, ticket, undefined, context) };
  }

  async #confirm(server: string, context: CallContext): Promise<TaskStatus> {
    try {
      await this.#nova.act(server, { confirmResize: null }, context);
    } catch (error) {
      // Nova says that it is finished a moment before it can be confirmed.
      const early = error instanceof MaintenanceError && /^(MoveRefused|PlatformBusy)$/.test(error.code);
      if (!early && !isConfirmed(error)) throw error;
    }
    return { state: 'running', detail: 'confirming' };
  }

  /** The record says so a moment before the server does. */
  async #pollConfirmed(id: string, context: CallContext): Promise<TaskStatus> {
    const server = await this.#nova.server(id, context);
    return server?.vmState === 'resized' ? { state: 'running', detail: 'confirming' } : { state: 'done' };
  }

  async #failure(
    server: string,
    ticket: Ticket,
    migration: WireMigration | undefined,
    context: CallContext,
  ): Promise<MaintenanceError> {
    const found = await whyItFailed(this.#nova, server, ticket.request, context);
    const to = migration?.dest_compute ? ` to ${migration.dest_compute}` : '';
    const what = `migration${migration ? ` ${migration.id}` : ''} of ${server}${to} ended as "${migration?.status ?? 'error'}"`;
    if (found === undefined) {
      const vendor = `${migration?.status ?? 'error'}, without a reason`;
      const where = migration?.source_compute ? ` on ${migration.source_compute}` : '';
      return new MaintenanceError('MoveFailed', `${what}; the log of nova-compute${where} may say why`, {
        vendor,
      });
    }
    const code = found.noTarget ? 'NoTarget' : 'MoveFailed';
    return new MaintenanceError(code, `${what}: ${found.words}`, { vendor: found.words });
  }

  async #lastMove(server: string, context: CallContext): Promise<WireAction | undefined> {
    return (await this.#nova.actions(server, context)).find(({ action }) => MOVES.includes(action));
  }

  async #isOurs({ user_id: user }: WireAction, context: CallContext): Promise<boolean> {
    return user === (await this.#userId(context));
  }
}

const isLive = ({ way }: Ticket): boolean => way === 'ours-live' || way === 'others-live';

/** `finished` is not: somebody has to confirm it. */
const isOver = ({ status }: Pick<WireMigration, 'status'>): boolean =>
  ['completed', 'done', 'confirmed', 'failed', 'error', 'cancelled', 'reverted'].includes(status);

const taskOf = (subject: string, { way, request, after }: Ticket): PlatformTask => ({
  id: `${way}/${request}/${after}`,
  kind: 'move',
  subject,
});

function parseTicket(id: string): Ticket | undefined {
  const [way, request, after] = id.split('/');
  const known = WAYS.find((one) => one === way);
  if (known === undefined || request === undefined || after === undefined) return undefined;
  return { way: known, request, after: Number(after) };
}

function progressOf(running: RunningMigration): { progress?: number; detail: string } {
  const { status, memory_total_bytes: total, memory_remaining_bytes: left } = running;
  if (!total || left === null || left === undefined) return { detail: status };
  return { progress: Math.round((100 * (total - left)) / total), detail: status };
}

/** Somebody else was quicker. */
const isConfirmed = (error: unknown): boolean =>
  error instanceof MaintenanceError && /has not been resized/.test(error.vendor ?? '');

/** Over already, or just being aborted: what comes of it is seen by following it. */
async function unlessOver(abort: Promise<void>): Promise<void> {
  try {
    await abort;
  } catch (error) {
    const over = error instanceof MaintenanceError && /^(NotFound|PlatformRefused)$/.test(error.code);
    if (!over) throw error;
  }
}
