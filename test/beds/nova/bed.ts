/** The bed that `run.ts` has brought up: how to log in to it, its services, and its knobs. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { z } from 'zod';
import { bedDirectory } from '../directory.ts';

/** An entry of a clouds.yaml, as far as the bed has it. */
const cloud = z.looseObject({
  auth: z.looseObject({
    auth_url: z.string(),
    username: z.string(),
    password: z.string(),
    project_name: z.string(),
  }),
  region_name: z.string(),
  compute_endpoint_override: z.string().optional(),
});
export type Cloud = z.output<typeof cloud>;

/** How one server behaves; see drivers/bed_driver.py. */
export interface Knobs {
  lm_seconds?: number;
  fail_lm?: number;
  fail_pre?: boolean;
  fail_check?: boolean;
}

export interface AllKnobs extends Knobs {
  hosts?: Readonly<Record<string, Knobs>>;
  servers?: Readonly<Record<string, Knobs>>;
}

export class Bed {
  readonly directory: string;
  /** The bed as its administrator sees it. */
  readonly cloud: Cloud;

  /** The bed that the environment variable BED names, or the one at the usual place. Throws when it was never up. */
  constructor(env: NodeJS.ProcessEnv = process.env) {
    this.directory = bedDirectory('nova', env);
    const clouds = z.object({ clouds: z.object({ bed: cloud }) });
    this.cloud = clouds.parse(
      parse(readFileSync(path.join(this.directory, 'clouds.yaml'), 'utf8')),
    ).clouds.bed;
  }

  /** `start` resolves when the service answers, `stop` and `kill` when it has ended. */
  async service(action: 'start' | 'stop' | 'kill', ...names: string[]): Promise<void> {
    await promisify(execFile)(path.join(import.meta.dirname, 'service.sh'), [action, ...names]);
  }

  /** Requests that Nova's API has answered so far, by its own log: whoever asked, and by whichever address. */
  async requestsAnswered(): Promise<number> {
    const log = await readFile(path.join(this.directory, 'log/nova-api.log'), 'utf8');
    return log.match(/"[A-Z]+ \/v2\.1\/.* HTTP\/1\.1" status: /g)?.length ?? 0;
  }

  /** From now on the hypervisors behave so; what was set before is forgotten. */
  async turn(knobs: AllKnobs): Promise<void> {
    const file = path.join(this.directory, 'run/knobs.json');
    await writeFile(`${file}.new`, JSON.stringify(knobs));
    await rename(`${file}.new`, file);
  }
}
