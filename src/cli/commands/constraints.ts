/** What projects ask for beforehand, out of Temporal and into it again: a line of JSON for each. */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { callFailureOf } from '../../call-failure.ts';
import { withTemporal } from '../../client.ts';
import { ConstraintStore } from '../../constraint-store.ts';
import { constraintMessage, type ConstraintMessage } from '../../core/constraints.ts';
import { parseJson } from '../../core/json.ts';
import { describeIssues } from '../../core/session-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { CliError } from '../failure.ts';
import { createCommand, print, type OutputOptions } from '../output.ts';

const PROBLEMS_NAMED = 20;

interface SiteOptions {
  site: string;
}

export const constraintsCommand = (): Command =>
  new Command('constraints')
    .description('What projects of a site ask for beforehand: export it, and import it again')
    .addCommand(
      new Command('export')
        .description('Print all constraints of a site, a line of JSON for each')
        .requiredOption('--site <site>', 'name of the site')
        .action(exportAll),
    )
    .addCommand(
      createCommand('import', 'Put constraints, each in the place of the one before; others stay')
        .argument('<file>', 'as `export` prints them')
        .requiredOption('--site <site>', 'name of the site')
        .action(importAll),
    );

async function exportAll({ site }: SiteOptions): Promise<void> {
  const { instances, groups } = await withStore(site, (store) => store.list());
  const messages: ConstraintMessage[] = [
    ...groups.map((value) => ({ kind: 'group' as const, value })),
    ...instances.map((value) => ({ kind: 'instance' as const, value })),
  ];
  for (const message of messages) console.log(JSON.stringify(message));
}

async function importAll(file: string, { site, json }: SiteOptions & OutputOptions): Promise<void> {
  const messages = parse(await readText(file), file);
  const changed = await withStore(site, (store) => store.putAll(messages));
  print({ json }, { read: messages.length, changed }, () => [
    `${messages.length} constraints of ${site} read, ${changed} of them new or changed`,
  ]);
}

/** All of them, or CliError with what is wrong, by line. */
function parse(text: string, file: string): ConstraintMessage[] {
  const problems: string[] = [];
  const messages = text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const parsed = constraintMessage.safeParse(parseJson(line));
    if (parsed.success) return [parsed.data];
    const found = describeIssues(parsed.error, 'is not a key of a constraint');
    problems.push(...found.map((problem) => `  line ${index + 1}: ${problem}`));
    return [];
  });
  if (problems.length === 0) return messages;
  const shown = problems.slice(0, PROBLEMS_NAMED);
  throw new CliError(EXIT.usage, [`${file} has lines that are no constraints:`, ...shown].join('\n'));
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new CliError(EXIT.usage, `${file} cannot be read: ${(error as Error).message}`, error);
  }
}

async function withStore<T>(site: string, work: (store: ConstraintStore) => Promise<T>): Promise<T> {
  try {
    return await withTemporal(({ client }) => work(new ConstraintStore(client, site)));
  } catch (error) {
    const failure = callFailureOf(error);
    if (failure?.kind === 'refused') throw new CliError(EXIT.refused, failure.reason, error);
    if (failure?.kind === 'late' || failure?.kind === 'unanswered') {
      throw new CliError(EXIT.noAnswer, 'No worker answers that keeps constraints; is one running?', error);
    }
    throw error;
  }
}
