/** What becomes of an object while it is looked at: on every platform it may be removed meanwhile. */
import { MaintenanceError } from '../core/errors.ts';

/** The platform does not know the object. */
export const isGone = (error: unknown): boolean =>
  error instanceof MaintenanceError && error.code === 'NotFound';

/** The answer, or undefined when the platform does not know the object. */
export async function unlessGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
