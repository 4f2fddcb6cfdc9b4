/** Namespaces of the tests' own on a server that others use too. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import { ensureSearchAttributes } from '../../src/search-attributes.ts';

const KNOWN_WITHIN_MS = 30_000;

/** Registers a namespace with the search attributes of sessions; resolves to its name when it is ready for work. */
export async function createNamespace(connection: Connection): Promise<string> {
  const namespace = `test-${randomUUID().slice(0, 8)}`;
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
  });
  // A new namespace is known everywhere only after a moment.
  const deadline = Date.now() + KNOWN_WITHIN_MS;
  for (;;) {
    try {
      await ensureSearchAttributes(connection, namespace);
      await connection.workflowService.listOpenWorkflowExecutions({ namespace });
      return namespace;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(200);
    }
  }
}
