/** Runs a program in a process group of its own, so that it ends with everything it started. */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long a process group may take to end after SIGTERM before it gets SIGKILL. */
const GRACE_MS = 5000;
/** How long output is still read after the program has ended: what it left running may hold the pipes open. */
const DRAIN_MS = 500;
const TAIL_CHARS = 2000;

interface ProcessEnd {
  /** Null when a signal ended it. */
  exitCode: number | null;
  endSignal: NodeJS.Signals | null;
  /** The last 2,000 characters of standard output and standard error together. */
  tail: string;
}

/**
 * Runs `argv` without a shell, with this environment alone and nothing on standard input, and resolves when the program
 * has ended. When `signal` aborts, the whole process group gets SIGTERM, and SIGKILL if it has not gone after 5 seconds.
 * Rejects when the program cannot be started.
 */
export async function runProcess(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<ProcessEnd> {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, { env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const tail = keepTail(child.stdout, child.stderr);
  const closed = new Promise((resolve) => child.once('close', resolve));
  const exited = new Promise<Omit<ProcessEnd, 'tail'>>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exitCode, endSignal) => resolve({ exitCode, endSignal }));
  });

  let ending: Promise<void> | undefined;
  const { pid } = child;
  const end = (): void => {
    if (pid !== undefined) ending = endGroup(pid);
  };
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  try {
    const how = await exited;
    await Promise.race([closed, sleep(DRAIN_MS)]);
    await ending;
    return { ...how, tail: tail() };
  } finally {
    signal.removeEventListener('abort', end);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

async function endGroup(leader: number): Promise<void> {
  signalGroup(leader, 'SIGTERM');
  const deadline = performance.now() + GRACE_MS;
  while (signalGroup(leader, 0) && performance.now() < deadline) await sleep(50);
  signalGroup(leader, 'SIGKILL');
}

/** False when nothing of the group is left. */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-leader, signal);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function keepTail(...streams: Readable[]): () => string {
  let tail = '';
  for (const stream of streams) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      tail = (tail + text).slice(-TAIL_CHARS);
    });
  }
  return () => tail.trim();
}
