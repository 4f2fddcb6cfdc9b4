/** Which vCenter a site means, and how to log in: from its configuration, or from the `GOVC_*` variables of govc. */
import path from 'node:path';
import { z } from 'zod';
import { isReadable, requestTimeout, SettingsError } from '../platform.ts';

export const configSchema = z.strictObject({
  url: z
    .string()
    .min(1)
    .optional()
    .describe('Address of vCenter: https://vcenter.example.org; absent: GOVC_URL'),
  username: z.string().min(1).optional().describe('Absent: GOVC_USERNAME, or the user in GOVC_URL'),
  password: z
    .string()
    .min(1)
    .optional()
    .describe('Write it as {env: NAME} or {file: PATH}; absent: GOVC_PASSWORD, or the one in GOVC_URL'),
  release: z
    .string()
    .regex(/^\d+\.\d+\.\d+\.\d+$/, 'must be a release of the VI/JSON API such as 8.0.2.0')
    .default('8.0.1.0')
    .describe('Release of the VI/JSON API to speak; the oldest there is does'),
  caFile: z
    .string()
    .min(1)
    .optional()
    .describe(
      'PEM file of the CA that signed the certificate; absent: GOVC_TLS_CA_CERTS, or those of the system',
    ),
  insecure: z.boolean().optional().describe('Believe any certificate; absent: GOVC_INSECURE, or false'),
  datacenter: z.string().min(1).optional().describe('Only the hosts of this datacenter, by name, path or id'),
  cluster: z.string().min(1).optional().describe('Only the hosts of this cluster, by name, path or id'),
  vcpusPerCore: z
    .number()
    .min(1)
    .max(64)
    .default(8)
    .describe('Virtual processors that instances may have for each core of a host'),
  timeout: requestTimeout('60s', '30s or 2m').describe(
    'Time for one request; a page of 1,000 VMs may take a while',
  ),
});
export type VsphereConfig = z.output<typeof configSchema>;

/** How to reach vCenter, and as whom. */
export interface Connection {
  /** `https://vcenter.example.org`: no path, no credentials. */
  origin: string;
  username: string;
  password: string;
  tls: { verify: boolean; caFile?: string };
}

/** Throws SettingsError, with the field or variable and the way out. */
export function findConnection(config: VsphereConfig, variables: NodeJS.ProcessEnv): Connection {
  // Scripts clear variables by making them empty.
  const env = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ''));
  const address = addressOf(config.url ?? env['GOVC_URL']);
  const problems: string[] = [];
  if (address === undefined) {
    const given = config.url === undefined && env['GOVC_URL'] === undefined;
    problems.push(
      `url: ${given ? 'is missing, and GOVC_URL is not set' : 'is no address of a vCenter, such as https://vcenter.example.org'}`,
    );
  }
  const username = config.username ?? env['GOVC_USERNAME'] ?? decodeURIComponent(address?.username ?? '');
  const password = config.password ?? env['GOVC_PASSWORD'] ?? decodeURIComponent(address?.password ?? '');
  if (username === '') problems.push('username: is missing, and GOVC_USERNAME is not set');
  if (password === '') problems.push('password: is missing, and GOVC_PASSWORD is not set');
  const caFile = config.caFile ?? firstOf(env['GOVC_TLS_CA_CERTS']);
  if (caFile !== undefined && !isReadable(caFile)) {
    const field = config.caFile === undefined ? 'GOVC_TLS_CA_CERTS' : 'caFile';
    problems.push(`${field}: ${caFile} cannot be read`);
  }
  if (address === undefined || problems.length > 0) throw new SettingsError(problems);
  const verify = !(config.insecure ?? isTrue(env['GOVC_INSECURE']));
  return {
    origin: address.origin,
    username,
    password,
    tls: { verify, ...(caFile === undefined ? {} : { caFile }) },
  };
}

/** As govc reads it: `vcenter.example.org`, or `https://user:password@vcenter.example.org/sdk`. */
function addressOf(text: string | undefined): URL | undefined {
  if (text === undefined) return undefined;
  const full = /^[a-z]+:\/\//i.test(text) ? text : `https://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  return url && /^https?:$/.test(url.protocol) ? url : undefined;
}

/** A list, as in PATH. The transport takes one file; several CAs can stand in it. */
const firstOf = (list: string | undefined): string | undefined =>
  list?.split(path.delimiter).find((file) => file !== '');

const isTrue = (text: string | undefined): boolean => /^(1|t|true)$/i.test(text ?? '');
