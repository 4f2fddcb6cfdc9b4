import { z } from 'zod';
import { STEPS } from './host-run.ts';

const count = z.int().min(0);

/** Sent by an activity to the workflow of its host: what it waits for, by name; absent when it goes on. */
export const hostWaits = z.strictObject({ waitsFor: z.string().max(10_000).optional() });
export type HostWaits = z.output<typeof hostWaits>;

/** Sent by a host workflow to its session. Read like any other signal, since anybody can send one. */
export const hostReport = z.strictObject({
  host: z.string().max(255),
  step: z.enum(STEPS),
  moved: count,
  total: count,
  stopped: count,
  /** What it waits for, by name. */
  waitsFor: z.string().max(10_000).optional(),
  /** All instances have left; its share of the move budget is free. */
  drained: z.boolean().optional(),
  /** Some of its instances are recovering; its group shares are not free yet. */
  recovering: z.boolean().optional(),
});
export type HostReport = z.output<typeof hostReport>;
