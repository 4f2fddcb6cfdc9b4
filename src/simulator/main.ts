/** `npm run simulator`: the simulated datacentre as a process of its own. */
import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { parse } from 'yaml';
import { z } from 'zod';
import { fleetSpec } from './fleet.ts';
import { startSimulator } from './server.ts';

interface Options {
  port: number;
  host: string;
  fleet: string;
  journal?: string;
}

const command = new Command('simulator')
  .description('A simulated datacentre with an HTTP API and an audit journal')
  .option('--port <number>', 'port to listen on; 0 takes any free one', toPort, 7070)
  .option('--host <address>', 'address to listen on; the API asks for no credentials', '127.0.0.1')
  .option('--fleet <file>', 'YAML file that describes the fleet', 'examples/fleets/demo.yaml')
  .option('--journal <file>', 'file to write the journal to, a line of JSON for each entry; begun anew')
  .action(run);

try {
  await command.parseAsync();
} catch (error) {
  process.stderr.write(`simulator: ${explain(error)}\n`);
  process.exitCode = 1;
}

async function run(options: Options): Promise<void> {
  const simulator = await startSimulator({
    fleet: fleetSpec.parse(parse(await readFile(options.fleet, 'utf8'))),
    port: options.port,
    host: options.host,
    ...(options.journal === undefined ? {} : { journalFile: options.journal }),
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void simulator.close());
  }
  process.stdout.write(`simulator listening on ${simulator.url}\n`);
}

function toPort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('must be a number from 0 to 65535');
  return port;
}

function explain(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error);
  return error instanceof Error ? error.message : String(error);
}
