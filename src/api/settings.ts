/** What the service is told at its start. It has no credentials of any site. */
import { existsSync } from 'node:fs';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { z } from 'zod';

const AUTHENTICATIONS = ['none', 'token', 'keystone'] as const;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

const whole = (least: number, most: number) =>
  z.coerce.number(`must be a whole number from ${least} to ${most}`).int().min(least).max(most);

const file = z.string().refine((path) => existsSync(path), 'there is no such file');

const settings = z
  .object({
    site: z
      .string('is needed: the site that sessions are made for')
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'must be the name of a site'),
    host: z.string().min(1),
    port: whole(0, 65_535),
    auth: z.enum(AUTHENTICATIONS, `must be one of ${AUTHENTICATIONS.join(', ')}`),
    tokens: file.optional(),
    keystoneUrl: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).optional(),
    keystoneCa: file.optional(),
    rateLimit: whole(1, 1_000_000),
  })
  .superRefine(({ host, auth, tokens, keystoneUrl }, context) => {
    const issue = (path: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [path], message });
    };
    if (auth === 'none' && !isLoopback(host)) {
      issue('auth', `"none" lets everybody in who reaches ${host}; it is for 127.0.0.1 only`);
    }
    if (auth === 'token' && tokens === undefined) issue('tokens', 'is needed with auth "token"');
    if (auth === 'keystone' && keystoneUrl === undefined) {
      issue('keystoneUrl', 'is needed with auth "keystone"');
    }
  });
export type Settings = z.output<typeof settings>;

/** How a setting is written on the command line. */
const flagOf = (field: string): string =>
  `--${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** The settings are wrong; the message has a line for each. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** @param options as they were given, by their names in camel case. Throws SettingsError. */
export function readSettings(options: Readonly<Record<string, unknown>>): Settings {
  const parsed = settings.safeParse(options);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(({ path, message }) => `${flagOf(path.join('.'))}: ${message}`);
  throw new SettingsError(lines.join('\n'));
}

function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  return isIP(host) !== 0 && loopback.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}
