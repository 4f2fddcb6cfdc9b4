/** Which cluster a configuration means, and as whom: found as kubectl finds it, or from inside a pod. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { z } from 'zod';
import { requestTimeout, SettingsError } from '../drivers/platform.ts';

/** Fields of a configuration that says which cluster it means. */
export const clusterFields = {
  kubeconfig: z
    .string()
    .min(1)
    .optional()
    .describe('Absent: KUBECONFIG, ~/.kube/config, or the service account of the pod'),
  context: z.string().min(1).optional().describe('Context of the kubeconfig; absent: the current one'),
  timeout: requestTimeout('30s', '30s or 1m').describe('Time for one request'),
};

/** A cluster as those fields name it. */
export interface ClusterChoice {
  kubeconfig?: string | undefined;
  context?: string | undefined;
}

/** Reads files, and connects to nothing. Throws SettingsError, with the field or variable and the way out. */
export function findCluster(
  { kubeconfig, context }: ClusterChoice,
  env: NodeJS.ProcessEnv = process.env,
): KubeConfig {
  const config = load(kubeconfig, env);
  if (context !== undefined) {
    const known = config.getContexts().map(({ name }) => name);
    if (!known.includes(context)) {
      throw new SettingsError([
        `context: the kubeconfig has no context ${context}, only ${known.join(', ')}`,
      ]);
    }
    config.setCurrentContext(context);
  }
  if (!config.getCurrentCluster()?.server || !config.getCurrentUser()) {
    throw new SettingsError([
      `context: ${config.getCurrentContext() || 'the current one'} names no cluster and user of the kubeconfig`,
    ]);
  }
  return config;
}

function load(kubeconfig: string | undefined, env: NodeJS.ProcessEnv): KubeConfig {
  const named = kubeconfig === undefined ? env['KUBECONFIG'] : undefined;
  const files = kubeconfig === undefined ? filesOf(named, env) : [kubeconfig];
  const field = named ? 'KUBECONFIG' : 'kubeconfig';
  const [first, ...others] = files.map((file) => read(file, field));
  if (first) {
    // As kubectl merges them: what an earlier file says wins.
    for (const other of others) first.mergeConfig(other, true);
    return first;
  }
  if (!env['KUBERNETES_SERVICE_HOST']) {
    throw new SettingsError([
      'kubeconfig: is missing; KUBECONFIG is not set, there is no ~/.kube/config, and this is no pod',
    ]);
  }
  const config = new KubeConfig();
  config.loadFromCluster();
  return config;
}

/** A list, as in PATH, of which files may be missing; or the usual file, if there is one. */
function filesOf(list: string | undefined, env: NodeJS.ProcessEnv): string[] {
  const files = list
    ? list.split(path.delimiter).filter((file) => file !== '')
    : [path.join(env['HOME'] ?? homedir(), '.kube/config')];
  const found = files.filter((file) => existsSync(file));
  if (list && found.length === 0) throw new SettingsError([`KUBECONFIG: ${list} is not there`]);
  return found;
}

function read(file: string, field: string): KubeConfig {
  const config = new KubeConfig();
  try {
    readFileSync(file);
  } catch (error) {
    throw new SettingsError([`${field}: ${file} cannot be read: ${String(error)}`]);
  }
  try {
    config.loadFromFile(file);
  } catch (error) {
    throw new SettingsError([`${field}: ${file} is no kubeconfig: ${String(error)}`]);
  }
  return config;
}
