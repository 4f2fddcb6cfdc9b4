/** What a process has used so far. */
import { readFile } from 'node:fs/promises';

export interface Usage {
  /** Of all its threads, user and system. */
  cpuSeconds: number;
  peakRssMb: number;
}

/** Clock ticks a second in /proc: 100 on every Linux that Node.js runs on. */
const TICKS = 100;

/** Fields of /proc/PID/stat that follow the command name: user and system time. */
const UTIME = 11;
const STIME = 12;

/** Undefined where the system has no /proc. */
export async function usageOf(pid: number): Promise<Usage | undefined> {
  try {
    const [stat, status] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/status`, 'utf8'),
    ]);
    // The command name stands in parentheses, and may hold blanks itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const peakKb = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
    return {
      cpuSeconds: (Number(fields[UTIME]) + Number(fields[STIME])) / TICKS,
      peakRssMb: Math.round(Number(peakKb) / 1024),
    };
  } catch {
    return undefined;
  }
}
