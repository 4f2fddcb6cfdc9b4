/** What a folder under src/drivers offers the registry. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseDuration } from '../core/duration.ts';
import type { Driver } from './driver.ts';

export interface PlatformContext {
  /** Name of the site in the configuration. */
  site: string;
  /** Another site of the configuration, on which this one stands; undefined when there is none of this name. */
  siteBelow?: (name: string) => { platform: string; options: unknown } | undefined;
}

export interface PlatformDefinition<Schema extends z.ZodObject = z.ZodObject> {
  /** The fields of a site of this platform, beside `platform`. */
  configSchema: Schema;
  /**
   * Makes the driver of one site; secrets in the configuration are plain text by now. Connects to nothing yet. Throws
   * SettingsError when what the site refers to is missing or wrong.
   */
  create(config: z.output<Schema>, context: PlatformContext): Driver;
}

/** The field `timeout` of a site: time for one request; `examples` are for who writes something else. */
export const requestTimeout = (byDefault: string, examples: string): z.ZodDefault<z.ZodString> =>
  z
    .string()
    .refine((text) => parseDuration(text) !== undefined, `must be a duration such as ${examples}`)
    .default(byDefault);

/** Whether a file that a site names can be read. */
export function isReadable(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}

/** What a site's configuration refers to on this machine cannot be used. No problem quotes a secret. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  /** Each a sentence with the field or file, and the way out. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.problems = problems;
  }
}
