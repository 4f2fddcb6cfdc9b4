import ms from 'ms';

/** Longest duration anybody may ask for: 30 days in milliseconds. */
const LONGEST = ms('30d');

/** Milliseconds of `500ms`, `90s`, `15m`, `2h`, `1.5h`, `3d`; undefined when the text is not a duration we take. */
export function parseDuration(text: string): number | undefined {
  if (!/^\d+(\.\d+)?\s?(ms|s|m|h|d)$/.test(text)) return undefined;
  const value = ms(text as ms.StringValue);
  return Number.isFinite(value) && value <= LONGEST ? Math.round(value) : undefined;
}

/** Milliseconds of a duration the session schema has already accepted. */
export function durationMs(text: string): number {
  const value = parseDuration(text);
  if (value === undefined) throw new RangeError(`not a duration: ${text}`);
  return value;
}

/** `850 ms`, `42 s`, `12 min`, `2 h 05 min`: for people, to the precision they need. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}
