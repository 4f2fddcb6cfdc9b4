/** The action `command`: runs a program of the worker's allow-list. */
import { z } from 'zod';
import type { ActionsConfig } from '../../src/config.ts';
import { durationMs } from '../../src/core/duration.ts';
import { MaintenanceError } from '../../src/core/errors.ts';
import type { ActionInput } from '../../src/core/host-run.ts';
import { readMetadata, type Action } from './action.ts';
import { runProcess } from './process.ts';

/** By its exit code a program says that trying again may help: EX_TEMPFAIL of sysexits.h. */
const TRY_AGAIN = 75;

type MaintenanceErrorOptions = ConstructorParameters<typeof MaintenanceError>[2];

/** What a session may tell the action. */
export const commandMetadata = z.strictObject({ command: z.string() });

/**
 * An action that runs `allow[metadata.command].run`, an argument vector in which `{host}`, `{site}` and `{session}` are
 * filled in. The program sees PATH and HAULOUT_* variables only. A worker that dies may leave it running: the next
 * attempt starts it again with the same HAULOUT_IDEMPOTENCY_KEY.
 *
 * Throws ActionNotAllowed for a command that is not in `allow`; ActionFailed with the end of its output when it cannot be
 * started, takes longer than its timeout, or ends with another exit code than 0 (retryable when that is 75).
 */
export function createCommandAction({ allow }: ActionsConfig['command']): Action {
  return async (input, context) => {
    const { command } = readMetadata(commandMetadata, input);
    const entry = Object.hasOwn(allow, command) ? allow[command] : undefined;
    if (!entry) {
      throw new MaintenanceError(
        'ActionNotAllowed',
        `actions.command.allow of the worker's configuration has no "${command}"`,
      );
    }

    const fail = (what: string, options: MaintenanceErrorOptions): MaintenanceError =>
      new MaintenanceError('ActionFailed', `command "${command}" ${what}`, options);
    const argv = fillIn(entry.run, input);
    const timeout = entry.timeout === undefined ? undefined : AbortSignal.timeout(durationMs(entry.timeout));
    const signal = timeout ? AbortSignal.any([context.signal, timeout]) : context.signal;

    const running = runProcess(argv, environment(input), signal);
    const { exitCode, endSignal, tail } = await running.catch((cause: unknown) => {
      throw fail(`cannot be started: ${messageOf(cause)}`, { cause });
    });
    context.signal.throwIfAborted();
    if (timeout?.aborted) throw fail(`took longer than its timeout of ${entry.timeout}`, { vendor: tail });
    if (exitCode === null) throw fail(`was ended by ${endSignal}`, { vendor: tail });
    if (exitCode !== 0) {
      throw fail(`ended with exit code ${exitCode}`, { vendor: tail, retryable: exitCode === TRY_AGAIN });
    }
  };
}

/** The program itself is as configured; in its arguments the placeholders get their values. */
function fillIn([program = '', ...args]: readonly string[], input: ActionInput): string[] {
  const values = { host: input.host, site: input.site, session: input.session };
  return [
    program,
    ...args.map((arg) =>
      arg.replace(/\{(host|site|session)\}/g, (_, key: keyof typeof values) => argument(key, values[key])),
    ),
  ];
}

/** A value that starts with a dash would be read as an option. */
function argument(key: string, value: string | undefined): string {
  if (value === undefined) {
    throw new MaintenanceError(
      'ActionFailed',
      `the command needs {${key}}, which actions before and after the session have not`,
    );
  }
  if (value.startsWith('-')) {
    throw new MaintenanceError(
      'ActionFailed',
      `${key} "${value}" starts with "-": a program would take it for an option`,
    );
  }
  return value;
}

const environment = (input: ActionInput): Record<string, string> => ({
  PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
  HAULOUT_SESSION: input.session,
  HAULOUT_SITE: input.site,
  HAULOUT_HOST: input.host ?? '',
  HAULOUT_ACTION_TYPE: input.type,
  HAULOUT_SESSION_METADATA: JSON.stringify(input.sessionMetadata),
  HAULOUT_IDEMPOTENCY_KEY: input.idempotencyKey,
});

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
