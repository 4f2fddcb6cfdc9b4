/**
 * The connection to Temporal. Where it is comes from the environment and profiles of `@temporalio/envconfig`
 * (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS*, TEMPORAL_PROFILE), as with the Temporal CLI.
 */
import { Client, Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import { loadClientConnectConfig, type ClientConnectConfig } from '@temporalio/envconfig';

/** Where and how to connect; `connectionOptions` fit `Connection` and `NativeConnection` alike. */
export interface TemporalSettings {
  connectionOptions: ClientConnectConfig['connectionOptions'] & { address: string };
  namespace: string;
}

export interface TemporalConnection {
  client: Client;
  connection: Connection;
  namespace: string;
  address: string;
}

/** Temporal cannot be reached, or the settings for it are wrong; the message says which and what to do. */
export class TemporalConnectionError extends Error {
  override readonly name = 'TemporalConnectionError';
}

/** Reads the settings from `env` and the profile file. Throws TemporalConnectionError when they are wrong. */
export function temporalSettings(env: NodeJS.ProcessEnv = process.env): TemporalSettings {
  try {
    const { connectionOptions, namespace } = loadClientConnectConfig({ overrideEnvVars: definedOnly(env) });
    return {
      connectionOptions: { ...connectionOptions, address: connectionOptions.address ?? 'localhost:7233' },
      namespace: namespace ?? 'default',
    };
  } catch (error) {
    throw new TemporalConnectionError(`The settings for Temporal are wrong: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Connects within `timeout` milliseconds. Throws TemporalConnectionError. */
export async function connectTemporal(
  settings: TemporalSettings = temporalSettings(),
  timeout = 5000,
): Promise<TemporalConnection> {
  const { connectionOptions, namespace } = settings;
  const { address } = connectionOptions;
  try {
    const connection = await Connection.connect({ ...connectionOptions, connectTimeout: timeout });
    return { client: new Client({ connection, namespace }), connection, namespace, address };
  } catch (error) {
    throw unreachable(address, error);
  }
}

/** Connects, does the work, and disconnects. Throws TemporalConnectionError, and what the work throws. */
export async function withTemporal<T>(work: (temporal: TemporalConnection) => Promise<T>): Promise<T> {
  const temporal = await connectTemporal();
  try {
    return await work(temporal);
  } finally {
    await temporal.connection.close();
  }
}

/** Of a call of a server that is not there: about a second. */
const TRIES = 4;

/**
 * A connection that is made when it is first needed, and again after it was lost: for what runs on while the server is
 * down, and says so within a second or two. Throws TemporalConnectionError when the settings are wrong.
 */
export function reachTemporal(settings: TemporalSettings = temporalSettings()): TemporalConnection {
  const { connectionOptions, namespace } = settings;
  const retries = makeGrpcRetryInterceptor(defaultGrpcRetryOptions({ maxAttempts: TRIES }));
  const connection = Connection.lazy({ ...connectionOptions, interceptors: [retries] });
  const client = new Client({ connection, namespace });
  return { client, connection, namespace, address: connectionOptions.address };
}

/** What to tell somebody whose Temporal at `address` does not answer. */
export const unreachable = (address: string, cause: unknown): TemporalConnectionError =>
  new TemporalConnectionError(
    `No Temporal server answers at ${address} (${messageOf(cause)}). Start one with "haulout up" or ` +
      '"temporal server start-dev", or set TEMPORAL_ADDRESS to one that runs.',
    { cause },
  );

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const definedOnly = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
