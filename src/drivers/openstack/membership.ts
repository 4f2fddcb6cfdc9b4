/** Which servers belong to which server groups. That is fixed when a server is created, so it is read only once. */
import type { CallContext } from '../driver.ts';
import type { Nova } from './nova.ts';
import type { WireGroup, WireServer } from './wire.ts';

export class Membership {
  readonly #nova: Nova;
  #known: ReadonlyMap<string, readonly string[]> = new Map();

  constructor(nova: Nova) {
    this.#nova = nova;
  }

  /** Reads all groups anew. `servers` were read before, so that none of them can be missing from its group. */
  async read(servers: readonly WireServer[], context: CallContext): Promise<WireGroup[]> {
    return this.#learn(
      servers.map(({ id }) => id),
      context,
    );
  }

  /** Tells the ids of a server's groups; reads them first if one of the servers is new and does not say them itself. */
  async of(
    servers: readonly WireServer[],
    context: CallContext,
  ): Promise<(server: WireServer) => readonly string[]> {
    const fresh = servers.filter(({ id, groups }) => groups === undefined && !this.#known.has(id));
    if (fresh.length > 0) await this.#learn([...this.#known.keys(), ...fresh.map(({ id }) => id)], context);
    const known = this.#known;
    return ({ id, groups }) => groups ?? known.get(id) ?? [];
  }

  /** Of these servers, and of all that are in a group, is known from now on which groups they are in. */
  async #learn(servers: readonly string[], context: CallContext): Promise<WireGroup[]> {
    const groups = await this.#nova.groups(context);
    const known = new Map<string, string[]>(servers.map((id) => [id, []]));
    for (const { id, members } of groups) {
      for (const member of members) known.set(member, [...(known.get(member) ?? []), id]);
    }
    this.#known = known;
    return groups;
  }
}
