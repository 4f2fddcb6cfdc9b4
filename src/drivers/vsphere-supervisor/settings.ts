/** Which Supervisor a site means: that of a cluster of the vSphere site beneath. */
import { z } from 'zod';
import { type PlatformContext, requestTimeout, SettingsError } from '../platform.ts';
import {
  configSchema as vsphereSchema,
  findConnection,
  type Connection,
  type VsphereConfig,
} from '../vsphere/settings.ts';

export const configSchema = z.strictObject({
  vsphere: z
    .string()
    .min(1)
    .describe('Name of the site of platform vsphere whose hosts are the nodes, with its credentials'),
  cluster: z
    .string()
    .regex(
      /^domain-c\d+$/,
      'must be the id of a cluster such as domain-c8, as the vSphere Client has in its URL',
    )
    .describe('Id of the cluster that the Supervisor is enabled on: domain-c8'),
  url: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .optional()
    .describe('Address of the REST API; absent: that of the vSphere site'),
  timeout: requestTimeout('60s', '30s or 2m').describe('Time for one request to the REST API'),
});
export type SupervisorConfig = z.output<typeof configSchema>;

export interface Settings {
  /** The vSphere site, without the hosts of other clusters. */
  below: VsphereConfig;
  /** To the REST API. */
  connection: Connection;
}

/** Throws SettingsError when the site beneath is missing, of another platform, or not complete itself. */
export function findSettings(
  { vsphere, cluster, url }: SupervisorConfig,
  { siteBelow }: PlatformContext,
  env: NodeJS.ProcessEnv,
): Settings {
  const site = siteBelow?.(vsphere);
  const remedy = 'name a site of platform vsphere of the same configuration';
  if (!site) throw new SettingsError([`vsphere: there is no site "${vsphere}"; ${remedy}`]);
  if (site.platform !== 'vsphere') {
    throw new SettingsError([`vsphere: the site "${vsphere}" is of platform ${site.platform}; ${remedy}`]);
  }
  const below = { ...vsphereSchema.parse(site.options), cluster };
  const connection = connectionOf(vsphere, below, env);
  return {
    below,
    connection: url === undefined ? connection : { ...connection, origin: new URL(url).origin },
  };
}

function connectionOf(site: string, below: VsphereConfig, env: NodeJS.ProcessEnv): Connection {
  try {
    return findConnection(below, env);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    throw new SettingsError(error.problems.map((problem) => `vsphere: the site "${site}": ${problem}`));
  }
}
