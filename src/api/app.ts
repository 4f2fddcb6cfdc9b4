/** What all routes have in common. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Caller } from './auth/caller.ts';
import { ApiError } from './errors.ts';
import { errorBody } from './schemas.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Who may ask: `admin`, or members of the project that the path or the constraint belongs to. Absent: anybody.
     */
    access?: 'admin' | 'project';
  }
  interface FastifyRequest {
    caller: Caller | undefined;
  }
}

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** Who asks, in a route that asks for it. */
export function callerOf({ caller }: FastifyRequest): Caller {
  if (!caller) throw new Error('the route has no access in its config');
  return caller;
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** Answers 405 to all other methods at this path. */
export function allowOnly(app: App, url: string, allowed: readonly (typeof METHODS)[number][]): void {
  const method = METHODS.filter((one) => !allowed.includes(one));
  app.route({
    method,
    url,
    schema: { hide: true },
    handler: async (request, reply) => {
      void reply.header('allow', allowed.join(', '));
      throw new ApiError('MethodNotAllowed', `${request.method} is not possible here; ${allowed.join(', ')}`);
    },
  });
}

/** Error answers of a route, for the OpenAPI document; every route may also fail with 429, 500 and 503. */
export const answers = <Statuses extends number>(
  ...statuses: Statuses[]
): Record<Statuses | 401 | 403 | 429 | 500 | 503, typeof errorBody> =>
  Object.fromEntries([...statuses, 401, 403, 429, 500, 503].map((status) => [status, errorBody])) as Record<
    Statuses | 401 | 403 | 429 | 500 | 503,
    typeof errorBody
  >;
