/** Constraints of one site as their writers see them: whatever part they are in, and whether or not it runs yet. */
import { WithStartWorkflowOperation, WorkflowNotFoundError, type Client } from '@temporalio/client';
import { untilTaken } from './call-failure.ts';
import {
  CONSTRAINT_SHARDS,
  constraintShard,
  refOfConstraint,
  type ConstraintMessage,
  type ConstraintReceipt,
  type ConstraintRef,
  type ConstraintsState,
  type ConstraintsView,
  type GroupConstraint,
  type InstanceConstraint,
} from './core/constraints.ts';
import { constraintsWorkflowId, MAINTENANCE_QUEUE, QUERIES, UPDATES, WORKFLOWS } from './names.ts';

/** Throws what the SDK throws; a part that refuses what is wrong fails the update with InvalidMessage. */
export class ConstraintStore {
  readonly #client: Client;
  readonly #site: string;

  constructor(client: Client, site: string) {
    this.#client = client;
    this.#site = site;
  }

  /** Keeps it, in the place of one of the same kind and id. */
  put(message: ConstraintMessage): Promise<ConstraintReceipt> {
    const shard = constraintShard(refOfConstraint(message).id);
    // A new one for each time it is sent: the SDK takes an operation once.
    const start = (): WithStartWorkflowOperation<never> =>
      new WithStartWorkflowOperation(WORKFLOWS.constraints, {
        workflowId: this.#idOf(shard),
        workflowIdConflictPolicy: 'USE_EXISTING',
        taskQueue: MAINTENANCE_QUEUE,
        args: [{ site: this.#site, shard }],
        staticSummary: `constraints of ${this.#site}, part ${shard}`,
      }) as WithStartWorkflowOperation<never>;
    return untilTaken(() =>
      this.#client.workflow.executeUpdateWithStart<never, ConstraintReceipt, [ConstraintMessage]>(
        UPDATES.putConstraint,
        { args: [message], startWorkflowOperation: start() },
      ),
    );
  }

  /**
   * Keeps all of them, those of one part one after the other, so that none is asked more at a time than it takes. Returns
   * how many have changed anything.
   */
  async putAll(messages: readonly ConstraintMessage[]): Promise<number> {
    const parts = Array.from({ length: CONSTRAINT_SHARDS }, (): ConstraintMessage[] => []);
    for (const message of messages) parts[constraintShard(refOfConstraint(message).id)]?.push(message);
    let changes = 0;
    const putPart = async (part: readonly ConstraintMessage[]): Promise<void> => {
      for (const message of part) if ((await this.put(message)).changed) changes += 1;
    };
    await Promise.all(parts.map(putPart));
    return changes;
  }

  /** One that is not there is as good as deleted. */
  async delete(ref: ConstraintRef): Promise<ConstraintReceipt> {
    const handle = this.#handle(constraintShard(ref.id));
    const deleting = untilTaken(() =>
      handle.executeUpdate<ConstraintReceipt, [ConstraintRef]>(UPDATES.deleteConstraint, { args: [ref] }),
    );
    return (await unlessNone(deleting)) ?? { changed: false };
  }

  /** Undefined when there is none. */
  async get(ref: ConstraintRef): Promise<InstanceConstraint | GroupConstraint | undefined> {
    const asking = this.#handle(constraintShard(ref.id)).query<
      InstanceConstraint | GroupConstraint | null | undefined,
      [ConstraintRef]
    >(QUERIES.constraint, ref);
    return (await unlessNone(asking)) ?? undefined;
  }

  /** All of the site. */
  async list(): Promise<ConstraintsState> {
    const asking = Array.from({ length: CONSTRAINT_SHARDS }, (_, shard) =>
      unlessNone(this.#handle(shard).query<ConstraintsView>(QUERIES.constraints)),
    );
    const parts = (await Promise.all(asking)).flatMap((view) => view?.state ?? []);
    return {
      instances: parts.flatMap(({ instances }) => instances),
      groups: parts.flatMap(({ groups }) => groups),
    };
  }

  #idOf(shard: number): string {
    return constraintsWorkflowId(this.#site, shard);
  }

  #handle(shard: number) {
    return this.#client.workflow.getHandle(this.#idOf(shard));
  }
}

/** Undefined when nobody has written to the part yet. */
function unlessNone<T>(asking: Promise<T>): Promise<T | undefined> {
  return asking.catch((error: unknown) => {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  });
}
