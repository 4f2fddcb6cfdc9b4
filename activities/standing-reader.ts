/** How the hosts of a session stand, asked of the session itself. */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { decodeStatuses, type HostStatus, type Standing } from '../src/core/standing.ts';
import { QUERIES } from '../src/names.ts';

export interface SessionStanding extends Standing {
  hosts: string[];
  scope: ReadonlyMap<string, HostStatus>;
}

/** Runs of sessions whose host names are kept; more than one worker ever has at one time. */
const RUNS_KEPT = 50;

/**
 * Asks by a query, which leaves nothing in the history of the session. The names are asked for once a run and kept: a
 * run that was reset may have resolved others.
 */
export class StandingReader {
  readonly #client: Client;
  readonly #hosts = new Map<string, string[]>();

  constructor(client: Client) {
    this.#client = client;
  }

  /** Undefined when there is no such session any more. */
  async read(session: string): Promise<SessionStanding | undefined> {
    try {
      const standing = await this.#query(session, false);
      const known = this.#hosts.get(standing.run);
      // Read before the session had looked its hosts up, there were none.
      const isComplete = known?.length === standing.statuses.length;
      const hosts = isComplete ? known : await this.#readHosts(session);
      return { ...standing, hosts, scope: scopeOf(hosts, standing.statuses) };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  /** Throws when there is no such session any more. */
  async readOpen(session: string): Promise<SessionStanding> {
    const standing = await this.read(session);
    if (!standing) throw new Error(`session ${session} does not answer`);
    return standing;
  }

  async #readHosts(session: string): Promise<string[]> {
    const { run, hosts = [] } = await this.#query(session, true);
    const [oldest] = this.#hosts.keys();
    if (this.#hosts.size >= RUNS_KEPT && oldest !== undefined) this.#hosts.delete(oldest);
    this.#hosts.set(run, hosts);
    return hosts;
  }

  #query(session: string, names: boolean): Promise<Standing> {
    return this.#client.workflow
      .getHandle(session)
      .query<Standing, [{ names: boolean }]>(QUERIES.standing, { names });
  }
}

function scopeOf(hosts: readonly string[], statuses: string): Map<string, HostStatus> {
  const decoded = decodeStatuses(statuses);
  return new Map(hosts.map((host, index) => [host, decoded[index] ?? 'pending']));
}
