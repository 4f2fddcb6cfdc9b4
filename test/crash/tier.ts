/** How much the crash tests do: little by default, more and other things in the soak tier. */

const setting = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise);

/** Workers that end in one session; every fourth is told to stop, the others are killed. */
export const workerEnds = setting('CRASH_WORKERS', 8);

/** Times the server is killed in one session. */
export const serverKills = setting('CRASH_SERVER_KILLS', 3);

/** Decides the moments. */
export const seed = setting('CRASH_SEED', 1);
