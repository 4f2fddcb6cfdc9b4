/** Runs the command line as its users do: as a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';

const root = path.join(import.meta.dirname, '../..');

export interface CliEnd {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunningCli {
  child: ChildProcess;
  end: Promise<CliEnd>;
}

export interface CliOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
}

/** Starts a program of src/cli, such as `main.ts`. */
export function startCli(program: string, args: readonly string[], options: CliOptions = {}): RunningCli {
  const argv = ['--import', import.meta.resolve('tsx'), path.join(root, 'src/cli', program), ...args];
  const child = spawn(process.execPath, argv, {
    env: options.env ?? process.env,
    cwd: options.cwd ?? root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]).then(
    ([[code], stdout, stderr]) => ({ code: code as number | null, stdout, stderr }),
  );
  return { child, end };
}

/** Runs `haulout` with these arguments to its end. */
export const haulout = (args: readonly string[], env?: NodeJS.ProcessEnv): Promise<CliEnd> =>
  startCli('main.ts', args, env ? { env } : {}).end;
