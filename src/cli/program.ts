/** Runs a command line to its end. */
import type { Command } from 'commander';
import { explain } from './failure.ts';

/**
 * Parses the arguments of this process and runs what they ask for. Sets the exit code; a failure is told on stderr in
 * its message, without a stack.
 */
export async function runProgram(program: Command): Promise<void> {
  // Whoever reads our output may stop reading, as `head` does.
  process.stdout.on('error', () => {
    process.exit();
  });
  for (const command of withSubcommands(program)) command.exitOverride();
  try {
    await program.parseAsync();
  } catch (error) {
    const { exitCode, message } = explain(error);
    if (message !== undefined) process.stderr.write(`${program.name()}: ${message}\n`);
    process.exitCode = exitCode;
  }
}

const withSubcommands = (command: Command): Command[] => [
  command,
  ...command.commands.flatMap(withSubcommands),
];
