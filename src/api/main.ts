/**
 * `npm run api`: the REST service, which speaks as OpenStack Fenix does. It asks and tells Temporal, and keeps nothing
 * itself: any number of them may run beside each other. Prints one line `api listening on …`.
 */
import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { reachTemporal, TemporalConnectionError } from '../client.ts';
import { createLogger } from '../log.ts';
import type { Authenticator } from './auth/caller.ts';
import { KeystoneTokens } from './auth/keystone.ts';
import { noAuthentication } from './auth/none.ts';
import { StaticTokens, TokenFileError } from './auth/tokens.ts';
import { createApi } from './server.ts';
import { readSettings, SettingsError, type Settings } from './settings.ts';

const setting = (flags: string, description: string, env: string): Option =>
  new Option(flags, description).env(`HAULOUT_API_${env}`);

const command = new Command('api')
  .description('The REST service for clients of OpenStack Fenix')
  .addOption(setting('--site <name>', 'site that sessions are made for', 'SITE'))
  .addOption(setting('--host <address>', 'address to listen on', 'HOST').default('127.0.0.1'))
  .addOption(setting('--port <number>', 'port to listen on; 0 takes any free one', 'PORT').default('12347'))
  .addOption(
    setting('--auth <how>', 'who may ask: none (on 127.0.0.1 only), token or keystone', 'AUTH').default(
      'none',
    ),
  )
  .addOption(setting('--tokens <file>', 'YAML file of tokens, for token', 'TOKENS'))
  .addOption(setting('--keystone-url <url>', 'address of Keystone, for keystone', 'KEYSTONE_URL'))
  .addOption(setting('--keystone-ca <file>', 'PEM file of the CA of Keystone', 'KEYSTONE_CA'))
  .addOption(
    setting('--rate-limit <count>', 'requests a minute from one address', 'RATE_LIMIT').default('6000'),
  )
  .action(run);

try {
  await command.parseAsync();
} catch (error) {
  process.stderr.write(`api: ${explain(error)}\n`);
  process.exitCode = 1;
}

async function run(options: Record<string, unknown>): Promise<void> {
  const settings = readSettings(options);
  const log = createLogger('api');
  const { client, connection } = reachTemporal();
  const app = await createApi({ ...settings, client, authenticator: authenticatorFor(settings), log });
  app.addHook('onClose', () => connection.close());
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void app.close());
  const url = await app.listen({ host: settings.host, port: settings.port });
  process.stdout.write(`api listening on ${url}\n`);
}

function authenticatorFor({ auth, tokens = '', keystoneUrl = '', keystoneCa }: Settings): Authenticator {
  switch (auth) {
    case 'none':
      return noAuthentication;
    case 'token':
      return new StaticTokens(readFileSync(tokens, 'utf8'));
    case 'keystone':
      return new KeystoneTokens({
        url: keystoneUrl,
        ...(keystoneCa !== undefined && { caFile: keystoneCa }),
      });
  }
}

/** What somebody who starts the service can mend; anything else is shown with its stack. */
function explain(error: unknown): string {
  if (error instanceof TokenFileError) return `--tokens: ${error.message}`;
  if (error instanceof SettingsError || error instanceof TemporalConnectionError) return error.message;
  if (!(error instanceof Error)) return String(error);
  const isSystems = 'code' in error && typeof error.code === 'string';
  return isSystems ? error.message : (error.stack ?? error.message);
}
