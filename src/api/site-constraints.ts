/** The constraints of the site, on behalf of a request. */
import { callFailureOf } from '../call-failure.ts';
import type { ConstraintStore } from '../constraint-store.ts';
import type { ConstraintMessage, GroupConstraint, InstanceConstraint } from '../core/constraints.ts';
import { ApiError } from './errors.ts';
import type { Temporal } from './temporal.ts';

/** What is kept under each kind. */
interface Kinds {
  instance: InstanceConstraint;
  group: GroupConstraint;
}

export class SiteConstraints {
  readonly #temporal: Temporal;
  readonly #store: ConstraintStore;

  constructor(temporal: Temporal, store: ConstraintStore) {
    this.#temporal = temporal;
    this.#store = store;
  }

  async find<Kind extends keyof Kinds>(kind: Kind, id: string): Promise<Kinds[Kind] | undefined> {
    const found = await this.#temporal.query(() => this.#store.get({ kind, id }));
    // Under each kind there is nothing else.
    return found as Kinds[Kind] | undefined;
  }

  /** In the place of the one before. Throws ApiError Refused when there is no room for more. */
  async put(constraint: ConstraintMessage): Promise<void> {
    try {
      await this.#temporal.worker(() => this.#store.put(constraint));
    } catch (error) {
      const failure = callFailureOf(error);
      if (failure?.kind === 'refused') throw new ApiError('Refused', failure.reason, { cause: error });
      throw error;
    }
  }

  /** Succeeds also when there is none. */
  async delete(kind: keyof Kinds, id: string): Promise<void> {
    await this.#temporal.worker(() => this.#store.delete({ kind, id }));
  }
}
