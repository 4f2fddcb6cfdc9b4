/** What a folder under src/drivers offers the registry. */
import type { z } from 'zod';
import type { Driver } from './driver.ts';

export interface PlatformContext {
  /** Name of the site in the configuration. */
  site: string;
}

export interface PlatformDefinition<Schema extends z.ZodObject = z.ZodObject> {
  /** The fields of a site of this platform, beside `platform`. */
  configSchema: Schema;
  /** Makes the driver of one site; secrets in the configuration are plain text by now. Connects to nothing yet. */
  create(config: z.output<Schema>, context: PlatformContext): Driver;
}
