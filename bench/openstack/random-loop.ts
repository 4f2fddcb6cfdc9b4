/**
 * A loop as controllers of Kubernetes-hosted OpenStack run it: one random server at a time off each host, no target named,
 * and rests of seconds between looks.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Nova, Server } from '../../test/beds/nova/nova.ts';

const AFTER_START_MS = 5_000;
const BETWEEN_LOOKS_MS = 5_000;
/** A server whose migration was given up so often keeps its host. */
const TRIES = 3;

/**
 * @param hostsAtOnce hosts that are out at one time
 * @param work what is done to each host while it is out
 */
export async function randomLoop(
  hosts: readonly string[],
  nova: Nova,
  hostsAtOnce: number,
  work: () => Promise<void>,
): Promise<void> {
  const waiting = [...hosts];
  const lane = async (): Promise<void> => {
    for (let host = waiting.shift(); host !== undefined; host = waiting.shift()) {
      await nova.setService(host, 'disabled', 'loop');
      await empty(host, nova);
      await work();
      await nova.setService(host, 'enabled');
    }
  };
  await Promise.all(Array.from({ length: hostsAtOnce }, lane));
}

async function empty(host: string, nova: Nova): Promise<void> {
  const tries = new Map<string, number>();
  for (;;) {
    const running = (await nova.servers(host)).filter(({ status }) => status !== 'SHUTOFF');
    const chosen = running[Math.floor(Math.random() * running.length)];
    if (!chosen) return;
    const tried = (tries.get(chosen.id) ?? 0) + 1;
    if (tried > TRIES) throw new Error(`${chosen.name} does not leave ${host}`);
    tries.set(chosen.id, tried);
    await nova.act(chosen.id, { 'os-migrateLive': { host: null, block_migration: 'auto' } });
    await sleep(AFTER_START_MS);
    while (await isMigrating(chosen, host, nova)) await sleep(BETWEEN_LOOKS_MS);
  }
}

async function isMigrating({ id }: Server, host: string, nova: Nova): Promise<boolean> {
  const here = (await nova.servers(host)).find((server) => server.id === id);
  return here?.status === 'MIGRATING';
}
