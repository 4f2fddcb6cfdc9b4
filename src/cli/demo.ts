/** `npm run demo`: a whole maintenance session against a simulated datacentre, checked against its journal. */
import { once } from 'node:events';
import path from 'node:path';
import { Command, Option } from 'commander';
import { formatDuration } from '../core/duration.ts';
import type { Progress } from '../core/progress.ts';
import { summarize } from '../core/session-summary.ts';
import { packageRoot } from '../devstack/node-command.ts';
import { startStack, type Stack } from '../devstack/stack.ts';
import { addressesOf, renderAddresses } from './addresses.ts';
import { createDisplay, type Display } from './display.ts';
import { EXIT } from './exit-codes.ts';
import { CliError } from './failure.ts';
import { follow, needsOperator, type Followed } from './follow.ts';
import { onInterrupt } from './interrupt.ts';
import { judge } from './judge.ts';
import { runProgram } from './program.ts';
import { renderReport } from './render-report.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { readSession } from './session-file.ts';
import { Sessions, stamp } from './sessions.ts';

const DIRECTORY = '.haulout/demo';
const SESSION_FILE = path.join(packageRoot, 'examples/demo.json');
/** Far more than any scenario takes. */
const TIME_LIMIT_MS = 5 * 60_000;

interface DemoOptions {
  scenario: keyof typeof SCENARIOS;
  keep: boolean;
}

const program = new Command('demo')
  .description('Takes 12 simulated hosts with 60 instances through maintenance on a Temporal dev server')
  .addOption(new Option('--scenario <name>', 'what happens').choices(Object.keys(SCENARIOS)).default('plain'))
  .option('--keep', 'leave everything running afterwards, until Ctrl-C', false)
  .addHelpText(
    'after',
    [
      '\nScenarios:',
      ...Object.entries(SCENARIOS).map(([name, { summary }]) => `  ${name.padEnd(8)}  ${summary}`),
      '\nExit codes:',
      `  ${EXIT.ok}  all went as it should`,
      `  ${EXIT.error}  something did not start, or it was interrupted`,
      `  ${EXIT.failed}  the session ended otherwise than it should, or an invariant was broken`,
    ].join('\n'),
  )
  .action(demo);

async function demo({ scenario, keep }: DemoOptions): Promise<void> {
  const display = createDisplay({ json: false });
  const say = (line: string): void => {
    display.say(line);
  };
  const failed = new AbortController();
  const onLost = (name: string, how: string): void => {
    failed.abort(new CliError(EXIT.error, `The ${name} ended with ${how}; see ${DIRECTORY}/${name}.log`));
  };
  const stack = await startStack({ directory: DIRECTORY, say, onLost });
  const interrupted = onInterrupt();
  const limit = setTimeout(() => {
    failed.abort(
      new CliError(EXIT.failed, `The session did not end within ${formatDuration(TIME_LIMIT_MS)}`),
    );
  }, TIME_LIMIT_MS);
  try {
    await play(SCENARIOS[scenario], stack, display, AbortSignal.any([failed.signal, interrupted]));
    if (keep) await keepUp(stack, interrupted);
  } finally {
    clearTimeout(limit);
    await stack.stop();
  }
}

async function play(scenario: Scenario, stack: Stack, display: Display, signal: AbortSignal): Promise<void> {
  const { input, spec } = await readSession(SESSION_FILE);
  const sessions = new Sessions(stack.temporal);
  const { own, settings } = stack.server;
  const session = own ? 'demo' : `demo-${stamp(new Date())}`;
  if (own) display.say(`Web UI: ${own.webUi}/namespaces/${settings.namespace}/workflows/${session}`);
  display.say(`Scenario: ${scenario.summary}`);

  await scenario.prepare?.(stack);
  await sessions.start({ id: session, input, summary: summarize(spec) });
  const until = async (what: string, seen: (progress: Progress) => boolean): Promise<void> => {
    const { progress } = await watch({ sessions, session, display, signal }, seen);
    if (!seen(progress)) throw new CliError(EXIT.failed, `The session is ${progress.state} before ${what}`);
  };
  const say = (line: string): void => {
    display.say(line);
  };
  await scenario.play?.({ stack, sessions, session, until, say });
  const { progress } = await watch({ sessions, session, display, signal }, () => false);

  console.log(['', ...renderReport(await sessions.report(session)), ''].join('\n'));
  const entries = await stack.simulator.journal();
  const problems = judge(entries, { spec, scenario, state: progress.state });
  if (problems.length > 0)
    throw new CliError(EXIT.failed, ['Not as it should be:', ...problems].join('\n  '));
  console.log(`Checked ${entries.length} entries of the datacentre's journal: all as it should be.`);
}

interface Watched {
  sessions: Sessions;
  session: string;
  display: Display;
  signal: AbortSignal;
}

/** Shows the progress until `seen`, or until the session has ended or stands still. */
async function watch(
  { sessions, session, display, signal }: Watched,
  seen: (progress: Progress) => boolean,
): Promise<Followed> {
  const followed = await follow(sessions, session, {
    signal,
    onProgress: (progress) => {
      display.show(progress);
    },
    onSilence: () => {
      display.note('No worker answers at present');
    },
    until: (progress) => seen(progress) || needsOperator(progress),
  });
  signal.throwIfAborted();
  if (!followed) throw new CliError(EXIT.noAnswer, 'The session has not answered');
  return followed;
}

async function keepUp(stack: Stack, interrupted: AbortSignal): Promise<void> {
  console.log(
    ['Everything is left running until Ctrl-C.', ...renderAddresses(addressesOf(stack), process.env)].join(
      '\n',
    ),
  );
  if (!interrupted.aborted) await once(interrupted, 'abort');
}

await runProgram(program);
