/** How the hosts of a session stand, asked of the session itself. */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { decodeStatuses, type HostStatus, type Standing } from '../src/core/standing.ts';
import { QUERIES } from '../src/names.ts';

export interface SessionStanding extends Standing {
  hosts: string[];
  scope: ReadonlyMap<string, HostStatus>;
}

/** Sessions whose host names are kept; more than one worker ever has at one time. */
const SESSIONS_KEPT = 50;

/**
 * Asks by a query, which leaves nothing in the history of the session. The names are asked for once a session and kept,
 * since they do not change.
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
      const hosts = this.#hosts.get(standing.chain) ?? (await this.#readHosts(session));
      return { ...standing, hosts, scope: scopeOf(hosts, standing.statuses) };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  async #readHosts(session: string): Promise<string[]> {
    const { chain, hosts = [] } = await this.#query(session, true);
    const [oldest] = this.#hosts.keys();
    if (this.#hosts.size >= SESSIONS_KEPT && oldest !== undefined) this.#hosts.delete(oldest);
    this.#hosts.set(chain, hosts);
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
