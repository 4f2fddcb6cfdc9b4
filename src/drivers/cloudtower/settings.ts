/** Which CloudTower a site means, and how to log in. */
import { z } from 'zod';
import { isReadable, requestTimeout, SettingsError } from '../platform.ts';

export const configSchema = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .describe('Address of CloudTower: https://tower.example.org'),
  username: z.string().min(1).optional().describe('Whom to log in as'),
  password: z.string().min(1).optional().describe('Write it as {env: NAME} or {file: PATH}'),
  token: z
    .string()
    .min(1)
    .optional()
    .describe('Instead of username and password; it is not renewed. Write it as {env: NAME} or {file: PATH}'),
  source: z
    .enum(['LOCAL', 'LDAP'])
    .default('LOCAL')
    .describe('Where the user is known: to CloudTower itself, or to a directory'),
  caFile: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file of the CA that signed the certificate; absent: those of the system'),
  insecure: z.boolean().default(false).describe('Believe any certificate'),
  cluster: z.string().min(1).optional().describe('Only the hosts of this cluster, by name or id'),
  timeout: requestTimeout('60s', '30s or 2m').describe('Time for one request'),
});
export type CloudTowerConfig = z.output<typeof configSchema>;

/** How to reach CloudTower, and as whom. */
export interface Connection {
  /** `https://tower.example.org`: no path. */
  origin: string;
  credentials: { token: string } | { username: string; password: string; source: 'LOCAL' | 'LDAP' };
  tls: { verify: boolean; caFile?: string };
}

/** Throws SettingsError, with the field and the way out. */
export function findConnection(config: CloudTowerConfig): Connection {
  const { username, password, token, source, caFile, insecure } = config;
  const url = new URL(config.url);
  const problems: string[] = [];
  if (url.username !== '' || url.password !== '' || url.search !== '') {
    problems.push('url: leave credentials and queries out; credentials are fields of their own');
  }
  if (caFile !== undefined && !isReadable(caFile)) problems.push(`caFile: ${caFile} cannot be read`);
  if (token !== undefined && (username !== undefined || password !== undefined)) {
    problems.push('token: leave out either this, or username and password');
  }
  if (token === undefined && username === undefined) problems.push('username: is missing; or give a token');
  if (token === undefined && password === undefined) problems.push('password: is missing; or give a token');
  if (problems.length > 0) throw new SettingsError(problems);
  return {
    origin: url.origin,
    credentials:
      token === undefined ? { username: username ?? '', password: password ?? '', source } : { token },
    tls: { verify: !insecure, ...(caFile === undefined ? {} : { caFile }) },
  };
}
