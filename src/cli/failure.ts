/** Errors as the command line tells them: one clear message and an exit code. */
import { CommanderError } from 'commander';
import { TemporalConnectionError } from '../client.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** An error of which all is said in its message. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}

export interface Failure {
  exitCode: ExitCode;
  /** Absent when it was said already. */
  message?: string;
}

export function explain(error: unknown): Failure {
  if (error instanceof CliError) return { exitCode: error.exitCode, message: error.message };
  if (error instanceof TemporalConnectionError) return { exitCode: EXIT.noAnswer, message: error.message };
  // Commander has printed its message by now; asking for help or the version is no failure.
  if (error instanceof CommanderError) {
    return { exitCode: error.exitCode === 0 ? EXIT.ok : EXIT.usage };
  }
  return { exitCode: EXIT.error, message: error instanceof Error ? error.message : String(error) };
}
