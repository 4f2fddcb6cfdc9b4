/**
 * `npm run lock-controller`: answers the maintenance requests of a Kubernetes cluster by emptying hosts of a site. It asks
 * and tells Temporal and Kubernetes, and keeps nothing itself: any number of them may run beside each other. Prints one
 * line `lock-controller ready: …`.
 */
import { reachTemporal, TemporalConnectionError } from '../client.ts';
import { ConfigError, loadLockController } from '../config.ts';
import { durationMs } from '../core/duration.ts';
import { SettingsError } from '../drivers/platform.ts';
import { KubernetesClient } from '../kubernetes/client.ts';
import { findCluster } from '../kubernetes/kubeconfig.ts';
import { createLogger } from '../log.ts';
import { LockController } from './controller.ts';
import { LockSessions } from './sessions.ts';

try {
  await main();
} catch (error) {
  process.stderr.write(`lock-controller: ${explain(error)}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const settings = loadLockController();
  const { kubernetes, site, controllerName } = settings;
  const client = new KubernetesClient(findCluster(kubernetes), { timeoutMs: durationMs(kubernetes.timeout) });
  const { client: temporal, connection } = reachTemporal();
  const controller = new LockController({
    client,
    sessions: new LockSessions(temporal, settings),
    settings,
    log: createLogger('lock-controller'),
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.stop());
  await controller.run((nodes) => {
    process.stdout.write(`lock-controller ready: ${controllerName}, ${nodes} nodes of site ${site}\n`);
  });
  await client.close();
  await connection.close();
}

/** What somebody who starts it can mend; anything else is shown with its stack. */
function explain(error: unknown): string {
  const isTheirs =
    error instanceof ConfigError ||
    error instanceof SettingsError ||
    error instanceof TemporalConnectionError;
  if (isTheirs) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
