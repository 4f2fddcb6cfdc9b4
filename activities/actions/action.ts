/**
 * What the built-in actions share. They know nothing of Temporal: whoever runs them hands them a context, and beats for
 * them while they run. So each of their waits is bounded, or ends with something that can be seen to end.
 */
import type { z } from 'zod';
import { MaintenanceError } from '../../src/core/errors.ts';
import type { ActionInput } from '../../src/core/host-run.ts';

export interface ActionContext {
  /** Aborts the action; it then throws the signal's reason, once what it had started has ended. */
  signal: AbortSignal;
  /** Keeps what a new attempt needs to go on from here, should this one die. */
  heartbeat(details: unknown): void;
  /** What an earlier attempt kept. */
  resumed: unknown;
}

/** Runs one action to its end. Throws MaintenanceError, or the reason of the context's signal. */
export type Action = (input: ActionInput, context: ActionContext) => Promise<void>;

/** The metadata an action was given in the session, checked; throws ActionFailed that names each field that is wrong. */
export function readMetadata<T>(schema: z.ZodType<T>, input: ActionInput): T {
  const parsed = schema.safeParse(input.metadata);
  if (parsed.success) return parsed.data;
  const problems = metadataProblems(parsed.error);
  throw new MaintenanceError('ActionFailed', `action ${input.plugin}: ${problems.join('; ')}`);
}

/** What is wrong with metadata, each with the path of its field. */
export const metadataProblems = ({ issues }: z.ZodError): string[] =>
  issues.map(({ path, message }) => `${['metadata', ...path.map(String)].join('.')}: ${message}`);
