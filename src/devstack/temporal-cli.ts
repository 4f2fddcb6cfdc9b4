/**
 * Finds an executable of the Temporal CLI, whose dev server the stack runs: on PATH, in the cache, from the SDK's
 * download, or built by Go. What a machine has decides which; each way that fails says why.
 */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { formatDuration } from '../core/duration.ts';
import { nodeCommand } from './node-command.ts';

/** The CLI that Go builds; its dev server is Temporal 1.29. */
const GO_PACKAGE = 'github.com/temporalio/cli/cmd/temporal@v1.5.1';
/** Oldest CLI whose dev server has all that sessions use, and the server in it. */
const OLDEST = { cli: [1, 4], server: [1, 28] } as const;

const PROBE_TIMEOUT_MS = 10_000;
/** A download that has not begun by then is given up: the network is there but swallows it. */
const FIRST_BYTE_MS = 10_000;
const DOWNLOAD_TIMEOUT_MS = 5 * 60_000;
const BUILD_TIMEOUT_MS = 30 * 60_000;
const BUILD_NEWS_MS = 15_000;

const EXECUTABLE = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

const run = promisify(execFile);

/** Says one line to whoever waits. */
export type Say = (line: string) => void;

/** None of the ways gave a usable CLI; the message lists each with its reason. */
export class NoTemporalCliError extends Error {
  override readonly name = 'NoTemporalCliError';
}

/** One way to an executable: its path, or throws why not. */
interface Way {
  title: string;
  find: () => Promise<string>;
}

/** The path of a Temporal CLI that works and is new enough. May download or build it. Throws NoTemporalCliError. */
export async function findTemporalCli(say: Say, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const cache = cacheDirectory(env);
  const cached = path.join(cache, EXECUTABLE);
  const ways: Way[] = [
    { title: 'temporal on PATH', find: () => findOnPath('temporal', env) },
    { title: `the cache, ${cached}`, find: () => present(cached) },
    { title: 'the download of the Temporal SDK', find: () => download(cached, env) },
    { title: `go install ${GO_PACKAGE}`, find: () => build(cached, env, say) },
  ];
  const reasons: string[] = [];
  for (const { title, find } of ways) {
    try {
      return await usable(await find(), env);
    } catch (error) {
      reasons.push(`  ${title}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new NoTemporalCliError(
    [
      'No Temporal CLI could be had, and its dev server is needed. Tried in this order:',
      ...reasons,
      'Install it (https://docs.temporal.io/cli) or Go, or set TEMPORAL_ADDRESS to a server that runs.',
    ].join('\n'),
  );
}

/** Where executables are kept between runs. */
const cacheDirectory = (env: NodeJS.ProcessEnv): string =>
  path.join(env.XDG_CACHE_HOME ?? path.join(env.HOME ?? homedir(), '.cache'), 'haulout');

/**
 * Why a CLI that prints `version` will not do; undefined when it will. Builds of Go call themselves 0.0.0-DEV: for them
 * the server inside counts.
 */
export function objection(version: string): string | undefined {
  const [, cli, server] = /temporal version (\S+) \(Server ([^,)]+)/.exec(version) ?? [];
  if (!cli || !server) return `does not say what version it is ("${version.trim().slice(0, 80)}")`;
  const tooOld = cli.startsWith('0.0.0') ? older(server, OLDEST.server) : older(cli, OLDEST.cli);
  return tooOld
    ? `is version ${cli} (Server ${server}); ${OLDEST.cli.join('.')} or newer is needed`
    : undefined;
}

function older(version: string, [major, minor]: readonly [number, number]): boolean {
  const [thisMajor = 0, thisMinor = 0] = version.split('.').map(Number);
  return thisMajor < major || (thisMajor === major && thisMinor < minor);
}

async function usable(executable: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { stdout } = await run(executable, ['--version'], { env, timeout: PROBE_TIMEOUT_MS });
  const reason = objection(stdout);
  if (reason) throw new Error(`${executable} ${reason}`);
  return executable;
}

async function findOnPath(command: string, env: NodeJS.ProcessEnv): Promise<string> {
  const name = process.platform === 'win32' ? `${command}.exe` : command;
  for (const directory of (env.PATH ?? '').split(path.delimiter).filter(Boolean)) {
    const candidate = path.join(directory, name);
    if (await isExecutable(candidate)) return candidate;
  }
  throw new Error('not there');
}

async function present(file: string): Promise<string> {
  if (await isExecutable(file)) return file;
  throw new Error('empty');
}

const isExecutable = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  );

/** Lets the SDK download its dev server. It does so in a process of its own, which can be ended when it hangs. */
async function download(destination: string, env: NodeJS.ProcessEnv): Promise<string> {
  const cache = path.dirname(destination);
  await mkdir(cache, { recursive: true });
  const directory = await mkdtemp(path.join(cache, 'download-'));
  const silent = new AbortController();
  const watch = setTimeout(() => {
    void readdir(directory).then((files) => {
      if (files.length === 0) silent.abort();
    });
  }, FIRST_BYTE_MS);
  try {
    const { program, args } = nodeCommand('src/devstack/download.ts');
    const options = { env, timeout: DOWNLOAD_TIMEOUT_MS, signal: silent.signal };
    await run(program, [...args, directory], options);
    const [file] = await readdir(directory);
    if (!file) throw new Error('nothing arrived');
    await rename(path.join(directory, file), destination);
    return destination;
  } catch (error) {
    throw new Error(silent.signal.aborted ? 'temporal.download does not answer' : cause(error), {
      cause: error,
    });
  } finally {
    clearTimeout(watch);
    await rm(directory, { recursive: true, force: true });
  }
}

/** Builds the CLI into the cache; minutes of work, done once. */
async function build(destination: string, env: NodeJS.ProcessEnv, say: Say): Promise<string> {
  await findOnPath('go', env).catch(() => {
    throw new Error('Go is not on PATH');
  });
  const started = Date.now();
  say(`Building the Temporal CLI with Go, once: ${GO_PACKAGE} (about 5 minutes on 2 cores)`);
  const news = setInterval(() => {
    say(`  still building, ${formatDuration(Date.now() - started)} so far`);
  }, BUILD_NEWS_MS);
  try {
    const goEnv = { ...env, GOBIN: path.dirname(destination) };
    await run('go', ['install', GO_PACKAGE], { env: goEnv, timeout: BUILD_TIMEOUT_MS });
    say(`Built ${destination} in ${formatDuration(Date.now() - started)}`);
    return destination;
  } catch (error) {
    throw new Error(cause(error), { cause: error });
  } finally {
    clearInterval(news);
  }
}

/** The line of a failed program's output that says why. */
function cause(error: unknown): string {
  const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const telling = lines.find((line) => /error/i.test(line)) ?? lines.at(-1);
  return (telling ?? (error instanceof Error ? error.message : String(error))).slice(0, 300);
}
