/** Deliveries of notifications that have failed, as the command line sees them. */
import {
  WorkflowFailedError,
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowExecutionInfo,
} from '@temporalio/client';
import { callFailureOf } from '../call-failure.ts';
import { withTemporal } from '../client.ts';
import type { DeliveryInput, DeliveryMemo } from '../core/notice.ts';
import { MAINTENANCE_QUEUE, WORKFLOWS } from '../names.ts';
import { EXIT } from './exit-codes.ts';
import { CliError } from './failure.ts';

/** An event that a sink has not got. */
export interface FailedDelivery extends DeliveryMemo {
  /** Workflow id of the delivery. */
  id: string;
  /** RFC 3339. */
  failedAt: string;
  reason: string;
}

export class Deliveries {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Those that have failed and were not sent again, the newest first. */
  async failed(limit: number): Promise<FailedDelivery[]> {
    const query = `WorkflowType = '${WORKFLOWS.delivery}' AND ExecutionStatus = 'Failed'`;
    const found: FailedDelivery[] = [];
    for await (const run of this.#client.workflow.list({ query })) {
      if (await this.#isLatest(run)) found.push(await this.#read(run));
      if (found.length === limit) break;
    }
    return found;
  }

  /** Sends the event of a failed delivery once more, under the same id. Throws CliError when there is none to send. */
  async retry(id: string): Promise<void> {
    const failed = await this.#describe(id);
    const { type, runId, memo = {}, typedSearchAttributes } = failed;
    if (type !== WORKFLOWS.delivery) {
      throw new CliError(EXIT.notFound, `"${id}" is a ${type}, not a delivery`);
    }
    const input = await this.#inputOf(id, runId);
    const staticSummary = await failed.staticSummary();
    try {
      await this.#client.workflow.start(WORKFLOWS.delivery, {
        workflowId: id,
        workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
        workflowIdConflictPolicy: 'FAIL',
        taskQueue: MAINTENANCE_QUEUE,
        args: [{ ...input, again: true }],
        memo,
        typedSearchAttributes,
        ...(staticSummary === undefined ? {} : { staticSummary }),
      });
    } catch (error) {
      if (callFailureOf(error)?.kind !== 'in-use') throw error;
      throw new CliError(EXIT.refused, `"${id}" is on its way, or was delivered`, error);
    }
  }

  /** An older run of a delivery that was sent again is over and done with. */
  async #isLatest({ workflowId, runId }: WorkflowExecutionInfo): Promise<boolean> {
    return (await this.#describe(workflowId)).runId === runId;
  }

  async #read({ workflowId, runId, memo, closeTime }: WorkflowExecutionInfo): Promise<FailedDelivery> {
    return {
      id: workflowId,
      ...(memo as unknown as DeliveryMemo),
      failedAt: closeTime?.toISOString() ?? '',
      reason: await this.#reasonOf(workflowId, runId),
    };
  }

  async #reasonOf(id: string, runId: string): Promise<string> {
    try {
      await this.#client.workflow.getHandle(id, runId, { followRuns: false }).result();
      return '';
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw error;
      return error.cause?.message ?? error.message;
    }
  }

  async #describe(id: string): Promise<WorkflowExecutionDescription> {
    try {
      return await this.#client.workflow.getHandle(id).describe();
    } catch (error) {
      if (callFailureOf(error)?.kind !== 'unknown') throw error;
      throw new CliError(EXIT.notFound, `There is no delivery "${id}"`, error);
    }
  }

  async #inputOf(id: string, runId: string): Promise<DeliveryInput> {
    const { events } = await this.#client.workflow.getHandle(id, runId).fetchHistory();
    const [payload] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
    if (!payload) throw new CliError(EXIT.error, `The history of "${id}" has no input`);
    const { payloadConverter } = this.#client.options.loadedDataConverter;
    return payloadConverter.fromPayload<DeliveryInput>(payload);
  }
}

/** Connects, does the work, and disconnects. */
export const withDeliveries = <T>(work: (deliveries: Deliveries) => Promise<T>): Promise<T> =>
  withTemporal(({ client }) => work(new Deliveries(client)));
