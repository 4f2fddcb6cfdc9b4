/** What processes have used so far. */
import { readFile } from 'node:fs/promises';

/** Of all threads, user and system; absent where the system has no /proc. */
export async function cpuSecondsOf(pid: number): Promise<number | undefined> {
  const stat = await read(`/proc/${pid}/stat`);
  // The command name stands in parentheses, and may hold blanks itself.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields && (Number(fields[UTIME]) + Number(fields[STIME])) / TICKS_PER_SECOND;
}

/** The most memory it had at any time; absent where the system has no /proc. */
export const peakRssMbOf = (pid: number): Promise<number | undefined> => megabytesOf(pid, 'VmHWM');

/** The memory it has now; absent where the system has no /proc. */
export const rssMbOf = (pid: number): Promise<number | undefined> => megabytesOf(pid, 'VmRSS');

async function megabytesOf(pid: number, what: 'VmHWM' | 'VmRSS'): Promise<number | undefined> {
  const status = await read(`/proc/${pid}/status`);
  const kilobytes = status && new RegExp(`^${what}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  return kilobytes ? Math.round(Number(kilobytes) / 1024) : undefined;
}

/** The same on every Linux that Node.js runs on. */
const TICKS_PER_SECOND = 100;

/** Fields that follow the command name: user and system time. */
const UTIME = 11;
const STIME = 12;

const read = (file: string): Promise<string | undefined> => readFile(file, 'utf8').catch(() => undefined);
