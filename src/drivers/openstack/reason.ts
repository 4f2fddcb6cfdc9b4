/** The reason Nova keeps for a disabled service: our mark, and what we found when we set it. */
import { MaintenanceError } from '../../core/errors.ts';
import { formatMark, type Mark, parseMark } from '../../core/mark.ts';

/** Nova keeps so much of a reason, and of a server's metadata. */
const LONGEST = 255;

/** Masakari was told before us to leave the host alone, and goes on doing so after us. */
const KEEP_ON_MAINTENANCE = ' (on_maintenance before)';

/** Throws Unsupported when Nova has no room for it. */
export function reasonOf(mark: Mark, wasOnMaintenance: boolean): string {
  return fitting(formatMark(mark) + (wasOnMaintenance ? KEEP_ON_MAINTENANCE : ''));
}

/** The mark as metadata of a server. Throws Unsupported when Nova has no room for it. */
export const markText = (mark: Mark): string => fitting(formatMark(mark));

/** Parts what was kept beside our mark from it; a reason of anybody else's is left as it is. */
export function readReason(reason: string): { cordonReason: string; wasOnMaintenance: boolean } {
  const cordonReason = reason.endsWith(KEEP_ON_MAINTENANCE)
    ? reason.slice(0, -KEEP_ON_MAINTENANCE.length)
    : reason;
  return parseMark(cordonReason)
    ? { cordonReason, wasOnMaintenance: cordonReason !== reason }
    : { cordonReason: reason, wasOnMaintenance: false };
}

function fitting(text: string): string {
  if (text.length <= LONGEST) return text;
  throw new MaintenanceError(
    'Unsupported',
    `Nova keeps ${LONGEST} characters of a mark, and this one has ${text.length}: give the session a shorter id (${text})`,
  );
}
