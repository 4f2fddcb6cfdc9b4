/** Which cluster a configuration means, and as whom: found as kubectl finds it, or from inside a pod. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { z } from 'zod';
import { requestTimeout, SettingsError } from '../drivers/platform.ts';
import { wordsOf } from '../drivers/transport.ts';

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
  const known = config.getContexts().map(({ name }) => name);
  const choice = known.length === 0 ? 'it has none at all' : `choose one of ${known.join(', ')}`;
  if (context !== undefined) {
    if (!known.includes(context)) {
      throw new SettingsError([`context: the kubeconfig has no context ${context}; ${choice}`]);
    }
    config.setCurrentContext(context);
  }
  const current = config.getCurrentContext();
  if (!current) throw new SettingsError([`context: the kubeconfig has no current context; ${choice}`]);
  const cluster = config.getCurrentCluster();
  if (!cluster?.server || !config.getCurrentUser()) {
    throw new SettingsError([`context: ${current} names no cluster and user of the kubeconfig`]);
  }
  if (!isWebAddress(cluster.server)) {
    throw new SettingsError([
      `kubeconfig: server of cluster ${cluster.name}: ${cluster.server} is no http or https URL`,
    ]);
  }
  return config;
}

const isWebAddress = (text: string): boolean => URL.canParse(text) && /^https?:/i.test(text);

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
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new SettingsError([`${field}: ${file} cannot be read: ${wordsOf(error)}`]);
  }
  if (text.trim() === '') throw new SettingsError([`${field}: ${file} is empty`]);
  try {
    config.loadFromFile(file);
  } catch (error) {
    // What follows its first line quotes the file, and so perhaps a token.
    const [what] = wordsOf(error).split('\n', 1);
    throw new SettingsError([`${field}: ${file} is no kubeconfig: ${what}`]);
  }
  return config;
}
