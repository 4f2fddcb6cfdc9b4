/**
 * The one catalogue of errors. Every failure an operator sees carries one of these codes, whether retrying can help,
 * and the vendor's own words where there are any. docs/errors.md is tested against this table.
 */

interface ErrorEntry {
  /** Whether the same call may succeed later without anybody doing anything. */
  retryable: boolean;
  /** What happened, for the catalogue. */
  meaning: string;
  /** What the operator can do. */
  remedy: string;
}

export const ERRORS = {
  InvalidSession: {
    retryable: false,
    meaning: 'The session input is wrong; nothing was touched.',
    remedy: 'Correct the fields named in the message and start again.',
  },
  InvalidMessage: {
    retryable: false,
    meaning: 'A signal or update carried an input that is wrong; it changed nothing.',
    remedy: 'Send it again with the fields named in the message corrected.',
  },
  UnknownSite: {
    retryable: false,
    meaning: 'No worker serves a site of this name.',
    remedy: 'Use one of the sites named in the message, or start a worker whose configuration has it.',
  },
  UnknownHost: {
    retryable: false,
    meaning: 'The platform has no host of this name.',
    remedy: 'Correct the name; `haulout plan` lists the hosts of a site.',
  },
  HostBlocked: {
    retryable: false,
    meaning: 'The precheck found something that forbids taking the host out; it was not touched.',
    remedy: 'Clear the blockers named in the message, then continue; or skip the host.',
  },
  HostBusy: {
    retryable: false,
    meaning: 'Another session, or somebody else, works on the host or has the platform.',
    remedy: 'Wait for whom the message names, or finish that maintenance; then continue.',
  },
  NoTarget: {
    retryable: false,
    meaning: 'No host can take the instance without breaking capacity or a constraint.',
    remedy: 'Free capacity or relax the constraint named in the message, then continue.',
  },
  MoveFailed: {
    retryable: true,
    meaning: 'The platform accepted a move and then failed it; the instance is still where it was.',
    remedy: 'Read the vendor text; clear the cause, then continue.',
  },
  MoveRefused: {
    retryable: false,
    meaning: 'The platform refuses to move the instance in the way that was asked.',
    remedy: 'Allow another instances.mode, or override it for this instance; then continue.',
  },
  InstanceFailed: {
    retryable: false,
    meaning: 'An instance is in an error state after it was touched.',
    remedy: 'Repair the instance on its platform, then continue.',
  },
  HostNotEmpty: {
    retryable: false,
    meaning: 'An instance runs on the host although the drain is over; the host was not worked on.',
    remedy: 'Continue: the drain takes what is left; see who puts instances there.',
  },
  EnterFailed: {
    retryable: false,
    meaning: 'The platform did not take the host into maintenance.',
    remedy: 'Read the vendor text; clear the cause, then continue.',
  },
  ExitFailed: {
    retryable: false,
    meaning: 'The platform did not take the host out of maintenance.',
    remedy: 'Read the vendor text; clear the cause, then continue.',
  },
  ActionFailed: {
    retryable: false,
    meaning: 'An action failed on the host, or before or after the session.',
    remedy: 'Look at what the action reports; repair, then continue.',
  },
  ActionNotAllowed: {
    retryable: false,
    meaning: 'The configuration of the worker does not allow this action.',
    remedy: 'Add it to the configuration of the worker, then continue.',
  },
  ApprovalRefused: {
    retryable: false,
    meaning: 'An approval action was answered with no.',
    remedy: 'Continue asks again; skip or roll back leaves the host out of the session.',
  },
  VerifyFailed: {
    retryable: false,
    meaning: 'After the maintenance the host or an instance is not as it should be.',
    remedy: 'Repair what the message names, then continue.',
  },
  OperatorInterfered: {
    retryable: false,
    meaning:
      'Somebody else changed the host while it was ours: the mark is gone or another one stands there.',
    remedy: 'Agree who has the host; continue takes it up from where it stands.',
  },
  DeadlineExceeded: {
    retryable: false,
    meaning: 'A step or a host took longer than its timeout.',
    remedy: 'Look at what is left in the message; continue gives it a new deadline.',
  },
  WindowClosed: {
    retryable: false,
    meaning: 'The maintenance window ended before all hosts were done.',
    remedy: 'Continue with a new maintenanceUntil, or cancel.',
  },
  RollbackFailed: {
    retryable: false,
    meaning: 'The host could not be put back into service.',
    remedy:
      'Repair what the message names, then continue or cancel again; the reconcile workflow also tries.',
  },
  HostWorkflowLost: {
    retryable: false,
    meaning: 'The workflow of the host was terminated, timed out or deleted from outside.',
    remedy: 'Continue starts it again from where the host really stands.',
  },
  ProjectSilent: {
    retryable: false,
    meaning: 'A project was asked, and did not answer in time.',
    remedy:
      'Ask the project to answer, then continue: it is asked again; or let projects.onSilence be proceed.',
  },
  ProjectRefused: {
    retryable: false,
    meaning: 'A project was asked, and answered no.',
    remedy: 'Agree with the project, then continue: it is asked again; or skip the host.',
  },
  DeliveryFailed: {
    retryable: false,
    meaning: 'A sink of notifications did not take an event, or nobody knows whether it did.',
    remedy: 'Repair the sink; `haulout deliveries` lists what it missed, and sends it again.',
  },
  PlatformUnreachable: {
    retryable: true,
    meaning: 'The platform did not answer: refused, cut off or too slow.',
    remedy: 'Check the network and the platform; then continue.',
  },
  PlatformBusy: {
    retryable: true,
    meaning: 'The platform asks to slow down, or another task works on the object.',
    remedy: 'It is tried again as the platform asks; if it lasts, see what keeps the platform busy.',
  },
  PlatformError: {
    retryable: true,
    meaning: 'The platform failed with an error of its own.',
    remedy: 'Read the vendor text; if it lasts, repair the platform, then continue.',
  },
  PlatformRefused: {
    retryable: false,
    meaning: 'The platform refuses the request.',
    remedy: 'Read the vendor text; correct the cause, then continue.',
  },
  PlatformGarbled: {
    retryable: true,
    meaning: 'The answer of the platform is not what its API promises.',
    remedy: 'See what answers at the address (a proxy?); if it lasts, check the release of the platform.',
  },
  NotAuthorized: {
    retryable: false,
    meaning: 'The credentials of the site are refused, or lack a permission.',
    remedy: 'Correct the credentials or permissions of the worker, then continue.',
  },
  NotTrusted: {
    retryable: false,
    meaning: 'The TLS certificate of the platform is not trusted.',
    remedy: 'Name its CA in the site configuration.',
  },
  NotFound: {
    retryable: false,
    meaning: 'The platform does not know the object.',
    remedy: 'It was removed meanwhile, or never was there; check the name.',
  },
  Unexpected: {
    retryable: true,
    meaning:
      'Something happened that the engine does not know: a defect, or an action that failed in its own way.',
    remedy: 'It is tried again for a while; then read the message and the log of the worker, and continue.',
  },
  Unsupported: {
    retryable: false,
    meaning: 'The platform cannot do what was asked.',
    remedy: 'Change the session input; the capabilities of each platform are in docs/.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** Names and texts of others are in it, which may be of any length. */
const MESSAGE_CHARS = 4_000;

/** An error with a code of the catalogue. Drivers and core throw it; activities turn it into an ApplicationFailure. */
export class MaintenanceError extends Error {
  override readonly name = 'MaintenanceError';
  readonly code: ErrorCode;
  /** Whether retrying may help; by default what the catalogue says. */
  readonly retryable: boolean;
  /** What the vendor said, word for word, cut at 2,000 characters. */
  readonly vendor?: string;
  /** How long the platform asks to wait before the next try, in milliseconds. */
  readonly retryAfterMs?: number;

  constructor(
    code: ErrorCode,
    message: string,
    options: { vendor?: string; retryable?: boolean; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message.slice(0, MESSAGE_CHARS), options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? ERRORS[code].retryable;
    if (options.vendor !== undefined) this.vendor = options.vendor.slice(0, 2000);
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
  }
}

export const isErrorCode = (value: unknown): value is ErrorCode =>
  typeof value === 'string' && Object.hasOwn(ERRORS, value);
