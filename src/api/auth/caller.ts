/** Who asks, and what that allows. Decided by the credentials alone, never by what a request says of itself. */
import type { IncomingHttpHeaders } from 'node:http';
import { ApiError } from '../errors.ts';

export interface Caller {
  /** Same for the same caller, over restarts; names nothing secret. */
  id: string;
  /** May do everything. */
  isAdmin: boolean;
  /** The project that the caller belongs to. */
  project?: string;
  /** May look, and change nothing. */
  isReader: boolean;
}

export interface Authenticator {
  /** Whether a token has to be sent. */
  readonly wantsToken: boolean;

  /** Throws ApiError NotAuthenticated when the credentials are missing or wrong, Unavailable when nobody can tell. */
  authenticate(headers: IncomingHttpHeaders): Promise<Caller>;
  close(): Promise<void>;
}

const TOKEN = /^[\x21-\x7e]{1,8192}$/;

/** The token of `X-Auth-Token` or `Authorization: Bearer`. Throws ApiError NotAuthenticated when there is none. */
export function tokenIn(headers: IncomingHttpHeaders): string {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  const given = headers['x-auth-token'] ?? bearer;
  if (typeof given === 'string' && TOKEN.test(given)) return given;
  throw new ApiError('NotAuthenticated', 'Send a token in the header X-Auth-Token');
}

/** Throws ApiError NotAllowed unless the caller may do this for the project. */
export function assertMayActFor(caller: Caller, project: string): void {
  if (caller.isAdmin || caller.project === project) return;
  throw new ApiError('NotAllowed', `The token is not one of project "${project}"`);
}
