/**
 * The Temporal server of a stack: one that runs already, or a dev server of the Temporal CLI with its database in a file.
 */
import path from 'node:path';
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectTemporal, temporalSettings, type TemporalSettings } from '../client.ts';
import { SEARCH_ATTRIBUTES } from '../names.ts';
import { freePort } from './ports.ts';
import type { ManagedProcess, Processes } from './processes.ts';
import { findTemporalCli, type Say } from './temporal-cli.ts';

const DEFAULT_PORT = 7233;
const DEFAULT_UI_PORT = 8233;
const POLL_MS = 100;

export interface DevServer {
  address: string;
  settings: TemporalSettings;
  /** Environment for processes that are to use this server, and no other. */
  env: NodeJS.ProcessEnv;
  /** Absent for a server that was found running. */
  own?: OwnServer;
}

export interface OwnServer {
  webUi: string;
  /** The Temporal CLI it runs on. */
  program: string;
  /** Id of the process that runs now. */
  readonly pid: number;
  /** Ends the server at once, as a crash would. */
  kill(): Promise<void>;
  /** Starts it again on the same ports and database. */
  restart(): Promise<void>;
}

export interface DevServerOptions {
  processes: Processes;
  /** Where the database goes. */
  directory: string;
  say: Say;
  env?: NodeJS.ProcessEnv;
}

/**
 * The server at TEMPORAL_ADDRESS if one answers there, else a dev server, found or made as temporal-cli.ts does, that is
 * ready for work: its namespace is there with the search attributes of sessions.
 */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  const { say, env = process.env } = options;
  if (env.TEMPORAL_ADDRESS) {
    const running = await findRunning(env);
    if (running) return running;
    say(`Nothing answers at TEMPORAL_ADDRESS=${env.TEMPORAL_ADDRESS}; starting a dev server instead`);
  }
  return spawnServer(await findTemporalCli(say, env), options);
}

async function findRunning(env: NodeJS.ProcessEnv): Promise<DevServer | undefined> {
  const settings = temporalSettings(env);
  try {
    const { connection, address } = await connectTemporal(settings, 3000);
    await connection.close();
    return { address, settings, env };
  } catch {
    return undefined;
  }
}

async function spawnServer(program: string, options: DevServerOptions): Promise<DevServer> {
  const { processes, directory, env = process.env } = options;
  const port = await freePort(DEFAULT_PORT);
  const uiPort = await freePort(DEFAULT_UI_PORT);
  const namespace = env.TEMPORAL_NAMESPACE ?? 'default';
  const address = `127.0.0.1:${port}`;
  const settings: TemporalSettings = { connectionOptions: { address }, namespace };
  const start = async (): Promise<ManagedProcess> => {
    const started = await processes.start({
      name: 'temporal',
      program,
      args: serverArgs({ database: path.join(directory, 'temporal.db'), port, uiPort, namespace }),
      env: withoutTemporal(env),
      ready: (_line, signal) => untilReady(settings, signal),
    });
    return started.process;
  };
  let server = await start();
  return {
    address,
    settings,
    env: { ...withoutTemporal(env), ...(await connectionEnv(settings, directory)) },
    own: {
      program,
      webUi: `http://127.0.0.1:${uiPort}`,
      get pid() {
        return server.pid;
      },
      kill: () => server.kill(),
      restart: async () => {
        server = await start();
      },
    },
  };
}

/**
 * SQLite's own choice waits for the disk several times with each step of a workflow, and is three times as slow. These
 * lose nothing when the server is killed; a machine that loses its power may lose the last moments.
 */
const DURABLE_ENOUGH = ['journal_mode=wal', 'synchronous=normal'];

interface ServerArgs {
  database: string;
  port: number;
  uiPort: number;
  namespace: string;
}

const serverArgs = ({ database, port, uiPort, namespace }: ServerArgs): string[] => [
  ...['server', 'start-dev', '--ip', '127.0.0.1', '--log-level', 'warn'],
  ...['--port', String(port), '--ui-port', String(uiPort)],
  ...['--db-filename', database, '--namespace', namespace],
  ...DURABLE_ENOUGH.flatMap((pragma) => ['--sqlite-pragma', pragma]),
  ...Object.values(SEARCH_ATTRIBUTES).flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
];

/** Settings for some other server (TLS, an API key, a profile) must not meet this one. */
const withoutTemporal = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TEMPORAL_')));

/** The file with an empty profile keeps the user's own profile file out. */
async function connectionEnv(settings: TemporalSettings, directory: string): Promise<NodeJS.ProcessEnv> {
  const profiles = path.resolve(directory, 'temporal.toml');
  await writeFile(profiles, '[profile.default]\n');
  return {
    TEMPORAL_ADDRESS: settings.connectionOptions.address,
    TEMPORAL_NAMESPACE: settings.namespace,
    TEMPORAL_CONFIG_FILE: profiles,
  };
}

/** Waits until the namespace is there and knows the search attributes; until then both fail or are incomplete. */
async function untilReady(settings: TemporalSettings, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if (await isReady(settings).catch(() => false)) return;
    await sleep(POLL_MS);
  }
}

async function isReady(settings: TemporalSettings): Promise<boolean> {
  const { connection, namespace } = await connectTemporal(settings, 1000);
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    return Object.values(SEARCH_ATTRIBUTES).every((name) => name in customAttributes);
  } finally {
    await connection.close();
  }
}
