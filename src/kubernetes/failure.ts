/** What an API server says when it refuses: a `Status` with a reason, made an error of the catalogue. */
import { z } from 'zod';
import { type ErrorCode, MaintenanceError } from '../core/errors.ts';
import type { ErrorAnswer } from '../drivers/transport.ts';

const status = z.object({
  kind: z.literal('Status'),
  message: z.string().default(''),
  reason: z.string().default(''),
  code: z.number().default(0),
  details: z
    .object({
      causes: z
        .array(z.object({ reason: z.string().default(''), message: z.string().default('') }))
        .default([]),
      retryAfterSeconds: z.number().optional(),
    })
    .optional(),
});
export type Status = z.output<typeof status>;

/** A refusal of the API server in its own words. */
class KubernetesError extends MaintenanceError {
  /** `Conflict`, `AlreadyExists`, `Expired`, … */
  readonly reason: string;
  readonly causes: readonly { reason: string; message: string }[];

  constructor(code: ErrorCode, said: Status, options: { retryAfterMs?: number } = {}) {
    super(code, `the API server says: ${said.message || said.reason}`, {
      vendor: said.message || said.reason,
      ...options,
    });
    this.reason = said.reason;
    this.causes = said.details?.causes ?? [];
  }
}

/** Somebody else has changed the object since it was read. */
export const isConflict = (error: unknown): boolean => hasReason(error, 'Conflict');

export const isTaken = (error: unknown): boolean => hasReason(error, 'AlreadyExists');

/** What was asked for lies further back than the API server remembers. */
export const isExpired = (error: unknown): boolean => hasReason(error, 'Expired') || hasReason(error, 'Gone');

export const isForbidden = (error: unknown): boolean => hasReason(error, 'Forbidden');

/** The first cause of this reason, in the words of the API server. */
export const causeOf = (error: unknown, reason: string): string | undefined =>
  error instanceof KubernetesError
    ? error.causes.find((cause) => cause.reason === reason)?.message
    : undefined;

/** For `TransportOptions.interpret`. */
export function interpret({ status: http, json, retryAfterMs }: ErrorAnswer): MaintenanceError | undefined {
  const parsed = status.safeParse(json);
  return parsed.success
    ? new KubernetesError(codeFor(http), parsed.data, retryAfterMs === undefined ? {} : { retryAfterMs })
    : undefined;
}

/** An event of type ERROR in a watch, which comes with status 200. */
export function failureOfWatch(object: unknown): MaintenanceError {
  const parsed = status.safeParse(object);
  return parsed.success
    ? new KubernetesError(codeFor(parsed.data.code), parsed.data)
    : new MaintenanceError('PlatformGarbled', 'the API server ends a watch with something that is no status');
}

/** @param http status of the answer */
export function codeFor(http: number): ErrorCode {
  if (http === 401 || http === 403) return 'NotAuthorized';
  if (http === 404) return 'NotFound';
  // A conflict is one of two who write at the same time.
  if (http === 409 || http === 429) return 'PlatformBusy';
  if (http === 410 || http >= 500) return 'PlatformError';
  return 'PlatformRefused';
}

const hasReason = (error: unknown, reason: string): boolean =>
  error instanceof KubernetesError && error.reason === reason;
