/**
 * Run by the stack with a pipe as standard input; ends what the stack leaves behind when it is killed. Lines `+PID` and
 * `-PID` say which processes run. At the end of the input those still running get SIGTERM, and SIGKILL a little later.
 */
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const GRACE_MS = 5000;
const POLL_MS = 100;

const running = new Set<number>();
for await (const line of createInterface({ input: process.stdin })) {
  const pid = Number(line.slice(1));
  if (line.startsWith('+')) running.add(pid);
  else running.delete(pid);
}
signalAll('SIGTERM');
const deadline = performance.now() + GRACE_MS;
while (running.size > 0 && performance.now() < deadline) {
  await sleep(POLL_MS);
  signalAll(0);
}
signalAll('SIGKILL');

/** Signals all, and forgets those that are gone; signal 0 does only the latter. */
function signalAll(signal: NodeJS.Signals | 0): void {
  for (const pid of running) {
    try {
      process.kill(pid, signal);
    } catch {
      running.delete(pid);
    }
  }
}
