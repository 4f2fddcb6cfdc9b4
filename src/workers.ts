/** The workers of one process: one for sessions, one for each sink of notifications, and one for each site it serves. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { Worker, type NativeConnection } from '@temporalio/worker';
import {
  createMaintenanceActivities,
  createSinkActivities,
  createSiteActivities,
} from '../activities/index.ts';
import { ConfigError, type Config } from './config.ts';
import type { Driver } from './drivers/driver.ts';
import { SettingsError } from './drivers/platform.ts';
import { PLATFORMS } from './drivers/registry.ts';
import { MAINTENANCE_QUEUE, sinkQueue, siteQueue } from './names.ts';
import type { Sink } from './notifications/sink.ts';
import { createSinks } from './notifications/sinks.ts';
import { ensureReconcileSchedule } from './reconcile-schedule.ts';

/**
 * A dead worker's workflows are offered to others after this long; the SDK's 10 s would be most of the time that a
 * session stands still when a worker is killed.
 */
const STICKY_TIMEOUT = '1s' as const;

/** On SIGTERM activities get this long to end before they are cancelled; whatever they began goes on elsewhere. */
const SHUTDOWN_GRACE = '5s' as const;

/** Heartbeats bring the news that an activity is cancelled; the SDK would hold them back for most of their timeout. */
const HEARTBEAT_AT_MOST_EVERY = '1s' as const;

/** A client may answer a notice before it ends the delivery, which then waits and does nothing. */
const MAX_DELIVERIES_PER_SINK = 1_000;

export interface Workers {
  /** Names of the sites served. */
  sites: readonly string[];
  /** Runs until every worker has shut down, then logs out of the sites and leaves the sinks. */
  run(): Promise<void>;
  /** Stops polling; what runs gets a while to end. */
  shutdown(): void;
}

/** Makes the workers that the configuration asks for. Throws ConfigError. */
export async function createWorkers(
  config: Config,
  { connection, namespace }: { connection: NativeConnection; namespace: string },
): Promise<Workers> {
  const client = new Client({ connection, namespace });
  const sites = config.worker.serves ?? Object.keys(config.sites);
  const drivers = new Map(sites.map((site) => [site, createDriver(config, site)]));
  const sinks = config.worker.maintenance ? createSinks(config.notifications) : new Map<string, Sink>();
  const common = { connection, namespace, shutdownGraceTime: SHUTDOWN_GRACE };
  const workers: Worker[] = [];
  for (const [site, driver] of drivers) {
    workers.push(
      await Worker.create({
        ...common,
        taskQueue: siteQueue(site),
        activities: { ...createSiteActivities(site, driver, client, config.actions) },
        maxHeartbeatThrottleInterval: HEARTBEAT_AT_MOST_EVERY,
        maxConcurrentActivityTaskExecutions: config.worker.maxConcurrentActivities,
      }),
    );
  }
  for (const [name, sink] of sinks) {
    workers.push(
      await Worker.create({
        ...common,
        taskQueue: sinkQueue(name),
        activities: { ...createSinkActivities(sink) },
        maxConcurrentActivityTaskExecutions: MAX_DELIVERIES_PER_SINK,
      }),
    );
  }
  if (config.worker.maintenance) {
    workers.push(
      await Worker.create({
        ...common,
        ...(await workflowCode()),
        taskQueue: MAINTENANCE_QUEUE,
        activities: { ...createMaintenanceActivities(client, sites, config.notifications) },
        maxConcurrentActivityTaskExecutions: config.worker.maxConcurrentActivities,
        stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT,
      }),
    );
    // Also for sites whose activities run elsewhere: a worker that serves only its site makes no Schedule.
    for (const [site, { reconcileEvery }] of Object.entries(config.sites)) {
      await ensureReconcileSchedule(client, site, reconcileEvery);
    }
  }
  const shutdown = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  return {
    sites,
    run: async () => {
      // One that fails takes the others along; what they run still gets its time to end, with its site logged in.
      const runs = workers.map((worker) => worker.run().finally(shutdown));
      await Promise.allSettled(runs);
      await Promise.allSettled([...drivers.values(), ...sinks.values()].map((one) => one.close()));
      await Promise.all(runs);
    },
    shutdown,
  };
}

function createDriver(config: Config, site: string): Driver {
  const found = config.sites[site];
  const platform = found && PLATFORMS[found.platform];
  if (!found || !platform) throw new ConfigError(`There is no site ${site} in the configuration.`, []);
  try {
    return platform.create(found.options, { site, siteBelow: (name) => config.sites[name] });
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    throw new ConfigError(`The site ${site} cannot be used:`, error.problems);
  }
}

/** A bundle made beforehand starts faster and needs no compiler; without one the workflows are bundled from source. */
async function workflowCode(): Promise<{ workflowBundle: { code: string } } | { workflowsPath: string }> {
  const bundle = process.env.HAULOUT_WORKFLOW_BUNDLE;
  if (bundle !== undefined) return { workflowBundle: { code: await readFile(bundle, 'utf8') } };
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return { workflowsPath: fileURLToPath(new URL(`../workflows/index.${extension}`, import.meta.url)) };
}
