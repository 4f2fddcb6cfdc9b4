/**
 * The processes of a stack. Each writes its output into a log file, stands in a process group of its own (so that Ctrl-C
 * reaches the stack alone, which then stops them in order), and is known to the reaper.
 */
import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeCommand } from './node-command.ts';

const READY_TIMEOUT_MS = 60_000;
/** How long a process may take to end after SIGTERM before it gets SIGKILL. */
const STOP_TIMEOUT_MS = 15_000;
const TAIL_LINES = 5;

/** Resolves to the match of the first line of output that matches. */
type WaitForLine = (pattern: RegExp) => Promise<RegExpExecArray>;

export interface ProcessSpec<T> {
  /** For messages, and for the name of the log file. */
  name: string;
  program: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  /** Waits until it is ready, and says what was learnt from that; `signal` aborts when there is no more point. */
  ready(line: WaitForLine, signal: AbortSignal): Promise<T>;
}

/** A process of the stack ended, or did not get ready in time. */
export class ProcessError extends Error {
  override readonly name = 'ProcessError';
}

/** Told when a process ends that nobody asked to end. */
export type OnLost = (name: string, how: string) => void;

/** Starts processes whose logs go to `directory`. Those that this process leaves behind when it is killed are ended. */
export class Processes {
  readonly #directory: string;
  readonly #onLost: OnLost;
  readonly #reaper: ChildProcessByStdio<Writable, null, null>;
  readonly #running = new Set<ManagedProcess>();

  constructor(directory: string, onLost: OnLost) {
    this.#directory = directory;
    this.#onLost = onLost;
    const { program, args } = nodeCommand('src/devstack/reaper.ts');
    this.#reaper = spawn(program, args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    this.#reaper.unref();
    // Only a stack that is killed needs the reaper; without it the rest still works.
    this.#reaper.on('error', () => undefined);
    this.#reaper.stdin.on('error', () => undefined);
  }

  /** Starts a process and waits until it is ready. Throws ProcessError with the end of its output. */
  async start<T>(spec: ProcessSpec<T>): Promise<{ process: ManagedProcess; learnt: T }> {
    const started = await ManagedProcess.spawn(spec, path.join(this.#directory, `${spec.name}.log`));
    this.#running.add(started);
    this.#reaper.stdin.write(`+${started.pid}\n`);
    void started.ended.then(() => {
      this.#running.delete(started);
      this.#reaper.stdin.write(`-${started.pid}\n`);
    });
    const learnt = await started.becomeReady((line, signal) => spec.ready(line, signal));
    void started.ended.then((how) => {
      if (!started.wasTold) this.#onLost(spec.name, how);
    });
    return { process: started, learnt };
  }

  /** Stops those still running, the newest first. */
  async stop(): Promise<void> {
    for (const running of [...this.#running].reverse()) await running.stop();
    this.#reaper.stdin.end();
  }
}

/** A process of the stack that was started. */
export class ManagedProcess {
  readonly name: string;
  readonly pid: number;
  /** Resolves when it has ended, to how: `exit code 1`, `SIGKILL`. */
  readonly ended: Promise<string>;
  /** Somebody here asked it to end. */
  wasTold = false;
  readonly #child: ChildProcess;
  readonly #output: Output;

  private constructor(name: string, child: ChildProcess & { pid: number }, output: Output) {
    this.name = name;
    this.pid = child.pid;
    this.#child = child;
    this.#output = output;
    this.ended = once(child, 'exit').then(([code, signal]: (string | number | null)[]) =>
      typeof signal === 'string' ? signal : `exit code ${code}`,
    );
  }

  /** Resolves when the process runs. Throws ProcessError when the program cannot be started. */
  static async spawn(
    { name, program, args, env }: Omit<ProcessSpec<unknown>, 'ready'>,
    logFile: string,
  ): Promise<ManagedProcess> {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const output = new Output([child.stdout, child.stderr], logFile);
    try {
      await once(child, 'spawn');
    } catch (error) {
      throw new ProcessError(`The ${name} cannot be started: ${String(error)}`, { cause: error });
    }
    return new ManagedProcess(name, child as typeof child & { pid: number }, output);
  }

  /** Resolves when `ready` does. Throws ProcessError, and ends the process, when it ends before or takes too long. */
  async becomeReady<T>(ready: (line: WaitForLine, signal: AbortSignal) => Promise<T>): Promise<T> {
    const over = new AbortController();
    const fail = (reason: string): never => {
      throw new ProcessError(`The ${this.name} ${reason}; see ${this.#output.file}${this.#output.tail()}`);
    };
    try {
      return await Promise.race([
        ready((pattern) => this.#output.line(pattern), over.signal),
        this.ended.then((how) => fail(`ended with ${how} before it was ready`)),
        sleep(READY_TIMEOUT_MS, undefined, { signal: over.signal }).then(() =>
          fail('did not get ready in time'),
        ),
      ]);
    } catch (error) {
      await this.kill();
      throw error;
    } finally {
      over.abort();
    }
  }

  /** Asks it to end, and ends it when it takes too long. */
  async stop(): Promise<void> {
    this.wasTold = true;
    this.#child.kill('SIGTERM');
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.ended;
    clearTimeout(patience);
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    this.wasTold = true;
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}

/** What a process writes: kept in a file, watched for lines, its end at hand for messages. */
class Output {
  readonly file: string;
  readonly #recent: string[] = [];
  readonly #waiting = new Map<RegExp, (match: RegExpExecArray) => void>();

  constructor(streams: readonly Readable[], file: string) {
    this.file = file;
    const log = createWriteStream(file, { flags: 'a' });
    for (const stream of streams) {
      stream.pipe(log, { end: false });
      createInterface({ input: stream }).on('line', (line) => {
        this.#take(line);
      });
    }
    void Promise.all(streams.map((stream) => once(stream, 'close'))).then(() => log.end());
  }

  line(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve) => this.#waiting.set(pattern, resolve));
  }

  /** The last lines, each on a line of its own; empty when there was no output. */
  tail(): string {
    return this.#recent.map((line) => `\n  ${line}`).join('');
  }

  #take(line: string): void {
    this.#recent.push(line.slice(0, 500));
    if (this.#recent.length > TAIL_LINES) this.#recent.shift();
    for (const [pattern, resolve] of this.#waiting) {
      const match = pattern.exec(line);
      if (!match) continue;
      this.#waiting.delete(pattern);
      resolve(match);
    }
  }
}
