/** Tacker's plug-in as a process; `vnfm.py` says what of it is Tacker's own. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { z } from 'zod';
import { bedDirectory } from '../directory.ts';

/** The first time Python compiles all of Tacker. */
const ANSWER_WITHIN_MS = 120_000;

interface Settings {
  /** Where it takes alarms. */
  port: number;
  apiPort: number;
  /** Address, without the version. */
  keystone: string;
  vim: Readonly<Record<string, unknown>>;
  vnf: Readonly<Record<string, unknown>>;
}

const requests = z.array(z.object({ method: z.string(), path: z.string(), status: z.int() }));
/** What the plug-in has asked of the API. */
export type ClientRequest = z.output<typeof requests>[number];

type Child = ChildProcessByStdio<Writable, Readable, null>;

export class Tacker {
  readonly #child: Child;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: Child, lines: Interface) {
    this.#child = child;
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /** Resolves when it takes alarms. */
  static async start(settings: Settings, env: NodeJS.ProcessEnv = process.env): Promise<Tacker> {
    const script = path.join(import.meta.dirname, 'vnfm.py');
    const child = spawn(
      path.join(bedDirectory('fenix', env), 'venv/bin/python'),
      [script, JSON.stringify(settings)],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { ...env, PYTHONWARNINGS: 'ignore' },
      },
    );
    const tacker = new Tacker(child, createInterface({ input: child.stdout }));
    z.literal('listening').parse(await tacker.#read());
    return tacker;
  }

  /** Has it do something, and resolves to all that it has asked so far, once nothing is under way. */
  async ask(command: 'protect' | 'release' | 'requests'): Promise<ClientRequest[]> {
    this.#child.stdin.write(`${command}\n`);
    return requests.parse(await this.#read());
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }

  async #read(): Promise<unknown> {
    const late = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const silence = once(late, 'abort').then(() => {
      throw new Error('Tacker does not answer');
    });
    const line = await Promise.race([this.#lines.next(), silence]);
    if (line.done) throw new Error('Tacker has ended');
    return JSON.parse(line.value);
  }
}
