/** Ports on the loopback interface. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** How far from the preferred port another is looked for, and how often. */
const RANGE = 2_000;
const TRIES = 50;

/**
 * `preferred` if nothing listens there, else a free port a little above it, drawn by chance so that two stacks that
 * start together do not choose the same. Ports that the system itself gives out are no good: before ours is bound, any
 * connection of any process may have it.
 */
export async function freePort(preferred: number): Promise<number> {
  let port = preferred;
  for (let tries = 0; tries < TRIES; tries++) {
    if (await isFree(port)) return port;
    port = preferred + randomInt(1, RANGE);
  }
  throw new Error(`no port from ${preferred} to ${preferred + RANGE} is free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
