/** The errors that the service answers with. */

interface Kind {
  status: number;
  /** What Fenix has under the key `error`, where a client may know it; else the message stands there too. */
  fenix?: string;
}

const KINDS = {
  InvalidRequest: { status: 400 },
  NotAuthenticated: { status: 401 },
  NotAllowed: { status: 403 },
  UnknownSession: { status: 404, fenix: 'Invalid session' },
  NotFound: { status: 404 },
  MethodNotAllowed: { status: 405 },
  Refused: { status: 409 },
  TooLarge: { status: 413 },
  WrongMediaType: { status: 415 },
  KeyReused: { status: 422 },
  TooManyRequests: { status: 429 },
  InternalError: { status: 500 },
  /** Temporal, Keystone, or a worker that would have to answer. */
  Unavailable: { status: 503 },
} as const satisfies Record<string, Kind>;

export type ApiErrorCode = keyof typeof KINDS;

/** The body of every answer that is not a success. */
export interface ErrorBody {
  error: string;
  code: ApiErrorCode;
  message: string;
  /** The field that is wrong, such as `actions.0.plugin`. */
  path?: string;
}

/** A request that cannot be answered as asked; the message is for whoever asked. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiErrorCode;
  readonly path?: string;

  constructor(code: ApiErrorCode, message: string, options: { path?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    if (options.path !== undefined) this.path = options.path;
  }

  get status(): number {
    return KINDS[this.code].status;
  }

  get body(): ErrorBody {
    const { code, message, path } = this;
    const kind: Kind = KINDS[code];
    return { error: kind.fenix ?? message, code, message, ...(path === undefined ? {} : { path }) };
  }
}

export const unknownSession = (session: string): ApiError =>
  new ApiError('UnknownSession', `There is no session "${session}"`);

/** What a status of Fastify and its plug-ins means here. */
export const codeOfStatus = (status: number): ApiErrorCode => {
  const found = Object.entries(KINDS).find(([, kind]) => kind.status === status);
  if (found) return found[0] as ApiErrorCode;
  return status >= 500 ? 'InternalError' : 'InvalidRequest';
};
