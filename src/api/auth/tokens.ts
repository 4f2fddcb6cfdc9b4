/** Static tokens from a file. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { parse } from 'yaml';
import { z } from 'zod';
import { describeIssues } from '../../core/session-spec.ts';
import { ApiError } from '../errors.ts';
import { tokenIn, type Authenticator, type Caller } from './caller.ts';

const entry = z
  .strictObject({
    name: z.string().min(1).max(255).describe('Who has the token'),
    token: z.string().regex(/^[\x21-\x7e]{16,8192}$/, 'must have at least 16 characters, and no blanks'),
    admin: z.literal(true).optional(),
    project: z.string().min(1).max(255).optional(),
  })
  .refine(({ admin, project }) => (admin === undefined) !== (project === undefined), {
    message: 'must have either "admin: true" or a project',
  });

const tokenFile = z
  .strictObject({ tokens: z.array(entry).min(1) })
  .refine(({ tokens }) => isUnique(tokens.map(({ token }) => token)), 'must have each token once')
  .refine(({ tokens }) => isUnique(tokens.map(({ name }) => name)), 'must have each name once');

const isUnique = (values: readonly string[]): boolean => new Set(values).size === values.length;

/** What is wrong with a file of tokens; no token is in it. */
export class TokenFileError extends Error {
  override readonly name = 'TokenFileError';
}

interface Known {
  digest: Buffer;
  caller: Caller;
}

export class StaticTokens implements Authenticator {
  readonly wantsToken = true;
  readonly #known: readonly Known[];

  /**
   * @param content YAML or JSON: `tokens`, a list of `name` and `token` with either `admin: true` or `project: ID`. Throws
   *   TokenFileError.
   */
  constructor(content: string) {
    this.#known = read(content).tokens.map(({ name, token, admin = false, project }) => ({
      digest: digestOf(token),
      caller: { id: name, isAdmin: admin, isReader: false, ...(project !== undefined && { project }) },
    }));
  }

  async authenticate(headers: IncomingHttpHeaders): Promise<Caller> {
    const digest = digestOf(tokenIn(headers));
    // Every one is compared, whichever is the right one: the time it takes tells nothing.
    const found = this.#known.filter((known) => timingSafeEqual(known.digest, digest));
    const [match] = found;
    if (!match) throw new ApiError('NotAuthenticated', 'The token is not known');
    return match.caller;
  }

  async close(): Promise<void> {
    // It holds nothing open.
  }
}

function read(content: string): z.output<typeof tokenFile> {
  let raw: unknown;
  try {
    raw = parse(content, { prettyErrors: false });
  } catch {
    throw new TokenFileError('is not YAML');
  }
  const parsed = tokenFile.safeParse(raw);
  if (!parsed.success) throw new TokenFileError(describeIssues(parsed.error).join('; '));
  return parsed.data;
}

const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest();
