import { homedir } from 'node:os';
import path from 'node:path';

/** Where a bed keeps what it is built of and its state, as its `env.sh` has it: the directory that BED names, or the usual one. */
export function bedDirectory(name: string, env: NodeJS.ProcessEnv = process.env): string {
  return env.BED ?? path.join(env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'haulout-beds', name);
}
