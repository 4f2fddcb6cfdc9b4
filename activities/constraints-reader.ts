/** What the projects of a site have said of their instances and groups, asked of the workflows that keep it. */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import {
  CONSTRAINT_SHARDS,
  type Constraints,
  type ConstraintsState,
  type ConstraintsView,
} from '../src/core/constraints.ts';
import { constraintsWorkflowId, QUERIES } from '../src/names.ts';

interface Part {
  /** Which run it was read from, and how long that was: all that changes it makes it longer. */
  seen: string;
  version: string;
  state: ConstraintsState;
}

/**
 * Asks the server whether a part has grown, and only if it has the workflow itself, by a query. Neither leaves anything in
 * a history, and as long as nothing changes no workflow is woken.
 */
export class ConstraintsReader {
  readonly #client: Client;
  readonly #site: string;
  #parts: readonly (Part | undefined)[] = [];
  #latest: Constraints = { instances: new Map(), groups: new Map() };

  constructor(client: Client, site: string) {
    this.#client = client;
    this.#site = site;
  }

  /** As they were when they were last read; empty before. */
  get latest(): Constraints {
    return this.#latest;
  }

  /** As they are now. Throws when a part that is there does not answer: without it more might be done than may be. */
  async read(): Promise<Constraints> {
    const known = this.#parts;
    const parts = await Promise.all(
      Array.from({ length: CONSTRAINT_SHARDS }, (_, shard) => this.#ask(shard, known[shard])),
    );
    if (parts.some((part, shard) => part !== known[shard])) {
      this.#parts = parts;
      this.#latest = {
        instances: new Map(
          parts.flatMap((part) => part?.state.instances ?? []).map((one) => [one.instance, one]),
        ),
        groups: new Map(parts.flatMap((part) => part?.state.groups ?? []).map((one) => [one.group, one])),
      };
    }
    return this.#latest;
  }

  /** The part that is known already when it is still so; undefined when nobody has written to it yet. */
  async #ask(shard: number, known: Part | undefined): Promise<Part | undefined> {
    const handle = this.#client.workflow.getHandle(constraintsWorkflowId(this.#site, shard));
    try {
      const { runId, historyLength } = await handle.describe();
      const seen = `${runId}/${historyLength}`;
      if (known?.seen === seen) return known;
      const request = known === undefined ? {} : { unless: known.version };
      const view = await handle.query<ConstraintsView, [{ unless?: string }]>(QUERIES.constraints, request);
      const state = view.state ?? known?.state;
      return state && { seen, version: view.version, state };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }
}
