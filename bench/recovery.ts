/** How long a session stands still when its worker is killed and another one is started at once. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { WorkflowNotFoundError, type WorkflowHandle } from '@temporalio/client';
import { hostWorkflowId } from '../src/names.ts';
import { seededRandom } from '../src/simulator/random.ts';
import { packageRoot } from '../src/devstack/node-command.ts';
import type { Bed } from './bed.ts';
import { haulout, hostNames, SITE, writeConfig } from './contenders.ts';
import { median, rounded, type Section } from './section.ts';

/** Long enough that a kill mostly strikes a move under way, as it does in a real datacentre. */
const MOVE_MS = 1_000;
/** More instances than moves that could end during all kills. */
const INSTANCES_PER_KILL = 12;
/** The worker is killed when it has gone on for so long. */
const KILL_AFTER_MS = { least: 1_000, most: 4_000 };
const RECOVERED_WITHIN_MS = 60_000;
const POLL_MS = 50;

interface Recovery {
  /** From the kill until the next worker is ready. */
  workerReadySeconds: number;
  /** From the kill to the end of the first activity on the next worker. */
  stepSeconds: number;
}

/** Kills the worker again and again while one host is drained, one instance at a time. */
export async function measureRecovery(
  bed: Bed,
  kills: number,
  say: (line: string) => void,
): Promise<Section> {
  const shape = { hosts: 1, instancesPerHost: kills * INSTANCES_PER_KILL, window: 1, movesAtOnce: 1 };
  const { client, env } = await bed.openNamespace();
  const { control } = await bed.startSimulator(haulout.fleet(shape, MOVE_MS), env);
}
