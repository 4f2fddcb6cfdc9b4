/** Structured logs of the long-running processes, as JSON lines on stderr; stdout is for people and ready lines. */
import { pino, type Logger } from 'pino';

export type { Logger };

/** A logger that names its process. HAULOUT_LOG_LEVEL sets the level (default `info`). Lines are written at once. */
export const createLogger = (name: string): Logger =>
  pino(
    {
      name,
      level: process.env.HAULOUT_LOG_LEVEL ?? 'info',
      base: { name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 2, sync: true }),
  );
