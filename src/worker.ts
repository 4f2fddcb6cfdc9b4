/**
 * Run as `npm run worker`: serves the task queues of sessions and of the configured sites until it is told to stop.
 * Prints one line `worker ready: …` when it does.
 */
import {
  NativeConnection,
  Runtime,
  makeTelemetryFilterString,
  type Logger as SdkLogger,
} from '@temporalio/worker';
import { TemporalConnectionError, temporalSettings, unreachable } from './client.ts';
import { ConfigError, loadConfig, type Config } from './config.ts';
import { createLogger, type Logger } from './log.ts';
import { ensureSearchAttributes, SearchAttributesError } from './search-attributes.ts';
import { createWorkers } from './workers.ts';

async function main(): Promise<void> {
  const log = createLogger('worker');
  const config = loadConfig();
  const { connectionOptions, namespace } = temporalSettings();
  installRuntime(log, config);
  const connection = await NativeConnection.connect(connectionOptions).catch((error: unknown) => {
    throw unreachable(connectionOptions.address, error);
  });
  try {
    const registered = await ensureSearchAttributes(connection, namespace);
    if (registered.length > 0) log.info({ registered }, 'search attributes registered');
    const workers = await createWorkers(config, { connection, namespace });
    const running = workers.run();
    const sessions = config.worker.maintenance ? 'sessions and ' : '';
    process.stdout.write(`worker ready: ${sessions}sites ${workers.sites.join(', ')}\n`);
    await running;
  } finally {
    await connection.close();
  }
}

function installRuntime(log: Logger, config: Config): void {
  const { metricsAddress } = config.worker;
  Runtime.install({
    logger: adapt(log),
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'WARN' }) },
      ...(metricsAddress === undefined ? {} : { metrics: { prometheus: { bindAddress: metricsAddress } } }),
    },
  });
}

/** The SDK's logger in terms of ours. */
function adapt(log: Logger): SdkLogger {
  const at =
    (level: 'trace' | 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, meta?: object): void => {
      log[level](meta ?? {}, message);
    };
  const byLevel = {
    TRACE: at('trace'),
    DEBUG: at('debug'),
    INFO: at('info'),
    WARN: at('warn'),
    ERROR: at('error'),
  };
  return {
    log: (level, message, meta) => {
      byLevel[level](message, meta);
    },
    trace: byLevel.TRACE,
    debug: byLevel.DEBUG,
    info: byLevel.INFO,
    warn: byLevel.WARN,
    error: byLevel.ERROR,
  };
}

/** What somebody who starts a worker can mend; anything else is shown with its stack. */
const isTheirs = (error: unknown): boolean =>
  error instanceof ConfigError ||
  error instanceof TemporalConnectionError ||
  error instanceof SearchAttributesError;

main().catch((error: unknown) => {
  const shown = error instanceof Error ? (isTheirs(error) ? error.message : error.stack) : String(error);
  process.stderr.write(`${shown ?? 'unknown error'}\n`);
  process.exitCode = 1;
});
