#!/usr/bin/env node
/** `haulout`: starts, watches and steers sessions. Everything it does can also be done with the Temporal CLI. */
import { Command } from 'commander';
import { constraintsCommand } from './commands/constraints.ts';
import { deliveriesCommand } from './commands/deliveries.ts';
import { listCommand } from './commands/list.ts';
import { planCommand } from './commands/plan.ts';
import { reportCommand } from './commands/report.ts';
import { startCommand } from './commands/start.ts';
import { cancelCommand, continueCommand, pauseCommand } from './commands/tell.ts';
import { upCommand } from './commands/up.ts';
import { watchCommand } from './commands/watch.ts';
import { exitCodeHelp } from './exit-codes.ts';
import { runProgram } from './program.ts';

const program = new Command('haulout')
  .description(
    'Takes hosts through planned maintenance without losing what runs on them. Where Temporal is, is told by ' +
      'TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and the profiles of the Temporal CLI.',
  )
  .addHelpText('after', `\n${exitCodeHelp}`);

for (const command of [
  upCommand(),
  planCommand(),
  startCommand(),
  watchCommand(),
  pauseCommand(),
  continueCommand(),
  cancelCommand(),
  reportCommand(),
  listCommand(),
  constraintsCommand(),
  deliveriesCommand(),
]) {
  program.addCommand(command);
}

await runProgram(program);
