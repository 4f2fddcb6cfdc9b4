/** Fields that several inputs have, each checked and described once. */
import { z } from 'zod';
import { parseDuration } from './duration.ts';

export const duration = z
  .string()
  .max(32)
  .refine(
    (text) => parseDuration(text) !== undefined,
    'must be a duration of at most 30d, such as 500ms, 90s, 15m, 2h or 1d',
  )
  .meta({ pattern: '^\\d+(\\.\\d+)?\\s?(ms|s|m|h|d)$', examples: ['90s', '15m', '2h'] });
